//! Volumes that cannot be made: each with a message that names the field and what was expected, and nothing left behind.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::Place;
use crate::cli::has_runtime;

/// Puts `bytes` into a header at `at`.
pub fn put<const N: usize>(header: &mut [u8], at: usize, bytes: [u8; N]) {
    header[at..at + N].copy_from_slice(&bytes);
}

/// A small volume in NIfTI-1: 8x7x2 int16, voxels of 1x1x3 mm, with `change` made to its header.
pub fn nifti(change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut bytes = vec![0u8; 352];
    put(&mut bytes, 0, 348i32.to_le_bytes());
    for (index, number) in [3i16, 8, 7, 2, 1, 1, 1, 1].into_iter().enumerate() {
        put(&mut bytes, 40 + 2 * index, number.to_le_bytes());
    }
    put(&mut bytes, 70, 4i16.to_le_bytes());
    put(&mut bytes, 72, 16i16.to_le_bytes());
    for (index, size) in [1f32, 1.0, 1.0, 3.0].into_iter().enumerate() {
        put(&mut bytes, 76 + 4 * index, size.to_le_bytes());
    }
    put(&mut bytes, 108, 352f32.to_le_bytes());
    put(&mut bytes, 123, [2]);
    put(&mut bytes, 344, *b"n+1\0");
    change(&mut bytes);
    bytes.extend((0..112i16).flat_map(|at| (at % 8 * 100 + at / 8).to_le_bytes()));
    bytes
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Expects that the volume fails with `message`, in words of one sentence, and that nothing is left.
#[track_caller]
fn fails(name: &str, bytes: &[u8], message: &str) {
    let place = Place::new();
    place.put(name, bytes);
    let output = place.upscale(&[name]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains(&format!("{name}: ")) && told.contains(message), "{told}");
    assert_eq!(place.files(), [name]);
}

#[test]
fn headers_that_make_no_sense_are_told_by_field() {
    let dim = |axis: usize, side: i16| nifti(|header| put(header, 40 + 2 * axis, side.to_le_bytes()));
    fails("a.nii", &dim(1, 0), "dim[1] is 0: expected at least 1");
    fails("a.nii", &dim(3, -4), "dim[3] is -4: expected at least 1");
    fails("a.nii", &dim(0, 9), "dim[0] is 9: expected 1 to 7");
    let vectors = nifti(|header| {
        put(header, 40, 5i16.to_le_bytes());
        put(header, 50, 3i16.to_le_bytes());
    });
    fails("a.nii", &vectors, "dim[5] is 3: expected 1, that is, one value per voxel");
    let datatype = |code: i16| nifti(|header| put(header, 70, code.to_le_bytes()));
    fails("a.nii", &datatype(32), "datatype is 32 (complex64): expected integers");
    fails("a.nii", &datatype(128), "datatype is 128 (RGB24)");
    fails("a.nii", &datatype(1536), "datatype is 1536 (float128)");
    fails(
        "a.nii",
        &nifti(|header| put(header, 72, 8i16.to_le_bytes())),
        "bitpix is 8: expected 16 for int16",
    );
    let offset = |offset: f32| nifti(|header| put(header, 108, offset.to_le_bytes()));
    fails("a.nii", &offset(0.0), "vox_offset is 0: expected a whole number of at least 352");
    fails("a.nii", &offset(f32::NAN), "vox_offset is NaN");
    fails("a.nii", &nifti(|header| put(header, 344, *b"nix\0")), "expected n+1 or ni1");
    fails("a.nii", &nifti(|header| put(header, 344, *b"ni1\0")), "expected its voxels in a.img");
    fails("a.nii", b"", "the file has only 0 bytes: expected a header of 348");
    fails("a.nii", &nifti(|_| {})[..200], "the file has only 200 bytes: expected a header of 348");
    fails("a.nii", b"Dear Sir or Madam", "expected 348 (NIfTI-1, Analyze) or 540 (NIfTI-2)");
}

#[test]
fn data_that_is_not_there_is_refused_before_memory_is_taken() {
    let huge = nifti(|header| {
        (0..4).for_each(|axis| put(header, 40 + 2 * axis, [[4, 0], [0xff, 0x7f]][axis.min(1)]))
    });
    fails("a.nii", &huge, "the data is too short: 224 bytes from vox_offset 352 on, expected 70");
    fails("a.nii.gz", &gzip(&huge), "the data is too short: at most");
    let whole = nifti(|_| {});
    fails(
        "a.nii",
        &whole[..whole.len() - 1],
        "the data is too short: 223 bytes from vox_offset 352 on, expected 224",
    );
    // Where only reading tells.
    fails("a.nii.gz", &gzip(&whole[..whole.len() - 1]), "the data is too short: 223 bytes, expected 224");
}

#[test]
fn compressed_data_is_verified() {
    if !has_runtime() {
        return;
    }
    let packed = gzip(&nifti(|_| {}));
    fails("a.nii.gz", &packed[..packed.len() - 3], "the gzip data is truncated");
    let mut wrong = packed.clone();
    let crc = wrong.len() - 8;
    wrong[crc] ^= 1;
    fails("a.nii.gz", &wrong, "the gzip checksum or length does not match");
    // Two members, and rubbish after them, which nibabel does not look at either.
    let bytes = nifti(|_| {});
    let place = Place::new();
    place.put("a.nii.gz", &[gzip(&bytes[..400]), gzip(&bytes[400..]), b"rubbish".to_vec()].concat());
    let told = place.made(&["a.nii.gz"]);
    assert!(told.contains("warning: bytes that follow the gzip data are ignored"), "{told}");
}

#[test]
fn other_formats_are_named_with_what_to_do() {
    fails(
        "a.mgz",
        &gzip(&1i32.to_be_bytes()),
        "MGH volumes cannot be read: convert it to NIfTI, for instance with mri_convert",
    );
    let cifti = nifti(|header| put(header, 68, 3006i16.to_le_bytes()));
    fails("a.dscalar.nii", &cifti, "is a CIFTI file");
    fails("a.img", &[0; 9], "is one file of a pair: expected its header in a.hdr");
}

#[test]
fn values_that_mean_nothing_between_voxels_are_refused_unless_forced() {
    if !has_runtime() {
        return;
    }
    fails("a_dseg.nii", &nifti(|_| {}), "holds labels (_dseg in its name)");
    fails("a_mask.nii", &nifti(|_| {}), "expected intensities, or give --force");
    fails("4_gre_0.5mm_e2_ph.nii", &nifti(|_| {}), "holds phases (_ph in its name)");
    fails("flow_vel.nii", &nifti(|_| {}), "holds velocities (_vel in its name)");
    fails("a.nii", &nifti(|header| put(header, 68, 1007i16.to_le_bytes())), "intent_code is 1007");
    let place = Place::new();
    place.put("a_mask.nii", &nifti(|_| {}));
    place.made(&["a_mask.nii", "--force"]);
    assert_eq!(place.files(), ["a_mask.nii", "a_mask_x4.nii"]);
}

#[test]
fn infinite_voxels_are_an_error() {
    let mut bytes = nifti(|header| {
        put(header, 70, 16i16.to_le_bytes());
        put(header, 72, 32i16.to_le_bytes());
    });
    bytes.truncate(352);
    bytes.extend((0..112).flat_map(|at| if at == 13 { f32::INFINITY } else { 1.5 }.to_le_bytes()));
    fails("a.nii", &bytes, "voxel (5, 1, 0, 0) is infinite: expected numbers or NaN");
}

#[test]
fn options_of_images_are_not_ignored() {
    let place = Place::new();
    place.put("a.nii", &nifti(|_| {}));
    place.put("a.ppm", b"P6\n4 2\n255\n........................");
    for (arguments, message) in [
        (&["a.nii", "--strip", "all"][..], "does not remove patient data from volumes"),
        (&["a.nii", "--format", "png"], "--format is for images"),
        (&["a.nii", "--deblur", "auto"], "--deblur is for images"),
        (&["a.nii", "--depth", "16"], "expected --datatype"),
        (&["a.nii", "--width", "99"], "expected --scale for volumes"),
        (&["a.nii", "-o", "b.png"], "OUT is b.png for a volume: expected .nii or .nii.gz"),
        (&["a.ppm", "-o", "b.nii"], "b.nii is a name for volumes, but the input is PNM"),
        (&["a.nii", "--datatype", "uint8"], "which holds 0 to 255, and voxels are 0 to 713"),
    ] {
        let output = place.upscale(arguments);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && told.contains(message), "{arguments:?}: {told}");
    }
    assert_eq!(place.files(), ["a.nii", "a.ppm"]);
}

