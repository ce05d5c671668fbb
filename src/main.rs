//! The `partdiff` command.

fn main() {}
