//! All series of a set of files, such as a folder, and what of it makes none.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::read_header;
use super::found::{Contents, Key, contents};
use super::place::Place;
use super::series::Series;
use super::sort::{Group, sort};
use crate::error::{Error, ErrorKind, Result};

/// What a set of DICOM files holds.
#[derive(Debug, Default)]
pub struct Collection {
    /// Every series.
    pub members: Vec<Member>,
    /// What should be a series and is none.
    pub unusable: Vec<Unusable>,
    /// Files that are no images, by the names of their kinds, and why they are left out.
    pub others: Vec<(Place, String)>,
}

/// A series, and what it is called.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The series.
    pub series: Arc<Series>,
    /// Its file, or the folder or zip file of all its files.
    pub path: PathBuf,
    /// What tells it apart from others of the same path, such as `s3` or `s3_e2`: numbers of series and echo.
    pub suffix: Option<String>,
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Series { number, component, grid, .. } = &*self.series;
        match number {
            Some(number) => write!(f, "series {number}")?,
            None => f.write_str("a series without number")?,
        }
        let slices = if grid.slices == 1 { "slice" } else { "slices" };
        write!(f, ": {} {slices} of {}x{}", grid.slices, grid.columns, grid.rows)?;
        if grid.times > 1 {
            write!(f, ", {} times", grid.times)?;
        }
        component.refused().map_or(Ok(()), |what| write!(f, ", {what}"))
    }
}

/// Files that make no series.
#[derive(Debug)]
pub struct Unusable {
    /// The file, or the folder or zip file of all of them.
    pub path: PathBuf,
    /// Why.
    pub error: Error,
}

/// The DICOM files of the file at `path`: itself, or those of a zip file; none where it is something else.
///
/// # Errors
/// `Input` for a zip file that cannot be read.
pub fn files_of(path: &Path) -> Result<Vec<Place>> {
    let cannot_read = |error: io::Error| Error::with_source(ErrorKind::Input, "cannot read", error);
    match Place::of_file(path).map_err(cannot_read)? {
        Some(place) => Ok(vec![place]),
        None => Place::all_in_zip(path).map_err(cannot_read),
    }
}

impl Collection {
    /// Reads the headers of `places`, and sorts them into series. Their order plays no part.
    pub fn read(places: &[Place]) -> Self {
        let mut all = Self::default();
        let mut frames = Vec::new();
        let mut refused: Vec<(Key, usize, String)> = Vec::new();
        for (file, place) in places.iter().enumerate() {
            match read_header(place).map(|object| contents(file, &object)) {
                Ok(Contents::Frames(found)) => frames.extend(found),
                Ok(Contents::Refused(key, why)) => refused.push((key, file, why)),
                Ok(Contents::Other(kind)) => all.others.push((place.clone(), kind)),
                Err(error) => all.unusable.push(Unusable { path: place.path.clone(), error }),
            }
        }
        let mut groups = sort(places, frames);
        for (key, file, why) in refused {
            match groups.iter_mut().find(|group| group.key == key && group.outcome == Err(why.clone())) {
                Some(group) => group.files.push(file),
                None => groups.push(Group { key, files: vec![file], outcome: Err(why) }),
            }
        }
        let paths: Vec<PathBuf> = groups.iter().map(|group| path(places, &group.files)).collect();
        let suffixes = suffixes(&groups, &paths);
        let is_alone = groups.len() == 1;
        for ((group, path), suffix) in groups.into_iter().zip(paths).zip(suffixes) {
            match group.outcome {
                Ok(series) => all.members.push(Member { series: Arc::new(series), path, suffix }),
                Err(why) => {
                    let count = group.files.len();
                    let label = match group.key.number {
                        Some(number) if !is_alone => format!("series {number}, {count} of the files: "),
                        _ => String::new(),
                    };
                    let error = Error::new(ErrorKind::Input, format!("{label}{why}"));
                    all.unusable.push(Unusable { path, error });
                }
            }
        }
        all
    }
}

/// The file, or the folder of all files.
fn path(places: &[Place], files: &[usize]) -> PathBuf {
    let mut paths = files.iter().map(|file| places[*file].path.as_path());
    let first = paths.next().unwrap_or(Path::new(""));
    let mut common = first;
    for path in paths {
        while !path.starts_with(common) {
            common = common.parent().unwrap_or(Path::new(""));
        }
    }
    if common == Path::new("") { PathBuf::from(".") } else { common.to_path_buf() }
}

/// What tells groups of the same path apart.
fn suffixes(groups: &[Group], paths: &[PathBuf]) -> Vec<Option<String>> {
    let mut same_path: HashMap<&Path, usize> = HashMap::new();
    paths.iter().for_each(|path| *same_path.entry(path).or_default() += 1);
    let named = |group: &Group, parts: usize| {
        let mut name = format!("s{}", group.key.number.unwrap_or(0));
        if parts > 0 {
            let Key { echo, component, .. } = &group.key;
            let echoes = groups.iter().filter(|other| other.key.number == group.key.number);
            let mut echoes: Vec<_> = echoes.map(|other| other.key.echo).collect();
            echoes.sort_unstable();
            echoes.dedup();
            if echoes.len() > 1 {
                let at = echoes.iter().position(|other| other == echo).unwrap_or(0);
                name.push_str(&format!("_e{}", at + 1));
            }
            if component.refused().is_some() {
                name.push_str(&format!("_{}", component.word()));
            }
        }
        name
    };
    let mut suffixes: Vec<Option<String>> = Vec::new();
    for (at, group) in groups.iter().enumerate() {
        if same_path[paths[at].as_path()] == 1 {
            suffixes.push(None);
            continue;
        }
        let beside = |other: &usize| *other != at && paths[*other] == paths[at];
        let is_taken = |parts: usize| {
            let own = named(group, parts);
            (0..groups.len()).filter(beside).any(|other| named(&groups[other], parts) == own)
        };
        let parts = usize::from(is_taken(0));
        let mut name = named(group, parts);
        if parts > 0 && is_taken(1) {
            // In the order of the groups, which depends on the frames alone.
            let number = (0..at).filter(beside).filter(|other| named(&groups[*other], 1) == name).count();
            name.push_str(&format!("_{}", number + 1));
        }
        suffixes.push(Some(name));
    }
    suffixes
}
