use super::super::protocol::sidecar_temporary;
use super::super::volume::has_sidecar;
use super::*;
use crate::batch::fixture::{fake, tiff};
use crate::image::{Provenance, Strip, decode};
use crate::limits::Limits;
use crate::settings::Settings;
use crate::volume::nifti::{Header, Nifti, Order, Version, field};

/// A folder with an input, and the job to make it.
fn job(name: &str, bytes: &[u8], settings: Settings) -> (tempfile::TempDir, Job) {
    let folder = tempfile::tempdir().unwrap();
    let (input, temporary) = (folder.path().join(name), folder.path().join("temporary"));
    fs::write(&input, bytes).unwrap();
    (folder, Job { id: 1, input, hash: sha256_hex(bytes), temporary, settings, ready: None })
}

fn ppm() -> Vec<u8> {
    [b"P6\n4 3\n255\n".to_vec(), (40..76).collect()].concat()
}

fn make(job: Job) -> Result<Made> {
    let upscaler = fake();
    let source = Source::read(job).map_err(|error| error.expect("the contents are as expected"))?;
    let (work, options) = (source.plan(&upscaler)?, source.job.settings.options()?);
    let made = source.make(&upscaler, &work, &options, &CancelToken::new());
    made.map_err(|error| error.expect("the file did not change"))
}

/// A volume in NIfTI-1: 4x3x2 bytes, voxels of 1x1x3 mm.
fn volume() -> Vec<u8> {
    let mut header = Header::new(Version::One, Order::Little);
    header.set(field::DIM, 0, 3.0);
    for (axis, (side, size)) in [(4, 1.0), (3, 1.0), (2, 3.0)].into_iter().enumerate() {
        header.set_side(axis, side);
        header.set(field::PIXDIM, axis + 1, size);
    }
    header.set(field::DATATYPE, 0, 4.0);
    header.set(field::BITPIX, 0, 16.0);
    let mut bytes = Vec::new();
    let voxels: Vec<u8> = (0..24i16).flat_map(|at| (100 * (at % 5)).to_le_bytes()).collect();
    crate::volume::nifti::write(&mut bytes, &header, &[], None, "", |out| {
        out.write_all(&voxels).unwrap();
        Ok(())
    })
    .unwrap();
    bytes
}

