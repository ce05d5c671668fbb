//! Images of every kind through the library, against the engine itself.

use half::f16;
use partdiff::image::{Image, ImageFormat, Raster, RestoreOptions, SampleDepth, prepare_for_model};
use partdiff::model::{Bundle, DEFAULT_BUNDLE};
use partdiff::runtime::Device;
use partdiff::{CancelToken, NoProgress, RuntimeOptions, Target, UpscaleOptions, Upscaler};
use partdiff_host::{Color, Form, Input, Layout, Output, Sample};

use crate::support::{model, pattern, rgb8};

const WIDTH: u32 = 23;
const HEIGHT: u32 = 17;

/// The engine's own result, without the library.
fn expected(color: Raster, alpha: Option<Raster>, icc: Option<Vec<u8>>) -> Image {
    let bundle = Bundle::embedded(DEFAULT_BUNDLE).unwrap().unwrap();
    let runtime = RuntimeOptions { device: Device::Cpu, ..Default::default() };
    let upscaler = Upscaler::open(&bundle, &runtime).unwrap();
    let mut image = Image::new(color, alpha, SampleDepth::F32, ImageFormat::Png);
    image.metadata.icc = icc;
    let prepared = prepare_for_model(image);
    let options =
        UpscaleOptions { target: Target::Scale(3.0), steps: Some(2), seed: 5, ..Default::default() };
    let made = upscaler.upscale(&prepared.color, &options, &NoProgress, &CancelToken::new()).unwrap();
    prepared.frame.restore(made.image, &RestoreOptions::default())
}

/// Where sample (`channel`, `y`, `x`) begins.
fn place(form: &Form, channel: usize, y: usize, x: usize) -> usize {
    let bytes = form.sample_bytes();
    let (pixel, row) = match form.layout {
        Layout::Interleaved => (bytes * form.channels(), bytes * form.channels() * form.width as usize),
        Layout::Planar => (bytes, bytes * form.width as usize),
    };
    let row = if form.row_stride == 0 { row } else { form.row_stride };
    let plane = if form.plane_stride == 0 { row * form.height as usize } else { form.plane_stride };
    match form.layout {
        Layout::Interleaved => y * row + x * pixel + channel * bytes,
        Layout::Planar => channel * plane + y * row + x * pixel,
    }
}

fn get(form: &Form, bytes: &[u8], at: usize) -> f32 {
    let two = || u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
    match form.sample {
        Sample::U8 => f32::from(bytes[at]) / 255.0,
        Sample::U16 => f32::from(two()) / 65535.0,
        Sample::F16 => f16::from_bits(two()).to_f32(),
        Sample::F32 => f32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap()),
    }
}

fn set(form: &Form, bytes: &mut [u8], at: usize, value: f32) {
    match form.sample {
        Sample::U8 => bytes[at] = (value * 255.0).round() as u8,
        Sample::U16 => bytes[at..at + 2].copy_from_slice(&((value * 65535.0).round() as u16).to_ne_bytes()),
        Sample::F16 => bytes[at..at + 2].copy_from_slice(&f16::from_f32(value).to_ne_bytes()),
        Sample::F32 => bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes()),
    }
}

fn size(form: &Form) -> usize {
    place(form, form.channels() - 1, form.height as usize - 1, form.width as usize - 1) + form.sample_bytes()
}

#[test]
fn every_kind_of_image_comes_out_as_from_the_engine() {
    let Some(model) = model() else { return };
    let mut job = model.job().unwrap();
    job.set_real("scale", 3.0).unwrap();
    job.set_int("steps", 2).unwrap();
    job.set_text("seed", Some("5")).unwrap();
    job.set_int("cleanup", 0).unwrap();
    for color in [Color::Grey, Color::GreyAlpha, Color::Rgb, Color::Rgba] {
        for (index, sample) in [Sample::U8, Sample::U16, Sample::F16, Sample::F32].into_iter().enumerate() {
            let mut from = Form::new(sample, color, WIDTH, HEIGHT);
            // Strides that differ between input and output, and addresses that are not aligned.
            if index % 2 == 0 {
                from.row_stride = from.bytes() / HEIGHT as usize + 5;
            } else {
                from.layout = Layout::Planar;
                from.row_stride = WIDTH as usize * from.sample_bytes() + 3;
                from.plane_stride = from.row_stride * HEIGHT as usize + 1;
            }
            let mut pixels = vec![0; size(&from) + 1];
            let colors = from.channels() - usize::from(matches!(color, Color::GreyAlpha | Color::Rgba));
            let (mut planes, mut opacity) = (Vec::new(), Vec::new());
            for channel in 0..from.channels() {
                for y in 0..HEIGHT as usize {
                    for x in 0..WIDTH as usize {
                        let value = ((x * 7 + y * 3 + channel * 50) % 64) as f32 / 63.0;
                        let value = if channel == colors { (value * 3.0).min(1.0) } else { value };
                        let at = place(&from, channel, y, x);
                        set(&from, &mut pixels[1..], at, value);
                        let value = get(&from, &pixels[1..], at);
                        if channel < colors { planes.push(value) } else { opacity.push(value) }
                    }
                }
            }
            let (height, width) = (HEIGHT as usize, WIDTH as usize);
            let alpha =
                (from.channels() > colors).then(|| Raster::from_vec(1, height, width, opacity.clone()));
            let wanted = expected(Raster::from_vec(colors, height, width, planes), alpha, None);

            let (wide, high) = job.output_size(WIDTH, HEIGHT).unwrap();
            assert_eq!((wide, high), (69, 51));
            let mut to = Form::new(sample, color, wide, high);
            to.layout = if index % 2 == 0 { Layout::Planar } else { Layout::Interleaved };
            let mut result = vec![0; size(&to) + 1];
            job.run(&from, Input::Memory(&pixels[1..]), &to, Output::Memory(&mut result[1..]), None).unwrap();
            let step = match sample {
                Sample::U8 => 0.5001 / 255.0,
                Sample::U16 => 0.51 / 65535.0,
                Sample::F16 => 1.0 / 1024.0,
                Sample::F32 => 0.0,
            };
            for y in 0..51 {
                for x in 0..69 {
                    for channel in 0..to.channels() {
                        let value = get(&to, &result[1..], place(&to, channel, y, x));
                        let wanted = if channel < colors {
                            wanted.color.row(channel, y)[x]
                        } else {
                            wanted.alpha.as_ref().unwrap().row(0, y)[x]
                        };
                        let wanted = if index < 2 { wanted.clamp(0.0, 1.0) } else { wanted };
                        assert!(
                            (value - wanted).abs() <= step,
                            "{color:?} {sample:?} at {x}, {y}, {channel}: {value} for {wanted}"
                        );
                    }
                }
            }
            assert_eq!(job.text("warnings").unwrap(), "");
        }
    }
    assert!(job.text("report").unwrap().contains("\"steps\":2"));
}

