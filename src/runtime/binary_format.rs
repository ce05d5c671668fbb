//! A shared library's headers, read without loading it: mapping a truncated one kills the process.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

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
    let mut file = File::open(path).map_err(|error| format!("cannot be opened: {error}"))?;
    let size = metadata.len();
    let needed = if cfg!(target_os = "macos") {
        mach_o_size(&mut file, size)?
    } else if cfg!(windows) {
        pe_size(&mut file, size)?
    } else {
        elf_size(&mut file, size)?
    };
    if needed > size {
        return Err(format!("is truncated: its headers describe {needed} bytes, the file has {size}"));
    }
    Ok(())
}

/// `length` bytes from `offset`; an error where the file ends before.
fn read_at(file: &mut File, size: u64, offset: u64, length: usize) -> Result<Vec<u8>, String> {
    let end = offset.saturating_add(length as u64);
    if end > size {
        return Err(format!("is truncated: its headers describe at least {end} bytes, the file has {size}"));
    }
    let mut bytes = vec![0; length];
    file.seek(SeekFrom::Start(offset))
        .and_then(|_| file.read_exact(&mut bytes))
        .map_err(|error| format!("cannot be read: {error}"))?;
    Ok(bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u32_at(bytes, at) | u32_at(bytes, at + 4) << 32
}

/// Bytes that a 64-bit little-endian ELF shared object needs: ends of its segments and section table.
fn elf_size(file: &mut File, size: u64) -> Result<u64, String> {
    const NOT_ELF: &str = "is not a shared library (64-bit ELF)";
    if size < 64 {
        return Err(NOT_ELF.to_owned());
    }
    let header = read_at(file, size, 0, 64)?;
    // Magic, 64 bits, little endian, shared object.
    if header[..6] != *b"\x7fELF\x02\x01" || u16_at(&header, 16) != 3 {
        return Err(NOT_ELF.to_owned());
    }
    let machine = u16_at(&header, 18);
    let wanted = match std::env::consts::ARCH {
        "x86_64" => 62,
        "aarch64" => 183,
        _ => machine,
    };
    if machine != wanted {
        return Err(format!("is a library for another processor (ELF machine {machine}, not {wanted})"));
    }
    let segments = u64_at(&header, 32);
    let (segment_size, segment_count) = (u16_at(&header, 54), u16_at(&header, 56));
    if segment_size < 56 {
        return Err(NOT_ELF.to_owned());
    }
    let sections_end = u64_at(&header, 40).saturating_add(u16_at(&header, 58) * u16_at(&header, 60));
    let mut needed = sections_end.max(segments.saturating_add(segment_size * segment_count));
    let table = read_at(file, size, segments, (segment_size * segment_count) as usize)?;
    for segment in table.chunks_exact(segment_size as usize) {
        needed = needed.max(u64_at(segment, 8).saturating_add(u64_at(segment, 32)));
    }
    Ok(needed)
}

/// Bytes that a 64-bit Mach-O library needs: ends of its segments; of a fat file, the ends of its parts.
fn mach_o_size(file: &mut File, size: u64) -> Result<u64, String> {
    const NOT_MACH_O: &str = "is not a shared library (64-bit Mach-O)";
    if size < 32 {
        return Err(NOT_MACH_O.to_owned());
    }
    let header = read_at(file, size, 0, 32)?;
    let big = |bytes: &[u8], at: usize| u32_at(bytes, at).swap_bytes() >> 32;
    if big(&header, 0) == 0xcafe_babe {
        let parts = big(&header, 4).min(64) as usize;
        let table = read_at(file, size, 8, parts * 20)?;
        return Ok(table.chunks_exact(20).map(|part| big(part, 8) + big(part, 12)).max().unwrap_or(0));
    }
    if u32_at(&header, 0) != 0xfeed_facf {
        return Err(NOT_MACH_O.to_owned());
    }
    let commands = read_at(file, size, 32, u32_at(&header, 20) as usize)?;
    let (mut at, mut needed) = (0, 0);
    for _ in 0..u32_at(&header, 16) {
        if at + 8 > commands.len() {
            return Err(NOT_MACH_O.to_owned());
        }
        let length = u32_at(&commands, at + 4) as usize;
        // LC_SEGMENT_64: file offset and size of the segment.
        if u32_at(&commands, at) == 0x19 && at + 56 <= commands.len() {
            needed = needed.max(u64_at(&commands, at + 40).saturating_add(u64_at(&commands, at + 48)));
        }
        at += length.max(8);
    }
    Ok(needed)
}

/// Bytes that a PE library needs: ends of its sections.
fn pe_size(file: &mut File, size: u64) -> Result<u64, String> {
    const NOT_PE: &str = "is not a shared library (PE)";
    if size < 64 {
        return Err(NOT_PE.to_owned());
    }
    let dos = read_at(file, size, 0, 64)?;
    if dos[..2] != *b"MZ" {
        return Err(NOT_PE.to_owned());
    }
    let at = u32_at(&dos, 60);
    let coff = read_at(file, size, at, 24)?;
    if coff[..4] != *b"PE\0\0" {
        return Err(NOT_PE.to_owned());
    }
    let table = read_at(file, size, at + 24 + u16_at(&coff, 20), (u16_at(&coff, 6) * 40) as usize)?;
    Ok(table.chunks_exact(40).map(|section| u32_at(section, 20) + u32_at(section, 16)).max().unwrap_or(0))
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
        // A header, one segment that ends at 200, and a section table from 200 to 264.
        let mut bytes = vec![0_u8; 264];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[16] = 3;
        bytes[18] = if cfg!(target_arch = "x86_64") { 62 } else { 183 };
        bytes[32] = 64;
        bytes[40] = 200;
        bytes[54] = 56;
        bytes[56] = 1;
        bytes[58] = 64;
        bytes[60] = 1;
        bytes[64 + 8] = 120;
        bytes[64 + 32] = 80;
        std::fs::write(&path, &bytes).unwrap();
        check_shared_library(&path).unwrap();
        for length in [263, 150, 100, 65] {
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
        let mut file = tempfile::tempfile().unwrap();
        let mut write = |bytes: &[u8]| {
            use std::io::Write;
            file.set_len(0).unwrap();
            file.seek(SeekFrom::Start(0)).unwrap();
            file.write_all(bytes).unwrap();
            file.try_clone().unwrap()
        };
        // Mach-O with one LC_SEGMENT_64 of file range 300..400.
        let mut mach = vec![0_u8; 32 + 72];
        mach[..4].copy_from_slice(&0xfeed_facf_u32.to_le_bytes());
        mach[16] = 1;
        mach[20] = 72;
        mach[32] = 0x19;
        mach[36] = 72;
        mach[32 + 40..32 + 42].copy_from_slice(&300_u16.to_le_bytes());
        mach[32 + 48] = 100;
        assert_eq!(mach_o_size(&mut write(&mach), mach.len() as u64), Ok(400));
        assert!(pe_size(&mut write(&mach), mach.len() as u64).unwrap_err().contains("not a shared library"));
        // PE with one section of raw range 0x200..0x600.
        let mut pe = vec![0_u8; 64 + 24 + 40];
        pe[..2].copy_from_slice(b"MZ");
        pe[60] = 64;
        pe[64..66].copy_from_slice(b"PE");
        pe[64 + 6] = 1;
        pe[88 + 17] = 4;
        pe[88 + 21] = 2;
        assert_eq!(pe_size(&mut write(&pe), pe.len() as u64), Ok(0x600));
        assert!(mach_o_size(&mut write(&pe), pe.len() as u64).unwrap_err().contains("not a shared library"));
    }
}
