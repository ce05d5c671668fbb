//! What is written down is read again: settings, and the record in a result.

use partdiff::diffusion::{SamplerKind, TimestepSpacing};
use partdiff::image::{ImageFormat, Metadata, Provenance, SampleDepth, Strip};
use partdiff::settings::Settings;
use partdiff::settings::cleanup::Cleanup;
use partdiff::settings::deblur::Deblur;
use partdiff::settings::units::{Amount, Period};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use super::cases;

fn settings() -> impl Strategy<Value = Settings> {
    let side = || of(1..=u32::MAX);
    let size = (of(any::<String>()), of(0.001..=64.0), side(), side(), of((1..=u32::MAX, 1..=u32::MAX)));
    let samplers = vec![SamplerKind::Ddim, SamplerKind::Ddpm, SamplerKind::DpmSolverPp2m];
    let spacings = vec![TimestepSpacing::Uniform, TimestepSpacing::Quadratic];
    let sampling = (
        of(any::<String>()),
        of(1..=10_000usize),
        of(1..=10_000usize),
        of(select(samplers)),
        of(0.0..=1.0),
        // TOML's numbers have a sign.
        0..=i64::MAX as u64,
        (
            of(prop_oneof![Just(Cleanup::Auto), (0.0..=1.0).prop_map(Cleanup::Level)]),
            of(select(vec![Deblur::Auto, Deblur::Factor(1), Deblur::Factor(4)])),
        ),
        of(0..=1000usize),
        of(select(spacings)),
    );
    let encoding = (
        of(select(ImageFormat::writable().collect::<Vec<_>>())),
        of(1..=100u8),
        of(select(vec![SampleDepth::U8, SampleDepth::U16, SampleDepth::F32])),
        any::<[u8; 3]>().prop_map(|color| color.map(|part| f32::from(part) / 255.0)),
        any::<bool>(),
        select(vec![Strip::Nothing, Strip::Gps, Strip::All]),
        any::<[bool; 3]>(),
    );
    let resources = (1..=999_999_999_999_999u64, of(16..=10_000usize), of(amount()));
    (size, sampling, encoding, resources).prop_map(|(size, sampling, encoding, resources)| {
        let (model, scale, width, height, fit) = size;
        let (preset, steps, start_step, sampler, eta, seed, (cleanup, deblur), consistency, spacing) =
            sampling;
        let (format, quality, depth, background, progressive, strip, [keep_dpi, no_provenance, strict]) =
            encoding;
        let (max_pixels, tile, memory) = resources;
        Settings {
            model,
            scale,
            width,
            height,
            fit,
            preset,
            steps,
            start_step,
            sampler,
            eta,
            seed,
            cleanup,
            deblur,
            consistency,
            spacing,
            format,
            quality,
            depth,
            background,
            progressive,
            strip,
            keep_dpi,
            no_provenance,
            strict,
            max_pixels,
            tile,
            memory,
        }
    })
}

fn amount() -> impl Strategy<Value = Amount> {
    // Read by way of a double, which holds 8 PiB to the byte.
    (0..1u64 << 53).prop_map(Amount)
}

fn record() -> impl Strategy<Value = Provenance> {
    let texts = (any::<[String; 7]>(), any::<(u32, u32, u32, u64, usize)>());
    let numbers = (0.0..=1.0, 0.0..=1.0f32, 0.001..=64.0, of(1..=100u8), of(any::<[u8; 3]>()));
    (texts, numbers).prop_map(|((texts, counts), (eta, cleanup, scale, quality, background))| {
        let [software, model, model_sha256, sampler, spacing, provider, source_sha256] = texts;
        let (start_step, steps, consistency, seed, page) = counts;
        let background = background.map(|color| color.map(|part| f32::from(part) / 255.0));
        Provenance {
            software,
            model,
            model_sha256,
            start_step,
            steps,
            sampler,
            eta,
            spacing,
            consistency,
            cleanup,
            deblur: (page % 2 == 0).then_some(2),
            seed,
            provider,
            scale,
            source_sha256,
            plane: (page % 2 == 0).then(|| "jk".to_owned()),
            through: page % 3 == 2,
            thickness: (page % 3 == 2).then_some(3.75),
            native: (page % 2 == 1).then_some([steps as usize, 5, 7]),
            kspace: page % 3 == 1,
            noise_length: (page % 2 == 0).then_some(2.5),
            mask_sha256: (page % 5 == 1).then(|| "ab".repeat(32)),
            page,
            quality,
            background,
        }
    })
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn settings_are_read_as_they_were_written(settings in settings()) {
        let json = serde_json::to_string(&settings).unwrap();
        prop_assert_eq!(json.parse::<Settings>().unwrap(), settings.clone(), "{}", json);
        let toml = toml::to_string(&settings).unwrap();
        prop_assert_eq!(toml::from_str::<Settings>(&toml).unwrap(), settings, "{}", toml);
    }

    #[test]
    fn records_are_read_as_they_were_written(record in record()) {
        let mut metadata = Metadata::default();
        prop_assert_eq!(record.write(&mut metadata), None);
        prop_assert_eq!(Provenance::read(&metadata), Some(record.clone()));
        metadata.text.clear();
        prop_assert_eq!(Provenance::read(&metadata), Some(record), "in XMP");
    }

    #[test]
    fn amounts_and_times_are_read_as_they_were_written(amount in amount(), milliseconds in 0..3_000_000_000_000u64) {
        prop_assert_eq!(serde_json::to_string(&amount).unwrap().trim_matches('"').parse::<Amount>().unwrap(), amount);
        let period = Period(std::time::Duration::from_millis(milliseconds));
        // Written as a double.
        let read = period.to_string().parse::<Period>().unwrap();
        prop_assert!(read.0.abs_diff(period.0).as_micros() == 0, "{period}: {read}");
    }
}
