//! The plug-ins in batch mode, in GIMP 2.10 and GIMP 3.

#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::path::Path;

use common::scheme::{header, save, upscale, upscale_cleaned, with_image};
use common::{CASES, Generation, Gimp, assert_same, largest_difference, reference};
use half::f16;
use partdiff::image::{EncodeOptions, Image, ImageFormat, Raster, SampleDepth, encode};

fn pixels_equal_the_command(generation: Generation) {
    let Some(gimp) = Gimp::new(generation) else { return };
    let mut script = header(&gimp).to_owned();
    let mut images = Vec::new();
    for case in &CASES {
        let input = case.write(&gimp);
        let [new, this] = ["new", "this"].map(|way| gimp.path(&format!("{way}_{}", case.file)));
        let rest = format!(
            "(let* ((made {})) {} {} {})",
            upscale(&gimp, 4, false),
            save(&gimp, "made", &new),
            upscale(&gimp, 4, true),
            save(&gimp, "image", &this)
        );
        script += &with_image(&gimp, &input, &rest);
        images.push((case, input, [new, this]));
    }
    let said = gimp.batch(&script);
    for (case, input, results) in &images {
        let expected = reference(&gimp, input, "4");
        for result in results {
            assert_same(case, input, &expected, result, &said);
        }
    }
}

/// Other layers, a mask and the selection follow the image; the chosen layer alone is the model's.
fn everything_is_scaled(generation: Generation) {
    let Some(gimp) = Gimp::new(generation) else { return };
    let input = CASES[0].write(&gimp);
    let result = gimp.path("layer.png");
    let (open, close) = match generation {
        Generation::Two => ("(car ", ")"),
        Generation::Three => ("", ""),
    };
    // Numbers that come as lists from both.
    let small = match generation {
        Generation::Two => "(car (gimp-layer-new image 20 10 RGBA-IMAGE \"small\" 100 LAYER-MODE-NORMAL))",
        Generation::Three => "(gimp-layer-new image \"small\" 20 10 RGBA-IMAGE 100 LAYER-MODE-NORMAL)",
    };
    let (offsets, size) = match generation {
        Generation::Two => ("gimp-drawable-offsets", "gimp-drawable-width"),
        Generation::Three => ("gimp-drawable-get-offsets", "gimp-drawable-get-width"),
    };
    let parent = if generation == Generation::Two { "0" } else { "-1" };
    let rest = format!(
        "(let* ((small {small}))
            (gimp-image-insert-layer image small {parent} 0)
            (gimp-layer-set-offsets small 7 5)
            (gimp-layer-add-mask layer {open}(gimp-layer-create-mask layer ADD-MASK-WHITE){close})
            (gimp-image-select-rectangle image CHANNEL-OP-REPLACE 10 8 30 20)
            {upscale}
            (gimp-message (string-append \"MARK \"
                (number->string {open}({size} small){close}) \" \"
                (number->string (car ({offsets} small))) \" \"
                (number->string (cadr ({offsets} small))) \" \"
                (number->string {open}({size} {open}(gimp-layer-get-mask layer){close}){close}) \" \"
                (number->string (list-ref (gimp-selection-bounds image) 1)) \" \"
                (number->string (list-ref (gimp-selection-bounds image) 4))))
            (gimp-layer-remove-mask layer MASK-DISCARD)
            (gimp-image-remove-layer image small)
            {save})",
        upscale = upscale(&gimp, 2, true),
        save = save(&gimp, "image", &result),
    );
    let said = gimp.batch(&(header(&gimp).to_owned() + &with_image(&gimp, &input, &rest)));
    let mark = said.split("MARK ").nth(1).unwrap_or_else(|| panic!("{said}"));
    let numbers: Vec<i32> = mark.split_whitespace().map_while(|word| word.parse().ok()).collect();
    assert_eq!(numbers[..4], [40, 14, 10, 144], "{said}");
    // GIMP smooths the selection's edge when it scales it.
    assert!(numbers[4].abs_diff(20) <= 1 && numbers[5].abs_diff(56) <= 1, "{said}");
    assert_same(&CASES[0], &input, &reference(&gimp, &input, "2"), &result, &said);
}

