//! Entrances for the fuzz targets in `fuzz/`; only they are built with `--cfg fuzzing`.

use std::io::Cursor;

use super::decode::jpeg::Frame;
use super::metadata::directory::TiffFile;
use super::metadata::exif::Exif;
use super::metadata::ifd::Order;
use super::metadata::xmp_edit::Edit;
use super::metadata::{self, Metadata, Retouch, Strip, xmp};
use super::{ImageFormat, Provenance, header};

/// Reads what a container says, corrects it as for an enlarged image, and lays it down for every container.
pub fn copy_metadata(format: ImageFormat, bytes: &[u8]) {
    let _ = header(Cursor::new(bytes));
    let metadata = match format {
        ImageFormat::Png => metadata::png::read(bytes).metadata,
        ImageFormat::Jpeg => {
            Frame::read(bytes);
            metadata::jpeg::read(bytes).metadata
        }
        ImageFormat::WebP => metadata::riff::read(bytes).metadata,
        ImageFormat::Tiff => {
            let Some(mut file) = TiffFile::open(Cursor::new(bytes)) else { return };
            let mut first = None;
            file.visit(1, |_, directory| first = directory);
            let Some(directory) = first else { return };
            metadata::tiff::read(bytes, &mut file, &directory).metadata
        }
        _ => return,
    };
    for strip in [Strip::Nothing, Strip::Gps] {
        write(metadata.clone(), strip);
    }
}

fn write(mut metadata: Metadata, strip: Strip) {
    metadata.is_adobe_rgb();
    metadata.take_orientation();
    metadata.retouch(&Retouch { size: (70_000, 8), old_size: (7, 2), keep_dpi: false, strip });
    assert!(metadata.take_orientation() == 1, "the orientation comes back");
    metadata::png::write(&metadata);
    metadata::jpeg::write(&metadata);
    if let Some(exif) = metadata.exif.and_then(Exif::new) {
        let fields = exif.fields(Order::Little);
        let again = Exif::new(fields.to_block()).expect("a block of our own").fields(Order::Little);
        for (mut fields, again) in
            [(fields.main, again.main), (fields.exif, again.exif), (fields.gps, again.gps)]
        {
            fields.sort_by_key(|field| field.tag);
            assert_eq!(fields, again);
        }
    }
}

/// Corrects an EXIF block in every way.
pub fn exif(bytes: &[u8]) {
    for strip in [Strip::Nothing, Strip::Gps] {
        write(Metadata { exif: Some(bytes.to_vec()), ..Metadata::default() }, strip);
    }
}

/// Edits an XMP packet in every way and puts a record of making into it, which must come back.
pub fn xmp(bytes: &[u8]) {
    write(Metadata { xmp: Some(bytes.to_vec()), ..Metadata::default() }, Strip::Gps);
    let mut metadata = Metadata { xmp: Some(bytes.to_vec()), ..Metadata::default() };
    let _ = Provenance::read(&metadata);
    let record = Provenance { software: "a \"b\" & <c>".into(), seed: 7, ..Provenance::default() };
    record.write(&mut metadata);
    metadata.text.clear();
    assert_eq!(Provenance::read(&metadata), Some(record));
    // What was well-formed stays so.
    let packet = metadata.xmp.expect("just written");
    assert!(xmp::edit(&packet, &Edit::default()).is_some());
}