#[test]
fn the_profile_is_used_and_a_useless_one_told() {
    let Some(model) = model() else { return };
    let mut job = model.job().unwrap();
    let form = rgb8(16, 12);
    let pixels = pattern(form.bytes());
    let large = Form::new(Sample::F32, Color::Rgb, 64, 48);
    let mut run = |icc: Option<&[u8]>| {
        let mut result = vec![0; large.bytes()];
        job.set_profile(icc).unwrap();
        job.run(&form, Input::Memory(&pixels), &large, Output::Memory(&mut result), None).unwrap();
        (result, job.text("warnings").unwrap())
    };
    let (plain, _) = run(None);
    let wide = moxcms::ColorProfile::new_adobe_rgb().encode().unwrap();
    let (converted, warnings) = run(Some(&wide));
    assert_eq!(warnings, "");
    assert_ne!(plain, converted);
    let (again, warnings) = run(Some(b"rubbish"));
    assert!(warnings.contains("the colour profile is dropped"), "{warnings}");
    assert_eq!(plain, again);
}

#[test]
fn damage_is_cleaned_up_by_default_and_doubtful_clean_up_is_told() {
    let Some(model) = model() else { return };
    let (form, large) = (rgb8(64, 64), rgb8(256, 256));
    // Drawn waves are taken for blurred, and cleaning them changes them much.
    let value = |i: usize| 127.5 + 127.5 * ((i / 3 % 64) as f32 * 0.6 + (i / 192) as f32 * 0.5).sin();
    let waves: Vec<u8> = (0..form.bytes()).map(|i| value(i).round() as u8).collect();
    let run = |cleanup: Option<&str>| {
        let mut job = model.job().unwrap();
        job.set_text("cleanup", cleanup).unwrap();
        let mut result = vec![0; large.bytes()];
        job.run(&form, Input::Memory(&waves), &large, Output::Memory(&mut result), None).unwrap();
        (result, job.text("warnings").unwrap())
    };
    let (plain, [by_default, asked]) = (run(Some("0")), [None, Some("auto")].map(run));
    assert!(by_default.0 == asked.0 && by_default.0 != plain.0);
    assert!(by_default.1.contains("clean-up and deblurring may be wrong here"), "{}", by_default.1);
    assert_eq!([plain.1, asked.1], ["", ""]);
}

#[test]
fn strips_and_memory_give_the_same() {
    let Some(model) = model() else { return };
    let mut job = model.job().unwrap();
    // Wide enough for several strips of the result.
    let form = Form { sample: Sample::F32, ..rgb8(600, 20) };
    let values: Vec<u8> = (0..600 * 20 * 3).flat_map(|i| ((i % 256) as f32 / 255.0).to_ne_bytes()).collect();
    for scale in [4.0, 2.5] {
        job.set_real("scale", scale).unwrap();
        let (width, height) = job.output_size(600, 20).unwrap();
        let large = Form { width, height, ..form };
        let mut whole = vec![0; large.bytes()];
        job.run(&form, Input::Memory(&values), &large, Output::Memory(&mut whole), None).unwrap();
        let (mut collected, mut next) = (Vec::new(), 0);
        let mut read = |strip: partdiff_host::StripMut<'_>| {
            let row = 600 * 12;
            let start = strip.top as usize * row;
            strip.bytes.copy_from_slice(&values[start..start + strip.rows as usize * row]);
            true
        };
        let mut write = |strip: partdiff_host::Strip<'_>| {
            assert_eq!(strip.top, next);
            next += strip.rows;
            collected.extend_from_slice(strip.bytes);
            true
        };
        job.run(&form, Input::Rows(&mut read), &large, Output::Rows(&mut write), None).unwrap();
        assert_eq!(next, height);
        assert!(collected == whole, "strips differ from the whole at x{scale}");
    }
}
