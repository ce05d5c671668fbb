//! What the values of an image are: magnitudes, or something between which values mean nothing.

use dicom_dictionary_std::tags;
use dicom_object::Tag;

use super::attributes::Attributes;

/// What values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Component {
    Magnitude,
    Phase,
    Real,
    Imaginary,
    FieldMap,
    Labels,
}

/// Words of ImageType, FrameType and ComplexImageComponent, and what they say.
const WORDS: [(&str, Component); 14] = [
    ("P", Component::Phase),
    ("PHASE", Component::Phase),
    ("PHASE MAP", Component::Phase),
    ("VELOCITY", Component::Phase),
    ("VELOCITY MAP", Component::Phase),
    ("R", Component::Real),
    ("REAL", Component::Real),
    ("I", Component::Imaginary),
    ("IMAGINARY", Component::Imaginary),
    ("B0", Component::FieldMap),
    ("B0 MAP", Component::FieldMap),
    ("FIELD_MAP", Component::FieldMap),
    ("FIELD MAP", Component::FieldMap),
    ("FIELDMAP", Component::FieldMap),
];

/// GE's own tag, whose values 1 to 3 mean phase, real and imaginary.
const GE_KIND: Tag = Tag(0x0043, 0x102f);

impl Component {
    /// What the values of a frame are, as far as its attributes say.
    pub fn of(attributes: &Attributes<'_>) -> Self {
        if attributes.text(tags::MODALITY).as_deref() == Some("SEG") {
            return Self::Labels;
        }
        let types = attributes.texts(tags::IMAGE_TYPE).into_iter().skip(2);
        let frame = attributes.texts(tags::FRAME_TYPE).into_iter().skip(2);
        let words = types.chain(frame).chain(attributes.texts(tags::COMPLEX_IMAGE_COMPONENT));
        let known =
            words.filter_map(|word| WORDS.iter().find(|(known, _)| *known == word)).map(|(_, found)| *found);
        // A field map is a kind of phase image, and says both.
        let said = known.max_by_key(|found| *found == Self::FieldMap);
        let ge = || {
            attributes.text(tags::MANUFACTURER).filter(|name| name.starts_with("GE"))?;
            [Self::Phase, Self::Real, Self::Imaginary]
                .get(usize::try_from(attributes.int(GE_KIND)? - 1).ok()?)
                .copied()
        };
        said.or_else(ge).unwrap_or(Self::Magnitude)
    }

    /// What such values are called, where they should not be interpolated.
    pub fn refused(self) -> Option<&'static str> {
        match self {
            Self::Magnitude => None,
            Self::Phase => Some("phases"),
            Self::Real => Some("real parts"),
            Self::Imaginary => Some("imaginary parts"),
            Self::FieldMap => Some("a field map"),
            Self::Labels => Some("labels"),
        }
    }

    /// A short word for names of files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Magnitude => "mag",
            Self::Phase => "ph",
            Self::Real => "real",
            Self::Imaginary => "imag",
            Self::FieldMap => "fieldmap",
            Self::Labels => "seg",
        }
    }
}
