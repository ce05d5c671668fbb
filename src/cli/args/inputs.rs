//! What to work on: files, folders and standard input, as one list.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::batch::naming::shown;
use crate::error::{Error, ErrorKind};
use crate::fs::file_id::{FileId, resolved};
use crate::fs::temporary::TEMPORARY_PREFIX;
use crate::image::{ImageFormat, unreadable};
use crate::volume::nifti::{advice, is_found};

/// The name by which standard input and output are called.
pub const STDIO: &str = "-";

/// How many of the files that are left out are named.
const NAMED: usize = 5;

/// One image to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Path, or `-` for standard input.
    pub path: PathBuf,
    /// Where it lies below the folder that was named; the folder part is mirrored under the output folder.
    pub relative: PathBuf,
    /// Found in a folder, rather than named.
    pub walked: bool,
}

impl Input {
    /// Whether this is standard input.
    pub fn is_stdin(&self) -> bool {
        self.path == Path::new(STDIO)
    }
}

/// An input that cannot be worked on, or failed.
#[derive(Debug)]
pub struct Failure {
    /// Its path as named or found.
    pub input: PathBuf,
    /// As of [`Input`].
    pub relative: PathBuf,
    /// Why.
    pub error: Error,
}

/// What arguments come to.
#[derive(Debug, Default)]
pub struct Collected {
    /// Every image, once.
    pub inputs: Vec<Input>,
    /// What cannot be worked on.
    pub failures: Vec<Failure>,
    /// What a folder has besides, in a sentence.
    pub notes: Vec<(PathBuf, String)>,
}

/// Lists every input once, folders in order of names. Links to files count, links to folders are not followed.
///
/// `skip` is a folder not to look into, that is, the output folder.
pub fn collect(arguments: &[PathBuf], skip: Option<&Path>) -> Collected {
    let mut all = Collected::default();
    let skip = skip.and_then(FileId::of);
    for argument in arguments {
        if argument == Path::new(STDIO) {
            let relative = PathBuf::from("stdin");
            all.inputs.push(Input { path: argument.clone(), relative, walked: false });
            continue;
        }
        match fs::metadata(argument) {
            Ok(data) if data.is_dir() => walk(argument, skip.as_ref(), &mut all),
            Ok(_) => {
                all.inputs.push(Input {
                    path: argument.clone(),
                    relative: file_name(argument),
                    walked: false,
                });
            }
            Err(error) => all.failures.push(cannot_read(argument, file_name(argument), error)),
        }
    }
    // The same path named twice, however spelt, or named and found, is one input; what was named comes first.
    let mut seen = HashSet::new();
    all.inputs.retain(|input| input.is_stdin() || seen.insert(resolved(&input.path)));
    all
}

fn walk(folder: &Path, skip: Option<&FileId>, all: &mut Collected) {
    let before = (all.inputs.len(), all.failures.len());
    let mut foreign = Vec::new();
    let wanted = |entry: &DirEntry| {
        entry.depth() == 0
            || !(is_hidden(entry.file_name())
                || entry.file_type().is_dir() && skip.is_some() && FileId::of(entry.path()).as_ref() == skip)
    };
    for entry in WalkDir::new(folder).sort_by_file_name().into_iter().filter_entry(wanted) {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let path = error.path().unwrap_or(folder).to_path_buf();
                let error = error.into_io_error().unwrap_or_else(|| io::Error::other("a loop of links"));
                all.failures.push(cannot_read(&path, below(folder, &path), error));
                continue;
            }
        };
        let is_file = entry.file_type().is_file()
            || entry.path_is_symlink() && fs::metadata(entry.path()).is_ok_and(|data| data.is_file());
        if is_file && (has_image_extension(entry.path()) || is_found(entry.path())) {
            let relative = below(folder, entry.path());
            all.inputs.push(Input { path: entry.into_path(), relative, walked: true });
        } else if is_file && is_foreign(entry.path()) {
            foreign.push(shown(Path::new(entry.file_name())));
        }
    }
    if !foreign.is_empty() {
        let some = foreign.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if foreign.len() > NAMED { ", ..." } else { "" };
        let text = format!("{} of its files are images that cannot be read: {some}{more}", foreign.len());
        all.notes.push((folder.to_path_buf(), text));
    }
    if before == (all.inputs.len(), all.failures.len()) {
        let error = Error::new(ErrorKind::Input, "no images in this folder");
        all.failures.push(Failure { input: folder.to_path_buf(), relative: file_name(folder), error });
    }
}

fn is_hidden(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(b".") || name.starts_with(TEMPORARY_PREFIX.as_bytes())
}

