//! Wheels downloaded by the Python package clients that the user has; this program opens no connection itself.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::places::pythons;
use crate::error::{Error, ErrorKind, Result};

/// One wheel to download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Package {
    /// Name in the package index.
    pub name: &'static str,
    /// The pinned version.
    pub version: &'static str,
    /// About how many megabytes are downloaded.
    pub megabytes: u32,
}

impl Package {
    /// Whether `file` is a wheel of this package.
    fn owns(&self, file: &OsStr) -> bool {
        let start = format!("{}-{}-", self.name.replace('-', "_"), self.version);
        file.to_str().is_some_and(|name| name.starts_with(&start) && name.ends_with(".whl"))
    }
}

/// The tags of wheels that run here, newest first; `None` where no wheel does.
pub(super) fn platform_tags() -> Option<&'static [&'static str]> {
    if cfg!(target_env = "musl") {
        // The wheels' libraries need glibc.
        return None;
    }
    Some(match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => &[
            "manylinux_2_28_x86_64",
            "manylinux_2_27_x86_64",
            "manylinux_2_17_x86_64",
            "manylinux2014_x86_64",
        ],
        ("linux", "aarch64") => &[
            "manylinux_2_28_aarch64",
            "manylinux_2_27_aarch64",
            "manylinux_2_17_aarch64",
            "manylinux2014_aarch64",
        ],
        ("macos", "aarch64") => &["macosx_14_0_arm64"],
        ("windows", "x86_64") => &["win_amd64"],
        ("windows", "aarch64") => &["win_arm64"],
        _ => return None,
    })
}

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

    /// Downloads `package` into `folder` and returns the wheel's path.
    ///
    /// Tries `python -m pip` of each Python, `pip`, the pip of a virtual environment made for this in `folder`, and
    /// `uv`, until one of them delivers.
    ///
    /// # Errors
    /// `ErrorKind::Runtime` with what each client said.
    pub(super) fn fetch(&self, package: &Package, folder: &Path) -> Result<PathBuf> {
        let tags = platform_tags().ok_or_else(|| no_wheel(package))?;
        let mut said = Vec::new();
        let module: &[&str] = &["-m", "pip"];
        let ready = self.pythons.iter().map(|python| Client { program: python.clone(), arguments: module });
        let ready = ready.chain(["pip3", "pip"].map(|pip| Client { program: pip.into(), arguments: &[] }));
        let made = std::iter::once_with(|| self.environment_python(folder)).flatten();
        let made = made.map(|python| Client { program: python, arguments: module });
        let uv = Client { program: "uv".into(), arguments: &["tool", "run", "pip"] };
        for client in ready.chain(made).chain(std::iter::once(uv)) {
            match self.download(&client, package, tags, folder) {
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

    fn download(
        &self,
        client: &Client<'_>,
        package: &Package,
        tags: &[&str],
        folder: &Path,
    ) -> Result<PathBuf, String> {
        let mut command = self.command(&client.program);
        command.args(client.arguments).args([
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-input",
            "--no-deps",
            "--only-binary=:all:",
            // Any interpreter's wheel serves: only the library in it is used.
            "--implementation",
            "cp",
            "--python-version",
            "3.12",
        ]);
        for tag in tags {
            command.args(["--platform", tag]);
        }
        command.arg("--dest").arg(folder).arg(format!("{}=={}", package.name, package.version));
        run(command)?;
        let entries = std::fs::read_dir(folder).map_err(|error| error.to_string())?;
        entries
            .flatten()
            .find(|entry| package.owns(&entry.file_name()))
            .map(|entry| entry.path())
            .ok_or_else(|| "reported success, but left no wheel".to_owned())
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some(path) = &self.search_path {
            command.env("PATH", path);
        }
        command
    }
}

fn no_wheel(package: &Package) -> Error {
    let message = format!(
        "{}: there is no prebuilt library for {}-{} with this C library; \
         build ONNX Runtime and name it with --library or ORT_DYLIB_PATH",
        package.name,
        std::env::consts::OS,
        std::env::consts::ARCH
    );
    Error::new(ErrorKind::Runtime, message)
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
    let last = text.lines().map(str::trim).rfind(|line| !line.is_empty());
    Err(match last {
        Some(line) => format!("{line} ({})", output.status),
        None => output.status.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wheels_are_told_by_package_and_version() {
        let package = Package { name: "onnxruntime", version: "1.32.0", megabytes: 28 };
        let owns = |name: &str| package.owns(OsStr::new(name));
        assert!(owns("onnxruntime-1.32.0-cp312-cp312-manylinux_2_28_x86_64.whl"));
        assert!(!owns("onnxruntime_gpu-1.32.0-cp312-cp312-manylinux_2_28_x86_64.whl"));
        assert!(!owns("onnxruntime-1.32.0.tar.gz"));
        assert!(!owns("onnxruntime-1.31.0-cp312-cp312-manylinux_2_28_x86_64.whl"));
    }

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
        let package = Package { name: "onnxruntime", version: "1.32.0", megabytes: 28 };
        let work = tempfile::tempdir().unwrap();
        let error = clients.fetch(&package, work.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Runtime);
        let lines: Vec<_> = error.to_string().lines().skip(1).map(|line| line.trim().to_owned()).collect();
        let expected = [
            "python3 -m pip: no network (exit status: 3)",
            "python -m pip: not found",
            "pip3: not found",
            "pip: reported success, but left no wheel",
            "uv tool run pip: not found",
        ];
        assert_eq!(lines, expected);
    }
}
