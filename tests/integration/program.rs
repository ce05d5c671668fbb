//! Programs that tests compare with or drive.

use std::process::Command;

/// Whether all `programs` can be started; says on standard error which one cannot.
pub fn are_there(programs: &[&str]) -> bool {
    programs.iter().all(|program| {
        let found = Command::new(program).arg("--version").output().is_ok();
        if !found {
            skipped!("{program} is missing");
        }
        found
    })
}
