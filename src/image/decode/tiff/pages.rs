//! Which images of a file are pages.

use std::io::{Read, Seek};

use super::blocks;
use super::layout::{Layout, tag};
use crate::image::metadata::directory::{Directory, TiffFile};

/// An image that is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct PagePlace {
    /// Where its tags are; `None` where that is outside the file.
    pub directory: Option<u64>,
    /// Bytes of the images before it that share these tags.
    pub skipped: u64,
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
        let mut first = None;
        file.visit(most, |file, directory| {
            let kind = directory.as_ref().map_or(Kind::Full, |directory| Kind::of(file, directory));
            found.push((kind, directory.as_ref().map(|directory| directory.at)));
            first = first.take().or(directory);
        });
        let mut pages = Self::default();
        let mut stack = Stack { images: 1, bytes: 0 };
        // Images with directories of their own are counted by these.
        if let (1, Some(directory)) = (found.len(), &first) {
            match Stack::find(file, directory) {
                Ok(found) => stack = found,
                Err(note) => pages.notes.push(note),
            }
        }
        let images = stack.images.min(most as u64);
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
            .flat_map(|(_, directory)| {
                (0..images).map(move |image| PagePlace { directory, skipped: image * stack.bytes })
            })
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

/// Images that lie one after the other, where ImageJ has written tags only for the first.
#[derive(Clone, Copy, Debug)]
struct Stack {
    images: u64,
    /// Bytes of each.
    bytes: u64,
}

impl Stack {
    /// The images that the description tells of; the error says why only the first can be found.
    fn find<R: Read + Seek>(file: &mut TiffFile<R>, directory: &Directory) -> Result<Self, String> {
        let one = Self { images: 1, bytes: 0 };
        let images = match file.data(directory, tag::IMAGE_DESCRIPTION) {
            Ok(Some((_, text))) if text.starts_with(b"ImageJ=") => images(&String::from_utf8_lossy(&text)),
            _ => 1,
        };
        if images < 2 {
            return Ok(one);
        }
        // Reading the page says what is wrong.
        let Ok(layout) = Layout::read(file, directory) else { return Ok(one) };
        let Some(first) = blocks::contiguous(file, directory, &layout) else {
            return Err(format!(
                "of the {images} images of an ImageJ stack, only the first is read: it is compressed or in pieces, and \
                 nothing says where the others are"
            ));
        };
        let bytes = first.end - first.start;
        let end = bytes.checked_mul(images).and_then(|all| first.start.checked_add(all));
        match end.filter(|end| *end <= file.size && !(first.start..*end).contains(&directory.at)) {
            Some(_) => Ok(Self { images, bytes }),
            None => Err(format!(
                "of the {images} images of an ImageJ stack, only the first is read: the file does not hold all"
            )),
        }
    }
}

/// The number of images that a description by ImageJ tells of.
fn images(description: &str) -> u64 {
    let images = description.lines().find_map(|line| line.strip_prefix("images="));
    images.and_then(|count| count.trim_end_matches('\0').trim().parse().ok()).unwrap_or(1)
}
