//! A result in strips is the whole result.

use partdiff::image::Raster;
use partdiff::{CancelToken, ErrorKind, NoProgress, Result, Target, UpscaleOptions, Upscaler};
use serde_json::json;

use crate::fake_network::{FakeNetwork, manifest};

fn test_image(channels: usize) -> Raster {
    let values = (0..channels * 210 * 22).map(|i| ((i * 29) % 83) as f32 / 83.0);
    Raster::from_vec(channels, 210, 22, values.collect())
}

/// All strips one below the other, how many they were, and the report.
fn strips(upscaler: &Upscaler, image: &Raster, options: &UpscaleOptions) -> Result<(Raster, usize, String)> {
    let plan = upscaler.plan(
        image.width(),
        image.height(),
        image.channels(),
        &UpscaleOptions { memory: None, ..options.clone() },
    )?;
    let mut whole = Raster::new(image.channels(), plan.height, plan.width);
    let (mut next, mut count) = (0, 0);
    let mut take = |top: usize, rows: Raster| {
        assert_eq!((top, rows.channels(), rows.width()), (next, whole.channels(), whole.width()));
        whole.paste_all(&rows, top, 0);
        next += rows.height();
        count += 1;
        Ok(())
    };
    let report = upscaler.upscale_strips(image, options, &NoProgress, &CancelToken::new(), &mut take)?;
    assert_eq!(next, plan.height);
    Ok((whole, count, format!("{:?}", report.fidelity)))
}

#[test]
fn strips_are_the_rows_of_the_whole() {
    let networks = || vec![FakeNetwork::boxed(2), FakeNetwork::boxed(2)];
    for changes in [json!({}), json!({ "size_multiple": 4 })] {
        let upscaler = Upscaler::with_networks(&manifest(changes), networks()).unwrap();
        for channels in [3, 1] {
            let image = test_image(channels);
            let targets = [Target::Native, Target::Scale(1.3), Target::Scale(3.0)];
            for (target, deblur) in targets.map(|target| (target, 1)).into_iter().chain([(Target::Native, 2)])
            {
                let options =
                    UpscaleOptions { target, deblur, steps: Some(2), eta: Some(1.0), ..Default::default() };
                let expected = upscaler.upscale(&image, &options, &NoProgress, &CancelToken::new()).unwrap();
                // With less and less memory the strips become many, and a larger result of the model is not held either.
                let (mut memory, mut most, mut streamed) = (64 << 20, 0, false);
                loop {
                    let options = UpscaleOptions { memory: Some(memory), ..options.clone() };
                    match strips(&upscaler, &image, &options) {
                        Ok((whole, count, fidelity)) => {
                            assert!(whole == expected.image, "{target:?} with {memory} bytes");
                            assert_eq!(fidelity, format!("{:?}", expected.report.fidelity));
                            most = most.max(count);
                            let plan = upscaler.plan(image.width(), image.height(), channels, &options);
                            if let Ok(plan) = plan {
                                let made = upscaler
                                    .upscale(&image, &options, &NoProgress, &CancelToken::new())
                                    .unwrap();
                                assert!(made.image == expected.image, "{target:?} with {memory} bytes");
                                streamed |= plan.streamed;
                            }
                            memory /= 2;
                        }
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
                            break;
                        }
                    }
                }
                assert!(most > 1, "{target:?}");
                match target {
                    Target::Native => assert!(!streamed || deblur > 1),
                    _ => assert!(streamed || target != Target::Scale(1.3), "{target:?}"),
                }
            }
        }
    }
}

#[test]
fn what_needs_the_whole_comes_as_one_strip() {
    let upscaler = Upscaler::with_networks(&manifest(json!({})), vec![FakeNetwork::boxed(2)]).unwrap();
    let image = test_image(3);
    let options = UpscaleOptions { consistency: Some(2), steps: Some(1), ..Default::default() };
    let expected = upscaler.upscale(&image, &options, &NoProgress, &CancelToken::new()).unwrap();
    let (whole, count, _) = strips(&upscaler, &image, &options).unwrap();
    assert_eq!((whole, count), (expected.image, 1));
}

#[test]
fn who_takes_the_strips_may_end_the_work() {
    let upscaler = Upscaler::with_networks(&manifest(json!({})), vec![FakeNetwork::boxed(2)]).unwrap();
    let mut take = |_: usize, _: Raster| Err(partdiff::Error::new(ErrorKind::Output, "the disk is full"));
    let (image, cancel) = (test_image(1), CancelToken::new());
    let result = upscaler.upscale_strips(&image, &UpscaleOptions::default(), &NoProgress, &cancel, &mut take);
    assert_eq!(result.unwrap_err().to_string(), "the disk is full");
}