/// Precisions that no file of the command has: the image is given the precision in GIMP and brought back to the floats
/// of the file, whose values all of them hold.
fn other_precisions_are_kept(generation: Generation) {
    let Some(gimp) = Gimp::new(generation) else { return };
    let input = CASES[6].write_rounded(&gimp, |value| f16::from_f32(value).to_f32());
    let end = if generation == Generation::Two { "GAMMA" } else { "NON-LINEAR" };
    let (open, close) = if generation == Generation::Two { ("(car ", ")") } else { ("", "") };
    type Store = fn(f32) -> f32;
    // By name and by number; how they store a value, and how much GIMP's own way to them and back may lose.
    let precisions: [(&str, u32, Store, f32); 3] = [
        ("HALF", 550, |value| f16::from_f32(value).to_f32(), 0.0),
        ("U32", 350, |value| value.clamp(0.0, 1.0), 1e-5),
        ("DOUBLE", 750, |value| value, 0.0),
    ];
    let mut script = header(&gimp).to_owned();
    for (name, ..) in precisions {
        let [new, this] = ["new", "this"].map(|way| gimp.path(&format!("{way}_{name}.tif")));
        let finish = |image: &str, path: &Path| {
            format!(
                "(gimp-message (string-append \"{name}=\" (number->string {open}(gimp-image-get-precision {image}){close})))
                 (gimp-image-convert-precision {image} PRECISION-FLOAT-{end}) {}",
                save(&gimp, image, path)
            )
        };
        let rest = format!(
            "(gimp-image-convert-precision image PRECISION-{name}-{end})
             (let* ((made {})) {} {} {})",
            upscale(&gimp, 4, false),
            finish("made", &new),
            upscale(&gimp, 4, true),
            finish("image", &this)
        );
        script += &with_image(&gimp, &input, &rest);
    }
    let said = gimp.batch(&script);
    let expected = reference(&gimp, &input, "4");
    for (name, number, stored, limit) in precisions {
        assert_eq!(said.matches(&format!("{name}={number}")).count(), 2, "{said}");
        for way in ["new", "this"] {
            let result = gimp.path(&format!("{way}_{name}.tif"));
            let worst = largest_difference(&expected, stored, &result, &said);
            assert!(worst <= limit, "{way} image of {name}: {worst}");
        }
    }
}

/// An image of linear light comes out as the same image coded for the eye, within one of 255 levels.
fn linear_images_are_understood(generation: Generation) {
    let Some(gimp) = Gimp::new(generation) else { return };
    let input = CASES[0].write(&gimp);
    let result = gimp.path("linear.png");
    let coded = if generation == Generation::Two { "PRECISION-U8-GAMMA" } else { "PRECISION-U8-NON-LINEAR" };
    let rest = format!(
        "(gimp-image-convert-precision image PRECISION-FLOAT-LINEAR)
         (let* ((made {})) (gimp-image-convert-precision made {coded}) {})",
        upscale(&gimp, 4, false),
        save(&gimp, "made", &result)
    );
    let said = gimp.batch(&(header(&gimp).to_owned() + &with_image(&gimp, &input, &rest)));
    let worst = largest_difference(&reference(&gimp, &input, "4"), |value| value, &result, &said);
    assert!(worst <= 1.01 / 255.0, "{worst}");
}

/// Runs with the values of last time, which at first are the defaults.
fn last_values_work(generation: Generation) {
    let Some(gimp) = Gimp::new(generation) else { return };
    let input = CASES[3].write(&gimp);
    let result = gimp.path("last.png");
    let made = match generation {
        Generation::Two => {
            "(car (plug-in-partdiff-upscale RUN-WITH-LAST-VALS image layer 0 0 0 \"\" 0 \"\" 0 0 \"\" \"\"))"
        }
        Generation::Three => {
            "(plug-in-partdiff-upscale #:run-mode RUN-WITH-LAST-VALS #:image image #:drawables (vector layer))"
        }
    };
    let rest = format!("(let* ((made {made})) {})", save(&gimp, "made", &result));
    let said = gimp.batch(&(header(&gimp).to_owned() + &with_image(&gimp, &input, &rest)));
    assert_same(&CASES[3], &input, &reference(&gimp, &input, "4"), &result, &said);
}

