//! Paths as bytes, so that names which are no Unicode survive the ledger and the pipe to the worker.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fs::hash::hex;

/// The bytes of `path`: what the system holds on Unix, UTF-8 elsewhere.
pub fn to_bytes(path: &Path) -> Vec<u8> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        path.as_os_str().as_bytes().to_vec()
    }
    #[cfg(not(unix))]
    {
        path.to_string_lossy().into_owned().into_bytes()
    }
}

/// The path of `bytes` that [`to_bytes`] made.
pub fn from_bytes(bytes: &[u8]) -> PathBuf {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
    }
    #[cfg(not(unix))]
    {
        PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
    }
}

/// Serialises a path as the hexadecimal of its bytes.
///
/// # Errors
/// As the serializer.
pub fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    hex(&to_bytes(path)).serialize(serializer)
}

/// Reads what [`serialize`] wrote.
///
/// # Errors
/// Where the text is no hexadecimal.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    let text = String::deserialize(deserializer)?;
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
    match digits {
        Some(digits) if digits.len() % 2 == 0 => {
            let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
            Ok(from_bytes(&bytes))
        }
        _ => Err(serde::de::Error::custom("expected a path in hexadecimal")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Holder(#[serde(with = "super")] PathBuf);

    #[test]
    fn paths_survive_the_pipe() {
        let mut names = vec![b"plain.png".to_vec(), "naïve\n.png".as_bytes().to_vec()];
        if cfg!(unix) {
            names.push(b"caf\xe9.png".to_vec());
        }
        for name in names {
            let holder = Holder(from_bytes(&name));
            let text = serde_json::to_string(&holder).unwrap();
            assert_eq!(serde_json::from_str::<Holder>(&text).unwrap(), holder);
            assert_eq!(to_bytes(&holder.0), name);
        }
        for wrong in ["\"abc\"", "\"zz\"", "\"ä1\""] {
            assert!(serde_json::from_str::<Holder>(wrong).is_err(), "{wrong}");
        }
    }
}
