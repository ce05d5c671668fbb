//! Pixels as ImageMagick reads them.

use super::*;

/// `image` with its metadata as if the profile were unknown, for comparing bare values.
fn levels(image: &Image) -> Vec<f32> {
    image.color.data().iter().map(|value| value * 255.0).collect()
}

#[test]
fn unusual_files_read_as_imagemagick_reads_them() {
    let Some(folder) = has_tool("convert").then(samples) else { return };
    let temp = tempfile::tempdir().unwrap();
    let rgb = folder.join("photo_girl_lr_x4.png");
    let deep = folder.join("rgb16_photo.png");
    let alpha = folder.join("alpha_small.png");
    // Source, options of `convert`, name, and the largest difference allowed in 8-bit levels.
    let variants: [(&PathBuf, &[&str], &str, f32); 28] = [
        (&rgb, &["-compress", "lzw"], "lzw.tif", 0.01),
        (&rgb, &["-compress", "zip"], "zip.tif", 0.01),
        (&rgb, &["-compress", "rle"], "packbits.tif", 0.01),
        (&rgb, &["-compress", "jpeg"], "jpeg.tif", 4.5),
        (&rgb, &["-compress", "none", "-endian", "MSB"], "big-endian.tif", 0.01),
        (&deep, &["-define", "tiff:tile-geometry=64x48", "-compress", "lzw"], "tiles16.tif", 0.01),
        (&rgb, &["-interlace", "plane", "-compress", "none"], "planes.tif", 0.01),
        (&deep, &["-interlace", "plane", "-compress", "zip"], "planes16.tif", 0.01),
        (&rgb, &["-type", "palette", "-colors", "200", "-compress", "lzw"], "palette.tif", 0.01),
        (&rgb, &["-type", "palette", "-colors", "13", "-compress", "none"], "palette16.tif", 0.01),
        (&rgb, &["-monochrome", "-compress", "group4"], "fax.tif", 0.01),
        (&rgb, &["-monochrome", "-compress", "none"], "bilevel.tif", 0.01),
        (&rgb, &["-colorspace", "gray", "-compress", "lzw"], "grey.tif", 0.01),
        (&rgb, &["-colorspace", "gray", "-define", "quantum:polarity=min-is-white"], "white.tif", 0.01),
        (
            &deep,
            &["-depth", "32", "-define", "quantum:format=floating-point", "-compress", "zip"],
            "float.tif",
            0.01,
        ),
        (
            &deep,
            &["-depth", "64", "-define", "quantum:format=floating-point", "-compress", "zip"],
            "double.tif",
            0.01,
        ),
        (
            &deep,
            &["-depth", "16", "-define", "quantum:format=floating-point", "-compress", "zip"],
            "half.tif",
            0.2,
        ),
        (&alpha, &["-compress", "lzw"], "alpha.tif", 0.01),
        (&rgb, &["tiff64:"], "bigtiff.tif", 0.01),
        (&rgb, &["-colorspace", "CMYK", "-compress", "lzw"], "inks.tif", 0.6),
        (&rgb, &["-colorspace", "CMYK", "-depth", "16", "-interlace", "plane"], "inks16.tif", 0.6),
        (&rgb, &["-type", "palette", "-colors", "4"], "palette.png", 0.01),
        (&rgb, &["-monochrome"], "bilevel.png", 0.01),
        (&rgb, &["-colors", "16"], "palette.gif", 0.01),
        (&rgb, &["-type", "palette", "-colors", "30"], "palette.bmp", 0.01),
        (&rgb, &["-interlace", "none", "-sampling-factor", "2x2"], "420.jpg", 4.5),
        (&rgb, &["-interlace", "line", "-sampling-factor", "1x1"], "scans.jpg", 4.5),
        (&rgb, &["-interlace", "line", "-sampling-factor", "2x1"], "scans422.jpg", 6.5),
    ];
    let mut wrong = Vec::new();
    for (source, options, name, allowed) in variants {
        let path = temp.path().join(name);
        let mut target = path.clone().into_os_string();
        let mut options = options.to_vec();
        if let Some(prefix) = options.pop_if(|option| option.ends_with(':')) {
            let mut with_prefix = std::ffi::OsString::from(prefix);
            with_prefix.push(&target);
            target = with_prefix;
        }
        output(Command::new("convert").arg(source).args(&options).arg(&target));
        let reference = temp.path().join("reference.png");
        output(
            Command::new("convert")
                .arg(&path)
                .args(["-alpha", "off", "-colorspace", "sRGB", "-depth", "16", "-strip"])
                .arg(&reference),
        );
        let expected = decode(&std::fs::read(&reference).unwrap(), &Limits::default()).unwrap();
        match decode(&std::fs::read(&path).unwrap(), &Limits::default()) {
            Ok(image) => {
                let (a, b) = (levels(&image), levels(&expected));
                let planes = image.color.channels() / expected.color.channels();
                let size = image.width() * image.height();
                let worst = (0..a.len())
                    .map(|i| (a[i] - b[if planes == 3 { i % size } else { i % b.len() }]).abs())
                    .fold(0.0, f32::max);
                if (image.width(), image.height()) != (expected.width(), expected.height()) || worst > allowed
                {
                    wrong.push(format!("{name}: off by {worst}"));
                }
            }
            Err(error) => wrong.push(format!("{name}: {}", error.report())),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn imagemagick_reads_what_is_written() {
    let Some(folder) = has_tool("convert").then(samples) else { return };
    let temp = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for name in ["rgb16_small.tiff", "alpha_small.png", "photo_girl_lr_x4.png"] {
        let image = decode(&std::fs::read(folder.join(name)).unwrap(), &Limits::default()).unwrap();
        for format in [
            ImageFormat::Png,
            ImageFormat::Jpeg,
            ImageFormat::WebP,
            ImageFormat::Tiff,
            ImageFormat::Bmp,
            ImageFormat::Pnm,
            ImageFormat::Pam,
            ImageFormat::Pfm,
            ImageFormat::Hdr,
        ] {
            for progressive in [false, true] {
                if progressive && format != ImageFormat::Jpeg {
                    continue;
                }
                let options = EncodeOptions { progressive, quality: 100, ..EncodeOptions::new(format) };
                let path = temp.path().join(format!("out.{}", format.extensions()[0]));
                std::fs::write(&path, encode(&image, &options).unwrap().bytes).unwrap();
                let reference = temp.path().join("reference.png");
                let mut command = Command::new("convert");
                if format.is_linear() {
                    command.args(["-set", "colorspace", "RGB"]);
                }
                command.arg(&path);
                if format.is_linear() {
                    command.args(["-colorspace", "sRGB"]);
                }
                output(command.args(["-depth", "16", "-define", "png:color-type=6"]).arg(&reference));
                let read = decode(&std::fs::read(&reference).unwrap(), &Limits::default()).unwrap();
                let mut expected = image.clone();
                if !format.has_alpha()
                    && let Some(alpha) = expected.alpha.take()
                {
                    for channel in 0..3 {
                        let plane = expected.color.plane_mut(channel);
                        plane.iter_mut().zip(alpha.data()).for_each(|(v, a)| *v = *v * a + 1.0 - a);
                    }
                }
                let off = |a: &Raster, b: &Raster| {
                    a.data().iter().zip(b.data()).map(|(a, b)| (a - b).abs() * 255.0).fold(0.0, f32::max)
                };
                let mut worst = off(&read.color, &expected.color);
                if let (Some(a), Some(b)) = (&read.alpha, &expected.alpha) {
                    worst = worst.max(off(a, b));
                }
                let allowed = match format {
                    ImageFormat::Jpeg => 4.5,
                    // A step of 1/256 of the brightest channel's light: up to 13 levels in a dark one.
                    ImageFormat::Hdr => 13.0,
                    ImageFormat::Pnm => 0.51,
                    _ if options.stored_depth(image.depth) == image.depth => 0.01,
                    _ => 0.51,
                };
                if worst > allowed {
                    wrong.push(format!("{name} as {format} {progressive}: off by {worst}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_page_of_a_file_can_be_read() {
    let Some(folder) = has_tool("convert").then(samples) else { return };
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("pages.tif");
    let pages = ["photo_girl_lr_x4.png", "alpha_small.png", "gray_photo.png"].map(|name| folder.join(name));
    output(Command::new("convert").args(&pages).args(["-compress", "zip"]).arg(&path));
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(page_count(&bytes), 3);
    for (page, source) in pages.iter().enumerate() {
        let expected = decode(&std::fs::read(source).unwrap(), &Limits::default()).unwrap();
        let read = decode_page(&bytes, page, &Limits::default()).unwrap();
        assert_eq!((read.width(), read.height()), (expected.width(), expected.height()));
        assert_eq!(read.color.plane(0), expected.color.plane(0), "page {page}");
    }
    let first = decode(&bytes, &Limits::default()).unwrap();
    assert_eq!(first.warnings.last().unwrap(), "the file has 3 pages; only the first is read");
    let error = decode_page(&bytes, 3, &Limits::default()).unwrap_err();
    assert_eq!(error.kind(), crate::error::ErrorKind::Input);
    let animation = decode(&std::fs::read(folder.join("animated.gif")).unwrap(), &Limits::default()).unwrap();
    assert_eq!(animation.warnings, ["the file is an animation; only its first frame is read"]);
}
