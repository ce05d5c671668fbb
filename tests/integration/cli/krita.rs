//! `partdiff krita` in a home that has Krita, with a library that is only a name; and what it installs, in Krita's window.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use partdiff::image::{EncodeOptions, ImageFormat, SampleDepth, encode};
use partdiff::runtime::{Device, find};
use serde_json::Value;

use super::{Place, Ran, has_runtime, read};
use crate::program::are_there;

const RESOURCES: &str = "home/.local/share/krita";
const SETTINGS: &str = "home/.config/kritarc";

fn krita(place: &Place, arguments: &[&str]) -> Ran {
    let mut command = Command::new(place.path("bin/partdiff"));
    command.current_dir(place.path("")).env("HOME", place.path("home"));
    command.env("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so");
    for variable in ["XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
        command.env_remove(variable);
    }
    command.arg("krita").args(arguments).output().unwrap().into()
}

fn place() -> Place {
    let place = Place::new();
    place.put("bin/libpartdiff_capi.so", b"library");
    place.put_command("bin/partdiff");
    fs::create_dir_all(place.path("home")).unwrap();
    place
}

#[test]
fn krita_gets_the_plug_in_and_loses_it_again() {
    let place = place();
    krita(&place, &["install"]).expect(2).says("start it once");
    // A plug-in of somebody else, and settings.
    place.put(format!("{RESOURCES}/pykrita/other/__init__.py"), b"");
    place.put(SETTINGS, b"[python]\nenable_other=true\n");
    let before = place.files();
    krita(&place, &["status"]).expect(0).prints("no plug-in");

    krita(&place, &["install"]).expect(0).says("The plug-in will not run yet");
    let folder = place.path(RESOURCES).join("pykrita");
    assert!(folder.join("partdiff_krita.desktop").exists());
    assert_eq!(fs::read(folder.join("partdiff_krita/partdiff/libpartdiff.so")).unwrap(), b"library");
    // Whatever a module imports is there.
    for module in ["", "partdiff"] {
        let package = folder.join("partdiff_krita").join(module);
        for entry in fs::read_dir(&package).unwrap().flatten() {
            let text = fs::read_to_string(entry.path()).unwrap_or_default();
            for line in text.lines().filter_map(|line| line.trim().strip_prefix("from .")) {
                let (from, names) = line.split_once(" import ").unwrap();
                for name in if from.is_empty() { names.split(", ").collect() } else { vec![from] } {
                    let path = package.join(name.replace('.', "/"));
                    assert!(path.is_dir() || path.with_extension("py").exists(), "{name} of {entry:?}");
                }
            }
        }
    }
    let settings = fs::read_to_string(place.path(SETTINGS)).unwrap();
    assert_eq!(settings, "[python]\nenable_partdiff_krita=true\nenable_other=true\n");
    krita(&place, &["status"]).expect(0).prints("has this version");
    place.put(format!("{RESOURCES}/pykrita/partdiff_krita/action.py"), b"older");
    // Of an imported module.
    place.put(format!("{RESOURCES}/pykrita/partdiff_krita/__pycache__/action.cpython-311.pyc"), b"");
    place.put(format!("{RESOURCES}/pykrita/partdiff_krita/partdiff/__pycache__/_abi.cpython-311.pyc"), b"");
    krita(&place, &["status"]).expect(0).prints("has another version");
    krita(&place, &["install"]).expect(0);

    krita(&place, &["uninstall"]).expect(0).prints(": removed");
    assert_eq!(place.files(), before);
    krita(&place, &["uninstall"]).expect(0).prints("had no plug-in");

    // Who has switched it off is told, and it stays off.
    place.put(SETTINGS, b"[python]\nenable_partdiff_krita=false\n");
    krita(&place, &["install"]).expect(0).says("Python Plugin Manager");
    assert!(fs::read_to_string(place.path(SETTINGS)).unwrap().contains("=false"));
}

/// The folder of the built programs, with the library; says on standard error what is missing.
fn built() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_BIN_EXE_partdiff")).parent()?.to_owned();
    if !folder.join("libpartdiff_capi.so").exists() {
        skipped!("no libpartdiff beside the command: cargo build --workspace");
    } else if are_there(&["krita", "xvfb-run", "dbus-run-session"]) && has_runtime() {
        if crate::python::python("PyQt5").is_some() {
            return Some(folder);
        }
        skipped!("the system's Python has no PyQt5, without which Krita runs no plug-in");
    }
    None
}

