//! Numbers as DICOM writes them.

/// Most characters of a decimal string (DS).
const LENGTH: usize = 16;

/// `value`, which is finite, as a decimal string: to the last bit if 16 characters can hold that, else rounded to them.
pub fn decimal(value: f64) -> String {
    // Without the sign of zero.
    let value = value + 0.0;
    let exact = value.to_string();
    if exact.len() <= LENGTH {
        return exact;
    }
    let fixed = (0..LENGTH).rev().map(|places| format!("{value:.places$}"));
    match fixed.into_iter().find(|text| text.len() <= LENGTH) {
        Some(text) if text.contains('.') => {
            let text = text.trim_end_matches('0').trim_end_matches('.');
            if text == "-0" { "0".into() } else { text.into() }
        }
        Some(text) => text,
        None => format!("{value:.8e}"),
    }
}

/// Several of them.
pub fn decimals(values: &[f64]) -> Vec<String> {
    values.iter().copied().map(decimal).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_exact_as_16_characters_allow() {
        assert_eq!(decimal(0.107421875), "0.107421875");
        assert_eq!(decimal(-0.0), "0");
        assert_eq!(decimal(1.0 / 3.0), "0.33333333333333");
        assert_eq!(decimal(-127.454_147_320_380_1), "-127.45414732038");
        assert_eq!(decimal(-1.0e-20), "0");
        assert_eq!(decimal(99_999_999.999_999_99), "100000000");
        for value in [1.0e300, -1.0e300, f64::MIN_POSITIVE, -123_456_789_012_345_678.0] {
            let text = decimal(value);
            let back: f64 = text.parse().unwrap();
            assert!(text.len() <= LENGTH, "{text}");
            assert!((back - value).abs() <= 1e-7 * value.abs().max(1.0), "{text}");
        }
    }
}
