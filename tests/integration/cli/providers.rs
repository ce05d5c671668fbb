//! Execution providers beside the processor's: what they compute, and what is said where they do not run.
//!
//! They are in the folder that `PARTDIFF_PROVIDERS` names (`tests/gpu/software.sh make`).

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Place, Ran, has_runtime, png, read};
use crate::real_model::data;

/// The folder with providers.
fn providers() -> Option<PathBuf> {
    let folder = std::env::var_os("PARTDIFF_PROVIDERS").map(PathBuf::from);
    if folder.is_none() {
        skipped!("PARTDIFF_PROVIDERS names no folder of tests/gpu/software.sh");
    }
    folder
}

/// ONNX Runtime's library in a folder of packages.
fn library(packages: &Path) -> PathBuf {
    let entries = std::fs::read_dir(packages.join("onnxruntime/capi")).unwrap();
    let mut paths = entries.map(|entry| entry.unwrap().path());
    paths
        .find(|path| path.to_str().unwrap().contains("/libonnxruntime.so."))
        .expect("no library in the package")
}

/// Runs the command where the GPU of software is there, with what is installed in `data`.
fn with_gpu(place: &Place, providers: &Path, data: &Path, arguments: &[&str]) -> Ran {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gpu/software.sh");
    let mut command = Command::new(script);
    command.arg("run").arg(providers).arg(env!("CARGO_BIN_EXE_partdiff")).args(arguments);
    command.current_dir(place.path("")).env("PARTDIFF_DATA_DIR", data).output().unwrap().into()
}

