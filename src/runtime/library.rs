//! ONNX Runtime's library: the places to look for it, and checks before anything is loaded.

use std::fmt;
use std::path::{Path, PathBuf};

use super::binary_format::check_shared_library;
use super::candidate::{Candidate, Source};
use super::places;
use super::provider::Device;
use super::record::InstallRecord;
use crate::error::{Error, ErrorKind, Result};

/// A candidate that was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Its path.
    pub path: PathBuf,
    /// Why it was considered.
    pub source: Source,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.path.display(), self.source, self.reason)
    }
}

/// The chosen library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// Absolute path.
    pub path: PathBuf,
    /// Why it was chosen.
    pub source: Source,
    /// What was passed over before it.
    pub rejected: Vec<Rejected>,
}

/// Finds ONNX Runtime's library for `device` by looking at files only; nothing is loaded.
///
/// Order: `explicit`, `ORT_DYLIB_PATH`, the Python environment that brought this program (for a GPU of NVIDIA's after
/// the next), our installations, beside the program, an importable Python package, folders of the system. What the user named must be good: it is never passed over in silence.
///
/// # Errors
/// `ErrorKind::Runtime`, naming the bad file or, where nothing was found, the remedy and what was passed over.
pub fn find(explicit: Option<&Path>, device: Device) -> Result<Library> {
    find_with(explicit, device, |_| Ok(())).map(|(library, ())| library)
}

/// As [`find`], but a candidate must also pass `accept`, whose value is handed on.
pub(crate) fn find_with<T>(
    explicit: Option<&Path>,
    device: Device,
    accept: impl FnMut(&Candidate) -> Result<T>,
) -> Result<(Library, T)> {
    let environment = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()).map(PathBuf::from);
    let named = match (explicit, environment) {
        (Some(path), _) => Some((path.to_owned(), Source::Explicit)),
        (None, Some(path)) => Some((path, Source::Environment)),
        (None, None) => None,
    };
    let named = named.map(|(path, source)| Candidate { path: absolute(path), source });
    select(named, places::candidates(device), accept)
}

/// The loader treats relative paths in its own way, so they are resolved here.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

/// Takes the first good candidate; one that the user named is the only one.
fn select<T>(
    named: Option<Candidate>,
    others: impl Iterator<Item = Candidate>,
    mut accept: impl FnMut(&Candidate) -> Result<T>,
) -> Result<(Library, T)> {
    let mut checked = |candidate: &Candidate| check(candidate).and_then(|()| accept(candidate));
    if let Some(candidate) = named {
        let value = checked(&candidate)
            .map_err(|error| error.context(format!("{} ({})", candidate.path.display(), candidate.source)))?;
        return Ok((Library { path: candidate.path, source: candidate.source, rejected: Vec::new() }, value));
    }
    let mut rejected: Vec<Rejected> = Vec::new();
    for candidate in others {
        match checked(&candidate) {
            Ok(value) => {
                return Ok((Library { path: candidate.path, source: candidate.source, rejected }, value));
            }
            Err(error) => rejected.push(Rejected {
                path: candidate.path,
                source: candidate.source,
                reason: error.report(),
            }),
        }
    }
    Err(not_found(&rejected))
}

fn not_found(rejected: &[Rejected]) -> Error {
    let mut message = "ONNX Runtime was not found: run `partdiff runtime install`, \
                       or name its library with --library or ORT_DYLIB_PATH"
        .to_owned();
    for rejected in rejected {
        message.push_str(&format!("\n  rejected: {rejected}"));
    }
    Error::new(ErrorKind::Runtime, message)
}

/// File checks of one candidate: whole, of this platform, not older than we can use, unchanged if installed by us.
fn check(candidate: &Candidate) -> Result<()> {
    let fail = |reason: String| Error::new(ErrorKind::Runtime, reason);
    check_shared_library(&candidate.path).map_err(fail)?;
    if let Some(minor) = minor_version(&candidate.path).filter(|minor| *minor < MINIMUM_MINOR) {
        return Err(fail(format!("is version 1.{minor}; 1.{MINIMUM_MINOR} or newer is needed")));
    }
    if candidate.source == Source::Installed {
        let folder = candidate.path.parent().unwrap_or(Path::new(""));
        let remedy = "run `partdiff runtime install` to replace it";
        let record = InstallRecord::read(folder)?
            .ok_or_else(|| fail(format!("has no installation record beside it; {remedy}")))?;
        record.verify(folder, false).map_err(|reason| fail(format!("{reason}; {remedy}")))?;
    }
    Ok(())
}

