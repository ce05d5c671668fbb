//! A GIMP with the plug-in installed by `partdiff gimp install`, images for it, and comparison with the command.

#![allow(dead_code, reason = "not every test binary uses all of it")]

pub mod scheme;
#[macro_use]
#[path = "../../../../../tests/support/skipped.rs"]
mod skipped;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use partdiff::Limits;
use partdiff::image::{
    Density, DensityUnit, EncodeOptions, Image, ImageFormat, Raster, SampleDepth, decode, encode,
};
use tempfile::TempDir;

/// A generation of GIMP and how to reach it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    /// 2.10 on this machine.
    Two,
    /// 3 in the tree that PARTDIFF_GIMP3 names, made by tests/gimp3/chroot.sh.
    Three,
}

/// A profile with the plug-in in it.
pub struct Gimp {
    pub generation: Generation,
    pub folder: TempDir,
    tree: Option<PathBuf>,
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..").canonicalize().unwrap()
}

/// Where cargo puts programs and libraries.
fn built() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_partdiff-gimp2")).parent().unwrap().to_owned()
}

fn has(program: &str) -> bool {
    Command::new(program).arg("-version").output().is_ok()
}

impl Gimp {
    /// `None`, said on stderr, where that GIMP or the built workspace is missing.
    pub fn new(generation: Generation) -> Option<Self> {
        let skip = |why: &str| {
            skipped!("{why}");
            None
        };
        if !built().join("partdiff").is_file() || !built().join("libpartdiff_capi.so").is_file() {
            return skip("the command or libpartdiff is not built (cargo build --release)");
        }
        let tree = match generation {
            Generation::Two if !has("gimp-console-2.10") => return skip("GIMP 2.10 is not installed"),
            Generation::Two => None,
            Generation::Three => match std::env::var_os("PARTDIFF_GIMP3").map(PathBuf::from) {
                Some(tree) if tree.join("usr/bin/gimp-console-3.0").exists() => Some(tree),
                _ => return skip("PARTDIFF_GIMP3 does not name a tree made by tests/gimp3/chroot.sh"),
            },
        };
        let folder = tempfile::Builder::new().prefix("partdiff-gimp").tempdir().unwrap();
        let gimp = Self { generation, folder, tree };
        // GIMP 2.10 takes a folder that exists for a complete profile, so it makes its own first.
        if generation == Generation::Two {
            gimp.batch("0");
        } else {
            fs::create_dir(gimp.profile()).unwrap();
        }
        let said = gimp.partdiff(&["gimp", "install"]);
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        if gimp.tree.is_some() {
            gimp.bring_runtime();
        }
        Some(gimp)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn profile(&self) -> PathBuf {
        self.path("profile")
    }

    /// ONNX Runtime itself instead of the link to it, which leads nowhere in the tree.
    fn bring_runtime(&self) {
        let link = self.profile().join("plug-ins/partdiff-gimp/libonnxruntime.so");
        let runtime = fs::canonicalize(&link).unwrap();
        fs::remove_file(&link).unwrap();
        fs::copy(runtime, &link).unwrap();
    }

    fn variable(&self) -> &'static str {
        match self.generation {
            Generation::Two => "GIMP2_DIRECTORY",
            Generation::Three => "GIMP3_DIRECTORY",
        }
    }

    /// Runs the command, which sees the profile of this test and none of the user's.
    pub fn partdiff(&self, arguments: &[&str]) -> Output {
        Command::new(built().join("partdiff"))
            .args(arguments)
            .env("XDG_CONFIG_HOME", self.path("no-config"))
            .env(self.variable(), self.profile())
            .output()
            .unwrap()
    }

