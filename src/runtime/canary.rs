//! A tiny inference whose result is known: the proof that a provider really runs here.

use ort::value::TensorRef;

use super::environment::{Runtime, guarded};
use super::provider::Provider;
use crate::error::{Error, ErrorKind, Result};

/// One 3x3 convolution with bias and zero padding; `tests/reference/make_canary.py` wrote it.
const GRAPH: &[u8] = include_bytes!("canary.onnx");
const CHANNELS: usize = 4;
const SIZE: usize = 8;

/// Runs the canary on `provider` alone, with falling back to the processor forbidden.
pub(super) fn run(runtime: &Runtime, provider: Provider) -> Result<()> {
    guarded("the test inference failed", || {
        // Small multiples of 1/8, whose sums every provider gets right; and what is lost in 16 bits.
        let coarse: Vec<f32> =
            (0..CHANNELS * SIZE * SIZE).map(|index| (index % 13) as f32 / 8.0 - 0.75).collect();
        let fine: Vec<f32> = coarse.iter().map(|value| value + 1.0 / 4096.0).collect();
        if !is_close(&infer(runtime, provider, &coarse)?, &expected(&coarse), 2e-2) {
            return Err(Error::new(ErrorKind::Runtime, "the test inference gave wrong results"));
        }
        let exact = is_close(&infer(runtime, provider, &fine)?, &expected(&fine), 1e-4);
        let wrong = match provider {
            // A record of 16 bits has to be true as well.
            Provider::OpenVinoBf16 => exact.then_some("it computes in 32 bits"),
            _ => (provider.is_exact() && !exact).then_some("it computes with less than 32 bits"),
        };
        wrong.map_or(Ok(()), |wrong| Err(Error::new(ErrorKind::Runtime, wrong)))
    })
}

/// Whether no value differs by more than `tolerance`; no value that is not a number is close to any.
fn is_close(output: &[f32], expected: &[f32], tolerance: f32) -> bool {
    output.len() == expected.len() && output.iter().zip(expected).all(|(a, b)| (a - b).abs() <= tolerance)
}

fn infer(runtime: &Runtime, provider: Provider, input: &[f32]) -> Result<Vec<f32>> {
    let failed =
        |error: ort::Error| Error::with_source(ErrorKind::Runtime, "the test inference failed", error);
    let mut builder = runtime.session_builder(provider, GRAPH)?;
    if provider != Provider::Cpu {
        builder = builder.with_disable_cpu_fallback().map_err(|error| failed(error.into()))?;
    }
    let mut session = builder.commit_from_memory(GRAPH).map_err(failed)?;
    let input = TensorRef::from_array_view(([1, CHANNELS, SIZE, SIZE], input)).map_err(failed)?;
    let outputs = session.run(ort::inputs!["x" => input]).map_err(failed)?;
    let (_, data) = outputs["y"].try_extract_tensor::<f32>().map_err(failed)?;
    Ok(data.to_vec())
}

/// The convolution, written out.
fn expected(input: &[f32]) -> Vec<f32> {
    let sample = |channel: usize, y: usize, x: usize| {
        // One row and column of zeros around the image.
        let inside = (1..=SIZE).contains(&y) && (1..=SIZE).contains(&x);
        if inside { input[(channel * SIZE + y - 1) * SIZE + x - 1] } else { 0.0 }
    };
    let mut output = Vec::with_capacity(input.len());
    for o in 0..CHANNELS {
        for position in 0..SIZE * SIZE {
            let mut sum = o as f32 / 4.0;
            for tap in 0..CHANNELS * 9 {
                let (i, dy, dx) = (tap / 9, tap / 3 % 3, tap % 3);
                let weight = ((o * 7 + i * 5 + dy * 3 + dx) % 11) as f32 - 5.0;
                sum += weight / 8.0 * sample(i, position / SIZE + dy, position % SIZE + dx);
            }
            output.push(sum);
        }
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_bits_are_told_from_thirty_two() {
        let fine: Vec<f32> = (0..CHANNELS * SIZE * SIZE)
            .map(|index| (index % 13) as f32 / 8.0 - 0.75 + 1.0 / 4096.0)
            .collect();
        let rounded = |kept: u32| {
            let mask = u32::MAX << (23 - kept);
            let half = 1 << (22 - kept);
            fine.iter().map(|value| f32::from_bits((value.to_bits() + half) & mask)).collect::<Vec<_>>()
        };
        assert!(is_close(&expected(&fine), &expected(&fine), 1e-4));
        // The mantissas of bf16 and of fp16 and tf32.
        for bits in [7, 10] {
            assert!(!is_close(&expected(&rounded(bits)), &expected(&fine), 1e-4), "{bits}");
        }
        assert!(!is_close(&[f32::NAN], &[0.0], 1.0));
    }

    #[test]
    fn the_processor_gives_the_expected_numbers_exactly() {
        let Some(runtime) = crate::runtime::test_runtime() else { return };
        run(runtime, Provider::Cpu).unwrap();
        let input: Vec<f32> = (0..CHANNELS * SIZE * SIZE).map(|index| (index % 7) as f32 / 8.0).collect();
        assert_eq!(infer(runtime, Provider::Cpu, &input).unwrap(), expected(&input));
    }
}
