use super::*;
use crate::batch::fixture::{fake, tiff};
use crate::image::{Provenance, decode};
use crate::limits::Limits;
use crate::settings::Settings;

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
    let (pages, options) = (source.pages(&upscaler)?, source.job.settings.options()?);
    source.make(&upscaler, &pages, &options, &CancelToken::new())
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
    let state = State { alive: Instant::now(), engine_began: 0.0, warnings: vec!["a".into()], damage: None };
    let observer = WorkerObserver(Mutex::new(state));
    ["a", "b", "b"].into_iter().for_each(|warning| observer.warn(warning));
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
