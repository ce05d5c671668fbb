//! What blocks without end: a share that hangs, a log that nobody reads.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Command;

use super::place::{Notified, Place, ppm};
use super::stub::once;

/// As <fcntl.h> has it, and the crate has not.
const F_SETSIG: libc::c_int = 10;

/// A lease on a file: until it is dropped, or the kernel's patience ends (45 s), opening the file blocks.
struct Lease(File);

impl Lease {
    /// `None`, told on standard error, where the file system has no leases.
    fn take(path: &Path) -> Option<Self> {
        let file = File::open(path).unwrap();
        // A signal that is ignored tells that somebody wants the file; the usual one ends the process.
        // SAFETY: the descriptor is open, and neither command takes a pointer.
        let taken = unsafe {
            libc::fcntl(file.as_raw_fd(), F_SETSIG, libc::SIGURG) == 0
                && libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_WRLCK) == 0
        };
        if !taken {
            skipped!("no lease on {}: {}", path.display(), std::io::Error::last_os_error());
        }
        taken.then_some(Self(file))
    }

    /// Whether somebody wants to read the file.
    fn is_awaited(&self) -> bool {
        // SAFETY: the descriptor is open, and the command takes no argument.
        unsafe { libc::fcntl(self.0.as_raw_fd(), libc::F_GETLEASE) == libc::F_RDLCK }
    }
}

#[test]
fn a_read_that_blocks_holds_up_neither_the_watchdog_nor_signals() {
    let place = Place::new();
    let notified = Notified::new(&place);
    fs::write(place.path("in/a.ppm"), ppm(8, 1)).unwrap();
    let Some(lease) = Lease::take(&place.path("in/a.ppm")) else { return };
    let mut command = place.stub("");
    let mut daemon = place.spawn(notified.by(&mut command));
    place.until("the read", || lease.is_awaited());
    notified.forget();
    notified.hear("WATCHDOG=1");
    assert_eq!(daemon.end(), Some(0));
    notified.hear("STOPPING=1");
    // The read was not over.
    assert!(place.status().contains("1 settling"), "{}", place.status());
}

#[test]
fn one_run_that_is_interrupted_says_so() {
    let Some(place) = Place::real() else { return };
    fs::write(place.path("in/a.ppm"), ppm(8, 1)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_partdiff"));
    command.args(["watch", "--once", "--settle", "1h", "--device", "cpu", "--state"]);
    command.args(["state", "in", "out"].map(|name| place.path(name)));
    let mut daemon = place.spawn(&mut command);
    place.until_logged("watching: ");
    assert_eq!(daemon.end(), Some(1));
}

#[test]
fn one_run_that_has_to_be_ended_says_so() {
    let place = Place::new();
    fs::write(place.path("in/a.ppm"), ppm(8, 1)).unwrap();
    // A log that is full blocks the daemon.
    let (_reader, mut writer) = std::io::pipe().unwrap();
    // SAFETY: the descriptor is open, and the command takes no argument.
    let size = unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_GETPIPE_SZ) };
    writer.write_all(&vec![b'\n'; usize::try_from(size).unwrap()]).unwrap();
    let mut daemon = place.spawn_logging_to(once(&mut place.stub("")), writer);
    // The kernel tells which signals a process catches.
    let catches = |status: String| {
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).map(str::trim).unwrap();
        u64::from_str_radix(mask, 16).unwrap() >> (libc::SIGTERM - 1) & 1 == 1
    };
    let status = format!("/proc/{}/status", daemon.0.id());
    place.until("the listener", || fs::read_to_string(&status).is_ok_and(catches));
    assert_eq!(daemon.end(), Some(1));
}
