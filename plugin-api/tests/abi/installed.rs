//! The library as a system has it: installed, found through pkg-config, used from C, C++ and Python.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::{built, data, model};

/// Runs `command`; `None`, said on stderr, where the program is missing.
fn output(command: &mut Command) -> Option<Output> {
    match command.output() {
        Ok(output) => Some(output),
        Err(error) => {
            skipped!("{}: {error}", command.get_program().display());
            None
        }
    }
}

pub fn good(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {text}{}", output.status, String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// An installation somewhere.
pub struct Installed {
    folder: tempfile::TempDir,
    /// Where packages believe it to be, if they do not use the folder itself.
    staged: Option<&'static str>,
}

impl Installed {
    /// By our script, which needs nothing but cargo.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("install.sh");
        let built = built().join("deps");
        let output = Command::new("sh").arg(script).arg(folder.path()).env("PARTDIFF_BUILT", built).output();
        good(&output.unwrap());
        Self { folder, staged: None }
    }

    /// By cargo-c, staged as for a package; `None`, said on stderr, where it is missing.
    fn by_cargo_c() -> Option<Self> {
        let prefix = "/opt/partdiff";
        let folder = tempfile::tempdir().unwrap();
        if !Command::new("cargo")
            .args(["cinstall", "--help"])
            .output()
            .is_ok_and(|help| help.status.success())
        {
            skipped!("cargo-c is not installed (cargo install cargo-c)");
            return None;
        }
        let mut install = Command::new("cargo");
        install.args([
            "cinstall",
            "--release",
            "--locked",
            "--prefix",
            prefix,
            "--libdir",
            "/opt/partdiff/lib",
        ]);
        install
            .arg("--destdir")
            .arg(folder.path())
            .arg("--target-dir")
            .arg(built().with_file_name("cargo-c"));
        good(&output(install.current_dir(env!("CARGO_MANIFEST_DIR")))?);
        Some(Self { folder, staged: Some(prefix) })
    }

    fn prefix(&self) -> PathBuf {
        let staged = self.staged.unwrap_or_default().trim_start_matches('/');
        self.folder.path().join(staged)
    }

    fn libraries(&self) -> PathBuf {
        self.prefix().join("lib")
    }

    /// All files with what they link to, sorted.
    fn files(&self) -> Vec<(PathBuf, Option<PathBuf>)> {
        let mut files = Vec::new();
        for folder in ["include", "lib", "lib/pkgconfig"] {
            for entry in std::fs::read_dir(self.prefix().join(folder)).unwrap() {
                let entry = entry.unwrap();
                if !entry.path().is_dir() {
                    let name = Path::new(folder).join(entry.file_name());
                    files.push((name, std::fs::read_link(entry.path()).ok()));
                }
            }
        }
        files.sort();
        files
    }

    /// What pkg-config answers.
    fn pkg_config(&self, question: &[&str]) -> Option<String> {
        let mut ask = Command::new("pkg-config");
        ask.args(question).arg("partdiff").env("PKG_CONFIG_PATH", self.libraries().join("pkgconfig"));
        if self.staged.is_some() {
            ask.env("PKG_CONFIG_SYSROOT_DIR", self.folder.path());
        }
        Some(good(&output(&mut ask)?))
    }

    /// A program from the example `source`, built with `compiler` and what pkg-config says.
    pub fn program(&self, compiler: &[&str], source: &str, flags: &[&str]) -> Option<PathBuf> {
        self.program_with(compiler, source, flags, &self.pkg_config(&["--cflags", "--libs"])?)
    }

    fn program_with(
        &self,
        compiler: &[&str],
        source: &str,
        flags: &[&str],
        libraries: &str,
    ) -> Option<PathBuf> {
        let program = self.folder.path().join(format!("{}-{}", compiler[0], source.replace(['/', '.'], "-")));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(source);
        let mut compile = Command::new(compiler[0]);
        compile.args(&compiler[1..]).args(flags).arg(source).args(["-x", "none", "-o"]).arg(&program);
        good(&output(compile.args(libraries.split_whitespace()))?);
        Some(program)
    }

    pub fn run(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.env("LD_LIBRARY_PATH", self.libraries());
        command
    }
}

