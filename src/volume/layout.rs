//! Slices of a volume along any axis, out of the order of the file and back into it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};

/// Bytes of the result that are put in order at once.
const CHUNK: usize = 128 << 20;

/// The bytes of slice `index` across axis `through` of a volume of `sides`: rows of the faster axis.
pub fn slice(volume: &[u8], sides: [usize; 3], through: usize, index: usize, voxel: usize) -> Vec<u8> {
    let [i, j, k] = sides;
    let row = i * voxel;
    match through {
        2 => volume[index * j * row..][..j * row].to_vec(),
        1 => (0..k).flat_map(|at| &volume[(at * j + index) * row..][..row]).copied().collect(),
        _ => (0..k * j).flat_map(|at| &volume[at * row + index * voxel..][..voxel]).copied().collect(),
    }
}

/// Finished slices in a temporary file without a name, until all of a volume are there.
pub struct Scratch {
    file: File,
    /// Sides of the result.
    sides: [usize; 3],
    through: usize,
    voxel: usize,
}

impl Scratch {
    /// For slices across axis `through`, which is not the slowest; the file lies in `folder`, and vanishes with this.
    ///
    /// # Errors
    /// `Output` where it cannot be made.
    pub fn new(folder: &Path, sides: [usize; 3], through: usize, voxel: usize) -> Result<Self> {
        let file = tempfile::tempfile_in(folder).map_err(cannot_keep)?;
        Ok(Self { file, sides, through, voxel })
    }

    /// Begins with the first slice (anew).
    ///
    /// # Errors
    /// `Output`, as the file cannot be written.
    pub fn rewind(&mut self) -> Result<()> {
        self.file.rewind().map_err(cannot_keep)
    }

    /// Keeps the next slice.
    ///
    /// # Errors
    /// `Output`, as the file cannot be written.
    pub fn push(&mut self, slice: &[u8]) -> Result<()> {
        self.file.write_all(slice).map_err(cannot_keep)
    }

    /// Hands out the volume in the order of a file, in blocks.
    ///
    /// # Errors
    /// `Output`, as the file cannot be read; what `take` returns.
    pub fn ordered(&mut self, mut take: impl FnMut(Vec<u8>) -> Result<()>) -> Result<()> {
        let [i, j, k] = self.sides;
        let (voxel, count) = (self.voxel, self.sides[self.through]);
        // A row of a slice lies along i or j; there is one for every k.
        let row = voxel * if self.through == 1 { i } else { j };
        let planes = (CHUNK / (row * count)).clamp(1, k);
        let mut rows = vec![0; planes * row];
        for first in (0..k).step_by(planes) {
            let planes = planes.min(k - first);
            let mut block = vec![0; planes * i * j * voxel];
            for index in 0..count {
                let rows = &mut rows[..planes * row];
                self.read(index * k + first, row, rows)?;
                for (rows, plane) in rows.chunks_exact(row).zip(block.chunks_exact_mut(i * j * voxel)) {
                    if self.through == 1 {
                        plane[index * row..][..row].copy_from_slice(rows);
                        continue;
                    }
                    for (from, to) in rows.chunks_exact(voxel).zip(plane.chunks_exact_mut(i * voxel)) {
                        to[index * voxel..][..voxel].copy_from_slice(from);
                    }
                }
            }
            take(block)?;
        }
        Ok(())
    }

    /// Fills `rows` from row number `first` on.
    fn read(&mut self, first: usize, row: usize, rows: &mut [u8]) -> Result<()> {
        let at = SeekFrom::Start(first as u64 * row as u64);
        self.file.seek(at).and_then(|_| self.file.read_exact(rows)).map_err(cannot_keep)
    }
}

fn cannot_keep(error: io::Error) -> Error {
    Error::with_source(ErrorKind::Output, "cannot keep finished slices in a temporary file", error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_across_any_axis_come_back_in_order() {
        let sides = [3, 4, 5];
        for voxel in [1, 2] {
            let volume: Vec<u8> = (0..60 * voxel as u8).collect();
            for through in 0..3 {
                let slices: Vec<_> =
                    (0..sides[through]).map(|index| slice(&volume, sides, through, index, voxel)).collect();
                if through == 2 {
                    assert_eq!(slices.concat(), volume);
                    continue;
                }
                let folder = tempfile::tempdir().unwrap();
                let mut scratch = Scratch::new(folder.path(), sides, through, voxel).unwrap();
                for _ in 0..2 {
                    scratch.rewind().unwrap();
                    slices.iter().for_each(|slice| scratch.push(slice).unwrap());
                    let mut found = Vec::new();
                    scratch
                        .ordered(|block| {
                            found.extend(block);
                            Ok(())
                        })
                        .unwrap();
                    assert_eq!(found, volume, "axis {through}");
                }
            }
        }
        // The first row along j at i = 1: voxels 1, 4, 7, 10.
        let volume: Vec<u8> = (0..60).collect();
        assert_eq!(slice(&volume, sides, 0, 1, 1)[..5], [1, 4, 7, 10, 13]);
        assert_eq!(slice(&volume, sides, 1, 2, 1)[..4], [6, 7, 8, 18]);
    }
}
