//! The tables of `docs/formats.md` against what becomes of files, cell by cell where a program can tell.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use partdiff::Limits;
use partdiff::image::{
    Density, DensityUnit, EncodeOptions, Image, ImageFormat, Raster, SampleDepth, decode, encode,
};

use crate::real_model::data;

/// Formats by the names that the tables use.
const NAMES: [(&str, ImageFormat); 20] = [
    ("PNG", ImageFormat::Png),
    ("APNG", ImageFormat::Png),
    ("JPEG", ImageFormat::Jpeg),
    ("WebP", ImageFormat::WebP),
    ("TIFF", ImageFormat::Tiff),
    ("BigTIFF", ImageFormat::Tiff),
    ("BMP", ImageFormat::Bmp),
    ("PBM", ImageFormat::Pnm),
    ("PGM", ImageFormat::Pnm),
    ("PPM", ImageFormat::Pnm),
    ("PAM", ImageFormat::Pam),
    ("PFM", ImageFormat::Pfm),
    ("GIF", ImageFormat::Gif),
    ("QOI", ImageFormat::Qoi),
    ("Radiance HDR", ImageFormat::Hdr),
    ("OpenEXR", ImageFormat::OpenExr),
    ("JPEG XL", ImageFormat::JpegXl),
    ("AVIF", ImageFormat::Avif),
    ("HEIC", ImageFormat::Heic),
    ("HEIF", ImageFormat::Heic),
];

/// A row for one format: its cells by the heads of their columns.
struct Row {
    format: ImageFormat,
    cells: Vec<(String, String)>,
}

impl Row {
    fn cell(&self, head: &str) -> &str {
        let found = self.cells.iter().find(|(name, _)| name == head);
        &found.unwrap_or_else(|| panic!("no column {head}")).1
    }

    /// Fails unless the cell begins with one of `yes` just where it `is` so, and else with one of `no`.
    #[track_caller]
    fn agrees(&self, head: &str, is: bool, yes: &[&str], no: &[&str]) {
        let cell = self.cell(head);
        let begins = |words: &[&str]| words.iter().any(|word| cell.starts_with(word));
        assert!(begins(yes) || begins(no), "{}, {head}: the test does not know {cell:?}", self.format);
        // "none" begins with "no", and "yes" never so.
        assert_eq!(begins(yes) && !cell.starts_with("no"), is, "{}, {head}: {cell:?}", self.format);
    }
}

/// The rows of the table below `heading`, one for each format that the first cell names.
fn rows(heading: &str) -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/formats.md");
    let text = fs::read_to_string(path).unwrap();
    let section = text.split(heading).nth(1).unwrap().trim_start();
    let lines: Vec<Vec<&str>> = section
        .lines()
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let mut rows = Vec::new();
    for line in &lines[2..] {
        // Two kinds in a row stand before and behind a stroke, in each cell that tells them apart.
        for (side, names) in line[0].split(" / ").enumerate() {
            let names = names.split(" (").next().unwrap();
            let known: Vec<_> =
                names.split(", ").filter_map(|name| NAMES.iter().find(|(known, _)| *known == name)).collect();
            assert!(!known.is_empty(), "the test does not know the format {names:?}");
            let mut formats: Vec<ImageFormat> = known.iter().map(|(_, format)| *format).collect();
            formats.dedup();
            for format in formats {
                let part = |cell: &str| cell.split(" / ").nth(side).unwrap_or(cell).to_owned();
                let cells = lines[0].iter().zip(line).map(|(head, cell)| ((*head).to_owned(), part(cell)));
                rows.push(Row { format, cells: cells.collect() });
            }
        }
    }
    rows
}

/// A block that names a maker and 300 dots per inch.
const EXIF: &[u8] = b"II*\0\x08\0\0\0\x04\0\
    \x0f\x01\x02\0\x04\0\0\0Acm\0\
    \x1a\x01\x05\0\x01\0\0\0\x3e\0\0\0\
    \x1b\x01\x05\0\x01\0\0\0\x46\0\0\0\
    \x28\x01\x03\0\x01\0\0\0\x02\0\0\0\
    \0\0\0\0\x2c\x01\0\0\x01\0\0\0\x2c\x01\0\0\x01\0\0\0";

/// An image with everything that a file may say.
fn image(channels: usize, depth: SampleDepth, alpha: bool) -> Image {
    let ramp = |channels: usize| (0..channels * 24).map(|i| i as f32 / (channels * 24) as f32).collect();
    let plane = alpha.then(|| Raster::from_vec(1, 4, 6, ramp(1)));
    let color = Raster::from_vec(channels, 4, 6, ramp(channels));
    let mut image = Image::new(color, plane, depth, ImageFormat::Png);
    if channels == 3 {
        let adobe = fs::read(data("samples/icc_adobergb.jpg")).unwrap();
        image.metadata.icc = decode(&adobe, &Limits::default()).unwrap().metadata.icc;
    }
    image.metadata.exif = Some(EXIF.to_vec());
    image.metadata.xmp = Some(b"<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'/>".to_vec());
    image.metadata.iptc = Some(b"\x1c\x02\x78\0\x05hello".to_vec());
    image.metadata.density = Some(Density { x: 300.0, y: 300.0, unit: DensityUnit::Inch });
    image.metadata.text = vec![("Comment".into(), "hello".into())];
    image
}