    /// A command that runs where this GIMP is.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = match &self.tree {
            None => Command::new(words[0]),
            Some(tree) => {
                let mut command = Command::new(repository().join("tests/gimp3/chroot.sh"));
                command.arg("run").arg(tree).arg(words[0]);
                command.env("PARTDIFF_GIMP3_SHARE", self.folder.path());
                command
            }
        };
        command.args(&words[1..]).env(self.variable(), self.profile()).env("LC_ALL", "C.UTF-8");
        command
    }

    /// Evaluates Scheme without a window and returns what GIMP said.
    pub fn batch(&self, scheme: &str) -> String {
        self.batch_with(scheme, &[])
    }

    /// As [`batch`](Self::batch), with variables in the environment.
    pub fn batch_with(&self, scheme: &str, variables: &[(&str, &str)]) -> String {
        let script = self.path("batch.scm");
        fs::write(&script, scheme).unwrap();
        let load = format!("(load \"{}\")", script.display());
        let words: Vec<&str> = match self.generation {
            // Its exit code says nothing, and only a quit of its own ends it after an error.
            Generation::Two => {
                vec!["timeout", "300", "gimp-console-2.10", "-idfs", "-b", &load, "-b", "(gimp-quit 0)"]
            }
            Generation::Three => vec![
                "timeout",
                "300",
                "gimp-console-3.0",
                "-idfs",
                "--quit",
                "--batch-interpreter=plug-in-script-fu-eval",
                "-b",
                &load,
            ],
        };
        self.said(self.command(&words).envs(variables.iter().copied()))
    }

    /// Evaluates Python without a window and returns what GIMP 3 said.
    pub fn python(&self, code: &str) -> String {
        let words = [
            "timeout",
            "300",
            "gimp-console-3.0",
            "-idfs",
            "--quit",
            "--batch-interpreter=python-fu-eval",
            "-b",
            code,
        ];
        self.said(&mut self.command(&words))
    }

    fn said(&self, command: &mut Command) -> String {
        let output = command.output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }
}

/// A kind of image.
pub struct Case {
    pub name: &'static str,
    pub file: &'static str,
    pub channels: usize,
    pub depth: SampleDepth,
    pub wide_gamut: bool,
}

/// All kinds that GIMP has and files can carry.
pub const CASES: [Case; 7] = [
    case("rgb8", "rgb8.png", 3, SampleDepth::U8, false),
    case("rgb16", "rgb16.png", 3, SampleDepth::U16, true),
    case("rgba16", "rgba16.png", 4, SampleDepth::U16, true),
    case("grey8", "grey8.png", 1, SampleDepth::U8, false),
    case("grey16", "grey16.png", 1, SampleDepth::U16, false),
    case("greya16", "greya16.png", 2, SampleDepth::U16, false),
    case("float", "float.tif", 3, SampleDepth::F32, true),
];

const fn case(
    name: &'static str,
    file: &'static str,
    channels: usize,
    depth: SampleDepth,
    wide_gamut: bool,
) -> Case {
    Case { name, file, channels, depth, wide_gamut }
}

impl Case {
    /// Writes an image of this kind, 72 x 54 pixels at 300 dpi.
    pub fn write(&self, gimp: &Gimp) -> PathBuf {
        self.write_rounded(gimp, |value| value)
    }

    /// As [`write`](Self::write), of the values that `round` makes of the colours.
    pub fn write_rounded(&self, gimp: &Gimp, round: impl Fn(f32) -> f32) -> PathBuf {
        let dog = fs::read(repository().join("tests/data/dog.png")).unwrap();
        let dog = decode(&dog, &Limits::default()).unwrap().color.crop(20..74, 30..102);
        let colors = if self.channels < 3 { 1 } else { 3 };
        let planes = dog.data()[..colors * 54 * 72].to_vec();
        // 8-bit samples fill no 16-bit levels; a ramp does.
        let ramp = |(i, value): (usize, f32)| round(value * 0.97 + (i % 977) as f32 / 977.0 * 0.03);
        let planes = planes.into_iter().enumerate().map(ramp).collect();
        let alpha = self.channels.is_multiple_of(2).then(|| {
            let row = |x: usize| if x < 12 { 0.0 } else { (x as f32 / 60.0).min(1.0) };
            Raster::from_vec(1, 54, 72, (0..54 * 72).map(|i| row(i % 72)).collect())
        });
        let format = if self.file.ends_with("tif") { ImageFormat::Tiff } else { ImageFormat::Png };
        let mut image = Image::new(Raster::from_vec(colors, 54, 72, planes), alpha, self.depth, format);
        image.metadata.density = Some(Density { x: 300.0, y: 300.0, unit: DensityUnit::Inch });
        if self.wide_gamut {
            image.metadata.icc = moxcms::ColorProfile::new_adobe_rgb().encode().ok();
        }
        let path = gimp.path(self.file);
        fs::write(&path, encode(&image, &EncodeOptions::new(format)).unwrap().bytes).unwrap();
        path
    }
}

