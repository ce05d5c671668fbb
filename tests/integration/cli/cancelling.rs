//! Ctrl-C and its kin.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use super::{Place, has_runtime, png};

/// Starts a long run over `inputs`, sends `signal` as soon as `event` is told, and expects a clean end.
#[track_caller]
fn stopped_by(signal: &str, event: &str, inputs: &[&str]) {
    let place = Place::new();
    for input in inputs {
        place.put(input, &png(500, 400));
    }
    let mut child = Command::new(env!("CARGO_BIN_EXE_partdiff"))
        .current_dir(place.path(""))
        .arg("upscale")
        .args(inputs)
        .args(["-o", "out/", "--json", "--steps", "40", "--device", "cpu"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mark = format!("\"event\":\"{event}\"");
    assert!(lines.any(|line| line.contains(&mark)), "no {event} was told");
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let rest: Vec<String> = lines.collect();
    let status = child.wait().unwrap();
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!(status.code(), Some(1), "{errors}");
    assert!(rest.iter().any(|line| line.contains("\"kind\":\"cancelled\"")), "{rest:?}");
    assert!(rest.last().unwrap().contains("\"cancelled\":true"), "{rest:?}");
    assert_eq!(place.files(), inputs);
}

#[test]
fn an_interrupt_leaves_neither_result_nor_temporary() {
    if has_runtime() {
        stopped_by("-INT", "start", &["a.png"]);
        stopped_by("-INT", "progress", &["a.png", "b.png", "c.png"]);
    }
}

#[test]
fn a_request_to_end_does_as_well() {
    if has_runtime() {
        stopped_by("-TERM", "progress", &["a.png"]);
    }
}
