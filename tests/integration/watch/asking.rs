//! What people ask the ledger, and tell it.

use std::fs;
use std::process::Command;

use serde_json::Value;

use super::place::{Place, ppm};
use super::stub::once;
use crate::cli::web_page::page_data;

/// A place with an image that was made and one that failed for good.
fn place() -> Place {
    let place = Place::new();
    fs::write(place.path("in/good.ppm"), ppm(8, 1)).unwrap();
    fs::write(place.path("in/bad.ppm"), &ppm(8, 2)[..90]).unwrap();
    assert_eq!(once(&mut place.stub("attempts = 1\n")).status().unwrap().code(), Some(1));
    place
}

fn answer(place: &Place, words: &[&str]) -> (Option<i32>, String, String) {
    let output = place.query(words);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_status_of_one_file_is_of_that_file_alone() {
    let place = place();
    let (code, out, _) = answer(&place, &["status", "./good.ppm"]);
    assert_eq!((code, out.lines().count()), (Some(0), 1));
    let expected = format!("done in: good.ppm: {}, 16 x 16, ", place.path("out/good.ppm").display());
    assert!(out.starts_with(&expected), "{out}");
    let (code, out, _) = answer(&place, &["status", "bad.ppm"]);
    assert_eq!(code, Some(0));
    assert_eq!(out, "failed in: bad.ppm: the PNM data is truncated: the file ends too early (1 try)\n");
    let (code, out, _) = answer(&place, &["status", "--limit", "0"]);
    assert_eq!(code, Some(0));
    assert_eq!(out, "in: 1 done, 1 failed\nand more: a larger --limit shows them\n");
}

#[test]
fn a_page_shows_every_file() {
    let place = place();
    let page = place.path("status.html");
    let words = ["status", "--html", page.to_str().unwrap()];
    for _ in 0..2 {
        assert_eq!(answer(&place, &words), (Some(0), String::new(), String::new()));
    }
    let data = page_data(&page);
    assert_eq!(data["run"]["title"], "1 done, 1 failed");
    let rows = data["rows"].as_array().unwrap();
    let row = |name: &str| rows.iter().find(|row| row["input"] == name).unwrap();
    let (good, bad) = (row("in: good.ppm"), row("in: bad.ppm"));
    assert_eq!((rows.len(), &good["width"], &good["state"]), (2, &16.into(), &"done".into()));
    for picture in ["before", "after"] {
        assert!(good[picture].as_str().unwrap().starts_with("data:image/"), "{good}");
    }
    assert!(good["mean"].as_f64().is_some() && good["steps"].as_u64().is_some(), "{good}");
    assert_eq!(bad["reason"], "the PNM data is truncated: the file ends too early");
    fs::write(&page, "mine").unwrap();
    let (code, _, complaint) = answer(&place, &words);
    assert!(code == Some(2) && complaint.contains("is no report of partdiff"), "{complaint}");
    assert_eq!(fs::read(&page).unwrap(), b"mine");
    assert_eq!(answer(&place, &[&words[..], &["--json"]].concat()).0, Some(2));
}

#[test]
fn files_that_nobody_knows_are_named() {
    let place = place();
    for words in [&["status", "nope.ppm"][..], &["history", "nope.ppm"], &["retry", "nope.ppm"]] {
        let (code, _, complaint) = answer(&place, words);
        assert_eq!(code, Some(1), "{words:?}");
        assert!(complaint.starts_with("partdiff: nope.ppm: not in the ledger"), "{complaint}");
    }
    // The others are dealt with all the same.
    let (code, out, complaint) = answer(&place, &["retry", "bad.ppm", "nope.ppm"]);
    assert_eq!((code, out.as_str()), (Some(1), "retried: in: bad.ppm\n1 retried\n"));
    assert!(complaint.contains("nope.ppm") && !complaint.contains("bad.ppm"), "{complaint}");
    // Nothing is wrong with wanting twice what is to be done anyway.
    let (code, out, complaint) = answer(&place, &["retry", "bad.ppm"]);
    assert_eq!((code, out.as_str()), (Some(0), "0 retried\n"));
    assert!(complaint.contains("not retried: settling in: bad.ppm"), "{complaint}");
    let (code, out, complaint) = answer(&place, &["forget", "good.ppm", "nope.ppm"]);
    assert_eq!((code, out.as_str()), (Some(1), "forgotten: in: good.ppm\n1 forgotten\n"));
    assert!(complaint.contains("nope.ppm"), "{complaint}");
    assert_eq!(answer(&place, &["forget"]).0, Some(2));
}

#[test]
fn programs_get_the_same_as_json() {
    let place = place();
    let json = |words: &[&str]| -> Value { serde_json::from_str(&answer(&place, words).1).unwrap() };
    let status = json(&["status", "--json"]);
    assert_eq!(status["watches"]["in"]["done"], 1);
    assert_eq!(
        (&status["inputs"][0]["input"], &status["inputs"][0]["state"]),
        (&"bad.ppm".into(), &"failed".into())
    );
    assert_eq!(status["inputs"][0]["reason"], "the PNM data is truncated: the file ends too early");
    let good = json(&["status", "--json", "good.ppm"])["inputs"][0].clone();
    assert_eq!(good["output"], place.path("out/good.ppm").to_str().unwrap());
    assert_eq!((&good["width"], &good["state"]), (&16.into(), &"done".into()));
    let (_, history, _) = answer(&place, &["history", "--json", "good.ppm"]);
    let events: Vec<Value> = history.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let states: Vec<_> = events.iter().map(|event| event["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["done", "running", "queued"]);
    assert_eq!(events[0]["detail"], good["output"]);
}

#[test]
fn a_dry_run_lists_what_is_left_to_do() {
    let place = place();
    fs::write(place.path("in/new.ppm"), ppm(8, 3)).unwrap();
    let history = || answer(&place, &["history"]).1;
    let before = history();
    let dry = |options: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_partdiff"));
        command.arg("watch").arg("--config").arg(place.path("watch.toml")).arg("--dry-run").args(options);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let bad = "failed bad.ppm (the PNM data is truncated: the file ends too early)\n";
    let (list, summary) = dry(&[]);
    assert_eq!(list, format!("{bad}take new.ppm\n"));
    assert_eq!(summary, "1 to take, 1 given up, 1 done already\n");
    // Times alone are no reason to do a file again; contents are.
    fs::write(place.path("in/good.ppm"), ppm(8, 1)).unwrap();
    fs::write(place.path("in/bad.ppm"), &ppm(8, 2)[..90]).unwrap();
    assert_eq!(dry(&[]).0, format!("{bad}take new.ppm\n"));
    fs::write(place.path("in/good.ppm"), ppm(8, 4)).unwrap();
    assert_eq!(dry(&[]).0, format!("{bad}take good.ppm\ntake new.ppm\n"));
    assert_eq!(history(), before);
    assert!(place.query(&["retry", "bad.ppm"]).status.success());
    assert_eq!(dry(&[]).0, "take bad.ppm\ntake good.ppm\ntake new.ppm\n");
    let (json, _) = dry(&["--json"]);
    let first: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["fate"], &first["input"], &first["watch"]),
        (&"take".into(), &"bad.ppm".into(), &"in".into())
    );
}
