//! What a file says about its image: profile, EXIF, XMP, IPTC, resolution, text.

pub(in crate::image) mod application;
pub(in crate::image) mod directory;
pub(in crate::image) mod exif;
pub(in crate::image) mod exif_fields;
mod geo;
pub(in crate::image) mod ifd;
pub(in crate::image) mod iptc;
pub(in crate::image) mod jpeg;
pub(in crate::image) mod photoshop;
mod place;
pub(in crate::image) mod png;
pub(in crate::image) mod riff;
pub(in crate::image) mod tiff;
pub(in crate::image) mod xmp;
pub(in crate::image) mod xmp_edit;

use self::exif::Exif;
pub use self::geo::Geo;
use self::xmp_edit::Edit;

/// Keyword of the text that repeats the record of making; only PNG, whose readers show texts, is given it.
pub(in crate::image) const RECORD: &str = "PartDiff";

/// Everything besides the pixels. Blocks are in the form in which containers carry them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// ICC profile; `None` means sRGB (grey: its tone curve).
    pub icc: Option<Vec<u8>>,
    /// PNG's chunks on colour that no profile stands for, (type, data): `cICP`, `mDCV`, `cLLI`.
    pub color_chunks: Vec<([u8; 4], Vec<u8>)>,
    /// EXIF block, beginning with its TIFF header.
    pub exif: Option<Vec<u8>>,
    /// XMP packet (UTF-8 XML).
    pub xmp: Option<Vec<u8>>,
    /// IPTC-IIM records.
    pub iptc: Option<Vec<u8>>,
    /// Paths that Photoshop drew, as its image resources.
    pub paths: Option<Vec<u8>>,
    /// Resolution.
    pub density: Option<Density>,
    /// Where the image lies on a map.
    pub geo: Option<Geo>,
    /// Comments and text chunks: (keyword, text).
    pub text: Vec<(String, String)>,
}

/// How densely pixels are printed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Density {
    /// Pixels per unit across.
    pub x: f64,
    /// Pixels per unit down.
    pub y: f64,
    /// The unit of length.
    pub unit: DensityUnit,
}

/// The unit of a [`Density`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DensityUnit {
    /// Only the ratio of x and y means something.
    Aspect,
    /// Inch (2.54 cm).
    Inch,
    /// Centimetre.
    Centimeter,
}

impl Density {
    /// From TIFF's resolution unit (1 none, 2 inch, 3 centimetre); `None` for values that mean nothing.
    pub(in crate::image) fn new(x: f64, y: f64, unit: u32) -> Option<Self> {
        let unit = match unit {
            3 => DensityUnit::Centimeter,
            2 => DensityUnit::Inch,
            _ => DensityUnit::Aspect,
        };
        let fits = |value: f64| value.is_finite() && value > 0.0 && value < 4e9;
        // One by one without a unit is what writers put who know nothing.
        let empty = unit == DensityUnit::Aspect && x == y;
        (fits(x) && fits(y) && !empty).then_some(Self { x, y, unit })
    }

    /// From pixels per metre, which are rounded: as the whole dots per inch that they stand for, if they do.
    pub(in crate::image) fn per_meter(x: u32, y: u32) -> Option<Self> {
        let inches = |value: u32| {
            let dpi = (f64::from(value) * 0.0254).round();
            ((dpi / 0.0254).round() == f64::from(value)).then_some(dpi)
        };
        match (inches(x), inches(y)) {
            (Some(x), Some(y)) => Self::new(x, y, 2),
            _ => Self::new(f64::from(x) / 100.0, f64::from(y) / 100.0, 3),
        }
    }

    /// TIFF's number of the unit.
    pub(in crate::image) fn unit_code(self) -> u32 {
        match self.unit {
            DensityUnit::Aspect => 1,
            DensityUnit::Inch => 2,
            DensityUnit::Centimeter => 3,
        }
    }

    /// Dots per inch (x, y), if the unit is a length.
    pub fn dpi(self) -> Option<(f64, f64)> {
        match self.unit {
            DensityUnit::Aspect => None,
            DensityUnit::Inch => Some((self.x, self.y)),
            DensityUnit::Centimeter => Some((self.x * 2.54, self.y * 2.54)),
        }
    }
}

