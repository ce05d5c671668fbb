//! The `partdiff` command as its users meet it.

mod bad_inputs;
#[cfg(unix)]
mod cancelling;
mod color;
#[cfg(target_os = "linux")]
mod darktable;
#[cfg(target_os = "linux")]
mod desktop;
mod fidelity;
mod files;
mod generated;
#[cfg(target_os = "linux")]
mod gimp;
mod golden;
#[cfg(unix)]
mod imagemagick;
mod in_place;
#[cfg(target_os = "linux")]
mod krita;
mod models;
mod outputs;
pub mod pages;
#[cfg(unix)]
mod preview;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod providers;
#[cfg(unix)]
mod report_page;
mod reports;
mod shards;
mod verify;
#[cfg(unix)]
pub mod web_page;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use partdiff::Limits;
use partdiff::image::{EncodeOptions, Image, ImageFormat, Raster, SampleDepth, decode, encode};
use partdiff::runtime::{Device, find};

/// A scratch folder in which commands run.
struct Place(tempfile::TempDir);

/// What a command did.
struct Ran {
    code: Option<i32>,
    stdout: Vec<u8>,
    stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Self { code: output.status.code(), stdout: output.stdout, stderr }
    }
}

impl Ran {
    #[track_caller]
    fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "standard error was:\n{}", self.stderr);
        self
    }

    #[track_caller]
    fn says(&self, text: &str) {
        assert!(self.stderr.contains(text), "{text:?} is missing from:\n{}", self.stderr);
    }

    #[track_caller]
    #[cfg(unix)]
    fn prints(&self, text: &str) {
        let stdout = String::from_utf8_lossy(&self.stdout);
        assert!(stdout.contains(text), "{text:?} is missing from:\n{stdout}");
    }
}

impl Place {
    fn new() -> Self {
        // Some programs do not look into hidden folders.
        Self(tempfile::Builder::new().prefix("partdiff").tempdir().unwrap())
    }

    fn path(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.0.path().join(name.as_ref())
    }

    fn put(&self, name: impl AsRef<OsStr>, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Puts a copy of the command there.
    #[cfg(unix)]
    fn put_command(&self, name: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Not by this process: a child that another test starts meanwhile would hold the file open, and it could not
        // run.
        let mut copy = Command::new("cp");
        copy.arg(env!("CARGO_BIN_EXE_partdiff")).arg(path);
        copy.assert().success();
    }

    /// Runs `partdiff upscale` on the processor.
    fn upscale<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ran {
        self.command().args(["upscale", "--device", "cpu"]).args(arguments).output().unwrap().into()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_partdiff"));
        command.current_dir(self.0.path());
        command
    }

    /// Every file below the folder, hidden ones too, sorted.
    fn files(&self) -> Vec<String> {
        fn walk(folder: &Path, root: &Path, names: &mut Vec<String>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, root, names);
                } else {
                    names.push(path.strip_prefix(root).unwrap().to_string_lossy().into_owned());
                }
            }
        }
        let mut names = Vec::new();
        walk(self.0.path(), self.0.path(), &mut names);
        names.sort();
        names
    }
}

/// PATH with the folder of the command before all others.
#[cfg(unix)]
fn path_with_command() -> OsString {
    let command = Path::new(env!("CARGO_BIN_EXE_partdiff")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(command.to_owned()).chain(std::env::split_paths(&path))).unwrap()
}

/// A small image with some shape in it, as a file.
fn test_image(width: usize, height: usize, format: ImageFormat) -> Vec<u8> {
    drawn(width, height, format, |channel, y, x| 0.5 + 0.3 * ((x + channel * y) as f32 * 0.4).sin())
}

/// The file of an image whose samples are `value` of channel, row and column.
fn drawn(
    width: usize,
    height: usize,
    format: ImageFormat,
    value: impl Fn(usize, usize, usize) -> f32,
) -> Vec<u8> {
    let mut color = Raster::new(3, height, width);
    for channel in 0..3 {
        for y in 0..height {
            for (x, sample) in color.row_mut(channel, y).iter_mut().enumerate() {
                *sample = value(channel, y, x);
            }
        }
    }
    let image = Image::new(color, None, SampleDepth::U8, format);
    encode(&image, &EncodeOptions::new(format)).unwrap().bytes
}

fn png(width: usize, height: usize) -> Vec<u8> {
    test_image(width, height, ImageFormat::Png)
}

/// Waves of full contrast, which are taken for a blurred photograph.
fn waves(width: usize, height: usize) -> Vec<u8> {
    drawn(width, height, ImageFormat::Png, |_, y, x| 0.5 + 0.5 * (x as f32 * 0.6 + y as f32 * 0.5).sin())
}

fn read(path: &Path) -> Image {
    decode(&fs::read(path).unwrap(), &Limits::default()).unwrap()
}

/// Whether models can run here; says on standard error that the test is skipped if not.
pub fn has_runtime() -> bool {
    match find(None, Device::Cpu) {
        Ok(_) => true,
        Err(error) => {
            skipped!("{}", error.report());
            false
        }
    }
}
