//! A shared library's headers, read without loading it: mapping a truncated one kills the process.

use std::fs::File;
use std::path::Path;

use object::read::macho::{FatArch, MachOFatFile32};
use object::read::{FileKind, ReadCache, ReadRef};
use object::{Architecture, Object, ObjectKind, ObjectSection, ObjectSegment};

/// A format of shared libraries.
struct Format {
    name: &'static str,
    kinds: &'static [FileKind],
}

const ELF: Format = Format { name: "64-bit ELF", kinds: &[FileKind::Elf64] };
const MACH_O: Format = Format { name: "64-bit Mach-O", kinds: &[FileKind::MachO64, FileKind::MachOFat32] };
const PE: Format = Format { name: "PE", kinds: &[FileKind::Pe32, FileKind::Pe64] };

/// Checks that `path` is a whole shared library of this operating system.
///
/// Reads headers only. The error says in a few words what is wrong, without naming the path.
pub(crate) fn check_shared_library(path: &Path) -> Result<(), String> {
    let metadata = std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".to_owned(),
        _ => format!("cannot be read: {error}"),
    })?;
    if metadata.is_dir() {
        return Err("is a folder, not a library file".to_owned());
    }
    if !metadata.is_file() {
        return Err("is not a regular file".to_owned());
    }
    let file = File::open(path).map_err(|error| format!("cannot be opened: {error}"))?;
    let format = if cfg!(target_os = "macos") {
        MACH_O
    } else if cfg!(windows) {
        PE
    } else {
        ELF
    };
    check_headers(&ReadCache::new(file), metadata.len(), &format)
}

/// Checks that `data` of `size` bytes is a library of this processor in `format`, and holds all that its headers name.
fn check_headers<'data>(data: impl ReadRef<'data>, size: u64, format: &Format) -> Result<(), String> {
    let other = || format!("is not a shared library ({})", format.name);
    // Tables that lie beyond the end cannot be read either.
    let unreadable = |error: object::Error| {
        format!(
            "is truncated: its headers describe more than the {size} bytes of the file, or are damaged ({error})"
        )
    };
    let kind = FileKind::parse(data).ok().filter(|kind| format.kinds.contains(kind)).ok_or_else(other)?;
    let end = |(offset, length): (u64, u64)| offset.saturating_add(length);
    let needed = if kind == FileKind::MachOFat32 {
        let parts = MachOFatFile32::parse(data).map_err(unreadable)?;
        parts.arches().iter().map(|part| end(part.file_range())).max()
    } else {
        let file = object::File::parse(data).map_err(unreadable)?;
        if file.kind() != ObjectKind::Dynamic {
            return Err(other());
        }
        let wanted = match std::env::consts::ARCH {
            "x86_64" => Architecture::X86_64,
            "aarch64" => Architecture::Aarch64,
            _ => file.architecture(),
        };
        if file.architecture() != wanted {
            return Err(format!(
                "is a library for another processor ({:?}, not {wanted:?})",
                file.architecture()
            ));
        }
        let sections = file.sections().filter_map(|section| section.file_range());
        file.segments().map(|segment| segment.file_range()).chain(sections).map(end).max()
    };
    match needed {
        Some(needed) if needed > size => {
            Err(format!("is truncated: its headers describe {needed} bytes, the file has {size}"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_is_not_a_library() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libonnxruntime.so");
        assert_eq!(check_shared_library(&path).unwrap_err(), "no such file");
        std::fs::write(&path, b"").unwrap();
        assert!(check_shared_library(&path).unwrap_err().starts_with("is not a shared library"));
        std::fs::write(&path, vec![b'x'; 4096]).unwrap();
        assert!(check_shared_library(&path).unwrap_err().starts_with("is not a shared library"));
        assert_eq!(check_shared_library(folder.path()).unwrap_err(), "is a folder, not a library file");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn elf_ends_are_checked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lib.so");
        // A header, one segment that ends at 200, and a table of two sections from 200 to 328.
        let mut bytes = vec![0_u8; 328];
        bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        bytes[16] = 3;
        bytes[18] = if cfg!(target_arch = "x86_64") { 62 } else { 183 };
        bytes[32] = 64;
        bytes[40] = 200;
        bytes[54] = 56;
        bytes[56] = 1;
        bytes[58] = 64;
        bytes[60] = 2;
        bytes[62] = 1;
        bytes[64 + 8] = 120;
        bytes[64 + 32] = 80;
        std::fs::write(&path, &bytes).unwrap();
        check_shared_library(&path).unwrap();
        for length in [327, 263, 150, 100, 65] {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let error = check_shared_library(&path).unwrap_err();
            assert!(error.starts_with("is truncated"), "{length}: {error}");
        }
        bytes[18] = 8;
        std::fs::write(&path, &bytes).unwrap();
        assert!(check_shared_library(&path).unwrap_err().contains("another processor"));
    }

    #[test]
    fn other_formats_are_measured() {
        let check = |bytes: &[u8], format| check_headers(bytes, bytes.len() as u64, format);
        // Mach-O with one LC_SEGMENT_64 of file range 300..400.
        let mut mach = vec![0_u8; 32 + 72];
        mach[..4].copy_from_slice(&0xfeed_facf_u32.to_le_bytes());
        mach[4..8].copy_from_slice(if cfg!(target_arch = "x86_64") { &[7, 0, 0, 1] } else { &[12, 0, 0, 1] });
        mach[12] = 6;
        mach[16] = 1;
        mach[20] = 72;
        mach[32] = 0x19;
        mach[36] = 72;
        mach[32 + 40..32 + 42].copy_from_slice(&300_u16.to_le_bytes());
        mach[32 + 48] = 100;
        assert!(check(&mach, &MACH_O).unwrap_err().contains("describe 400 bytes, the file has 104"));
        assert!(check(&mach, &PE).unwrap_err().contains("not a shared library"));
        mach.resize(400, 0);
        check(&mach, &MACH_O).unwrap();
        // A DLL with one section of raw range 0x200..0x600.
        let mut pe = vec![0_u8; 64 + 24 + 240 + 40];
        pe[..2].copy_from_slice(b"MZ");
        pe[60] = 64;
        pe[64..66].copy_from_slice(b"PE");
        pe[68..70].copy_from_slice(if cfg!(target_arch = "x86_64") { &[0x64, 0x86] } else { &[0x64, 0xaa] });
        pe[64 + 6] = 1;
        pe[64 + 20] = 240;
        pe[64 + 23] = 0x20;
        pe[88..90].copy_from_slice(&[0x0b, 0x02]);
        pe[88 + 108] = 16;
        pe[328 + 9] = 4;
        pe[328 + 17] = 4;
        pe[328 + 21] = 2;
        assert!(check(&pe, &PE).unwrap_err().contains("describe 1536 bytes, the file has 368"));
        assert!(check(&pe, &MACH_O).unwrap_err().contains("not a shared library"));
        pe.resize(0x600, 0);
        check(&pe, &PE).unwrap();
    }
}