/// What to leave out on purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strip {
    /// Nothing.
    #[default]
    Nothing,
    /// Where the image was taken: coordinates in EXIF and XMP, names of places in IPTC and XMP.
    Gps,
    /// Everything but colour profile and resolution.
    All,
}

impl Strip {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Nothing, Self::Gps, Self::All];

    /// The name in options.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Gps => "gps",
            Self::All => "all",
        }
    }
}

/// How metadata change with the image.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Retouch {
    /// New size in pixels, (height, width).
    pub size: (usize, usize),
    /// Size before, (height, width).
    pub old_size: (usize, usize),
    /// Keep the dots per inch instead of the printed size. Default: `false`.
    pub keep_dpi: bool,
    /// What to leave out. Default: nothing.
    pub strip: Strip,
}

impl Metadata {
    /// Corrects what no longer fits after resizing: size and resolution fields, thumbnails; strips what is asked.
    ///
    /// Returns notes on what was dropped without being asked for, one sentence each.
    pub fn retouch(&mut self, change: &Retouch) -> Vec<String> {
        let mut notes = Vec::new();
        let (height, width) = (change.size.0 as u32, change.size.1 as u32);
        let factor = |new: usize, old: usize| new as f64 / old.max(1) as f64;
        let (across, down) =
            (factor(change.size.1, change.old_size.1), factor(change.size.0, change.old_size.0));
        if !change.keep_dpi
            && let Some(density) = &mut self.density
        {
            density.x *= across;
            density.y *= down;
        }
        if change.strip == Strip::All {
            let color_chunks = std::mem::take(&mut self.color_chunks);
            *self = Self { icc: self.icc.take(), color_chunks, density: self.density, ..Self::default() };
            return notes;
        }
        if let Some(geo) = &mut self.geo {
            geo.scale(across, down);
        }
        if change.strip == Strip::Gps {
            self.geo = None;
            self.iptc = self.iptc.take().map(|records| iptc::without_places(&records));
            // Some writers repeat EXIF's fields as texts.
            let place = |keyword: &str| {
                keyword.starts_with("geo:") || keyword.rsplit(':').next().is_some_and(place::is_place)
            };
            self.text.retain(|(keyword, _)| !place(keyword));
        }
        if let Some(block) = self.exif.take() {
            match Exif::new(block) {
                Some(mut exif) => {
                    let upright = exif.orientation() == 1;
                    exif.set_size(width, height);
                    exif.scale(across, down);
                    exif.drop_thumbnail();
                    if let Some(density) = self.density {
                        exif.set_density(density);
                    }
                    if change.strip == Strip::Gps {
                        exif.drop_gps();
                    }
                    let block = exif.into_bytes();
                    // In a damaged block a value may lie over the entry, or over the header that leads to it.
                    let turned = Exif::new(block.clone()).is_some_and(|again| again.orientation() != 1);
                    if upright && turned {
                        notes.push("the EXIF block is damaged; dropped".into());
                    } else {
                        self.exif = Some(block);
                    }
                }
                None => notes.push("the EXIF block is damaged; dropped".into()),
            }
        }
        if let Some(packet) = self.xmp.take() {
            let old_size = (change.old_size.1 as u32, change.old_size.0 as u32);
            let edit = Edit {
                size: Some([old_size, (width, height)]),
                density: self.density,
                strip_gps: change.strip == Strip::Gps,
                ..Edit::default()
            };
            match xmp::edit(&packet, &edit) {
                Some(edited) => self.xmp = Some(edited.packet),
                None => notes.push("the XMP packet is damaged, or not plain XML in UTF-8; dropped".into()),
            }
        }
        notes
    }

    /// Comments and text chunks but the record of making.
    pub(in crate::image) fn own_text(&self) -> impl Iterator<Item = &(String, String)> {
        self.text.iter().filter(|(keyword, _)| keyword != RECORD)
    }

    /// The colour space that `cICP` names, where it is kept.
    pub(in crate::image) fn code_points(&self) -> Option<[u8; 4]> {
        let (_, data) = self.color_chunks.iter().find(|(kind, _)| kind == b"cICP")?;
        data[..].try_into().ok()
    }

