//! Writing a volume as one file.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::extension::Extension;
use super::field;
use super::header::Header;
use crate::error::{Error, ErrorKind, Result};

/// How a file is compressed: not at all, or with gzip at this level, 0 to 9.
pub type Packing = Option<u32>;

/// The data begins at a multiple of this, which SPM needs.
const ALIGNMENT: usize = 16;

/// Writes `header`, `extensions`, and what `voxels` writes, to `out`.
///
/// # Errors
/// `Output` with the words `cannot_write`; what `voxels` returns.
pub fn write(
    out: &mut dyn Write,
    header: &Header,
    extensions: &[Extension],
    packing: Packing,
    cannot_write: &str,
    voxels: impl FnOnce(&mut dyn Write) -> Result<()>,
) -> Result<()> {
    let fail = |error: io::Error| Error::with_source(ErrorKind::Output, cannot_write, error);
    let mut header = header.clone();
    let mut area: Vec<u8> = vec![u8::from(!extensions.is_empty()), 0, 0, 0];
    extensions.iter().for_each(|extension| area.extend_from_slice(extension.bytes()));
    let offset = (header.bytes().len() + area.len()).next_multiple_of(ALIGNMENT);
    area.resize(offset - header.bytes().len(), 0);
    header.make_single();
    header.set(field::VOX_OFFSET, 0, offset as f64);
    let head = [header.bytes(), &area].concat();
    match packing {
        None => {
            out.write_all(&head).map_err(fail)?;
            voxels(out)
        }
        Some(level) => {
            let mut packed = GzEncoder::new(out, Compression::new(level));
            packed.write_all(&head).map_err(fail)?;
            voxels(&mut packed)?;
            packed.finish().map(drop).map_err(fail)
        }
    }
}
