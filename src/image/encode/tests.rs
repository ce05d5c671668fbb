use super::*;
use crate::image::color::Coding;
use crate::image::{Raster, SampleDepth, decode};
use crate::limits::Limits;

/// A ramp with every 16-bit step different, `channels` colour planes.
fn image(channels: usize, alpha: bool, depth: SampleDepth) -> Image {
    let (height, width) = (13, 17);
    let plane = |shift: usize| {
        (0..height * width)
            .map(move |i| ((i * 257 + shift * 1021) % 65536) as f32 / 65535.0)
            .collect::<Vec<_>>()
    };
    let color = Raster::from_vec(channels, height, width, (0..channels).flat_map(plane).collect());
    let alpha = alpha.then(|| Raster::from_vec(1, height, width, plane(7)));
    Image::new(color, alpha, depth, ImageFormat::Png)
}

fn worst(a: &Raster, b: &Raster) -> f32 {
    assert_eq!((a.channels(), a.height(), a.width()), (b.channels(), b.height(), b.width()));
    a.data().iter().zip(b.data()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn every_format_layout_and_depth_comes_back() {
    for format in ImageFormat::writable() {
        for channels in [1, 3] {
            for alpha in [false, true] {
                for depth in [SampleDepth::U8, SampleDepth::U16, SampleDepth::F32] {
                    let source = image(channels, alpha, depth);
                    let options = EncodeOptions { quality: 100, ..EncodeOptions::new(format) };
                    let encoded = encode(&source, &options).unwrap();
                    let what = format!("{format} {channels} {alpha} {depth:?}");
                    let back = decode(&encoded.bytes, &Limits::default())
                        .unwrap_or_else(|e| panic!("{what}: {}", e.report()));
                    assert_eq!(back.format, format, "{what}");
                    let stored = options.stored_depth(depth);
                    assert_eq!(back.depth, stored, "{what}");
                    assert_eq!(encoded.warnings, options.losses(depth, alpha), "{what}");
                    let mut back = back;
                    if back.linear {
                        Coding::linear((0.0, 1.0)).to_srgb(&mut back.color);
                    }
                    let step: f32 = if stored == SampleDepth::U8 { 0.501 / 255.0 } else { 0.501 / 65535.0 };
                    if format.has_alpha() {
                        assert_eq!(back.alpha.is_some(), alpha, "{what}");
                        if let (Some(a), Some(b)) = (&source.alpha, &back.alpha) {
                            let step = match format {
                                ImageFormat::JpegXl => 0.501 / 255.0,
                                // Of 12 bits, and there as in 8 without loss.
                                ImageFormat::Avif => step.max(0.501 / 4095.0),
                                _ => step,
                            };
                            assert!(worst(a, b) <= step, "{what}: alpha");
                        }
                    }
                    if alpha && !format.has_alpha() {
                        continue;
                    }
                    // Some formats store grey as equal red, green and blue.
                    let grey = channels == 1 && back.color.channels() == 3;
                    let color = if grey {
                        Raster::from_vec(1, 13, 17, back.color.plane(1).to_vec())
                    } else {
                        back.color
                    };
                    let allowed = match format {
                        // At quality 100 noise-like JPEG is within a few levels.
                        ImageFormat::Jpeg | ImageFormat::Avif => 4.0 / 255.0,
                        // Eight bits of mantissa, of linear light.
                        ImageFormat::Hdr => 1.5 / 255.0,
                        // Multiplied by alpha and divided again.
                        ImageFormat::OpenExr => 1e-4,
                        _ => step,
                    };
                    assert!(
                        worst(&source.color, &color) <= allowed,
                        "{what}: {}",
                        worst(&source.color, &color)
                    );
                }
            }
        }
    }
}

#[test]
fn what_a_format_cannot_hold_is_said() {
    let options = EncodeOptions::new(ImageFormat::Jpeg);
    assert_eq!(
        options.losses(SampleDepth::U16, true),
        [
            "JPEG cannot store 16 bits per sample; written with 8",
            "JPEG has no transparency; flattened on the background colour"
        ]
    );
    assert_eq!(EncodeOptions::new(ImageFormat::Png).losses(SampleDepth::U16, true), [""; 0]);
    let lower = EncodeOptions { depth: Some(SampleDepth::U8), ..EncodeOptions::new(ImageFormat::Tiff) };
    assert_eq!(lower.losses(SampleDepth::F32, false), [""; 0]);
    assert_eq!(lower.stored_depth(SampleDepth::F32), SampleDepth::U8);
}

#[test]
fn a_profile_of_grey_does_not_go_with_red_green_and_blue() {
    let mut source = image(1, false, SampleDepth::U8);
    source.metadata.icc = moxcms::ColorProfile::new_gray_with_gamma(1.5).encode().ok();
    let coding = Coding::from_icc(source.metadata.icc.as_ref().unwrap(), 1).unwrap();
    let mut expected = source.color.clone();
    coding.to_srgb(&mut expected);
    assert!(worst(&expected, &source.color) > 0.1);
    for format in ImageFormat::writable().filter(|format| format.has_profile()) {
        let options = EncodeOptions { quality: 100, ..EncodeOptions::new(format) };
        let encoded = encode(&source, &options).unwrap();
        let back = decode(&encoded.bytes, &Limits::default()).unwrap();
        if format.has_grey() {
            assert_eq!((&back.metadata.icc, encoded.warnings.len()), (&source.metadata.icc, 0), "{format}");
        } else {
            let told = format!("{format} cannot store a profile of grey; converted to sRGB");
            assert_eq!((back.metadata.icc, encoded.warnings), (None, vec![told]));
            let grey = Raster::from_vec(1, 13, 17, back.color.plane(1).to_vec());
            assert!(worst(&expected, &grey) < 4.0 / 255.0, "{format}");
        }
    }
}

#[test]
fn transparency_is_flattened_on_the_background() {
    let mut source = image(3, true, SampleDepth::U8);
    source.color.data_mut().fill(0.0);
    source.alpha.as_mut().unwrap().data_mut().fill(0.25);
    for (background, expected) in [([1.0; 3], [191, 191, 191]), ([0.0, 1.0, 0.0], [0, 191, 0])] {
        let options = EncodeOptions { background, ..EncodeOptions::new(ImageFormat::Pnm) };
        let bytes = encode(&source, &options).unwrap().bytes;
        assert_eq!(bytes[bytes.len() - 3..], expected);
    }
}

#[test]
fn bad_options_and_sizes_are_refused_before_work() {
    let source = image(1, false, SampleDepth::U8);
    let options = EncodeOptions { quality: 0, ..EncodeOptions::new(ImageFormat::Jpeg) };
    let error = encode(&source, &options).unwrap_err();
    assert_eq!(error.to_string(), "quality is 0, it must be from 1 to 100");
    let wide = Image::new(Raster::new(1, 1, 70_000), None, SampleDepth::U8, ImageFormat::Png);
    let error = encode(&wide, &EncodeOptions::new(ImageFormat::Jpeg)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Output);
    assert!(error.to_string().starts_with("JPEG cannot store 70000 x 1 pixels"));
}

/// A disk that fills up after `room` bytes.
struct Full {
    room: usize,
    at: u64,
}

impl Write for Full {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        if data.len() > self.room {
            return Err(std::io::Error::new(std::io::ErrorKind::StorageFull, "no space left on device"));
        }
        self.room -= data.len();
        self.at += data.len() as u64;
        Ok(data.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Seek for Full {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        if let std::io::SeekFrom::Start(at) = to {
            self.at = at;
        }
        Ok(self.at)
    }
}

/// Wherever the disk ends, also within what is written last.
#[test]
fn a_png_is_whole_or_an_error() {
    let source = image(3, false, SampleDepth::U8);
    let options = EncodeOptions::new(ImageFormat::Png);
    let size = encode(&source, &options).unwrap().bytes.len();
    for room in 0..size {
        let error = encode_to(&source, &options, &mut Full { room, at: 0 }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Output, "{room} of {size} bytes");
    }
    encode_to(&source, &options, &mut Full { room: size, at: 0 }).unwrap();
}

#[test]
fn a_full_disk_is_an_output_error() {
    let source = image(3, false, SampleDepth::U16);
    for format in ImageFormat::writable() {
        let mut out = Full { room: 100, at: 0 };
        let error = encode_to(&source, &EncodeOptions::new(format), &mut out).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Output, "{format}");
        let report = error.report();
        assert!(report.starts_with(&format!("cannot write the {format} data: ")), "{report}");
        assert!(report.ends_with("no space left on device"), "{report}");
    }
}

#[test]
fn truncated_files_are_refused() {
    let source = image(3, false, SampleDepth::U8);
    for format in ImageFormat::writable() {
        let bytes = encode(&source, &EncodeOptions::new(format)).unwrap().bytes;
        // What ends within PNG's end mark has all pixels.
        let length = bytes.len() - if format == ImageFormat::Png { 12 } else { 0 };
        for part in [1, 2, 3] {
            let error = decode(&bytes[..length * part / 4], &Limits::default()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Input, "{format}");
            let damaged = matches!(format, ImageFormat::Qoi | ImageFormat::OpenExr);
            let expected = if damaged {
                format!("the {format} data is damaged")
            } else {
                format!("the {format} data is truncated: the file ends too early")
            };
            assert_eq!(error.to_string(), expected);
        }
    }
}

#[test]
fn what_is_no_image_is_refused() {
    let error = decode(b"", &Limits::default()).unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Input, "the file is empty"));
    let error = decode(b"Dear diary, today", &Limits::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    let begins = "unknown image format; supported formats: PNG, JPEG, WebP, TIFF, BMP";
    assert!(error.to_string().starts_with(begins), "{error}");
    let error = decode(b"%PDF-1.7", &Limits::default()).unwrap_err();
    assert!(error.to_string().starts_with("this is a PDF document, which is not supported"), "{error}");
    let error = decode(b"\0\0\0\x20ftypheic\0\0\0\0mif1heic", &Limits::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    #[cfg(not(feature = "heif"))]
    assert_eq!(
        error.to_string(),
        "this is HEIC, which needs the feature heif, and this program was built without it"
    );
}

#[test]
fn limits_hold_for_every_format() {
    let source = image(3, false, SampleDepth::U8);
    let limits = Limits { max_pixels: 220, ..Limits::default() };
    for format in ImageFormat::writable() {
        let bytes = encode(&source, &EncodeOptions::new(format)).unwrap().bytes;
        let error = decode(&bytes, &limits).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit, "{format}");
        assert_eq!(
            error.to_string(),
            "the image has 17 x 13 = 221 pixels: expected at most 220 (max_pixels)"
        );
    }
}

#[test]
fn a_header_that_promises_too_much_costs_nothing() {
    let mut bytes =
        encode(&image(3, false, SampleDepth::U8), &EncodeOptions::new(ImageFormat::Bmp)).unwrap().bytes;
    bytes[18..22].copy_from_slice(&1_000_000i32.to_le_bytes());
    bytes[22..26].copy_from_slice(&1_000_000i32.to_le_bytes());
    let error = decode(&bytes, &Limits::default()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Limit | ErrorKind::Input), "{}", error.report());
    let huge = b"P6\n900000 900000\n255\n";
    let error = decode(huge, &Limits::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the image has 900000 x 900000 = 810000000000 pixels: expected at most 200000000 (max_pixels)"
    );
}

