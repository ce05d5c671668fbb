use std::io::Cursor;
use std::sync::Mutex;

use super::*;
use crate::batch::fixture::{fake, tiff};
use crate::batch::probe::{Probed, probe_bytes};
use crate::image::{Provenance, decode_page, page_count};
use crate::limits::Limits;

/// Writes down what it hears, and may refuse.
#[derive(Default)]
struct Witness {
    heard: Mutex<Vec<String>>,
    maps: Mutex<Vec<Raster>>,
    /// What ends the work: "begin 1", "progress 0", "damaged".
    refuses: &'static str,
}

impl Witness {
    fn hear(&self, what: String) -> Result<()> {
        let refused = what == self.refuses;
        self.heard.lock().unwrap().push(what);
        if refused { Err(Error::new(ErrorKind::Output, "refused")) } else { Ok(()) }
    }

    /// All that was heard but progress.
    fn heard(&self) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        heard.iter().filter(|what| !what.starts_with("progress")).cloned().collect()
    }
}

impl Observer for Witness {
    fn begin(&self, index: usize, _: &Page) -> Result<()> {
        self.hear(format!("begin {index}"))
    }

    fn progress(&self, index: usize, _: ProgressEvent) -> bool {
        self.hear(format!("progress {index}")).is_ok()
    }

    fn damaged(&self, _: &str) -> Result<()> {
        self.hear("damaged".into())
    }

    fn warn(&self, message: &str) {
        self.hear(format!("warning: {message}")).unwrap();
    }

    fn uncertainty(&self, map: Raster) -> Result<()> {
        self.maps.lock().unwrap().push(map);
        Ok(())
    }
}

fn task<'a>(pages: &'a [PlannedPage], settings: &'a Settings, options: &'a UpscaleOptions) -> FileTask<'a> {
    FileTask {
        bytes: Arc::default(),
        hash: settings.provenance().then(|| "5".repeat(64)),
        pages,
        format: ImageFormat::Tiff,
        settings,
        options,
        cannot_write: "cannot write a.tif",
    }
}

/// Makes all pages of `bytes`. Gives the file, whether one was begun, and what the task says.
fn make(
    bytes: Vec<u8>,
    format: ImageFormat,
    settings: &Settings,
    observer: &dyn Observer,
    cancel: &CancelToken,
) -> (Vec<u8>, bool, Result<Report>) {
    let upscaler = fake();
    let Probed { pages, .. } = probe_bytes(&bytes, &Limits::default()).unwrap();
    let pages = PlannedPage::all(&pages, settings.target(), 2).unwrap();
    let options = settings.options().unwrap();
    let task = FileTask { bytes: Arc::new(bytes), format, ..task(&pages, settings, &options) };
    let (mut file, mut begun) = (Cursor::new(Vec::new()), false);
    let made = task.make(&upscaler, observer, cancel, |fill| {
        begun = true;
        fill(&mut file)
    });
    (
        file.into_inner(),
        begun,
        made.map(|((), report, timings)| {
            let stages = timings.decode_s + timings.engine_s + timings.restore_s + timings.encode_s;
            assert!((stages - timings.total_s).abs() < 1e-6 && timings.encode_s >= 0.0, "{timings:?}");
            assert!(timings.inference_s <= timings.engine_s, "{timings:?}");
            report
        }),
    )
}

/// `bytes`, with the strip of page `index` far behind the end of the file.
fn broken(bytes: &[u8], index: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let number = |bytes: &[u8], at: usize, length: usize| {
        bytes[at..at + length].iter().rev().fold(0usize, |sum, byte| sum << 8 | usize::from(*byte))
    };
    assert_eq!(&bytes[..4], b"II*\0", "little-endian, not BigTIFF");
    let mut at = number(&bytes, 4, 4);
    for _ in 0..index {
        at = number(&bytes, at + 2 + 12 * number(&bytes, at, 2), 4);
    }
    for entry in (at + 2..).step_by(12).take(number(&bytes, at, 2)) {
        // StripOffsets
        if number(&bytes, entry, 2) == 273 {
            bytes[entry + 8..entry + 12].copy_from_slice(&0x7fff_0000_u32.to_le_bytes());
        }
    }
    bytes
}

#[test]
fn pages_are_made_in_turn_into_one_file_and_one_report() {
    let (observer, settings) = (Witness::default(), Settings::default());
    let (file, _, made) = make(tiff(3), ImageFormat::Tiff, &settings, &observer, &CancelToken::new());
    assert_eq!(page_count(&file), 3);
    for index in 0..3 {
        let page = decode_page(&file, index, &Limits::default()).unwrap();
        assert_eq!((page.width(), page.height()), (12, 8 + 2 * index));
        let record = Provenance::read(&page.metadata).unwrap();
        assert_eq!((record.page, record.source_sha256), (index, "5".repeat(64)));
    }
    assert_eq!(observer.heard(), ["begin 0", "begin 1", "begin 2"]);
    let heard = observer.heard.lock().unwrap();
    assert!((0..3).all(|page| heard.contains(&format!("progress {page}"))), "{heard:?}");
    // Of all of them.
    assert!(made.unwrap().tiles >= 3);
}

