//! JPEG of kinds that cameras do not write.

use std::fs;
use std::io::Cursor;
use std::path::PathBuf;

use partdiff::image::{Image, decode, header};
use partdiff::{ErrorKind, Limits};

fn bytes(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/foreign"));
    fs::read(folder.join(name)).unwrap()
}

fn read(bytes: &[u8]) -> Image {
    decode(bytes, &Limits::default()).unwrap()
}

/// Reads a file whose pixels must be those of the image beside it.
#[track_caller]
fn read_right(name: &str) -> Image {
    let image = read(&bytes(&format!("{name}.jpg")));
    let right = read(&bytes(&format!("{name}.png")));
    assert_eq!((image.width(), image.height()), (right.width(), right.height()), "{name}");
    assert!(image.color.data() == right.color.data(), "{name} differs");
    image
}

/// The segment of `marker` in a file, as the place of its payload.
fn payload(file: &[u8], marker: u8) -> usize {
    4 + file.windows(2).position(|pair| pair == [0xff, marker]).unwrap()
}

#[test]
fn kinds_that_are_seldom_written_are_read_exactly() {
    for name in [
        "jpeg_luma_1x1_chroma_2x2",
        "jpeg_sampling_3",
        "jpeg_scan_per_channel",
        "jpeg_arithmetic",
        "jpeg_dnl",
        "jpeg_lossless_restart",
        "jpeg_lossless_point_transform",
    ] {
        let image = read_right(name);
        assert_eq!((image.damage, image.warnings), (None, vec![]), "{name}");
        let told = header(Cursor::new(bytes(&format!("{name}.jpg")))).unwrap();
        let size = (image.color.width(), image.color.height());
        assert_eq!(
            (told.width, told.height, told.channels),
            (size.0, size.1, image.color.channels()),
            "{name}"
        );
    }
}

#[test]
fn equal_channel_numbers_and_bytes_before_the_first_segment_do_not_matter() {
    let whole = bytes("jpeg_baseline.jpg");
    let mut equal = whole.clone();
    let (frame, scan) = (payload(&equal, 0xc0), payload(&equal, 0xda));
    for channel in 0..3 {
        equal[frame + 6 + 3 * channel] = 1;
        equal[scan + 1 + 2 * channel] = 1;
    }
    let gap = [&whole[..2], b"some bytes", &whole[2..]].concat();
    for file in [equal, gap] {
        let image = read(&file);
        assert!(image.color.data() == read(&whole).color.data());
        assert_eq!((image.damage, image.warnings), (None, vec![]));
        assert!(header(Cursor::new(&file)).is_some());
    }
}

#[test]
fn the_height_may_be_told_after_the_scan_only() {
    let whole = bytes("jpeg_baseline.jpg");
    let mut file = whole.clone();
    let frame = payload(&file, 0xc0);
    let height = [file[frame + 1], file[frame + 2]];
    file[frame + 1..frame + 3].fill(0);
    let end = file.len() - 2;
    file.splice(end..end, [0xff, 0xdc, 0, 4, height[0], height[1]]);
    assert_eq!(header(Cursor::new(&file)), None);
    let image = read(&file);
    assert!(image.color.data() == read(&whole).color.data());
    assert_eq!((image.damage, image.warnings), (None, vec![]));
}

#[test]
fn a_stray_marker_costs_what_lies_before_the_next_restart_marker() {
    let damage = read_right("jpeg_stray_marker").damage.unwrap();
    assert_eq!(
        damage,
        "the JPEG data is damaged: 3 errors, the first found in row 32 of 96; about 33 % of the image may be wrong"
    );
}

#[test]
fn an_image_is_whole_without_its_end_marker() {
    const NOTE: &str = "the JPEG data has no end marker; the image is complete";
    let image = read_right("jpeg_no_eoi");
    assert_eq!((image.damage, image.warnings), (None, vec![NOTE.to_owned()]));
    for name in ["jpeg_baseline.jpg", "jpeg_restart.jpg", "jpeg_progressive.jpg", "jpeg_scan_per_channel.jpg"]
    {
        let whole = bytes(name);
        let coded = &whole[..whole.len() - 2];
        for end in [&b""[..], b"\xff", b"\0\0", &[0; 4000], &[0xff; 4000]] {
            let image = read(&[coded, end].concat());
            assert!(image.color.data() == read(&whole).color.data(), "{name}");
            assert_eq!((image.damage, image.warnings), (None, vec![NOTE.to_owned()]), "{name}");
        }
        // Zeros in the place of coded data are no end marker.
        for missing in [40, 400, 1000] {
            let file = [&coded[..coded.len() - missing], &[0; 4000][..]].concat();
            let error = decode(&file, &Limits::default()).unwrap_err();
            assert_eq!(error.to_string(), "the JPEG data is truncated: the file ends too early", "{name}");
        }
    }
}

#[test]
fn kinds_that_are_not_read_are_named() {
    let mut file = bytes("jpeg_baseline.jpg");
    let frame = payload(&file, 0xc0);
    let mut refused = |marker: u8, precision: u8| {
        (file[frame - 3], file[frame]) = (marker, precision);
        let error = decode(&file, &Limits::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
        assert_eq!(header(Cursor::new(&file)), None);
        error.to_string()
    };
    assert_eq!(refused(0xc1, 12), "this kind of JPEG (12 bits) is not supported");
    assert_eq!(refused(0xc5, 8), "this kind of JPEG (hierarchical) is not supported");
    assert_eq!(refused(0xcb, 8), "this kind of JPEG (lossless with arithmetic coding) is not supported");
    assert_eq!(refused(0xf7, 8), "this kind of JPEG (JPEG-LS) is not supported");
}

#[test]
fn a_file_of_thousands_of_scans_is_refused() {
    let whole = bytes("jpeg_progressive.jpg");
    // An empty scan for one coefficient of the first channel.
    let empty = [0xff, 0xda, 0, 8, 1, 1, 0, 1, 1, 0];
    let file = [&whole[..whole.len() - 2], &empty.repeat(5000), b"\xff\xd9"].concat();
    let error = decode(&file, &Limits::default()).unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Limit, "the JPEG data has more than 100 scans, the limit")
    );
}
