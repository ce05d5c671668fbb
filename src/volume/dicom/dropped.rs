//! What a derived slice cannot keep of its source.

use std::collections::BTreeSet;

use dicom_core::header::Header;
use dicom_core::value::DataSetSequence;
use dicom_core::{DataElement, Tag};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

/// A kind of attributes that is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dropped {
    /// Of groups with an odd number; they may hold the old pixels in any form.
    Private,
    /// Overlays, curves and shutters, which have the size of the old pixels.
    Overlays,
    /// Small pictures of the old pixels.
    Icons,
    /// Signatures of the old attributes.
    Signatures,
    /// When and by what the source was written.
    Creation,
    /// Pixel values of the whole series, which are not known before its last slice.
    SeriesRange,
}

impl Dropped {
    /// The kind of `tag`, if it is dropped.
    fn of(tag: Tag) -> Option<Self> {
        match tag {
            Tag(group, _) if group % 2 == 1 => Some(Self::Private),
            Tag(0x5000..=0x50ff | 0x6000..=0x60ff, _) | Tag(0x0018, 0x1600..=0x1624) => Some(Self::Overlays),
            tags::ICON_IMAGE_SEQUENCE => Some(Self::Icons),
            tags::DIGITAL_SIGNATURES_SEQUENCE | tags::MAC_PARAMETERS_SEQUENCE => Some(Self::Signatures),
            tags::INSTANCE_CREATION_DATE | tags::INSTANCE_CREATION_TIME | tags::INSTANCE_CREATOR_UID => {
                Some(Self::Creation)
            }
            tags::SMALLEST_PIXEL_VALUE_IN_SERIES | tags::LARGEST_PIXEL_VALUE_IN_SERIES => {
                Some(Self::SeriesRange)
            }
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Private => "private attributes",
            Self::Overlays => "overlays, curves and shutters",
            Self::Icons => "icons",
            Self::Signatures => "digital signatures",
            Self::Creation => "when and by what it was created",
            Self::SeriesRange => "the range of pixels of the series",
        }
    }
}

/// The attributes of `source` that a derived slice keeps, in nested data sets too; the kinds of the others go to `dropped`.
pub fn kept(source: &InMemDicomObject, dropped: &mut BTreeSet<Dropped>) -> InMemDicomObject {
    let mut elements = Vec::new();
    for element in source {
        let tag = element.tag();
        if let Some(kind) = Dropped::of(tag) {
            dropped.insert(kind);
            continue;
        }
        // Lengths of groups, padding and pixels belong to the old file.
        let is_encoding =
            tag.group() <= 2 || tag.element() == 0 || tag.group() == 0x7fe0 || tag.group() > 0xfff0;
        if is_encoding {
            continue;
        }
        elements.push(match element.items() {
            Some(items) => {
                let items: Vec<_> = items.iter().map(|item| kept(item, dropped)).collect();
                DataElement::new(tag, element.vr(), DataSetSequence::from(items))
            }
            None => element.clone(),
        });
    }
    InMemDicomObject::from_element_iter(elements)
}

/// What is said of the kinds in `dropped`.
pub fn told(dropped: &BTreeSet<Dropped>) -> Option<String> {
    let names: Vec<_> = dropped.iter().map(|kind| kind.name()).collect();
    (!names.is_empty()).then(|| format!("not copied from the series: {}", names.join("; ")))
}
