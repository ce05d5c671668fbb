//! What the file system says about a file without opening it.

use std::fmt;
use std::fs::Metadata;
use std::str::FromStr;
use std::time::UNIX_EPOCH;

/// Size and times of a file; two equal stamps mean that nobody wrote in between.
///
/// The change time is part of it where the platform has one, as copies often keep the modification time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Bytes.
    pub len: u64,
    /// Time of the last write, nanoseconds since 1970.
    pub modified: i64,
    /// Time of the last change of contents, name or rights, nanoseconds since 1970; 0 where unknown.
    pub changed: i64,
    /// Number of the file on its file system; 0 where unknown.
    pub inode: u64,
}

impl Stamp {
    /// The stamp that `data` holds.
    pub fn of(data: &Metadata) -> Self {
        let modified = data.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let modified = modified.map_or(0, |time| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX));
        #[cfg(unix)]
        let (changed, inode) = {
            use std::os::unix::fs::MetadataExt;
            (data.ctime().saturating_mul(1_000_000_000).saturating_add(data.ctime_nsec()), data.ino())
        };
        #[cfg(not(unix))]
        let (changed, inode) = (0, 0);
        Self { len: data.len(), modified, changed, inode }
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}:{}", self.len, self.modified, self.changed, self.inode)
    }
}

impl FromStr for Stamp {
    type Err = std::num::ParseIntError;

    /// Reads what `Display` wrote; missing parts are 0.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split(':').chain(std::iter::repeat("0"));
        let mut next = || parts.next().unwrap_or("0");
        Ok(Self {
            len: next().parse()?,
            modified: next().parse()?,
            changed: next().parse()?,
            inode: next().parse()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_survive_as_text() {
        let stamp = Stamp { len: 7, modified: -3, changed: 12, inode: u64::MAX };
        assert_eq!(stamp.to_string().parse(), Ok(stamp));
        assert!("x".parse::<Stamp>().is_err());
    }
}