/// Largest difference of two images, in levels of 255.
fn difference(one: &Path, other: &Path) -> f32 {
    let (one, other) = (read(one).color, read(other).color);
    let shape = |raster: &partdiff::image::Raster| (raster.channels(), raster.height(), raster.width());
    assert_eq!(shape(&one), shape(&other));
    255.0 * one.data().iter().zip(other.data()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// A folder that holds an ONNX Runtime of its own and, under the name of WebGPU's plug-in, `plugin`.
fn beside(place: &Place, plugin: &[u8]) -> String {
    let installed = partdiff::runtime::find(None, partdiff::runtime::Device::Cpu).unwrap().path;
    let library = place.path("own/libonnxruntime.so.1");
    place.put("own/libonnxruntime_providers_webgpu.so", plugin);
    std::os::unix::fs::symlink(installed, &library).unwrap();
    library.to_str().unwrap().to_owned()
}

#[test]
fn webgpu_makes_the_processors_image() {
    let Some(providers) = providers() else { return };
    let place = Place::new();
    place.put("a.png", &png(8, 6));
    place.upscale(["a.png", "-o", "cpu.png"]).expect(0);
    let built_in = library(&providers.join("webgpu"));
    let plugin = ["upscale", "-v", "--device", "webgpu", "a.png", "-o", "plugin.png"];
    let inside = [
        "upscale",
        "-v",
        "--device",
        "webgpu",
        "--library",
        built_in.to_str().unwrap(),
        "a.png",
        "-o",
        "inside.png",
    ];
    for arguments in [&plugin[..], &inside] {
        let ran = with_gpu(&place, &providers, &providers.join("data"), arguments).expect(0);
        ran.says("runs on webgpu");
        let made = place.path(arguments.last().unwrap());
        let worst = difference(&made, &place.path("cpu.png"));
        assert!(worst < 1.001, "{arguments:?}: {worst} levels");
        let record = partdiff::image::Provenance::read(&read(&made).metadata).expect("no record");
        assert_eq!(record.provider, "webgpu");
    }
    // A GPU of software is slower than the processor, so it is not taken unasked.
    let auto = ["upscale", "-v", "a.png", "-o", "auto.png"];
    let ran = with_gpu(&place, &providers, &providers.join("data"), &auto).expect(0);
    ran.says("runs on cpu (");
    ran.says("webgpu: takes ");
    assert_eq!(difference(&place.path("auto.png"), &place.path("cpu.png")), 0.0);
}

#[test]
fn without_a_driver_webgpu_says_so() {
    let Some(providers) = providers() else { return };
    let place = Place::new();
    place.put("a.png", &png(8, 6));
    let data = providers.join("data");
    let built_in = library(&providers.join("webgpu"));
    let mut command = place.command();
    command.env("VK_ICD_FILENAMES", "/nowhere").env("PARTDIFF_DATA_DIR", &data);
    command.args(["upscale", "--device", "webgpu", "--library", built_in.to_str().unwrap(), "a.png"]);
    let ran = Ran::from(command.output().unwrap()).expect(2);
    ran.says("device webgpu cannot be used: Failed to get a WebGPU adapter: No supported adapters; install");
    assert_eq!(place.files(), ["a.png"]);
    // Where ONNX Runtime sees no graphics card, it offers the plug-in none.
    if !Path::new("/sys/class/drm").exists() {
        let mut command = place.command();
        command.args(["upscale", "--device", "webgpu", "a.png"]).env("PARTDIFF_DATA_DIR", &data);
        Ran::from(command.output().unwrap()).expect(2).says("finds no GPU that it can use here; install");
    }
}

#[test]
fn openvino_makes_the_processors_image_in_every_preset() {
    let Some(providers) = providers() else { return };
    let place = Place::new();
    place.put("a.png", &png(24, 16));
    let built_in = library(&providers.join("openvino"));
    for preset in ["faithful", "balanced", "detailed"] {
        place.upscale(["a.png", "--overwrite", "--preset", preset, "-o", "cpu.png"]).expect(0);
        let mut command = place.command();
        command.args(["upscale", "-v", "--device", "openvino", "--library"]).arg(&built_in);
        command.args(["a.png", "--overwrite", "--preset", preset, "-o", "openvino.png"]);
        Ran::from(command.output().unwrap()).expect(0).says("runs on openvino");
        let worst = difference(&place.path("cpu.png"), &place.path("openvino.png"));
        assert!(worst < 1.001, "{preset}: {worst} levels");
    }
}

/// bf16 is another image, and the record says so.
#[test]
fn bf16_is_what_the_record_says_and_verify_makes() {
    let Some(providers) = providers() else { return };
    let place = Place::new();
    place.put("a.png", &std::fs::read(data("dog.png")).unwrap());
    let built_in = library(&providers.join("openvino"));
    let run = |arguments: &[&str]| {
        let mut command = place.command();
        Ran::from(command.args(arguments).arg("--library").arg(&built_in).output().unwrap())
    };
    let ran =
        run(&["upscale", "-v", "--device", "openvino:bf16", "a.png", "-o", "bf16.png", "--cleanup", "0"]);
    if !std::fs::read_to_string("/proc/cpuinfo").unwrap().contains("bf16") {
        ran.expect(2)
            .says("device openvino:bf16 cannot be used: it computes in 32 bits; take --device openvino,");
        return;
    }
    ran.expect(0).says("runs on openvino:bf16");
    let record =
        partdiff::image::Provenance::read(&read(&place.path("bf16.png")).metadata).expect("no record");
    assert_eq!(record.provider, "openvino:bf16");
    place.upscale(["a.png", "-o", "cpu.png", "--cleanup", "0"]).expect(0);
    let worst = difference(&place.path("bf16.png"), &place.path("cpu.png"));
    assert!(worst > 0.5 && worst < 4.0, "{worst} levels");
    let ran = run(&["verify", "bf16.png", "a.png"]).expect(0);
    assert!(
        String::from_utf8_lossy(&ran.stdout).contains("identical"),
        "{}",
        String::from_utf8_lossy(&ran.stdout)
    );
}

/// The plug-in serves Intel's processors alone, and says so of others.
#[test]
fn the_openvino_plugin_runs_or_names_what_it_misses() {
    let Some(providers) = providers() else { return };
    let place = Place::new();
    place.put("a.png", &png(24, 16));
    place.upscale(["a.png", "-o", "cpu.png"]).expect(0);
    let mut command = place.command();
    command
        .args(["upscale", "--device", "openvino", "a.png", "-o", "b.png"])
        .env("PARTDIFF_DATA_DIR", providers.join("data"));
    let ran = Ran::from(command.output().unwrap());
    if std::fs::read_to_string("/proc/cpuinfo").unwrap().contains("GenuineIntel") {
        ran.expect(0);
        let worst = difference(&place.path("cpu.png"), &place.path("b.png"));
        assert!(worst < 1.001, "{worst} levels");
    } else {
        ran.expect(2).says(
            "finds no processor that it can use here; run `partdiff runtime install --device openvino`",
        );
        use std::io::Write;
        let _ = writeln!(
            std::io::stderr(),
            "not run: the OpenVINO plug-in on a processor, for this one is not Intel's"
        );
    }
}

#[test]
fn an_old_library_has_no_plugins() {
    let Some(providers) = providers() else { return };
    let place = Place::new();
    place.put("a.png", &png(8, 6));
    let old = library(&providers.join("old"));
    let upscale = |device: &str, name: &str| {
        let mut command = place.command();
        command.args(["upscale", "--device", device, "--library"]).arg(&old).args(["a.png", "-o", name]);
        Ran::from(command.env("PARTDIFF_DATA_DIR", providers.join("data")).output().unwrap())
    };
    upscale("cpu", "old.png").expect(0);
    upscale("webgpu", "b.png")
        .expect(2)
        .says("ONNX Runtime 1.20.1 takes no plug-ins; 1.22 or newer is needed");
    upscale("auto", "c.png").expect(0);
    place.upscale(["a.png", "-o", "new.png"]).expect(0);
    assert!(difference(&place.path("old.png"), &place.path("new.png")) < 1.001);
}

#[test]
fn a_missing_or_wrong_plugin_costs_an_error_and_auto_a_line() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("a.png", &png(8, 6));
    let library = beside(&place, &b"no library".repeat(10));
    let upscale = |device: &str, name: &str| {
        let mut command = place.command();
        command.args(["upscale", "-v", "--device", device, "--library", &library, "a.png", "-o", name]);
        Ran::from(command.env("PARTDIFF_DATA_DIR", place.path("data")).output().unwrap())
    };
    let ran = upscale("webgpu", "b.png").expect(2);
    ran.says("device webgpu cannot be used: ");
    ran.says("own/libonnxruntime_providers_webgpu.so: is not a shared library (64-bit ELF); install");
    let ran = upscale("auto", "b.png").expect(0);
    ran.says("runs on cpu (webgpu: ");
    ran.says("is not a shared library");
    let ran = upscale("openvino", "c.png").expect(2);
    ran.says("device openvino cannot be used: its plug-in is not installed; run `partdiff runtime install --device openvino`");
    // A library, but no plug-in.
    let map = std::fs::read_to_string("/proc/self/maps").unwrap();
    let line = map.lines().find(|line| line.contains("libc.so")).expect("no C library is mapped");
    std::fs::copy(&line[line.find('/').unwrap()..], place.path("own/libonnxruntime_providers_webgpu.so"))
        .unwrap();
    upscale("webgpu", "c.png").expect(2).says("undefined symbol: CreateEpFactories");
}

#[test]
fn a_plugin_that_crashes_takes_nothing_with_it() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("a.png", &png(8, 6));
    let source = place.put(
        "crash.c",
        b"#include <stdlib.h>\n__attribute__((constructor)) static void crash(void) { abort(); }\n",
    );
    let plugin = place.path("crash.so");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&plugin).arg(&source).status();
    if !built.is_ok_and(|status| status.success()) {
        return skipped!("there is no C compiler");
    }
    let library = beside(&place, &std::fs::read(&plugin).unwrap());
    let upscale = |device: &str, name: &str| {
        let mut command = place.command();
        command.args(["upscale", "-v", "--device", device, "--library", &library, "a.png", "-o", name]);
        Ran::from(command.env("PARTDIFF_DATA_DIR", place.path("data")).output().unwrap())
    };
    let ran = upscale("webgpu", "b.png").expect(2);
    ran.says("device webgpu cannot be used: it ends the process that loads it (signal: 6 (SIGABRT)");
    // The verdict is kept, and the processor does the work.
    let plain = place
        .command()
        .args(["upscale", "--library", &library, "a.png", "-o", "plain.png"])
        .env("PARTDIFF_DATA_DIR", place.path("data"))
        .output()
        .unwrap();
    Ran::from(plain).expect(0).says("runs on cpu (webgpu: it ends the process");
    upscale("auto", "b.png")
        .expect(0)
        .says("runs on cpu (webgpu: it ends the process that loads it (signal: 6");
    let ran = Ran::from(
        place
            .command()
            .args(["doctor", "--library", &library])
            .env("PARTDIFF_DATA_DIR", place.path("data"))
            .output()
            .unwrap(),
    );
    let said = String::from_utf8(ran.stdout).unwrap();
    assert!(
        said.contains("warning: webgpu does not run: it ends the process that loads it (signal: 6"),
        "{said}"
    );
}