/// Drawn waves pass for a blurred photograph. By default the plug-in cleans them up and says that this may be wrong; at level
/// 0 it gives what the command gives, which takes such clean-up back.
fn doubtful_clean_up_is_told(generation: Generation) {
    let Some(gimp) = Gimp::new(generation) else { return };
    let wave = |i: usize| 0.5 + 0.5 * ((i % 64) as f32 * 0.6 + (i / 64) as f32 * 0.5).sin();
    let waves = Raster::from_vec(1, 64, 64, (0..64 * 64).map(wave).collect());
    let image = Image::new(waves, None, SampleDepth::U8, ImageFormat::Png);
    let (input, result) = (gimp.path("waves.png"), gimp.path("large.png"));
    fs::write(&input, encode(&image, &EncodeOptions::new(ImageFormat::Png)).unwrap().bytes).unwrap();
    let make = |cleanup: &str| {
        let made = upscale_cleaned(&gimp, 4, false, cleanup);
        let rest = format!("(let* ((made {made})) {})", save(&gimp, "made", &result));
        let said = gimp.batch(&(header(&gimp).to_owned() + &with_image(&gimp, &input, &rest)));
        let changed = largest_difference(&reference(&gimp, &input, "4"), |value| value, &result, &said);
        (said.contains("clean-up and deblurring may be wrong here"), changed > 0.0, said)
    };
    for (cleanup, expected) in [("default", true), ("0", false)] {
        let (told, changed, said) = make(cleanup);
        assert_eq!((told, changed), (expected, expected), "{cleanup}: {said}");
    }
}

/// What cannot work says so, with the remedy, and changes nothing.
fn errors_name_the_remedy(generation: Generation) {
    let Some(gimp) = Gimp::new(generation) else { return };
    let input = CASES[0].write(&gimp);
    let result = gimp.path("unharmed.png");
    let script = header(&gimp).to_owned() + &with_image(&gimp, &input, &upscale(&gimp, 2, true));
    let said = gimp.batch_with(&script, &[("PARTDIFF_LIBRARY", "/nowhere/libpartdiff.so.1")]);
    assert!(said.contains("/nowhere/libpartdiff.so.1") && said.contains("partdiff gimp install"), "{said}");
    let said = gimp.batch_with(&script, &[("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so")]);
    assert!(said.contains("/nowhere/libonnxruntime.so"), "{said}");
    // An error ends the script in 2.10; catch lets it go on.
    let rest = format!("(catch 0 {}) {}", upscale(&gimp, 65, true), save(&gimp, "image", &result));
    if generation == Generation::Two {
        let said = gimp.batch(&with_image(&gimp, &input, &rest));
        assert!(said.contains("at most 64"), "{said}");
        assert_same(&CASES[0], &input, &input, &result, &said);
    }
}

/// A palette's numbers are no colours: they are refused, and the image stays as it was.
fn indexed_images_are_refused(generation: Generation) {
    let Some(gimp) = Gimp::new(generation) else { return };
    let input = CASES[0].write(&gimp);
    for in_place in [true, false] {
        let rest = format!(
            "(gimp-image-convert-indexed image 0 0 16 FALSE FALSE \"\") {}",
            upscale(&gimp, 2, in_place)
        );
        let said = gimp.batch(&(header(&gimp).to_owned() + &with_image(&gimp, &input, &rest)));
        assert!(said.contains("convert the image to RGB first"), "{said}");
    }
    // An error ends the script in 2.10; catch lets it go on.
    if generation == Generation::Two {
        let result = gimp.path("unharmed.png");
        let rest = format!(
            "(gimp-image-convert-indexed image 0 0 255 FALSE FALSE \"\") (catch 0 {})
             (gimp-message (string-append \"MARK \" (number->string (car (gimp-image-width image))) \" \"
                (number->string (car (gimp-image-base-type image))))) {}",
            upscale(&gimp, 2, true),
            save(&gimp, "image", &result)
        );
        let said = gimp.batch(&with_image(&gimp, &input, &rest));
        assert!(said.contains("MARK 72 2"), "{said}");
        assert!(result.is_file(), "{said}");
    }
}

