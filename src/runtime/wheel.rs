//! Python wheels as archives of libraries: every file taken out is compared with the wheel's own record.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use zip::ZipArchive;

use super::record::{FileRecord, is_plain_name, modified};
use crate::error::{Error, ErrorKind, Result};
use crate::fs::hash::hex;

/// An opened wheel.
pub(super) struct Wheel {
    path: PathBuf,
    archive: ZipArchive<File>,
    entries: HashMap<String, Entry>,
}

/// What `RECORD` says of a file.
struct Entry {
    size: u64,
    sha256: String,
}

impl Wheel {
    /// Opens a wheel and reads its `*.dist-info/RECORD`.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let failed = |cause: Box<dyn std::error::Error + Send + Sync>| {
            Error::with_source(
                ErrorKind::Runtime,
                format!("{}: is not a usable wheel", path.display()),
                cause,
            )
        };
        let file = File::open(path).map_err(|error| failed(error.into()))?;
        let mut archive = ZipArchive::new(file).map_err(|error| failed(error.into()))?;
        let record = archive
            .file_names()
            .flatten()
            .find(|name| {
                name.strip_suffix("/RECORD")
                    .is_some_and(|folder| folder.ends_with(".dist-info") && !folder.contains('/'))
            })
            .map(|name| name.into_owned())
            .ok_or_else(|| failed("it has no RECORD".into()))?;
        let mut text = String::new();
        archive
            .by_name(&record)
            .map_err(|error| failed(error.into()))?
            // A record of a megabyte lists ten thousand files; no wheel meant here has as many.
            .take(1 << 20)
            .read_to_string(&mut text)
            .map_err(|error| failed(error.into()))?;
        let entries = text.lines().filter_map(record_line).collect();
        Ok(Self { path: path.to_owned(), archive, entries })
    }

    /// Names of the files that the record vouches for.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Writes the file `name` into `folder` under its last name: to a `.part`, verified, synced, then renamed.
    pub(super) fn extract(&mut self, name: &str, folder: &Path) -> Result<FileRecord> {
        let wheel = self.path.display().to_string();
        let damaged = |reason: String| Error::new(ErrorKind::Runtime, format!("{wheel}: {name} {reason}"));
        let short = name.rsplit('/').next().filter(|short| is_plain_name(short));
        let short = short.ok_or_else(|| damaged("is no plain file name".to_owned()))?.to_owned();
        let entry = self.entries.get(name).ok_or_else(|| damaged("is not in the record".to_owned()))?;
        let (part, target) = (folder.join(format!("{short}.part")), folder.join(&short));
        let unwritable = |error: std::io::Error| {
            Error::with_source(ErrorKind::Runtime, format!("{}: cannot be written", target.display()), error)
        };
        let file = self.archive.by_name(name).map_err(|error| {
            Error::with_source(ErrorKind::Runtime, format!("{wheel}: {name} cannot be read"), error)
        })?;
        // One byte over the recorded size is enough to know that it differs.
        let mut source = file.take(entry.size + 1);
        let mut output = File::create(&part).map_err(unwritable)?;
        let (mut hash, mut size) = (Sha256::new(), 0);
        let mut buffer = vec![0; 1 << 20];
        loop {
            let read =
                source.read(&mut buffer).map_err(|error| damaged(format!("cannot be unpacked: {error}")))?;
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
            output.write_all(&buffer[..read]).map_err(unwritable)?;
            size += read as u64;
        }
        let sha256 = hex(&hash.finalize());
        if size != entry.size || sha256 != entry.sha256 {
            return Err(damaged(format!(
                "does not agree with the wheel's record: it has {size} bytes or more and SHA-256 {sha256}, \
                 recorded are {} bytes and {}",
                entry.size, entry.sha256
            )));
        }
        output.sync_all().map_err(unwritable)?;
        drop(output);
        std::fs::rename(&part, &target).map_err(unwritable)?;
        Ok(FileRecord { name: short, size, sha256, modified: modified(&target).unwrap_or(0) })
    }
}

