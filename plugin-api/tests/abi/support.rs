//! What the tests share: the library, a small model and small images.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use partdiff_host::abi::partdiff_image;
use partdiff_host::{Color, Context, Form, Library, Model, Sample, Status};

/// The folder that cargo builds into.
pub fn built() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    program.parent().and_then(Path::parent).unwrap().to_owned()
}

/// The library as cargo built it for these tests.
pub fn library() -> Arc<Library> {
    static LIBRARY: OnceLock<Arc<Library>> = OnceLock::new();
    let open = || {
        let name = if cfg!(windows) {
            "partdiff_capi.dll"
        } else if cfg!(target_os = "macos") {
            "libpartdiff_capi.dylib"
        } else {
            "libpartdiff_capi.so"
        };
        Library::open(&built().join("deps").join(name)).unwrap()
    };
    LIBRARY.get_or_init(open).clone()
}

/// A context on the processor.
pub fn context() -> Context {
    let context = library().context().unwrap();
    context.set_text("device", Some("cpu")).unwrap();
    context
}

/// The default model, opened once; `None`, said on stderr, without ONNX Runtime.
pub fn model() -> Option<&'static Model> {
    static MODEL: OnceLock<Option<Model>> = OnceLock::new();
    let open = || match context().open(None) {
        Ok(model) => Some(model),
        Err(error) => {
            skipped!("{error}");
            None
        }
    };
    MODEL.get_or_init(open).as_ref()
}

/// An image of the repository.
pub fn data(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data").join(file)
}

/// Interleaved 8-bit colour without gaps.
pub fn rgb8(width: u32, height: u32) -> Form {
    Form::new(Sample::U8, Color::Rgb, width, height)
}

/// Samples in which no two pixels near each other are equal.
pub fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|i| (i * 37 % 251) as u8 ^ (i / 7) as u8).collect()
}

/// How C describes an image of interleaved 8-bit colour without gaps that lies in `data`.
pub fn image(width: u32, height: u32, data: &mut [u8]) -> partdiff_image {
    rgb8(width, height).image(data.as_mut_ptr(), data.len())
}

/// Asserts what a call of C returned.
pub fn expect(code: i32, status: Status) {
    assert_eq!(code, status as i32, "expected {status:?}");
}
