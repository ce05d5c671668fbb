//! The plug-ins in GIMP's real windows, on a virtual screen.

#![cfg(target_os = "linux")]

#[macro_use]
mod common;

use std::path::Path;

use common::{CASES, Generation, Gimp};

fn drive(generation: Generation) {
    let Some(gimp) = Gimp::new(generation) else { return };
    let (program, repository) = match generation {
        Generation::Two => ("gimp-2.10", Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/window.sh")),
        Generation::Three => ("gimp-3.0", "/partdiff/plugin-api/hosts/gimp/tests/window.sh".into()),
    };
    let tools = gimp
        .command(&["sh", "-c", "command -v xvfb-run && command -v xdotool && command -v import"])
        .output();
    if !tools.is_ok_and(|output| output.status.success()) {
        skipped!("xvfb, xdotool and ImageMagick are needed");
        return;
    }
    let image = CASES[0].write(&gimp);
    let shots = gimp.path("shots");
    let words = [
        "timeout",
        "900",
        "xvfb-run",
        "-a",
        "-s",
        "-screen 0 1280x900x24",
        "bash",
        repository.to_str().unwrap(),
        program,
        image.to_str().unwrap(),
        "72x54",
        shots.to_str().unwrap(),
    ];
    let output = gimp.command(&words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    if let Some(keep) = std::env::var_os("PARTDIFF_GIMP_SHOTS") {
        let keep = Path::new(&keep).join(program);
        std::fs::create_dir_all(&keep).unwrap();
        for shot in std::fs::read_dir(&shots).unwrap().flatten() {
            std::fs::copy(shot.path(), keep.join(shot.file_name())).unwrap();
        }
    }
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("ok: the image is as it was"));
}

#[test]
fn gimp_2_works_in_its_windows() {
    drive(Generation::Two);
}

#[test]
fn gimp_3_works_in_its_windows() {
    drive(Generation::Three);
}