#[test]
fn a_volume_is_made_with_its_sidecar() {
    let (folder, job) =
        job("a.nii", &volume(), Settings { model: Some("any".into()), ..Settings::default() });
    let temporary = job.temporary.clone();
    fs::write(folder.path().join("a.json"), r#"{"PatientName": "Doe", "SliceThickness": 3}"#).unwrap();
    assert!(has_sidecar(&job));
    let made = make(job.clone()).unwrap();
    assert_eq!((made.width, made.height, made.ext.as_str(), made.scale.as_str()), (8, 6, "nii", "2"));
    assert_eq!(made.hash, hash_file(&temporary).unwrap());
    let sidecar = fs::read(sidecar_temporary(&temporary)).unwrap();
    assert_eq!(made.sidecar, Some(sha256_hex(&sidecar)));
    let sidecar: serde_json::Value = serde_json::from_slice(&sidecar).unwrap();
    assert_eq!((&sidecar["PatientName"], &sidecar["Sources"][0]), (&"Doe".into(), &"a.nii".into()));
    let result = Nifti::open(&temporary).unwrap();
    assert_eq!(crate::volume::verify::record(&result).unwrap().source_sha256, job.hash);
    // Nobody else's file is touched by a failure.
    assert_eq!(make(job.clone()).unwrap_err().to_string(), CANNOT_WRITE);
    assert!(temporary.exists());
    fs::remove_file(&temporary).unwrap();
    fs::remove_file(sidecar_temporary(&temporary)).unwrap();
    // What does not suit volumes is the fault of the file, not of the place.
    for settings in [
        Settings { width: Some(9), ..Settings::default() },
        Settings { strip: Strip::All, ..Settings::default() },
    ] {
        assert_eq!(make(Job { settings, ..job.clone() }).unwrap_err().kind(), ErrorKind::Limit);
    }
    assert!(!temporary.exists());
}

#[test]
fn a_result_is_what_its_description_says() {
    let (_folder, job) = job("a.ppm", &ppm(), Settings::default());
    let (temporary, hash) = (job.temporary.clone(), job.hash.clone());
    let settings = Settings { format: Some(ImageFormat::Png), ..Settings::default() };
    let made = make(Job { settings, ..job }).unwrap();
    let bytes = fs::read(temporary).unwrap();
    assert_eq!(made.hash, sha256_hex(&bytes));
    let image = decode(&bytes, &Limits::default()).unwrap();
    assert_eq!((image.format, image.width(), image.height()), (ImageFormat::Png, made.width, made.height));
    assert_eq!((made.width, made.height, made.ext.as_str(), made.scale.as_str()), (8, 6, "png", "2"));
    assert_eq!((made.model.as_str(), made.reused, made.damage), ("fake", false, None));
    assert!(made.engine_began > 1e9 && made.seconds >= made.engine_seconds);
    assert_eq!(Provenance::read(&image.metadata).unwrap().source_sha256, hash);
}

#[test]
fn what_is_lost_is_told_once_and_pages_that_the_format_cannot_hold_become_tiff() {
    let settings = Settings { format: Some(ImageFormat::Pnm), ..Settings::default() };
    let (_folder, job) = job("a.tif", &tiff(2), settings);
    let temporary = job.temporary.clone();
    let made = make(job).unwrap();
    assert_eq!(made.warnings, ["the file has several pages, and PNM holds one: written as TIFF"]);
    assert_eq!(made.ext, "tif");
    assert_eq!(crate::image::page_count(&fs::read(temporary).unwrap()), 2);
}

#[test]
fn each_warning_is_kept_once_and_damage_apart_from_them() {
    let observer = WorkerObserver::new(vec!["a".into()]);
    ["a", "b", "b"].into_iter().for_each(|warning| Observer::warn(&observer, warning));
    ["first page", "second page"].into_iter().for_each(|damage| observer.damaged(damage).unwrap());
    let state = observer.state();
    assert_eq!(
        (&state.warnings[..], state.damage.as_deref()),
        (&["a".into(), "b".into()][..], Some("first page"))
    );
}

#[test]
fn contents_that_the_ledger_does_not_know_are_not_made() {
    let (_folder, job) = job("a.ppm", &ppm(), Settings::default());
    fs::write(&job.input, "changed").unwrap();
    assert!(matches!(Source::read(job), Err(None)));
}

#[test]
fn a_failure_leaves_no_temporary_and_takes_nobody_elses() {
    let (_folder, first) = job("a.ppm", &ppm(), Settings { width: Some(9999), ..Settings::default() });
    assert_eq!(make(first).unwrap_err().kind(), ErrorKind::Limit);
    let (_folder, second) = job("a.ppm", &ppm(), Settings::default());
    fs::write(&second.temporary, "another's").unwrap();
    let temporary = second.temporary.clone();
    let error = make(second).unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Output, CANNOT_WRITE));
    assert_eq!(fs::read(temporary).unwrap(), b"another's");
}

#[test]
fn an_earlier_result_is_copied_only_if_it_is_as_it_was() {
    let (folder, job) = job("a.ppm", &ppm(), Settings::default());
    let path = folder.path().join("earlier");
    fs::write(&path, "result").unwrap();
    let made = Made {
        hash: sha256_hex(b"result"),
        width: 8,
        engine_seconds: 3.0,
        damage: Some("half is missing".into()),
        ..Made::default()
    };
    let ready = Ready { path, made };
    let copied = copy(&job, &ready).unwrap();
    assert_eq!(fs::read(&job.temporary).unwrap(), b"result");
    assert!(copied.reused && copied.engine_seconds == 0.0);
    assert_eq!(
        (copied.hash, copied.width, copied.damage),
        (ready.made.hash.clone(), 8, ready.made.damage.clone())
    );
    fs::remove_file(&job.temporary).unwrap();
    fs::write(&ready.path, "retouched").unwrap();
    assert!(copy(&job, &ready).unwrap_err().to_string().ends_with("earlier was changed"));
    fs::remove_file(&ready.path).unwrap();
    assert_eq!(copy(&job, &ready).unwrap_err().kind(), ErrorKind::Output);
    assert!(!job.temporary.exists());
}
