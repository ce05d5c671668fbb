//! Shared by the tests of all crates.

use std::process::Command;

/// The first of `$PARTDIFF_PYTHON`, the system's own Python and the one on PATH that has all of `modules`, such as
/// `numpy, PIL`.
pub fn python(modules: &str) -> Option<String> {
    let named = std::env::var("PARTDIFF_PYTHON").ok();
    let others = ["/usr/bin/python3", "python3"].map(String::from);
    named.into_iter().chain(others).find(|python| {
        let import = Command::new(python).args(["-c", &format!("import {modules}")]).output();
        import.is_ok_and(|output| output.status.success())
    })
}