#[cfg(feature = "lossy-webp")]
#[test]
fn lossy_webp_is_small_and_keeps_its_metadata() {
    for alpha in [false, true] {
        let (height, width) = (64, 96);
        let plane = |f: f32| {
            (0..height * width).map(move |i| {
                let grain = (i * 7919 % 101) as f32 / 101.0 - 0.5;
                0.5 + 0.3 * ((i % width) as f32 * f).sin() + 0.1 * grain
            })
        };
        let color =
            Raster::from_vec(3, height, width, [0.1, 0.13, 0.07].into_iter().flat_map(plane).collect());
        let opacity = alpha.then(|| Raster::from_vec(1, height, width, plane(0.05).collect()));
        let mut source = Image::new(color, opacity, SampleDepth::U8, ImageFormat::Png);
        source.metadata.icc = Some(vec![7; 333]);
        source.metadata.exif =
            Some(crate::image::metadata::exif_fields::only_density(crate::image::Density {
                x: 300.0,
                y: 300.0,
                unit: crate::image::DensityUnit::Inch,
            }));
        source.metadata.xmp = Some(crate::image::metadata::xmp::packet(""));
        let lossless = encode(&source, &EncodeOptions::new(ImageFormat::WebP)).unwrap().bytes;
        let options = EncodeOptions { lossless: false, quality: 90, ..EncodeOptions::new(ImageFormat::WebP) };
        let lossy = encode(&source, &options).unwrap().bytes;
        for bytes in [&lossless, &lossy] {
            let back = decode(bytes, &Limits::default()).unwrap();
            assert_eq!(back.metadata.icc, source.metadata.icc);
            assert_eq!(back.metadata.exif, source.metadata.exif);
            assert_eq!(back.metadata.xmp, source.metadata.xmp);
            assert_eq!(back.alpha.is_some(), alpha);
            assert!(
                worst(&back.color, &source.color) < 20.0 / 255.0,
                "{}",
                worst(&back.color, &source.color)
            );
        }
        assert!(lossy.len() < lossless.len() * 2 / 3, "{} {}", lossy.len(), lossless.len());
        source.metadata = crate::image::Metadata::default();
        assert!(encode(&source, &options).unwrap().bytes.len() < lossy.len() - 400);
    }
}
