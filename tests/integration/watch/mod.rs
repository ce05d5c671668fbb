//! `partdiff watch` as a process: files arrive in awkward ways, processes die, disks fill, and every good image ends
//! once in OUT.

mod arriving;
mod asking;
mod blocking;
mod faults;
mod killing;
mod many;
pub mod place;
mod serving;
mod stub;
mod telling;
mod volumes;
mod working;
