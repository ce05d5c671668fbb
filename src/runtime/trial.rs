//! A plug-in tried in a process of its own first, which it may crash.

use std::ffi::OsString;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::canary;
use super::environment::Runtime;
use super::outcomes::{Outcome, Outcomes, file_key};
use super::provider::{Device, Provider};
use crate::error::Result;

/// The subcommand of `partdiff` that tries a provider: `--library PATH NAME`.
pub const TRIAL: &str = "try-provider";

/// Begins the line with which a trial says how it went.
const MARK: &str = "partdiff try-provider: ";

/// A driver may compile for a while; one that never comes back is given up.
const LIMIT: Duration = Duration::from_secs(120);

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Has trials run by `program`, which is a `partdiff` command; without it the one on the search path is taken.
pub fn set_trial_program(program: PathBuf) {
    let _ = PROGRAM.set(program);
}

/// The trial itself: loads `library`, runs a test inference on `provider` and says how it went on stdout.
///
/// # Errors
/// As it went.
pub fn try_provider(library: &Path, provider: Provider) -> Result<()> {
    let tried = Runtime::open(Some(library), Device::Cpu).and_then(|runtime| canary::run(runtime, provider));
    match &tried {
        Ok(()) => println!("{MARK}harmless"),
        Err(error) => println!("{MARK}failed: {}", one_line(&error.report())),
    }
    tried
}

/// Whether another process survived the plug-in at `plugin`, and what that process found: asked once for these files.
///
/// # Errors
/// Why `provider` does not run.
pub(super) fn survived(library: &Path, plugin: &Path, provider: Provider) -> Result<(), String> {
    let outcomes = Outcomes::of_user();
    let key = format!("trial | {provider} | {} | {}", file_key(library), file_key(plugin));
    match outcomes.recall(&key) {
        Some(Outcome::Harmless) => return Ok(()),
        Some(Outcome::Failed { reason, .. }) => return Err(reason),
        _ => {}
    }
    let program =
        PROGRAM.get().cloned().or_else(named).or_else(|| on_path(std::env::var_os("PATH")?)).ok_or_else(
            || format!("{} has not been tried yet: run `partdiff doctor` once", plugin.display()),
        )?;
    match run(&program, library, provider) {
        Ok(()) => {
            outcomes.keep(key, Outcome::Harmless);
            Ok(())
        }
        Err(Failed { reason, is_crash }) => {
            // A driver or a device may be there next time; what crashed is left alone for a while.
            if is_crash {
                outcomes.keep(key, Outcome::failed(reason.clone()));
            }
            Err(reason)
        }
    }
}

/// A trial that did not go well.
struct Failed {
    reason: String,
    /// Whether the plug-in ended the process.
    is_crash: bool,
}

impl From<String> for Failed {
    fn from(reason: String) -> Self {
        Self { reason, is_crash: false }
    }
}

/// Whether a process ended by a fault of its own, and not because somebody stopped it.
fn crashed(status: ExitStatus) -> bool {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        // ILL, TRAP, ABRT, BUS, FPE and SEGV; BUS has another number on BSD and macOS.
        return [4, 5, 6, 7, 8, 10, 11].contains(&signal);
    }
    // Windows ends a process that crashes with a status of its own.
    cfg!(windows) && status.code().is_some_and(|code| code < 0)
}

/// The command that a host of the library names.
fn named() -> Option<PathBuf> {
    std::env::var_os("PARTDIFF_COMMAND").map(PathBuf::from).filter(|program| program.is_absolute())
}

fn on_path(path: OsString) -> Option<PathBuf> {
    let name = format!("partdiff{}", std::env::consts::EXE_SUFFIX);
    // The current folder may be anybody's.
    let folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    folders.map(|folder| folder.join(&name)).find(|program| program.is_file())
}

fn run(program: &Path, library: &Path, provider: Provider) -> std::result::Result<(), Failed> {
    let failed = |error: std::io::Error| format!("{}: cannot be tried: {error}", program.display());
    // A file, which takes whatever libraries print.
    let mut output = tempfile::tempfile().map_err(failed)?;
    let (stdout, stderr) = (output.try_clone().map_err(failed)?, output.try_clone().map_err(failed)?);
    let mut child = Command::new(program)
        .arg(TRIAL)
        .arg("--library")
        .arg(library)
        .arg(provider.to_string())
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .spawn()
        .map_err(failed)?;
    let start = Instant::now();
    let status = loop {
        match child.try_wait().map_err(failed)? {
            Some(status) => break status,
            None if start.elapsed() > LIMIT => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("it does not answer within {} s", LIMIT.as_secs()).into());
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let mut said = Vec::new();
    output.rewind().and_then(|()| output.read_to_end(&mut said)).map_err(failed)?;
    verdict(status, &String::from_utf8_lossy(&said))
        .map_err(|reason| Failed { reason, is_crash: crashed(status) })
}

fn verdict(status: ExitStatus, said: &str) -> Result<(), String> {
    let marked = said.lines().rev().find_map(|line| line.split_once(MARK).map(|(_, verdict)| verdict));
    match marked {
        // Also where it crashes only when the process ends: it would do so to ours.
        Some("harmless") if status.success() => Ok(()),
        Some(verdict) if verdict != "harmless" => {
            Err(super::choice::brief(verdict.strip_prefix("failed: ").unwrap_or(verdict)))
        }
        _ => {
            let last = said.lines().map(str::trim).rfind(|line| !line.is_empty() && !line.contains(MARK));
            let last = last.map(|line| format!("; last it said: {line}")).unwrap_or_default();
            Err(format!("it ends the process that loads it ({status}){last}"))
        }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// What comes of a trial by a program that does this.
    fn tried(script: &str) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("partdiff");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        run(&program, Path::new("/lib/libonnxruntime.so"), Provider::WebGpu).map_err(|failed| failed.reason)
    }

    #[test]
    fn only_a_process_that_ends_well_has_survived() {
        tried("[ \"$*\" = 'try-provider --library /lib/libonnxruntime.so webgpu' ] && echo 'partdiff try-provider: harmless'")
            .unwrap();
        let reason =
            tried("echo noise; echo 'partdiff try-provider: failed: no adapter'; exit 1").unwrap_err();
        assert_eq!(reason, "no adapter");
        let reason = tried("echo loading >&2; kill -SEGV $$").unwrap_err();
        assert!(reason.starts_with("it ends the process that loads it (signal: 11 (SIGSEGV)"), "{reason}");
        assert!(reason.ends_with("; last it said: loading"), "{reason}");
        // It ran, and crashed at the end.
        let reason = tried("echo 'partdiff try-provider: harmless'; kill -ABRT $$").unwrap_err();
        assert!(reason.starts_with("it ends the process that loads it (signal: 6 (SIGABRT)"), "{reason}");
        // A command that knows no trials.
        let reason = tried("echo 'error: unrecognized subcommand' >&2; exit 2").unwrap_err();
        assert!(
            reason.contains("(exit status: 2); last it said: error: unrecognized subcommand"),
            "{reason}"
        );
    }
}