/// The image as it comes back from a file of `format`, and what was said when it was written.
fn written(image: &Image, format: ImageFormat) -> (Image, Vec<String>) {
    let encoded = encode(image, &EncodeOptions::new(format)).unwrap();
    (decode(&encoded.bytes, &Limits::default()).unwrap(), encoded.warnings)
}

const DEPTHS: [SampleDepth; 3] = [SampleDepth::U8, SampleDepth::U16, SampleDepth::F32];

#[test]
fn the_table_of_writing_is_true() {
    let rows = rows("## Writing");
    for format in ImageFormat::writable() {
        assert!(rows.iter().any(|row| row.format == format), "{format} is not in the table");
    }
    for row in rows.iter().filter(|row| row.format.can_write()) {
        let format = row.format;
        let depths: BTreeSet<u32> =
            DEPTHS.iter().map(|depth| written(&image(3, *depth, false), format).0.depth.bits()).collect();
        let named: BTreeSet<u32> = match row.cell("depth") {
            "shared exponent" => [32].into(),
            cell => cell.split([' ', ',']).filter_map(|word| word.parse().ok()).collect(),
        };
        assert_eq!(depths, named, "{format}, depth");
        let (back, said) = written(&image(3, SampleDepth::U8, true), format);
        row.agrees("alpha", back.alpha.is_some(), &["yes"], &["flattened"]);
        row.agrees("EXIF, XMP", back.metadata.exif.is_some(), &["yes", "up to 64 KiB"], &["no"]);
        assert_eq!(back.metadata.exif.is_some(), back.metadata.xmp.is_some(), "{format}");
        row.agrees("IPTC", back.metadata.iptc.is_some(), &["yes"], &["no"]);
        row.agrees("resolution", back.metadata.density.is_some(), &["yes", "in EXIF"], &["no"]);
        row.agrees("text", !back.metadata.text.is_empty(), &["yes", "as comments"], &["no"]);
        let profile = row.cell("profile");
        row.agrees("profile", back.metadata.icc.is_some(), &["yes"], &["converted to sRGB", "linear sRGB"]);
        assert_eq!(back.linear, profile == "linear sRGB", "{format}, profile");
        let converted = said.iter().any(|note| note.ends_with("the colour profile; converted to sRGB"));
        assert_eq!(converted, !profile.starts_with("yes"), "{format}, profile: {said:?}");
        let grey = encode(&image(1, SampleDepth::U8, false), &EncodeOptions::new(format)).unwrap().bytes;
        // BMP has a palette for it, which is read as RGB.
        let one = match format {
            ImageFormat::Bmp => grey[28] == 8,
            _ => decode(&grey, &Limits::default()).unwrap().color.channels() == 1,
        };
        row.agrees("grey", one, &["yes", "as RGB beside alpha"], &["as RGB", "RGB"]);
        let side = row.cell("largest side").split(' ').next().unwrap().replace(',', "");
        // BMP's limit is one of bytes.
        if format != ImageFormat::Bmp {
            assert_eq!(side.parse(), Ok(format.max_side()), "{format}, largest side");
        }
    }
}

#[test]
fn the_table_of_reading_is_true() {
    let rows = rows("## Reading");
    for format in ImageFormat::readable() {
        assert!(rows.iter().any(|row| row.format == format), "{format} is not in the table");
    }
    for row in rows.iter().filter(|row| row.format.can_read()) {
        let format = row.format;
        let files: Vec<Image> = if format.can_write() {
            DEPTHS.iter().map(|depth| written(&image(3, *depth, false), format).0).collect()
        } else {
            // What cannot be written needs a sample.
            let sample = data(&format!("samples/animated.{}", format.extensions()[0]));
            vec![decode(&fs::read(sample).unwrap(), &Limits::default()).unwrap()]
        };
        for file in files {
            let depth =
                if file.depth == SampleDepth::F32 { "float".into() } else { file.depth.bits().to_string() };
            assert!(row.cell("depth").contains(&depth), "{format}, depth: {depth}");
            assert_eq!(file.linear, row.cell("profile") == "linear sRGB", "{format}, profile");
            // JPEG XL is written without a profile.
            if format != ImageFormat::JpegXl {
                row.agrees("profile", file.metadata.icc.is_some(), &["yes"], &["no", "linear sRGB"]);
            }
            row.agrees("EXIF, XMP", file.metadata.exif.is_some(), &["yes"], &["no"]);
            row.agrees("EXIF, XMP", file.metadata.xmp.is_some(), &["yes"], &["no"]);
            row.agrees("IPTC", file.metadata.iptc.is_some(), &["yes"], &["no"]);
            row.agrees("resolution", file.metadata.density.is_some(), &["yes", "from EXIF"], &["no"]);
            row.agrees("text", !file.metadata.text.is_empty(), &["yes", "comments"], &["no", "in EXIF"]);
        }
    }
}
