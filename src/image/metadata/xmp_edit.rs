//! What changes in an XMP packet, by property.

use super::Density;
use super::place::is_place;

const EXIF: &str = "http://ns.adobe.com/exif/1.0/";
const TIFF: &str = "http://ns.adobe.com/tiff/1.0/";
const XMP: &str = "http://ns.adobe.com/xap/1.0/";
const XMP_NOTE: &str = "http://ns.adobe.com/xmp/note/";
const PANORAMA: &str = "http://ns.google.com/photos/1.0/panorama/";
const CAMERA: &str = "http://ns.google.com/photos/1.0/camera/";
const DIMENSIONS: &str = "http://ns.adobe.com/xap/1.0/sType/Dimensions#";
const REGIONS: &str = "http://www.metadataworkinggroup.com/schemas/regions/";
const MICROSOFT_REGIONS: &str = "http://ns.microsoft.com/photo/1.2/";
const RDF: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
const GEO: &str = "http://www.w3.org/2003/01/geo/wgs84_pos#";
const IPTC_EXTENSION: &str = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/";

/// Namespaces that describe further images, sound or video inside the file, which are not carried over.
const ENCLOSED: [&str; 6] = [
    "http://ns.adobe.com/hdr-gain-map/1.0/",
    "http://ns.apple.com/HDRGainMap/1.0/",
    "http://ns.google.com/photos/1.0/container/",
    "http://ns.google.com/photos/1.0/depthmap/",
    "http://ns.google.com/photos/1.0/image/",
    "http://ns.google.com/photos/1.0/audio/",
];

/// A property's name; prefixes are the writer's choice and mean nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::image) struct Name<'a> {
    /// URI of the namespace; empty where no declaration binds the prefix.
    pub space: &'a str,
    /// Name within it.
    pub local: &'a str,
}

/// How the image lies, by EXIF's numbers.
pub(in crate::image) const ORIENTATION: Name<'_> = Name { space: TIFF, local: "Orientation" };

/// What to change in a packet.
#[derive(Clone, Debug, Default)]
pub(in crate::image) struct Edit<'a> {
    /// Say that the image is upright.
    pub upright: bool,
    /// Remove marked regions and panorama geometry: the image was turned, and they were not.
    pub turned: bool,
    /// Correct the size from the first (width, height) to the second, and remove what described the old file only.
    pub size: Option<[(u32, u32); 2]>,
    /// Correct the resolution, where given.
    pub density: Option<Density>,
    /// Remove where the image was taken.
    pub strip_gps: bool,
    /// Properties to remove.
    pub remove: &'a [Name<'a>],
    /// `rdf:Description` elements to add.
    pub add: Option<String>,
}

impl Name<'_> {
    /// The structure that names the size which marked regions were made for.
    pub fn is_region_size(self) -> bool {
        self.space == REGIONS && self.local == "AppliedToDimensions"
    }

    /// Where faces and other things are in the image.
    fn is_region(self) -> bool {
        matches!(
            (self.space, self.local),
            (REGIONS, "Regions") | (MICROSOFT_REGIONS, "RegionInfo") | (IPTC_EXTENSION, "ImageRegion")
        )
    }

    fn is_place(self) -> bool {
        self.space == GEO || self.space != RDF && is_place(self.local)
    }

    /// What holds only with the rest of a file of which the main image is taken.
    fn is_of_old_file(self) -> bool {
        let live = self.space == CAMERA
            && ["MotionPhoto", "MicroVideo"].iter().any(|start| self.local.starts_with(start));
        let extended = self.space == XMP_NOTE && self.local == "HasExtendedXMP";
        let thumbnails = self.space == XMP && self.local == "Thumbnails";
        live || extended || thumbnails || ENCLOSED.contains(&self.space)
    }
}

/// A number, or one over another, from a side of `before` pixels to one of `after`.
fn scaled(text: &str, before: u32, after: u32) -> Option<f64> {
    let (over, under) = text.trim().split_once('/').unwrap_or((text.trim(), "1"));
    let value = over.parse::<f64>().ok()? / under.parse::<f64>().ok()?;
    Some(value * f64::from(after) / f64::from(before.max(1))).filter(|value| value.is_finite())
}

impl Edit<'_> {
    /// Whether a property goes.
    pub fn drops(&self, name: Name<'_>) -> bool {
        self.size.is_some() && name.is_of_old_file()
            || self.strip_gps && name.is_place()
            || self.turned && (name.is_region() || name.space == PANORAMA && name.local.ends_with("Pixels"))
            || self.remove.contains(&name)
    }

    /// The new value of a property that is `old`; `in_regions` says that it is part of [`Name::is_region_size`].
    pub fn value(&self, name: Name<'_>, in_regions: bool, old: &str) -> Option<String> {
        let fraction = |value: f64| {
            let (over, under) = super::exif_fields::rational(value);
            format!("{over}/{under}")
        };
        let across = |[_, new]: [(u32, u32); 2]| new.0.to_string();
        let down = |[_, new]: [(u32, u32); 2]| new.1.to_string();
        let wider = || self.size.and_then(|[before, after]| scaled(old, before.0, after.0));
        let higher = || self.size.and_then(|[before, after]| scaled(old, before.1, after.1));
        let whole = |value: f64| value.round().to_string();
        match (name.space, name.local) {
            _ if name == ORIENTATION => self.upright.then(|| "1".into()),
            (TIFF, "ImageWidth") | (EXIF, "PixelXDimension") => self.size.map(across),
            (TIFF, "ImageLength") | (EXIF, "PixelYDimension") => self.size.map(down),
            (TIFF, "XResolution") => self.density.map(|density| fraction(density.x)),
            (TIFF, "YResolution") => self.density.map(|density| fraction(density.y)),
            (TIFF, "ResolutionUnit") => self.density.map(|density| density.unit_code().to_string()),
            (EXIF, "FocalPlaneXResolution") => wider().map(fraction),
            (EXIF, "FocalPlaneYResolution") => higher().map(fraction),
            (DIMENSIONS, "w") if in_regions => self.size.map(across),
            (DIMENSIONS, "h") if in_regions => self.size.map(down),
            (
                PANORAMA,
                "FullPanoWidthPixels"
                | "CroppedAreaImageWidthPixels"
                | "CroppedAreaLeftPixels"
                | "LargestValidInteriorRectLeft"
                | "LargestValidInteriorRectWidth",
            ) => wider().map(whole),
            (
                PANORAMA,
                "FullPanoHeightPixels"
                | "CroppedAreaImageHeightPixels"
                | "CroppedAreaTopPixels"
                | "LargestValidInteriorRectTop"
                | "LargestValidInteriorRectHeight",
            ) => higher().map(whole),
            _ => None,
        }
    }
}
