//! Results that cannot be written.

use std::fs;

use super::{Place, has_runtime, png};

#[test]
fn a_file_in_the_way_of_a_folder_is_named() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("a.png", &png(6, 6));
    place.put("file", b"in the way");
    place.upscale(["a.png", "-o", "file/b.png"]).expect(1).says("cannot write file/b.png");
    place.upscale(["a.png", "-o", "/proc/none/b.png"]).expect(1).says("cannot write /proc/none/b.png");
    assert_eq!(place.files(), ["a.png", "file"]);
}

#[test]
fn originals_survive_every_way_of_naming_them() {
    let place = Place::new();
    let original = png(6, 6);
    let path = place.put("a.png", &original);
    let whole = path.to_str().unwrap();
    for output in ["a.png", "./a.png", whole] {
        place.upscale(["a.png", "-o", output, "--overwrite"]).expect(1).says("is also an input");
    }
    assert_eq!(fs::read(&path).unwrap(), original);
}

#[cfg(target_os = "linux")]
#[test]
fn a_device_is_not_replaced_and_a_full_pipe_is_an_error() {
    let place = Place::new();
    place.put("a.png", &png(6, 6));
    let ran = place.upscale(["a.png", "-o", "/dev/full", "--format", "png", "--overwrite"]).expect(1);
    ran.says("/dev/full is not an ordinary file");
    if !has_runtime() {
        return;
    }
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_partdiff"));
    let output =
        command.current_dir(place.path("")).args(["upscale", "a.png", "-o", "-"]).stdout(full).output();
    let ran = super::Ran::from(output.unwrap()).expect(1);
    ran.says("partdiff: a.png: cannot write to standard output: No space left on device");
}

/// The shell's limit on file sizes stops writing as a full disk does, in the middle of the file.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_fills_up_leaves_neither_result_nor_temporary() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("a.png", &png(40, 40));
    let script = "trap '' XFSZ; ulimit -f 4; exec \"$0\" upscale a.png -o out/b.bmp";
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_partdiff")]).current_dir(place.path(""));
    let ran = super::Ran::from(shell.output().unwrap()).expect(1);
    ran.says("partdiff: a.png: cannot write out/b.bmp");
    ran.says("File too large");
    assert_eq!(place.files(), ["a.png"]);
}

/// A file system of its own that is too small; needs the right to mount one.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_neither_result_nor_temporary() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("a.png", &png(40, 40));
    fs::create_dir(place.path("disk")).unwrap();
    let script = "mount -t tmpfs -o size=16k none disk || exit 99
        \"$0\" upscale a.png -o disk/b.bmp; code=$?; ls -A disk; exit $code";
    let mut shell = std::process::Command::new("unshare");
    shell.args(["--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_partdiff")]).current_dir(place.path(""));
    match shell.output() {
        Ok(output) if output.status.code() == Some(1) && !output.stderr.starts_with(b"unshare") => {
            let ran = super::Ran::from(output);
            ran.says("partdiff: a.png: cannot write disk/b.bmp");
            ran.says("No space left on device");
            assert!(ran.stdout.is_empty(), "left behind: {}", String::from_utf8_lossy(&ran.stdout));
        }
        Ok(output) if output.status.success() => panic!("an image larger than the disk was written"),
        _ => skipped!("no right to mount a file system"),
    }
}