/// A line `path,sha256=DIGEST,size`; `None` for others, such as that of the record itself.
fn record_line(line: &str) -> Option<(String, Entry)> {
    let mut fields = line.trim_end().rsplitn(3, ',');
    let size = fields.next()?.parse().ok()?;
    let sha256 = hex(&decode_base64url(fields.next()?.strip_prefix("sha256=")?)?);
    Some((fields.next()?.trim_matches('"').to_owned(), Entry { size, sha256 }))
}

/// The 32 bytes of a digest in URL-safe base64 without padding.
fn decode_base64url(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut count) = (Vec::with_capacity(32), 0_u32, 0);
    for letter in text.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    (bytes.len() == 32).then_some(bytes)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Writes a wheel of `files`, whose record is made by `digest` of each file's content.
    pub(in crate::runtime) fn write_wheel(
        path: &Path,
        files: &[(&str, &[u8])],
        digest: impl Fn(&[u8]) -> String,
    ) {
        let mut zip = zip::ZipWriter::new(File::create(path).unwrap());
        let options = zip::write::SimpleFileOptions::default();
        let mut record = String::new();
        for (name, content) in files {
            zip.start_file(*name, options).unwrap();
            zip.write_all(content).unwrap();
            record.push_str(&format!("{name},sha256={},{}\n", digest(content), content.len()));
        }
        record.push_str("demo-1.0.dist-info/RECORD,,\n");
        zip.start_file("demo-1.0.dist-info/RECORD", options).unwrap();
        zip.write_all(record.as_bytes()).unwrap();
        zip.finish().unwrap();
    }

    /// The digest in the form that records use.
    pub(in crate::runtime) fn digest(content: &[u8]) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut bits: Vec<bool> = Sha256::digest(content)
            .iter()
            .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1))
            .collect();
        bits.resize(bits.len().div_ceil(6) * 6, false);
        let letter = |six: &[bool]| six.iter().fold(0, |sum, bit| sum * 2 + usize::from(*bit));
        bits.chunks(6).map(|six| char::from(LETTERS[letter(six)])).collect()
    }

    #[test]
    fn verified_files_come_out_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("demo.whl");
        // Python writes the digest of "abc" like this.
        assert_eq!(digest(b"abc"), "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
        write_wheel(&path, &[("demo/capi/lib.so", b"abc"), ("demo/other.py", b"")], digest);
        let mut wheel = Wheel::open(&path).unwrap();
        let mut names: Vec<_> = wheel.names().map(str::to_owned).collect();
        names.sort();
        assert_eq!(names, ["demo/capi/lib.so", "demo/other.py"]);
        let record = wheel.extract("demo/capi/lib.so", folder.path()).unwrap();
        assert_eq!((record.name.as_str(), record.size), ("lib.so", 3));
        assert_eq!(std::fs::read(folder.path().join("lib.so")).unwrap(), b"abc");
        assert_eq!(record.sha256, crate::runtime::record::sha256(&folder.path().join("lib.so")).unwrap());
        assert!(!folder.path().join("lib.so.part").exists());
    }

    #[test]
    fn a_tampered_record_or_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("demo.whl");
        write_wheel(&path, &[("demo/lib.so", b"abc")], |_| digest(b"abd"));
        let error = Wheel::open(&path).unwrap().extract("demo/lib.so", folder.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Runtime);
        assert!(error.to_string().contains("demo/lib.so does not agree with the wheel's record"), "{error}");
        assert!(!folder.path().join("lib.so").exists());
        write_wheel(&path, &[("demo/lib.so", b"abc")], |_| "short".to_owned());
        let error = Wheel::open(&path).unwrap().extract("demo/lib.so", folder.path()).unwrap_err();
        assert!(error.to_string().contains("is not in the record"), "{error}");
        write_wheel(&path, &[("demo/..", b"abc")], digest);
        let error = Wheel::open(&path).unwrap().extract("demo/..", folder.path()).unwrap_err();
        assert!(error.to_string().contains("is no plain file name"), "{error}");
        std::fs::write(&path, "no zip").unwrap();
        let error = Wheel::open(&path).err().unwrap();
        assert!(error.to_string().ends_with("is not a usable wheel"), "{error}");
    }
}