    /// Whether EXIF stands in for a missing profile and says Adobe RGB.
    pub(in crate::image) fn is_adobe_rgb(&self) -> bool {
        let exif = || Exif::new(self.exif.clone()?);
        self.icc.is_none() && self.code_points().is_none() && exif().is_some_and(|exif| exif.is_adobe_rgb())
    }

    /// Puts `icc` (sRGB, or `None` for that) in the place of a profile that no longer holds, and has EXIF agree.
    pub(in crate::image) fn become_srgb(&mut self, icc: Option<Vec<u8>>) {
        self.icc = icc;
        self.color_chunks.clear();
        if let Some(mut exif) = self.exif.clone().and_then(Exif::new) {
            exif.set_srgb();
            self.exif = Some(exif.into_bytes());
        }
    }

    /// Removes what marks places in an image that was turned since. Returns notes on what there was.
    pub(in crate::image) fn drop_regions(&mut self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.geo.take_if(|geo| geo.is_placed()).is_some() {
            notes.push("the map position (GeoTIFF) does not turn with the image; dropped".into());
        }
        let turned = Edit { turned: true, ..Edit::default() };
        if let Some(edited) = self.xmp.as_ref().and_then(|packet| xmp::edit(packet, &turned)) {
            self.xmp = Some(edited.packet);
            if edited.dropped {
                notes.push("marked regions such as faces do not turn with the image; dropped".into());
            }
        }
        if self.paths.take().is_some() {
            notes.push("Photoshop's paths do not turn with the image; dropped".into());
        }
        notes
    }

    /// Settles on one resolution, of the image as it is stored, says everywhere that the image is upright, and returns the
    /// orientation (1 to 8) that was given: EXIF's, which all readers know, and XMP's where EXIF has none, as exiv2 and Adobe's programs do.
    pub(in crate::image) fn take_orientation(&mut self) -> u8 {
        let mut orientation = None;
        if let Some(block) = self.exif.take() {
            match Exif::new(block.clone()) {
                Some(mut exif) => {
                    orientation = exif.stated_orientation();
                    // Writers fill the container's own resolution with 72 where the camera's is right.
                    self.density = exif.density().or(self.density);
                    exif.reset_orientation();
                    self.exif = Some(exif.into_bytes());
                }
                // Kept for `retouch` to report.
                None => self.exif = Some(block),
            }
        }
        if let Some(packet) = &self.xmp
            && let Some(edited) = xmp::edit(packet, &Edit { upright: true, ..Edit::default() })
        {
            let stated = || xmp::property(packet, xmp_edit::ORIENTATION)?.trim().parse().ok();
            orientation = orientation.or_else(stated).filter(|value| (1..=8).contains(value));
            self.xmp = Some(edited.packet);
        }
        orientation.unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_per_metre_are_the_inches_that_they_stand_for() {
        let is = |density: Option<Density>, x: f64, unit: DensityUnit| {
            assert_eq!(density, Some(Density { x, y: x, unit }));
        };
        is(Density::per_meter(11811, 11811), 300.0, DensityUnit::Inch);
        is(Density::per_meter(2835, 2835), 72.0, DensityUnit::Inch);
        is(Density::per_meter(11800, 11800), 118.0, DensityUnit::Centimeter);
        let both = Density::per_meter(11811, 11800).unwrap();
        assert_eq!((both.x, both.y, both.unit), (118.11, 118.0, DensityUnit::Centimeter));
        assert_eq!(Density::per_meter(0, 0), None);
    }

    #[test]
    fn damaged_blocks_do_not_turn_the_image_again() {
        let seeds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/exif");
        for (name, strip) in ["value_over_orientation", "directory_over_header"]
            .into_iter()
            .flat_map(|name| [Strip::Nothing, Strip::Gps].map(|strip| (name, strip)))
        {
            let exif = Some(std::fs::read(seeds.join(name)).unwrap());
            let mut metadata = Metadata { exif, ..Metadata::default() };
            metadata.take_orientation();
            metadata.retouch(&Retouch { size: (70_000, 8), old_size: (7, 2), keep_dpi: false, strip });
            assert_eq!(metadata.take_orientation(), 1, "{name} {strip:?}");
        }
    }
}