#[test]
fn gimp_2_tells_doubtful_clean_up() {
    doubtful_clean_up_is_told(Generation::Two);
}

#[test]
fn gimp_3_tells_doubtful_clean_up() {
    doubtful_clean_up_is_told(Generation::Three);
}

#[test]
fn gimp_2_refuses_indexed_images() {
    indexed_images_are_refused(Generation::Two);
}

#[test]
fn gimp_3_refuses_indexed_images() {
    indexed_images_are_refused(Generation::Three);
}

#[test]
fn gimp_2_gives_what_the_command_gives() {
    pixels_equal_the_command(Generation::Two);
}

#[test]
fn gimp_3_gives_what_the_command_gives() {
    pixels_equal_the_command(Generation::Three);
}

#[test]
fn gimp_2_keeps_other_precisions() {
    other_precisions_are_kept(Generation::Two);
}

#[test]
fn gimp_3_keeps_other_precisions() {
    other_precisions_are_kept(Generation::Three);
}

#[test]
fn gimp_2_scales_everything() {
    everything_is_scaled(Generation::Two);
}

#[test]
fn gimp_3_scales_everything() {
    everything_is_scaled(Generation::Three);
}

#[test]
fn gimp_2_understands_linear_images() {
    linear_images_are_understood(Generation::Two);
}

#[test]
fn gimp_3_understands_linear_images() {
    linear_images_are_understood(Generation::Three);
}

#[test]
fn gimp_2_runs_with_last_values() {
    last_values_work(Generation::Two);
}

#[test]
fn gimp_3_runs_with_last_values() {
    last_values_work(Generation::Three);
}

#[test]
fn gimp_2_says_what_is_wrong() {
    errors_name_the_remedy(Generation::Two);
}

#[test]
fn gimp_3_says_what_is_wrong() {
    errors_name_the_remedy(Generation::Three);
}

#[test]
fn gimp_3_runs_from_python() {
    let Some(gimp) = Gimp::new(Generation::Three) else { return };
    let input = CASES[1].write(&gimp);
    let result = gimp.path("python.png");
    let code = format!(
        "
image = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, Gio.File.new_for_path('{input}'))
procedure = Gimp.get_pdb().lookup_procedure('plug-in-partdiff-upscale')
config = procedure.create_config()
config.set_property('image', image)
config.set_core_object_array('drawables', image.get_layers())
config.set_property('scale', 'x4')
config.set_property('device', 'cpu')
made = procedure.run(config).index(1)
export = Gimp.get_pdb().lookup_procedure('file-png-export')
config = export.create_config()
config.set_property('image', made)
config.set_property('file', Gio.File.new_for_path('{result}'))
config.set_property('include-color-profile', True)
export.run(config)
",
        input = input.display(),
        result = result.display()
    );
    let said = gimp.python(&code);
    assert_same(&CASES[1], &input, &reference(&gimp, &input, "4"), &result, &said);
}

#[test]
fn what_was_installed_can_be_removed() {
    for generation in [Generation::Two, Generation::Three] {
        let Some(gimp) = Gimp::new(generation) else { continue };
        let folder = gimp.path("profile/plug-ins/partdiff-gimp");
        assert!(fs::metadata(folder.join("locale/de/LC_MESSAGES/partdiff-gimp.mo")).is_ok());
        let status = gimp.partdiff(&["gimp", "status"]);
        if generation == Generation::Two {
            assert!(String::from_utf8_lossy(&status.stdout).contains("has this version"));
        }
        let said = gimp.partdiff(&["gimp", "uninstall"]);
        assert!(said.status.success() && String::from_utf8_lossy(&said.stdout).contains("removed"));
        assert!(!folder.exists());
    }
}