/// Images of each kind of sample, and what the command makes of them.
fn pairs(place: &Place) {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/samples");
    for (name, sample) in [
        ("photo.png", "photo_dog.png"),
        ("alpha.png", "alpha_small.png"),
        ("grey16.png", "gray16_photo.png"),
        ("colour16.png", "rgb16_photo.png"),
    ] {
        place.put(format!("pairs/{name}"), &fs::read(samples.join(sample)).unwrap());
    }
    let mut wide = read(&samples.join("icc_displayp3.jpg"));
    assert!(wide.metadata.icc.is_some());
    for (name, depth, format) in [
        ("wide8.png", SampleDepth::U8, ImageFormat::Png),
        ("wide16.png", SampleDepth::U16, ImageFormat::Png),
        ("wide_float.tif", SampleDepth::F32, ImageFormat::Tiff),
    ] {
        wide.depth = depth;
        place.put(format!("pairs/{name}"), &encode(&wide, &EncodeOptions::new(format)).unwrap().bytes);
    }
    let inputs: Vec<_> = place.files().into_iter().filter(|file| file.starts_with("pairs/")).collect();
    for input in inputs {
        let output = input.replace('.', "_large.");
        let settings = ["--preset", "faithful", "--keep-dpi", "-o", output.as_str()];
        place.upscale(std::iter::once(input.as_str()).chain(settings)).expect(0);
    }
}

#[test]
fn results_in_krita_are_those_of_the_command() {
    let Some(built) = built() else { return };
    let place = Place::new();
    let plug_ins = place.path(RESOURCES).join("pykrita");
    fs::create_dir_all(plug_ins.join("partdiff_drive")).unwrap();
    let home = |command: &mut std::process::Command| {
        command.env("HOME", place.path("home")).env_remove("XDG_CONFIG_HOME").env_remove("XDG_DATA_HOME");
        command.env("ORT_DYLIB_PATH", find(None, Device::Cpu).unwrap().path);
    };
    let mut install = std::process::Command::new(built.join("partdiff"));
    home(install.args(["krita", "install"]));
    Ran::from(install.output().unwrap()).expect(0);
    let drive = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugin-api/hosts/krita/tests");
    for file in ["partdiff_drive.desktop", "partdiff_drive/__init__.py"] {
        fs::copy(drive.join(file), plug_ins.join(file)).unwrap();
    }
    let settings = fs::read_to_string(place.path(SETTINGS)).unwrap();
    place.put(SETTINGS, format!("{settings}enable_partdiff_drive=true\n").as_bytes());
    pairs(&place);

    let mut krita = std::process::Command::new("dbus-run-session");
    krita.args([
        "--",
        "xvfb-run",
        "-a",
        "-s",
        "-screen 0 1280x900x24",
        "timeout",
        "300",
        "krita",
        "--nosplash",
    ]);
    home(krita.env("PARTDIFF_DRIVE", place.path("pairs")).env("XDG_RUNTIME_DIR", place.path("home")));
    let output = krita.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let said: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let all = format!("{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.iter().all(|line| line["failed"].is_null()), "{all}");

    let compared: Vec<_> = said.iter().filter(|line| line["file"].is_string()).collect();
    assert_eq!(compared.len(), 7, "{all}");
    for line in &compared {
        assert_eq!(line["unequal"], 0, "{line}");
        assert!(line["kept"].as_object().unwrap().values().all(|kept| kept == true), "{line}");
        assert_eq!(line["warnings"], serde_json::json!([]), "{line}");
        assert_eq!(line["asks"], true, "{line}");
    }
    let kinds: Vec<_> = compared.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        ["RGBA U8", "RGBA U16", "GRAYA U16", "RGBA U8", "RGBA U16", "RGBA U8", "RGBA F32"],
        "in the order of the names"
    );
    let told =
        |key: &str| said.iter().find(|line| !line[key].is_null()).unwrap_or_else(|| panic!("{key}: {all}"));
    assert_eq!(told("menus")["menus"], serde_json::json!(["Image"]));
    assert_eq!(told("made")["equal"], true, "{all}");
    assert_eq!(told("remembered")["remembered"], "faithful");
    assert_eq!(
        (&told("cancelled")["cancelled"], &told("cancelled")["kept"]),
        (&true.into(), &true.into()),
        "{all}"
    );
    assert!(told("refused")["refused"].as_str().unwrap().contains("CMYKA"), "{all}");
}
