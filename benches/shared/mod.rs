//! What benchmarks share.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of the default model.
pub fn model_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("onnx/models").join(partdiff::model::DEFAULT_BUNDLE)
}

/// A photograph of 512x384 pixels, cut from a committed one.
pub fn sample(folder: &Path) -> PathBuf {
    let photo = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/house.png");
    let photo = image::open(photo).expect("tests/data/house.png").to_rgb8();
    let path = folder.join("house-512x384.png");
    image::imageops::resize(&photo, 512, 384, image::imageops::FilterType::CatmullRom)
        .save(&path)
        .expect("saved");
    path
}

/// Python with numpy, Pillow and onnxruntime, from PARTDIFF_PYTHON.
pub fn python(script: &str) -> Command {
    let mut command = Command::new(std::env::var("PARTDIFF_PYTHON").unwrap_or_else(|_| "python3".to_owned()));
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches").join(script));
    command
}

/// What `command` prints; none, and its complaint on standard error, where it fails.
pub fn printed(mut command: Command) -> Option<String> {
    let output = command.output().ok()?;
    if !output.status.success() {
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        return None;
    }
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}