pub const STRICT: [&str; 4] = ["-Wall", "-Wextra", "-Werror", "-pedantic"];

#[test]
fn programs_in_c_give_the_commands_bytes() {
    if model().is_some() {
        give_the_commands_bytes(&Installed::new());
    }
}

fn give_the_commands_bytes(installed: &Installed) {
    let command = built().join("partdiff");
    let folder = installed.folder.path();
    // The images of the tests as the formats that the example reads.
    for (name, file, depth) in [("dog", "dog.ppm", 8), ("girl", "girl.pgm", 16)] {
        let bytes = std::fs::read(data(&format!("{name}.png"))).unwrap();
        let mut image = partdiff::image::decode(&bytes, &partdiff::Limits::default()).unwrap();
        image.color = image.color.crop(0..60, 0..80);
        if depth == 16 {
            image.depth = partdiff::image::SampleDepth::U16;
            image.color = partdiff::image::Raster::from_vec(1, 60, 80, image.color.plane(1).to_vec());
            image.color.data_mut().iter_mut().for_each(|value| *value = (*value * 0.9).sqrt());
        }
        image.alpha = None;
        image.metadata = Default::default();
        let options = partdiff::image::EncodeOptions::new(partdiff::image::ImageFormat::Pnm);
        std::fs::write(folder.join(file), partdiff::image::encode(&image, &options).unwrap().bytes).unwrap();
    }
    for compiler in [&["gcc", "-std=c99"][..], &["g++", "-std=c++11", "-x", "c++"]] {
        let Some(program) = installed.program(compiler, "upscale.c", &STRICT) else { continue };
        for (file, options) in [
            ("dog.ppm", &["steps=1"][..]),
            ("dog.ppm", &["steps=2", "seed=7", "eta=1"]),
            ("dog.ppm", &["scale=2.5"]),
            ("girl.pgm", &["preset=faithful"]),
        ] {
            let ours = folder.join(format!("ours-{file}"));
            good(&installed.run(&program).arg(folder.join(file)).arg(&ours).args(options).output().unwrap());
            if !command.exists() {
                skipped!("no {} to compare with (cargo build --release)", command.display());
                continue;
            }
            let theirs = folder.join(format!("theirs-{file}"));
            let mut command = Command::new(&command);
            command.args(["upscale", "--device", "cpu", "--overwrite", "-q", "-o"]).arg(&theirs);
            command.args(options.iter().map(|option| format!("--{option}")));
            good(&command.arg(folder.join(file)).output().unwrap());
            let (ours, theirs) = (std::fs::read(ours).unwrap(), std::fs::read(theirs).unwrap());
            assert!(ours == theirs, "{file} with {options:?} differs from the command's");
        }
        let output = installed.run(&program).args(["/no/such.ppm", "/tmp"]).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
    }
}

#[test]
fn programs_in_cpp_work_through_strips_and_hear_failures() {
    if model().is_none() {
        return;
    }
    let installed = Installed::new();
    let mut flags = STRICT.to_vec();
    flags.push("-Wshadow");
    let Some(program) = installed.program(&["g++", "-std=c++11"], "upscale.cpp", &flags) else { return };
    let result = installed.folder.path().join("rings.ppm");
    good(&installed.run(&program).arg(&result).output().unwrap());
    let bytes = std::fs::read(&result).unwrap();
    assert_eq!(bytes.len(), "P6\n240 160\n255\n".len() + 240 * 160 * 3);
    let output = installed.run(&program).arg(&result).arg("0.1").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.starts_with("status 13: cancelled"), "{text}");
}