/// The command's result of `input`, `scale` times as large, by the plug-ins' own default model.
pub fn reference(gimp: &Gimp, input: &Path, scale: &str) -> PathBuf {
    let output = input.with_file_name(format!("x{scale}_{}", input.file_name().unwrap().to_str().unwrap()));
    let arguments = [
        "--model",
        "natural-x4",
        "--keep-dpi",
        "--no-provenance",
        "--overwrite",
        "-q",
        "--device",
        "cpu",
        "-s",
        scale,
        "-o",
    ];
    let said = Command::new(built().join("partdiff"))
        .arg("upscale")
        .args(arguments)
        .arg(&output)
        .arg(input)
        .output()
        .unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert!(output.starts_with(gimp.folder.path()));
    output
}

fn read(path: &Path, said: &str) -> Image {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}\n{said}", path.display()));
    decode(&bytes, &Limits::default()).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// How far the samples of `found` are at most, of 1, from what `stored` makes of those of `expected`, an image of the
/// same size.
pub fn largest_difference(expected: &Path, stored: impl Fn(f32) -> f32, found: &Path, said: &str) -> f32 {
    let (expected, found) = (read(expected, said).color, read(found, said).color);
    assert_eq!((found.width(), found.height()), (expected.width(), expected.height()));
    let pairs = found.data().iter().zip(expected.data());
    pairs.map(|(found, &expected)| (found - stored(expected)).abs()).fold(0.0, f32::max)
}

/// Asserts that two files hold the same samples, and that tools which are not ours agree on that, on the depth, the
/// profile and the resolution.
pub fn assert_same(case: &Case, input: &Path, reference: &Path, result: &Path, said: &str) {
    let (expected, found) = (read(reference, said), read(result, said));
    let name = format!("{} {}", case.name, result.display());
    assert_eq!((found.width(), found.height()), (expected.width(), expected.height()), "{name}");
    assert_eq!(found.depth, case.depth, "{name}");
    let compare = |found: &Raster, expected: &Raster, what: &str| {
        let apart = found.data().iter().zip(expected.data()).map(|(a, b)| (a - b).abs());
        let worst = apart.fold(0.0, f32::max);
        assert_eq!((found.data().len(), worst), (expected.data().len(), 0.0), "{what} of {name}");
    };
    compare(&found.color, &expected.color, "colour");
    assert_eq!(found.alpha.is_some(), expected.alpha.is_some(), "{name}");
    if let (Some(found), Some(expected)) = (&found.alpha, &expected.alpha) {
        compare(found, expected, "alpha");
    }
    assert_eq!(
        case.wide_gamut.then_some(&expected.metadata.icc),
        case.wide_gamut.then_some(&found.metadata.icc)
    );
    ask_others(case, input, reference, result);
}

/// What ImageMagick and ExifTool say, where they are installed.
fn ask_others(case: &Case, input: &Path, reference: &Path, result: &Path) {
    let run = |program: &str, arguments: &[&str], files: &[&Path]| {
        let output = Command::new(program).args(arguments).args(files).output().unwrap();
        (output.stdout, String::from_utf8_lossy(&output.stderr).trim().to_owned())
    };
    if has("compare") && case.depth != SampleDepth::F32 {
        let (_, different) =
            run("compare", &["-quiet", "-metric", "AE"], &[reference, result, Path::new("null:")]);
        assert_eq!(different, "0", "{} {}", case.name, result.display());
    }
    if has("identify") {
        let size = |path: &Path| run("identify", &["-format", "%w %h %z"], &[path]).0;
        assert_eq!(size(result), size(reference), "{}", case.name);
    }
    if has("exiftool") {
        let tag = |tag: &str, path: &Path| run("exiftool", &["-b", "-s3", tag], &[path]).0;
        if case.wide_gamut {
            let profile = tag("-icc_profile", result);
            assert!(profile.len() > 200 && profile == tag("-icc_profile", input), "{}", case.name);
        }
        let resolution = if case.file.ends_with("png") { "-PixelsPerUnitX" } else { "-XResolution" };
        let number =
            |path: &Path| String::from_utf8_lossy(&tag(resolution, path)).parse::<f64>().unwrap_or(0.0);
        assert!((number(result) - number(input)).abs() < 0.01, "{}", case.name);
        assert!(number(result) > 200.0, "{}", case.name);
    }
}
