//! One part of a run that several machines or processes share.

use std::fmt;
use std::path::{Component, Path};
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// Part INDEX of COUNT. Each input belongs to exactly one part, whatever else is in the run, so that parts share nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 1 to `count`.
    pub index: u32,
    /// How many there are.
    pub count: u32,
}

impl Shard {
    /// Whether the input at `relative`, its path below the folder that was named, belongs to it: the first 64 bits of the
    /// path's SHA-256, modulo the number of parts.
    ///
    /// The path and not the bytes of the file: a part need not read the inputs of the others, and an input that was
    /// replaced by its result (`--in-place`) does not move to a part that makes it again.
    pub fn takes(&self, relative: &Path) -> bool {
        let mut hash = Sha256::new();
        let names = relative.components().filter(|part| matches!(part, Component::Normal(_)));
        for (index, name) in names.enumerate() {
            if index > 0 {
                hash.update(b"/");
            }
            hash.update(name.as_os_str().as_encoded_bytes());
        }
        let first: [u8; 8] = hash.finalize()[..8].try_into().expect("SHA-256 has 32 bytes");
        u64::from_be_bytes(first) % u64::from(self.count) == u64::from(self.index - 1)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(index, count)| {
            let number =
                |text: &str| text.parse::<u32>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
            Some((number(index)?, number(count)?))
        });
        match numbers {
            Some((_, 0)) => {
                Err("there are no parts: expected INDEX/COUNT with COUNT 1 or more, such as 3/16".into())
            }
            Some((index, count)) if (1..=count).contains(&index) => Ok(Self { index, count }),
            Some((_, count)) => Err(format!("there is no such part: expected 1/{count} to {count}/{count}")),
            None => Err("expected INDEX/COUNT, such as 3/16 for the third of 16 parts".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bad_values_say_what_was_expected() {
        let message = |text: &str| text.parse::<Shard>().unwrap_err();
        for text in ["", "3", "/", "3/", "/16", "a/b", "-1/4", "+1/4", "1/4/4", "1.5/4", "1/99999999999"] {
            assert!(message(text).starts_with("expected INDEX/COUNT"), "{text}");
        }
        assert_eq!(message("0/16"), "there is no such part: expected 1/16 to 16/16");
        assert_eq!(message("17/16"), message("0/16"));
        assert!(message("1/0").contains("COUNT 1 or more"));
        assert_eq!("16/16".parse(), Ok(Shard { index: 16, count: 16 }));
        assert_eq!("16/16".parse::<Shard>().unwrap().to_string(), "16/16");
    }

    /// Runs of different versions of the program, and on different systems, must agree.
    #[test]
    fn the_split_stays_as_it_is() {
        let part = |path: &str| {
            (1..=16).find(|index| Shard { index: *index, count: 16 }.takes(Path::new(path))).unwrap()
        };
        // python3 -c "import hashlib; print(int.from_bytes(hashlib.sha256(b'a.jpg').digest()[:8]) % 16 + 1)"
        assert_eq!(["a.jpg", "sub/b.png", "./sub//b.png", "sub/ü.nii.gz"].map(part), [11, 4, 4, 7]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn every_input_is_in_exactly_one_part(path in "[a-zA-Zä/. ]{0,20}", count in 1u32..200) {
            let parts = (1..=count).filter(|index| Shard { index: *index, count }.takes(Path::new(&path)));
            prop_assert_eq!(parts.count(), 1);
        }
    }

    #[test]
    fn parts_are_about_equal() {
        let names: Vec<_> = (0..16_000).map(|number| format!("scans/IMG_{number:05}.jpg")).collect();
        for index in 1..=16 {
            let shard = Shard { index, count: 16 };
            let size = names.iter().filter(|name| shard.takes(Path::new(name))).count();
            // Four standard deviations of the binomial distribution.
            assert!((878..=1122).contains(&size), "part {index} has {size}");
        }
    }
}