fn has_image_extension(path: &Path) -> bool {
    path.extension().and_then(OsStr::to_str).is_some_and(|ext| ImageFormat::from_extension(ext).is_some())
}

/// Whether it is an image or a volume that cannot be read.
fn is_foreign(path: &Path) -> bool {
    path.extension().and_then(OsStr::to_str).and_then(unreadable).is_some() || advice(path).is_some()
}

/// Where a named file lies.
fn file_name(path: &Path) -> PathBuf {
    path.file_name().map_or_else(|| path.to_path_buf(), PathBuf::from)
}

/// Where a file that was found in `folder` lies.
fn below(folder: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(folder).unwrap_or(path).to_path_buf()
}

fn cannot_read(path: &Path, relative: PathBuf, error: io::Error) -> Failure {
    let error = Error::with_source(ErrorKind::Input, "cannot read", error);
    Failure { input: path.to_path_buf(), relative, error }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("in/sub/out")).unwrap();
        fs::create_dir_all(root.path().join("in/.git")).unwrap();
        for name in
            ["b.PNG", "a.jpg", "notes.txt", ".hidden.png", ".partdiff-x.png", "sub/c.webp", ".git/d.png"]
        {
            fs::write(root.path().join("in").join(name), b"").unwrap();
        }
        fs::write(root.path().join("in/sub/out/old.png"), b"").unwrap();
        root
    }

    fn relative(inputs: &[Input]) -> Vec<&str> {
        inputs.iter().map(|input| input.relative.to_str().unwrap()).collect()
    }

    #[test]
    fn folders_give_images_in_order() {
        let root = tree();
        let Collected { inputs, failures, .. } = collect(&[root.path().join("in")], None);
        assert_eq!(relative(&inputs), ["a.jpg", "b.PNG", "sub/c.webp", "sub/out/old.png"]);
        assert!(failures.is_empty());
        let Collected { inputs, .. } =
            collect(&[root.path().join("in")], Some(&root.path().join("in/sub/../sub/out")));
        assert_eq!(relative(&inputs), ["a.jpg", "b.PNG", "sub/c.webp"]);
    }

    #[test]
    fn images_that_cannot_be_read_are_named() {
        let root = tree();
        for name in ["x.psd", "sub/y.NEF", "z.jp2"] {
            fs::write(root.path().join("in").join(name), b"").unwrap();
        }
        let notes = collect(&[root.path().join("in")], None).notes;
        let text = "3 of its files are images that cannot be read: y.NEF, x.psd, z.jp2";
        assert_eq!(notes, [(root.path().join("in"), text.to_owned())]);
    }

    #[test]
    fn named_files_count_whatever_their_name_and_once() {
        let root = tree();
        let notes = root.path().join("in/notes.txt");
        let hidden = root.path().join("in/.hidden.png");
        let a = root.path().join("in/a.jpg");
        let Collected { inputs, failures, .. } = collect(
            &[
                notes.clone(),
                hidden,
                notes,
                a,
                root.path().join("in/sub/../a.jpg"),
                root.path().join("in"),
                STDIO.into(),
            ],
            None,
        );
        assert_eq!(
            relative(&inputs),
            ["notes.txt", ".hidden.png", "a.jpg", "b.PNG", "sub/c.webp", "sub/out/old.png", "stdin"]
        );
        assert!(!inputs[2].walked && inputs[3].walked && inputs[6].is_stdin());
        assert!(failures.is_empty());
    }

    #[test]
    fn missing_files_and_empty_folders_fail_by_name() {
        let root = tree();
        let arguments = [root.path().join("nowhere.png"), root.path().join("in/.git/none")];
        fs::create_dir(&arguments[1]).unwrap();
        let Collected { inputs, failures, .. } = collect(&arguments, None);
        assert!(inputs.is_empty());
        assert!(failures[0].error.report().starts_with("cannot read: No such file"));
        assert_eq!(failures[1].error.report(), "no images in this folder");
        assert_eq!(failures[1].input, arguments[1]);
    }

    #[cfg(unix)]
    #[test]
    fn loops_of_links_end() {
        let root = tree();
        std::os::unix::fs::symlink(root.path().join("in"), root.path().join("in/sub/up")).unwrap();
        std::os::unix::fs::symlink("a.jpg", root.path().join("in/link.jpg")).unwrap();
        std::os::unix::fs::symlink("gone.jpg", root.path().join("in/dangling.jpg")).unwrap();
        let Collected { inputs, failures, .. } = collect(&[root.path().join("in")], None);
        assert_eq!(relative(&inputs), ["a.jpg", "b.PNG", "link.jpg", "sub/c.webp", "sub/out/old.png"]);
        assert!(failures.is_empty());
    }
}
