//! Volumes: header, extensions, gzip and voxels; what is written of them must be read again.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use partdiff::volume::nifti::{Nifti, write};

static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder"));

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let path = |name: &str| FOLDER.path().join(name);
    for name in ["a.nii", "b.hdr", "b.img"] {
        fs::write(path(name), data).expect("written");
    }
    for name in ["a.nii", "b.hdr"] {
        copy(path(name), path("out.nii"));
    }
});

/// Reads a volume and writes it again.
fn copy(from: PathBuf, to: PathBuf) {
    let Ok(nifti) = Nifti::open(&from) else { return };
    let voxels: usize = nifti.shape.iter().product();
    let mut bytes = vec![0; voxels * nifti.datatype.bytes()];
    let Ok(mut data) = nifti.data() else { return };
    if data.fill(&mut bytes).is_err() || data.finish().is_err() {
        return;
    }
    let mut out = Vec::new();
    let mut header = nifti.header.clone();
    (0..3).for_each(|axis| header.set_side(axis, nifti.shape[axis]));
    write(&mut out, &header, &nifti.extensions, None, "no", |voxels| {
        voxels.write_all(&bytes).expect("memory");
        Ok(())
    })
    .expect("written");
    fs::write(&to, &out).expect("written");
    let again = Nifti::open(&to).expect("what was written is read");
    assert_eq!((again.shape, again.datatype), (nifti.shape, nifti.datatype));
    assert_eq!(again.extensions, nifti.extensions);
}
