use super::*;
use crate::image::{EncodeOptions, encode};

/// One small image in every format that can be written, and the real small samples if they are there.
fn seeds() -> Vec<(String, Vec<u8>)> {
    let data = (0..3 * 23 * 19).map(|i| ((i * i * 7 + i * 13) % 256) as f32 / 255.0).collect();
    let mut image = Image::new(Raster::from_vec(3, 23, 19, data), None, SampleDepth::U8, ImageFormat::Png);
    image.metadata.exif = Some(metadata::exif_fields::only_density(super::super::Density {
        x: 300.0,
        y: 300.0,
        unit: super::super::DensityUnit::Inch,
    }));
    image.metadata.icc = srgb_icc();
    image.metadata.xmp = Some(metadata::xmp::packet("<rdf:Description a='1'/>"));
    image.metadata.text = vec![("Comment".into(), "a word".into())];
    let mut seeds = Vec::new();
    for format in ImageFormat::writable() {
        for depth in [SampleDepth::U8, SampleDepth::U16] {
            let options = EncodeOptions { depth: Some(depth), ..EncodeOptions::new(format) };
            seeds.push((format!("{format} {depth:?}"), encode(&image, &options).unwrap().bytes));
        }
    }
    seeds
}

#[test]
fn damaged_samples_cost_an_error_and_no_panic() {
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/samples")).unwrap();
    let mut random = Lcg(11);
    for path in files.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        let bytes = std::fs::read(&path).unwrap();
        // What comes first decides most; what follows costs time.
        let reach = bytes.len().min(4000);
        for round in 0..12 {
            let mut bytes = bytes.clone();
            for _ in 0..3 {
                bytes[random.below(reach)] = random.below(256) as u8;
            }
            try_decode(&format!("{path:?} round {round}"), &bytes);
            let end = random.below(bytes.len());
            try_decode(&format!("{path:?} cut at {end}"), &bytes[..end]);
        }
    }
}

/// A simple deterministic generator (Knuth's MMIX constants).
struct Lcg(u64);

impl Lcg {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// Decoding works or fails with a sentence; it does not panic, and does not take long for a small file.
fn try_decode(what: &str, bytes: &[u8]) {
    let limits = Limits { max_pixels: 1_000_000, max_decode_bytes: 64 << 20, ..Limits::default() };
    match decode(bytes, &limits) {
        Ok(image) => assert!(image.width() * image.height() <= 1_000_000, "{what}"),
        Err(error) => {
            assert!(
                matches!(error.kind(), ErrorKind::Input | ErrorKind::Limit),
                "{what}: {}",
                error.report()
            );
            assert!(error.to_string().len() > 10, "{what}");
        }
    }
}

#[test]
fn damaged_files_cost_an_error_and_no_panic() {
    let mut random = Lcg(7);
    let mut count = 0;
    for (name, bytes) in seeds() {
        for end in (0..bytes.len()).step_by(37) {
            try_decode(&format!("{name} cut at {end}"), &bytes[..end]);
            count += 1;
        }
        for round in 0..600 {
            let mut bytes = bytes.clone();
            for _ in 0..=random.below(4) {
                // Headers are short and matter most.
                let reach = if random.below(2) == 0 { bytes.len().min(200) } else { bytes.len() };
                let at = random.below(reach);
                match random.below(3) {
                    0 => bytes[at] ^= 1 << random.below(8),
                    1 => bytes[at] = 0xff,
                    _ => bytes[at] = random.below(256) as u8,
                }
            }
            try_decode(&format!("{name} round {round}"), &bytes);
            count += 1;
        }
    }
    assert!(count > 10_000, "{count}");
}

#[test]
fn gif_animations_are_known_by_their_blocks() {
    for frames in 1..=3 {
        let mut bytes = Vec::new();
        let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
        for i in 0..frames {
            let image = image::RgbaImage::from_fn(40, 30, |x, y| image::Rgba([x as u8, y as u8, i, 255]));
            encoder.encode_frame(image::Frame::new(image)).unwrap();
        }
        drop(encoder);
        let image = decode(&bytes, &Limits::default()).unwrap();
        let note = "the file is an animation; only its first frame is read";
        assert_eq!(image.warnings.iter().any(|warning| warning == note), frames > 1, "{frames}");
        for end in 0..bytes.len() {
            sniff::gif_has_frames(&bytes[..end]);
        }
    }
}
