//! UIDs of what is made here.

use sha2::{Digest, Sha256};

/// A UID below `2.25.`, from the SHA-256 of `parts`: equal parts give equal UIDs.
///
/// It is that of a UUID of version 8 (RFC 9562), as PS3.5, B.2 asks.
pub fn uid<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        // With its length, so that parts cannot run into each other.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    format!("2.25.{}", u128::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_follow_from_their_parts_alone() {
        let of = |parts: &[&str]| uid(parts.iter().copied());
        assert_eq!(of(&["1.2", "a"]), of(&["1.2", "a"]));
        assert_ne!(of(&["1.2", "a"]), of(&["1.2a"]));
        assert_ne!(of(&["1.2", "a"]), of(&["1", ".2a"]));
        let number = of(&["x"]).strip_prefix("2.25.").unwrap().parse::<u128>().unwrap();
        assert_eq!((number >> 76 & 15, number >> 62 & 3), (8, 2));
        assert!((0..1000).all(|at| of(&[&at.to_string()]).len() <= 44));
    }
}
