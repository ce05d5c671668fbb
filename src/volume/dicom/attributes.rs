//! Attributes of one frame: its own, those of its functional groups, and those of the whole file.

use dicom_dictionary_std::tags;
use dicom_object::mem::InMemElement;
use dicom_object::{InMemDicomObject, Tag};

/// The attributes of frame `frame` of a data set.
#[derive(Clone, Copy)]
pub struct Attributes<'a> {
    object: &'a InMemDicomObject,
    frame: usize,
}

impl<'a> Attributes<'a> {
    /// Of frame `frame`, counted from 0.
    pub fn new(object: &'a InMemDicomObject, frame: usize) -> Self {
        Self { object, frame }
    }

    /// An attribute, of the frame, of all frames together, or of the file.
    pub fn find(&self, tag: Tag) -> Option<&'a InMemElement> {
        let item = |sequence: Tag, at: usize| self.object.get(sequence)?.items()?.get(at);
        let frame = item(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, self.frame);
        let all = item(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, 0);
        [frame, all]
            .into_iter()
            .flatten()
            .find_map(|groups| in_groups(groups, tag))
            .or_else(|| self.object.get(tag))
    }

    /// A number.
    pub fn real(&self, tag: Tag) -> Option<f64> {
        self.find(tag)?.to_float64().ok().filter(|number| number.is_finite())
    }

    /// Several numbers, at least as many as wanted.
    pub fn reals<const N: usize>(&self, tag: Tag) -> Option<[f64; N]> {
        let numbers = self.find(tag)?.to_multi_float64().ok()?;
        let wanted = *numbers.first_chunk()?;
        wanted.iter().all(|number| number.is_finite()).then_some(wanted)
    }

    /// A whole number.
    pub fn int(&self, tag: Tag) -> Option<i64> {
        self.find(tag)?.to_int().ok()
    }

    /// A text, without the blanks around it; `None` where it is empty.
    pub fn text(&self, tag: Tag) -> Option<String> {
        self.texts(tag).into_iter().next().filter(|text| !text.is_empty())
    }

    /// The texts of an attribute that may have several.
    pub fn texts(&self, tag: Tag) -> Vec<String> {
        let texts = self.find(tag).and_then(|element| element.to_multi_str().ok());
        let trimmed = |text: &String| text.trim_matches(|c: char| c.is_whitespace() || c == '\0').to_owned();
        texts.map_or_else(Vec::new, |texts| texts.iter().map(trimmed).collect())
    }
}

/// An attribute of one of the functional groups. Private ones may repeat attributes with other meanings.
fn in_groups(groups: &InMemDicomObject, tag: Tag) -> Option<&InMemElement> {
    let standard = groups.iter().filter(|element| element.header().tag.group() % 2 == 0);
    standard.filter_map(|element| element.items()?.first()?.get(tag)).next()
}
