//! What to work on: files, folders, DICOM series and standard input, as one list.

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
use crate::volume::dicom::{Collection, Member, Place, Unusable, files_of};
use crate::volume::nifti::{advice, is_found};

/// The name by which standard input and output are called.
pub const STDIO: &str = "-";

/// How many of the files that are left out are named.
const NAMED: usize = 5;

/// One image or volume to read.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Path, or `-` for standard input; of a DICOM series its file, or the folder or zip file of its files.
    pub path: PathBuf,
    /// Where it lies below the folder that was named; the folder part is mirrored under the output folder.
    pub relative: PathBuf,
    /// Found in a folder, rather than named.
    pub walked: bool,
    /// The series, if it is one of DICOM.
    pub series: Option<Member>,
}

impl Input {
    fn new(path: PathBuf, relative: PathBuf, walked: bool) -> Self {
        Self { path, relative, walked, series: None }
    }

    /// Its files.
    pub fn files(&self) -> Vec<&Path> {
        match &self.series {
            Some(member) => member.series.files.iter().map(|place| place.path.as_path()).collect(),
            None => vec![&self.path],
        }
    }

    /// What tells it from other series of the same path.
    pub fn suffix(&self) -> Option<&str> {
        self.series.as_ref()?.suffix.as_deref()
    }

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
    // Files that are named together may be slices of one series.
    let mut named = Vec::new();
    for argument in arguments {
        if argument == Path::new(STDIO) {
            all.inputs.push(Input::new(argument.clone(), PathBuf::from("stdin"), false));
            continue;
        }
        match fs::metadata(argument) {
            Ok(data) if data.is_dir() => walk(argument, skip.as_ref(), &mut all),
            Ok(_) => match files_of(argument) {
                Ok(slices) if slices.is_empty() => {
                    all.inputs.push(Input::new(argument.clone(), file_name(argument), false));
                }
                Ok(slices) if slices[0].entry.is_some() => series(&slices, None, &mut all),
                Ok(slices) => named.extend(slices),
                Err(error) => {
                    let (input, relative) = (argument.clone(), file_name(argument));
                    all.failures.push(Failure { input, relative, error });
                }
            },
            Err(error) => all.failures.push(cannot_read(argument, file_name(argument), error)),
        }
    }
    series(&named, None, &mut all);
    // The same path named twice, however spelt, or named and found, is one input; what was named comes first.
    let mut seen = HashSet::new();
    all.inputs.retain(|input| {
        input.is_stdin() || seen.insert((resolved(&input.path), input.suffix().map(str::to_owned)))
    });
    all
}

/// Adds the series of DICOM files; `folder` is where they were found, if they were not named.
fn series(places: &[Place], folder: Option<&Path>, all: &mut Collected) {
    // The same file named twice, however spelt, is one slice.
    let mut seen = HashSet::new();
    let places: Vec<Place> = places
        .iter()
        .filter(|place| seen.insert(Place { path: resolved(&place.path), ..(*place).clone() }))
        .cloned()
        .collect();
    let Collection { members, unusable, others } = Collection::read(&places);
    let is_all = members.is_empty() && unusable.is_empty();
    for member in members {
        // The folder itself may be called `.`.
        let name = member.path.canonicalize().ok().and_then(|path| path.file_name().map(PathBuf::from));
        let name = name.unwrap_or_else(|| member.path.clone());
        let below = folder.and_then(|folder| member.path.strip_prefix(folder).ok());
        let relative = below.filter(|below| *below != Path::new("")).map_or(name, Path::to_path_buf);
        let walked = folder.is_some();
        all.inputs.push(Input { path: member.path.clone(), relative, walked, series: Some(member) });
    }
    let lies = |path: &Path| folder.map_or_else(|| file_name(path), |folder| below(folder, path));
    let failed = |path: PathBuf, error| Failure { relative: lies(&path), input: path, error };
    all.failures.extend(unusable.into_iter().map(|Unusable { path, error }| failed(path, error)));
    // What is no image is an error where nothing else was found.
    if is_all && folder.is_none() {
        for (place, kind) in others {
            let message = format!("is {kind} (DICOM): expected an image");
            all.failures.push(failed(place.path, Error::new(ErrorKind::Input, message)));
        }
    } else if let Some((place, _)) = others.first() {
        let mut kinds: Vec<&str> = others.iter().map(|(_, kind)| kind.as_str()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let count = others.len();
        let text =
            format!("{count} of its DICOM files are left out, as they are no images: {}", kinds.join(", "));
        all.notes.push((folder.unwrap_or(&place.path).to_path_buf(), text));
    }
}

fn walk(folder: &Path, skip: Option<&FileId>, all: &mut Collected) {
    let before = (all.inputs.len(), all.failures.len());
    let mut foreign = Vec::new();
    let (mut slices, mut unread, mut empty) = (Vec::new(), Vec::new(), Vec::new());
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
        if !is_file {
            continue;
        }
        let slice = Place::of_file(entry.path());
        if let Ok(Some(slice)) = slice {
            slices.push(slice);
        } else if has_image_extension(entry.path()) || is_found(entry.path()) {
            let relative = below(folder, entry.path());
            all.inputs.push(Input::new(entry.into_path(), relative, true));
        } else if is_foreign(entry.path()) {
            foreign.push(shown(Path::new(entry.file_name())));
        } else if let Err(error) = slice {
            unread.push(cannot_read(entry.path(), below(folder, entry.path()), error));
        } else if fs::metadata(entry.path()).is_ok_and(|data| data.len() == 0) {
            empty.push(shown(Path::new(entry.file_name())));
        }
    }
    // Among slices, such files may be the ones that are missing.
    if !slices.is_empty() {
        all.failures.extend(unread);
        if !empty.is_empty() {
            let text = format!("{} of its files are empty: {}", empty.len(), some(&empty));
            all.notes.push((folder.to_path_buf(), text));
        }
    }
    series(&slices, Some(folder), all);
    if !foreign.is_empty() {
        let text =
            format!("{} of its files are images that cannot be read: {}", foreign.len(), some(&foreign));
        all.notes.push((folder.to_path_buf(), text));
    }
    if before == (all.inputs.len(), all.failures.len()) {
        let error = Error::new(ErrorKind::Input, "no images in this folder");
        all.failures.push(Failure { input: folder.to_path_buf(), relative: file_name(folder), error });
    }
}

/// The first of `names`.
fn some(names: &[String]) -> String {
    let some = names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > NAMED { some + ", ..." } else { some }
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