/// The oldest minor version of ONNX Runtime whose API is enough.
pub(crate) const MINIMUM_MINOR: u32 = 17;

/// The minor version in a file name such as `libonnxruntime.so.1.32.0`, following links.
fn minor_version(path: &Path) -> Option<u32> {
    let real = path.canonicalize().ok()?;
    let name = real.file_name()?.to_str()?;
    let version = name.strip_prefix("libonnxruntime.")?.trim_start_matches("so.").strip_prefix("1.")?;
    version.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(path: &Path, source: Source) -> Candidate {
        Candidate { path: path.to_owned(), source }
    }

    /// A shared library that every Linux system has.
    #[cfg(target_os = "linux")]
    fn some_library() -> PathBuf {
        let map = std::fs::read_to_string("/proc/self/maps").unwrap();
        let line = map.lines().find(|line| line.contains("libc.so") || line.contains("libc-")).unwrap();
        PathBuf::from(&line[line.find('/').unwrap()..])
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_first_good_candidate_wins_and_the_bad_ones_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing.so");
        let text = folder.path().join("text.so");
        std::fs::write(&text, "no library".repeat(10)).unwrap();
        let (first, second) = (folder.path().join("first.so"), folder.path().join("second.so"));
        std::fs::copy(some_library(), &first).unwrap();
        std::fs::copy(some_library(), &second).unwrap();
        let order = [
            candidate(&missing, Source::BesideExecutable),
            candidate(&text, Source::Python),
            candidate(&first, Source::System),
            candidate(&second, Source::System),
        ];
        let (library, ()) = select(None, order.clone().into_iter(), |_| Ok(())).unwrap();
        assert_eq!((library.path, library.source), (first.clone(), Source::System));
        let reasons: Vec<_> = library.rejected.iter().map(|rejected| rejected.reason.as_str()).collect();
        assert_eq!(reasons, ["no such file", "is not a shared library (64-bit ELF)"]);
        // One that cannot be loaded is passed over like one that is no library.
        let refuse_first = |candidate: &Candidate| {
            if candidate.path == first { Err(Error::new(ErrorKind::Runtime, "too old")) } else { Ok(7) }
        };
        let (library, value) = select(None, order.into_iter(), refuse_first).unwrap();
        assert_eq!((library.path, value), (second, 7));
        assert_eq!(library.rejected[2].reason, "too old");
    }

    #[test]
    fn what_the_user_named_is_not_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing.so");
        for source in [Source::Explicit, Source::Environment] {
            let others = std::iter::once_with(|| panic!("nothing else may be looked at"));
            let error = select(Some(candidate(&missing, source)), others, |_| Ok(())).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Runtime);
            assert_eq!(error.report(), format!("{} ({source}): no such file", missing.display()));
        }
    }

    #[test]
    fn finding_nothing_names_the_remedy() {
        let gone = candidate(Path::new("/nowhere/libonnxruntime.so.1"), Source::System);
        let error = select(None, std::iter::once(gone), |_| Ok(())).unwrap_err().to_string();
        assert!(error.contains("partdiff runtime install"), "{error}");
        assert!(
            error.contains("rejected: /nowhere/libonnxruntime.so.1 (of the system): no such file"),
            "{error}"
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn old_versions_and_unrecorded_installations_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let old = folder.path().join("libonnxruntime.so.1.14.1");
        std::fs::copy(some_library(), &old).unwrap();
        let link = folder.path().join("libonnxruntime.so");
        std::os::unix::fs::symlink(&old, &link).unwrap();
        let error = check(&candidate(&link, Source::System)).unwrap_err();
        assert_eq!(error.to_string(), "is version 1.14; 1.17 or newer is needed");
        let new = folder.path().join("libonnxruntime.so.1.32.0");
        std::fs::copy(some_library(), &new).unwrap();
        check(&candidate(&new, Source::System)).unwrap();
        let error = check(&candidate(&new, Source::Installed)).unwrap_err();
        assert!(error.to_string().starts_with("has no installation record beside it"), "{error}");
    }
}