#[test]
fn nothing_that_may_name_the_patient_is_told() {
    if !has_runtime() {
        return;
    }
    let named = |dim: i16| {
        nifti(|header| {
            // db_name, descrip, aux_file and intent_name.
            [(14, 18), (148, 80), (228, 24), (328, 16)]
                .into_iter()
                .for_each(|(at, _)| put(header, at, *b"JANE DOE"));
            put(header, 42, dim.to_le_bytes());
        })
    };
    let place = Place::new();
    place.put("good.nii", &named(8));
    place.put("bad.nii", &named(0));
    for how in ["--json", "--verbose", "--dry-run"] {
        let output = place.upscale(&["good.nii", "bad.nii", "-o", "out/", "--overwrite", how]);
        let told = [output.stdout, output.stderr].concat();
        let told = String::from_utf8_lossy(&told);
        assert!(told.contains("good.nii") && !told.contains("JANE"), "{told}");
    }
}

#[test]
fn any_bytes_are_a_volume_or_an_error() {
    use partdiff::volume::nifti::Nifti;
    let place = Place::new();
    let whole = nifti(|header| put(header, 348, [1]));
    let mut state = 1u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % below
    };
    let mut opened = 0;
    for _ in 0..3000 {
        let mut bytes = whole.clone();
        for _ in 0..=random(4) {
            let at = random(360);
            bytes[at] = [0, 1, 0x7f, 0x80, 0xff, random(256) as u8][random(6)];
        }
        bytes.truncate(whole.len() - random(2) * random(whole.len()));
        let packed = random(4) == 0;
        let path = place.put("a.nii", &if packed { gzip(&bytes) } else { bytes });
        if let Ok(nifti) = Nifti::open(&path) {
            opened += 1;
            let voxels: usize = nifti.shape.iter().product();
            let mut voxels = vec![0; voxels * nifti.datatype.bytes()];
            let _ = nifti.data().and_then(|mut data| data.fill(&mut voxels).and_then(|()| data.finish()));
        }
    }
    assert!((300..3000).contains(&opened), "{opened}");
}
