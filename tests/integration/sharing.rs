//! One engine, called from several threads.

use std::sync::atomic::{AtomicUsize, Ordering};

use partdiff::{CancelToken, ErrorKind, ProgressEvent, UpscaleOptions};
use serde_json::json;

use crate::engine::{run, upscaler};
use crate::fake_network::test_image;

#[test]
fn calls_from_several_threads_share_the_networks_and_none_shows() {
    for networks in [1, 2] {
        let upscaler = upscaler(json!({}), networks);
        let images: Vec<_> = (0..4).map(|index| test_image(3, 40 + 7 * index, 50)).collect();
        let options = |index: usize| UpscaleOptions {
            steps: Some(3),
            eta: Some(0.5),
            seed: index as u64,
            tile: Some(24),
            among_others: index.is_multiple_of(2),
            ..Default::default()
        };
        let alone: Vec<_> = images
            .iter()
            .enumerate()
            .map(|(i, image)| run(&upscaler, image, &options(i)).unwrap().image)
            .collect();
        std::thread::scope(|scope| {
            for (index, image) in images.iter().enumerate() {
                let (upscaler, alone, options) = (&upscaler, &alone[index], options(index));
                // One of them is given up in the middle.
                let limit = if index == 2 { 5 } else { usize::MAX };
                scope.spawn(move || {
                    for _ in 0..3 {
                        let count = AtomicUsize::new(0);
                        let until = |_: ProgressEvent| count.fetch_add(1, Ordering::Relaxed) < limit;
                        match upscaler.upscale(image, &options, &until, &CancelToken::new()) {
                            Ok(result) => assert_eq!(result.image.data(), alone.data()),
                            Err(error) => {
                                assert_eq!((error.kind(), index), (ErrorKind::Cancelled, 2));
                            }
                        }
                    }
                });
            }
        });
    }
}

#[test]
fn a_panic_of_the_caller_passes_through_and_the_networks_work_on() {
    let upscaler = upscaler(json!({}), 1);
    let image = test_image(3, 40, 40);
    let panics = |_: ProgressEvent| panic!("on purpose");
    let call = || upscaler.upscale(&image, &UpscaleOptions::default(), &panics, &CancelToken::new());
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).is_err());
    run(&upscaler, &image, &UpscaleOptions::default()).unwrap();
}
