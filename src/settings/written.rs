//! A number or `auto`, as it stands in a file.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The number itself, or a text: a number or `auto`.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub enum Written<T> {
    /// A number.
    Number(T),
    /// A text.
    Text(String),
}

impl<T: FromStr> Written<T> {
    /// `auto`, or what `given` makes of a number that it accepts.
    ///
    /// # Errors
    /// `expected`, for anything else.
    pub fn read<V>(self, auto: V, given: impl FnOnce(T) -> Option<V>, expected: &str) -> Result<V, String> {
        let number = match self {
            Self::Number(number) => Some(number),
            Self::Text(text) if text == "auto" => return Ok(auto),
            Self::Text(text) => text.parse().ok(),
        };
        number.and_then(given).ok_or_else(|| expected.to_owned())
    }
}