#[test]
fn python_gives_arrays_and_takes_arrays() {
    if model().is_none() {
        return;
    }
    let Some(python) = crate::python::python("numpy") else {
        skipped!("no python3 with NumPy");
        return;
    };
    let installed = Installed::new();
    // What the package does is tested with its wheel; here, that it goes with the library of this build.
    let script = r#"
import numpy as np, partdiff
with partdiff.Upscaler(device="cpu") as upscaler:
    assert upscaler.info.name == "natural-x4" and "faithful" in upscaler.info.presets
    small = (np.random.default_rng(1).random((9, 7, 3)) * 255).astype("uint8")
    large = upscaler.upscale(small, steps=1)
    assert large.shape == (36, 28, 3) and large.dtype == small.dtype
    assert np.array_equal(upscaler.upscale(np.asfortranarray(small), steps=1), large)
    for options, error in ((dict(scale=99), partdiff.InvalidOptionError), (dict(scal=1), partdiff.UnknownKeyError)):
        try:
            upscaler.upscale(small, **options)
            raise SystemExit("no error")
        except error as told:
            assert str(told)
print("fine")
"#;
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/src");
    let mut run = installed.run(&python);
    run.args(["-c", script]).env("PYTHONPATH", package).env("PYTHONDONTWRITEBYTECODE", "1");
    run.env("PARTDIFF_LIBRARY", installed.libraries().join("libpartdiff.so.1"));
    assert_eq!(good(&run.output().unwrap()), "fine\n");
}

#[test]
fn programs_can_carry_the_library_inside() {
    if model().is_none() {
        return;
    }
    let installed = Installed::new();
    let Some(libraries) = installed.pkg_config(&["--static", "--cflags", "--libs"]) else { return };
    let libraries = libraries.replace("-lpartdiff", "-l:libpartdiff.a");
    let flags = [&STRICT[..], &["-static-libgcc"]].concat();
    let Some(program) = installed.program_with(&["gcc", "-std=c99"], "upscale.c", &flags, &libraries) else {
        return;
    };
    let folder = installed.folder.path();
    std::fs::write(folder.join("small.pgm"), b"P5\n4 2\n255\n\x01\x20\x40\x60\x80\xa0\xc0\xff").unwrap();
    let large = folder.join("large.pgm");
    good(&Command::new(program).arg(folder.join("small.pgm")).arg(&large).output().unwrap());
    assert_eq!(std::fs::read(large).unwrap().len(), "P5\n16 8\n255\n".len() + 16 * 8);
}

/// Takes minutes; run with `-- --ignored`.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "slow: cargo-c builds the library once more"]
fn cargo_c_installs_the_same() {
    if model().is_none() {
        return;
    }
    let Some(installed) = Installed::by_cargo_c() else { return };
    let ours = Installed::new();
    assert_eq!(installed.files(), ours.files());
    for question in [&["--modversion"][..], &["--print-provides"]] {
        assert_eq!(installed.pkg_config(question), ours.pkg_config(question));
    }
    export_only_our_own_functions(&installed);
    give_the_commands_bytes(&installed);
}

#[cfg(target_os = "linux")]
#[test]
fn only_our_own_functions_are_exported() {
    export_only_our_own_functions(&Installed::new());
}

#[cfg(target_os = "linux")]
fn export_only_our_own_functions(installed: &Installed) {
    let library = installed.libraries().join("libpartdiff.so.1");
    let mut nm = Command::new("nm");
    let Some(names) = output(nm.args(["-D", "--defined-only"]).arg(&library)) else { return };
    let names = good(&names);
    let names: Vec<&str> = names.lines().filter_map(|line| line.split_whitespace().last()).collect();
    let header = std::fs::read_to_string(installed.prefix().join("include/partdiff.h")).unwrap();
    assert!(names.len() > 20);
    for name in names {
        assert!(name.starts_with("partdiff_"), "{name} is exported");
        assert!(header.contains(&format!(" {name}(")) || header.contains(&format!("*{name}(")), "{name}");
    }
    let mut readelf = Command::new("readelf");
    let Some(dynamic) = output(readelf.arg("-d").arg(&library)) else { return };
    let dynamic = good(&dynamic);
    assert!(dynamic.contains("Library soname: [libpartdiff.so.1]"), "{dynamic}");
    assert!(dynamic.contains("NODELETE"), "{dynamic}");
}
