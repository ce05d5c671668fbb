//! What volumes hold of k-space, and what they do not.

use std::fs;
use std::process::Command;

use super::{Judge, Place, ready};

const KSPACE: Judge = Judge { script: "kspace.py", ..super::NIFTI };

#[test]
fn the_band_of_k_space_that_the_input_holds_is_put_back_exactly() {
    if !ready() {
        return;
    }
    let place = Place::with_volumes("masked");
    for (factor, folder) in [("4", "a"), ("2.5", "b")] {
        let kernel = ["--consistency-kernel", "kspace", "--preset", "faithful"];
        fs::create_dir(place.0.path().join(folder)).unwrap();
        let told = place.made(&[&["in/scan.nii", "-o", folder, "-s", factor][..], &kernel].concat());
        assert!(!told.contains("warning"), "{told}");
        KSPACE.judge(&place, &["kspace", "in", folder]);
    }
    for (arguments, message) in [
        ("--through iso", "works on whole slices in the plane: expected no --through and no --mask"),
        ("--consistency 3", "--consistency does not go with --consistency-kernel kspace"),
        ("--uncertainty m.nii", "--uncertainty does not go with --consistency-kernel kspace"),
    ] {
        let words = ["in/scan.nii", "-o", "c.nii", "--consistency-kernel", "kspace"];
        let words: Vec<_> = words.into_iter().chain(arguments.split(' ')).collect();
        let output = place.upscale(&words);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && told.contains(message), "{told}");
    }
    // The preset's back-projection is left out where nobody says that it suits.
    let told = place.made(&["in/scan.nii", "-o", "d.nii", "--preset", "faithful"]);
    assert!(told.contains("--consistency-kernel bicubic asks for it"), "{told}");
    let told = place.made(&[
        "in/scan.nii",
        "-o",
        "e.nii",
        "--preset",
        "faithful",
        "--consistency-kernel",
        "bicubic",
    ]);
    assert!(!told.contains("warning"), "{told}");
    let read = |name: &str| fs::read(place.0.path().join(name)).unwrap();
    assert_ne!(read("d.nii"), read("e.nii"));
}

#[test]
fn one_step_puts_k_space_back_where_the_result_shows_that_it_was_truncated() {
    if !ready() {
        return;
    }
    let place = Place::made_by(&KSPACE, "truncated");
    let said = "the k-space of the slices was put back";
    let made = |words: &[&str]| place.made(&[&["-s", "2", "-o"], words].concat());
    let none = |words: &[&str]| assert!(!made(words).contains(said), "{words:?}");
    fs::create_dir(place.0.path().join("out")).unwrap();
    let told = made(&["out/truncated.nii", "in/truncated.nii", "-p", "faithful"]);
    assert!(told.contains(said) && !told.contains("warning"), "{told}");
    none(&["out/plain.nii", "in/truncated.nii", "--consistency", "0"]);
    KSPACE.judge(&place, &["truncated", "in", "out"]);
    let read = |name: &str| fs::read(place.0.path().join(name)).unwrap();
    // It is the same as asked for, for any number of threads, and made again by the record.
    made(&["asked.nii", "in/truncated.nii", "-p", "faithful", "--consistency-kernel", "kspace"]);
    made(&["one.nii", "in/truncated.nii", "-p", "faithful", "--threads", "1"]);
    assert!(read("asked.nii") == read("out/truncated.nii") && read("one.nii") == read("asked.nii"));
    let mut verify = Command::new(env!("CARGO_BIN_EXE_partdiff"));
    let verify = verify.current_dir(place.0.path()).args(["verify", "asked.nii", "in/truncated.nii"]);
    assert!(String::from_utf8_lossy(&verify.output().unwrap().stdout).contains("identical"));
    // Along an axis that is not the slowest of the file, too.
    assert!(made(&["across.nii", "in/across.nii", "--plane", "jk"]).contains(said));
    // Not where it was shrunk, nor where values below zero were not turned, or more than one step is made.
    none(&["shrunk.nii", "in/shrunk.nii"]);
    none(&["signed.nii", "in/signed.nii"]);
    none(&["steps.nii", "in/truncated.nii", "-p", "balanced"]);
    none(&["clean.nii", "in/truncated.nii", "--cleanup", "0.5"]);
}

#[test]
fn what_the_scanner_interpolated_is_told_and_taken_back_in_k_space() {
    if !ready() {
        return;
    }
    let place = Place::made_by(&KSPACE, "native");
    let told = place.made(&["in", "-o", "out/", "-s", "1", "--native"]);
    assert!(told.contains("reduced first to the acquired grid of 144x64x6"), "{told}");
    assert!(!told.contains("warning"), "{told}");
    KSPACE.judge(&place, &["native", "in", "out"]);
    // Told without being asked.
    let told = place.made(&["in/found.nii", "-s", "1.1", "-o", "a.nii"]);
    assert!(told.contains("x64x6, interpolated before it was stored; --native reduces"), "{told}");
    // Nothing to do.
    let told = place.made(&["full.nii", "-s", "1.1", "--native", "-o", "b.nii"]);
    assert!(
        told.contains("warning: --native has nothing to do") && !told.contains("the acquired grid"),
        "{told}"
    );
    // In place, what was acquired is known before the file is replaced.
    fs::copy(place.0.path().join("in/found.nii"), place.0.path().join("own.nii")).unwrap();
    let told = place.made(&["own.nii", "--in-place", "--no-backup", "-s", "0.5"]);
    assert!(told.contains("interpolated before it was stored"), "{told}");
    // Through the plane too, and verified.
    place.made(&["in/stated.nii", "--native", "--through", "2", "-o", "c.nii"]);
    // The record says to what it was reduced, whatever lies beside the source now.
    fs::remove_file(place.0.path().join("in/stated.json")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_partdiff"));
    let found =
        command.current_dir(place.0.path()).args(["verify", "c.nii", "in/stated.nii"]).output().unwrap();
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stdout));
}
