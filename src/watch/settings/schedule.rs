//! The hours in which work is done.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

use crate::error::{Error, Result};

const DAY: u32 = 24 * 60;

/// Windows of the day in local time, such as `22:00-06:00` or `0:00-6:30,12:00-13:00`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    text: String,
    windows: Vec<(u32, u32)>,
}

impl Schedule {
    /// Whether a window is open now.
    pub fn is_open_now(&self) -> bool {
        let time = jiff::Zoned::now().time();
        self.is_open((i32::from(time.hour()) * 60 + i32::from(time.minute())).unsigned_abs())
    }

    /// Whether a window is open at `minute` of the day.
    pub fn is_open(&self, minute: u32) -> bool {
        self.windows.iter().any(|&(from, to)| {
            if from < to { (from..to).contains(&minute) } else { minute >= from || minute < to }
        })
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Schedule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let minute = |time: &str| {
            let (hour, minute) = time.trim().split_once(':')?;
            let (hour, minute) = (hour.parse::<u32>().ok()?, minute.parse::<u32>().ok()?);
            (minute < 60 && hour * 60 + minute <= DAY).then_some((hour * 60 + minute) % DAY)
        };
        let window = |window: &str| {
            let (from, to) = window.split_once('-')?;
            let (from, to) = (minute(from)?, minute(to)?);
            (from != to).then_some((from, to))
        };
        let windows = text.split(',').map(window).collect::<Option<Vec<_>>>();
        windows.map(|windows| Self { text: text.into(), windows }).ok_or_else(|| {
            let message =
                format!("hours {text:?}: expected windows such as 22:00-06:00 or 0:00-6:30,12:00-13:00");
            Error::invalid_option(message)
        })
    }
}

crate::settings::units::read_from_text!(Schedule);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_open_and_close() {
        let night: Schedule = "22:00-06:00, 12:30-13:00".parse().unwrap();
        for (minute, open) in [(0, true), (359, true), (360, false), (750, true), (780, false), (1320, true)]
        {
            assert_eq!(night.is_open(minute), open, "{minute}");
        }
        for wrong in ["", "22:00", "25:00-1:00", "1:60-2:00", "3:00-3:00", "a-b"] {
            assert!(wrong.parse::<Schedule>().is_err(), "{wrong}");
        }
    }
}
