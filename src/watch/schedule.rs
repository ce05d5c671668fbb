//! The hours in which work is done.

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::error::{Error, ErrorKind, Result};

const DAY: u32 = 24 * 60;

/// Windows of the day in local time, such as `22:00-06:00` or `0:00-6:30,12:00-13:00`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule(Vec<(u32, u32)>);

impl Schedule {
    /// Whether a window is open at `minute` of the day.
    pub fn is_open(&self, minute: u32) -> bool {
        self.0.iter().any(|&(from, to)| {
            if from < to { (from..to).contains(&minute) } else { minute >= from || minute < to }
        })
    }

    /// How long until the next window opens or closes, at `second` of the day.
    pub fn until_change(&self, second: u32) -> Duration {
        let edges = self.0.iter().flat_map(|&(from, to)| [from, to]);
        let waits = edges.map(|edge| (edge * 60 + DAY * 60 - second % (DAY * 60) - 1) % (DAY * 60) + 1);
        Duration::from_secs(waits.min().unwrap_or(DAY * 60).into())
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
        text.split(',').map(window).collect::<Option<Vec<_>>>().map(Self).ok_or_else(|| {
            let message =
                format!("hours {text:?}: expected windows such as 22:00-06:00 or 0:00-6:30,12:00-13:00");
            Error::new(ErrorKind::InvalidOption, message)
        })
    }
}

super::units::read_from_text!(Schedule);

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
        assert_eq!(night.until_change(21 * 3600), Duration::from_secs(3600));
        assert_eq!(night.until_change(22 * 3600), Duration::from_secs(8 * 3600));
        assert_eq!(night.until_change(5 * 3600 + 3599), Duration::from_secs(1));
        for wrong in ["", "22:00", "25:00-1:00", "1:60-2:00", "3:00-3:00", "a-b"] {
            assert!(wrong.parse::<Schedule>().is_err(), "{wrong}");
        }
    }
}
