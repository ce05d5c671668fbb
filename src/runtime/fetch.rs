//! Wheels fetched and unpacked by the user's own pip or uv; this program opens no connection itself.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::packages::{Package, platform_tags};
use super::places::pythons;
use crate::error::{Error, ErrorKind, Result};

/// The programs that can download wheels.
pub(super) struct Clients {
    /// Python interpreters, by path or by name.
    pub(super) pythons: Vec<PathBuf>,
    /// Folders to look for names in; `None` for those of this process.
    pub(super) search_path: Option<OsString>,
}

/// A way to run pip.
struct Client<'a> {
    program: PathBuf,
    arguments: &'a [&'a str],
}

impl Client<'_> {
    fn describe(&self) -> String {
        let mut text = self.program.display().to_string();
        for argument in self.arguments {
            text.push(' ');
            text.push_str(argument);
        }
        text
    }
}

impl Clients {
    /// Those that the user has.
    pub(super) fn of_user() -> Self {
        Self { pythons: pythons(), search_path: None }
    }

    /// Has `package` unpacked in `folder` and returns the folder that holds its files.
    ///
    /// Tries `python -m pip` of each Python, `pip`, the pip of a virtual environment made for this in `folder`, and
    /// `uv`, until one of them delivers.
    ///
    /// # Errors
    /// `ErrorKind::Runtime` with what each client said.
    pub(super) fn fetch(&self, package: &Package, folder: &Path) -> Result<PathBuf> {
        let requirements = folder.join("requirements.txt");
        std::fs::write(&requirements, package.requirement()?).map_err(|error| {
            let message = format!("{}: cannot be written", requirements.display());
            Error::with_source(ErrorKind::Runtime, message, error)
        })?;
        let mut said = Vec::new();
        let module: &[&str] = &["-m", "pip"];
        let ready = self.pythons.iter().map(|python| Client { program: python.clone(), arguments: module });
        let ready = ready.chain(["pip3", "pip"].map(|pip| Client { program: pip.into(), arguments: &[] }));
        let made = std::iter::once_with(|| self.environment_python(folder)).flatten();
        let made = made.map(|python| Client { program: python, arguments: module });
        let uv = Client { program: "uv".into(), arguments: &["tool", "run", "pip"] };
        for client in ready.chain(made).chain(std::iter::once(uv)) {
            match self.unpack(&client, &requirements, folder) {
                Ok(path) => return Ok(path),
                Err(reason) => said.push(format!("\n  {}: {reason}", client.describe())),
            }
        }
        let Package { name, version, .. } = package;
        Err(Error::new(
            ErrorKind::Runtime,
            format!(
                "{name} {version} could not be downloaded; Python 3 with pip, or uv, and a connection are needed. \
                 Tried:{}",
                said.concat()
            ),
        ))
    }

    /// The Python of a new virtual environment, whose pip serves where Python has none of its own.
    fn environment_python(&self, folder: &Path) -> Option<PathBuf> {
        let environment = folder.join("environment");
        let inside = if cfg!(windows) { "Scripts\\python.exe" } else { "bin/python" };
        let made = self.pythons.iter().any(|python| {
            let mut command = self.command(python);
            command.args(["-m", "venv"]).arg(&environment);
            run(command).is_ok()
        });
        made.then(|| environment.join(inside))
    }

    /// pip refuses a file that has another hash than the requirement, and so does the pip that uv brings.
    fn unpack(&self, client: &Client<'_>, requirements: &Path, folder: &Path) -> Result<PathBuf, String> {
        let target = folder.join("unpacked");
        // What another client left there would be taken for installed.
        let _ = std::fs::remove_dir_all(&target);
        let mut command = self.command(&client.program);
        command.args(client.arguments).args([
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-input",
            "--no-deps",
            "--no-compile",
            "--require-hashes",
            "--only-binary=:all:",
            // Any interpreter's wheel serves: only the library in it is used.
            "--implementation",
            "cp",
            "--python-version",
            "3.12",
        ]);
        for tag in platform_tags() {
            command.args(["--platform", &tag]);
        }
        command.arg("--target").arg(&target).arg("--requirement").arg(requirements);
        // A user's setting for it contradicts --target.
        command.env("PIP_USER", "0");
        // A gigabyte is unpacked there, which a temporary file system in memory may not hold.
        command.envs(["TMPDIR", "TEMP", "TMP"].map(|variable| (variable, folder)));
        run(command)?;
        if target.is_dir() { Ok(target) } else { Err("reported success, but left nothing".to_owned()) }
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some(path) = &self.search_path {
            command.env("PATH", path);
        }
        command
    }
}

/// Runs a client to its end; `Err` is what it said last.
fn run(mut command: Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "not found".to_owned(),
        _ => error.to_string(),
    })?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    // Details and warnings may follow pip's own errors.
    let last = lines.clone().rfind(|line| line.starts_with("ERROR: ")).or_else(|| lines.next_back());
    Err(match last {
        Some(line) => format!("{line} ({})", output.status),
        None => output.status.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::record::Flavour;

    #[cfg(unix)]
    #[test]
    fn clients_that_fail_are_named_with_what_they_said() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let script = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        };
        script("python3", "echo first >&2; echo no network >&2; exit 3");
        script("pip", "exit 0");
        let clients = Clients {
            pythons: vec!["python3".into(), "python".into()],
            search_path: Some(folder.path().as_os_str().to_owned()),
        };
        let package = crate::runtime::packages::packages(Flavour::Cpu)[0];
        let work = tempfile::tempdir().unwrap();
        let error = clients.fetch(&package, work.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Runtime);
        let lines: Vec<_> = error.to_string().lines().skip(1).map(|line| line.trim().to_owned()).collect();
        let expected = [
            "python3 -m pip: no network (exit status: 3)",
            "python -m pip: not found",
            "pip3: not found",
            "pip: reported success, but left nothing",
            "uv tool run pip: not found",
        ];
        assert_eq!(lines, expected);
    }
}