#[test]
fn a_page_that_fails_is_named_where_there_are_several() {
    let settings = Settings { strict: true, ..Settings::default() };
    let fail = |pages: usize, index: usize| {
        let bytes = broken(&tiff(pages), index);
        make(bytes, ImageFormat::Tiff, &settings, &Witness::default(), &CancelToken::new())
    };
    let (_, begun, made) = fail(3, 1);
    let error = made.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    assert!(begun && error.to_string().starts_with("page 2: "), "{error}");
    // A single page fails before there is a file for it.
    let (_, begun, made) = fail(1, 0);
    let error = made.unwrap_err();
    assert!(!begun && !error.to_string().contains("page 1"), "{error}");
}

#[test]
fn whoever_hears_of_the_work_may_end_it() {
    let settings = Settings::default();
    for (refuses, kind, heard) in [
        ("begin 1", ErrorKind::Output, &["begin 0", "begin 1"][..]),
        ("progress 0", ErrorKind::Cancelled, &["begin 0"]),
    ] {
        let observer = Witness { refuses, ..Witness::default() };
        let (_, _, made) = make(tiff(2), ImageFormat::Tiff, &settings, &observer, &CancelToken::new());
        assert_eq!(
            (made.unwrap_err().kind(), observer.heard()),
            (kind, heard.iter().map(ToString::to_string).collect())
        );
    }
    let cancel = CancelToken::new();
    cancel.cancel();
    let (file, begun, made) = make(tiff(1), ImageFormat::Tiff, &settings, &Witness::default(), &cancel);
    assert_eq!((made.unwrap_err().kind(), begun, file.len()), (ErrorKind::Cancelled, false, 0));
}

/// Cancels when the second page begins.
struct Impatient(CancelToken);

impl Observer for Impatient {
    fn begin(&self, index: usize, _: &Page) -> Result<()> {
        if index == 1 {
            self.0.cancel();
        }
        Ok(())
    }

    fn progress(&self, _: usize, _: ProgressEvent) -> bool {
        true
    }

    fn damaged(&self, _: &str) -> Result<()> {
        Ok(())
    }

    fn warn(&self, _: &str) {}

    fn uncertainty(&self, _: Raster) -> Result<()> {
        Ok(())
    }
}

#[test]
fn what_is_cancelled_between_pages_is_cancelled_and_no_shorter_file() {
    let cancel = CancelToken::new();
    let observer = Impatient(cancel.clone());
    let (_, _, made) = make(tiff(3), ImageFormat::Tiff, &Settings::default(), &observer, &cancel);
    assert_eq!(made.unwrap_err().kind(), ErrorKind::Cancelled);
}

#[test]
fn losses_are_told_before_the_work_and_by_their_format() {
    let (observer, settings) = (Witness::default(), Settings::default());
    let (file, _, made) = make(tiff(1), ImageFormat::Bmp, &settings, &observer, &CancelToken::new());
    made.unwrap();
    assert!(file.starts_with(b"BM"));
    let heard = observer.heard.lock().unwrap();
    let loss = "warning: BMP cannot store the record of how the image was made; left out";
    let at = |what: &str| heard.iter().position(|heard| heard == what);
    assert!(at(loss).unwrap() < at("progress 0").unwrap(), "{heard:?}");
    // Without a record there is nothing to lose.
    let (observer, settings) = (Witness::default(), Settings { no_provenance: true, ..settings });
    make(tiff(1), ImageFormat::Bmp, &settings, &observer, &CancelToken::new()).2.unwrap();
    assert_eq!(observer.heard(), ["begin 0"]);
}

#[test]
fn damage_is_told_and_may_be_refused() {
    let make = |strict: bool, refuses: &'static str| {
        let mut image = decode_page(&tiff(1), 0, &Limits::default()).unwrap();
        image.damage = Some("the last rows are missing".into());
        let (observer, settings) =
            (Witness { refuses, ..Witness::default() }, Settings { strict, ..Settings::default() });
        let (options, encoding) = (settings.options().unwrap(), settings.encoding(ImageFormat::Tiff));
        let task = task(&[], &settings, &options);
        let made = task.finish(
            0,
            Page::of(image),
            &encoding,
            &fake(),
            &observer,
            &CancelToken::new(),
            &mut Timings::default(),
        );
        (made.map_err(|error| (error.kind(), error.to_string())).map(drop), observer.heard())
    };
    let heard = |what: &[&str]| what.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(make(false, ""), (Ok(()), heard(&["begin 0", "damaged"])));
    let refused = Err((ErrorKind::Output, "refused".into()));
    assert_eq!(make(false, "damaged"), (refused, heard(&["begin 0", "damaged"])));
    // Strictness does not ask.
    let strict = Err((ErrorKind::Input, "the last rows are missing".into()));
    assert_eq!(make(true, ""), (strict, heard(&["begin 0"])));
}

#[test]
fn a_file_without_pages_is_an_error() {
    let (settings, upscaler) = (Settings::default(), fake());
    let options = settings.options().unwrap();
    let task = task(&[], &settings, &options);
    let made = task
        .make(&upscaler, &Witness::default(), &CancelToken::new(), |fill| fill(&mut Cursor::new(Vec::new())));
    assert_eq!(made.unwrap_err().to_string(), "the file has no page");
}
