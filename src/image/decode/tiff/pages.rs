//! Which images of a file are pages.

use std::io::{Read, Seek};

use super::layout::tag;
use crate::image::metadata::directory::{Directory, TiffFile};

/// An image that is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct PagePlace {
    /// Where its tags are; `None` where that is outside the file.
    pub directory: Option<u64>,
    /// Its number among the images that share these tags and lie one after the other.
    pub plane: u64,
}

/// The pages of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Pages {
    /// In order; one at least.
    pub places: Vec<PagePlace>,
    /// What the file holds besides, one sentence each.
    pub notes: Vec<String>,
}

impl Pages {
    /// Finds up to `most` pages. Reduced copies (thumbnails, the lower levels of a pyramid) and masks do not count,
    /// unless there is nothing else.
    pub fn find<R: Read + Seek>(file: &mut TiffFile<R>, most: usize) -> Self {
        let mut found = Vec::new();
        let mut planes = 1;
        file.visit(most, |file, directory| {
            let kind = directory.as_ref().map_or(Kind::Full, |directory| Kind::of(file, directory));
            if let (true, Some(directory)) = (found.is_empty(), &directory) {
                planes = imagej_planes(file, directory);
            }
            found.push((kind, directory.map(|directory| directory.at)));
        });
        // Planes with directories of their own are counted by these.
        let planes = if found.len() == 1 { planes.min(most as u64) } else { 1 };
        let mut pages = Self::default();
        let count = |kind: Kind| found.iter().filter(|(one, _)| *one == kind).count();
        let all = count(Kind::Full) == 0;
        if all && found.first().is_some_and(|(kind, _)| *kind == Kind::Reduced) {
            // Camera raw files begin with a preview; their image is behind private tags.
            let note = "the file says that its first image is a reduced copy of another image";
            pages.notes.push(note.into());
        }
        for (kind, one, many) in [
            (Kind::Reduced, "reduced copy", "reduced copies"),
            (Kind::Mask, "transparency mask", "transparency masks"),
        ] {
            match count(kind) {
                _ if all => {}
                0 => {}
                1 => pages.notes.push(format!("1 {one} of an image is left out")),
                count => pages.notes.push(format!("{count} {many} of images are left out")),
            }
        }
        let made = found.into_iter().filter(|(kind, _)| all || *kind == Kind::Full);
        pages.places = made
            .flat_map(|(_, directory)| (0..planes).map(move |plane| PagePlace { directory, plane }))
            .collect();
        pages
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Full,
    Reduced,
    Mask,
}

impl Kind {
    fn of<R: Read + Seek>(file: &mut TiffFile<R>, directory: &Directory) -> Self {
        let mut number = |tag| file.number(directory, tag).ok().flatten();
        let kind = number(tag::NEW_SUBFILE_TYPE).unwrap_or(0);
        if kind & 4 != 0 || number(tag::PHOTOMETRIC) == Some(4) {
            Self::Mask
        } else if kind & 1 != 0 || number(tag::SUBFILE_TYPE) == Some(2) {
            Self::Reduced
        } else {
            Self::Full
        }
    }
}

/// How many images lie one after the other where ImageJ has written tags only for the first.
fn imagej_planes<R: Read + Seek>(file: &mut TiffFile<R>, directory: &Directory) -> u64 {
    let plain = file.number(directory, tag::COMPRESSION).is_ok_and(|value| matches!(value, None | Some(1)));
    let Ok(Some((_, text))) = file.data(directory, tag::IMAGE_DESCRIPTION) else { return 1 };
    if !plain || !text.starts_with(b"ImageJ=") {
        return 1;
    }
    let text = String::from_utf8_lossy(&text);
    let images = text.lines().find_map(|line| line.strip_prefix("images="));
    images.and_then(|count| count.trim_end_matches('\0').trim().parse().ok()).unwrap_or(1).max(1)
}
