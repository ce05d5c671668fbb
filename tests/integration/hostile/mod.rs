//! Files made to do harm: each is read, or refused with a sentence, and takes no more memory than the limits allow.

mod corpus;

use std::collections::BTreeMap;
use std::process::Command;

use partdiff::image::{decode, header, page_count};
use partdiff::{ErrorKind, Limits};

use corpus::{Hostile, corpus};

/// Tells the test's own binary to do the reading, so that its memory can be measured apart from other tests.
const CHILD: &str = "PARTDIFF_HOSTILE_CHILD";

const PIXELS: u64 = 4_000_000;

#[test]
fn hostile_files_cost_a_sentence_and_no_more_memory_than_the_limits() {
    if std::env::var_os(CHILD).is_some() {
        return read_all();
    }
    let test = "hostile::hostile_files_cost_a_sentence_and_no_more_memory_than_the_limits";
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let (told, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}\n{errors}");
    assert!(!errors.contains("panicked"), "{errors}");
    println!("{told}");
    let line = told.lines().find_map(|line| line.split("files of ").nth(1)).expect("the child's report");
    assert!(line.contains("formats"), "{told}");
    if let Some(peak) = line.split("peak ").nth(1).and_then(|rest| rest.split(' ').next()) {
        let peak: u64 = peak.parse().unwrap();
        // The limit for decoding, the corpus itself, and the program.
        assert!(peak < 64 + 128, "{peak} MiB");
    }
}

fn read_all() {
    let limits = Limits { max_pixels: PIXELS, max_decode_bytes: 64 << 20, ..Limits::default() };
    let files = corpus();
    assert!(files.len() >= 300);
    let mut kinds: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for Hostile { name, bytes } in &files {
        let format = name.split(' ').next().unwrap().to_owned();
        let (read, refused) = kinds.entry(format).or_default();
        let _ = header(std::io::Cursor::new(bytes));
        let _ = page_count(bytes);
        match decode(bytes, &limits) {
            Ok(image) => {
                assert!((image.width() * image.height()) as u64 <= PIXELS, "{name}");
                *read += 1;
            }
            Err(error) => {
                let report = error.report();
                assert!(matches!(error.kind(), ErrorKind::Input | ErrorKind::Limit), "{name}: {report}");
                assert!(error.to_string().len() > 10, "{name}: {report}");
                *refused += 1;
            }
        }
    }
    for (kind, (read, refused)) in &kinds {
        println!("{kind}: {read} read, {refused} refused");
    }
    let peak = peak_mib().map_or(String::new(), |peak| format!(", peak {peak} MiB"));
    println!("{} files of {} formats{peak}", files.len(), kinds.len());
}

/// The highest resident memory of this process.
fn peak_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
}

#[cfg(all(feature = "cli", target_os = "linux"))]
#[test]
fn the_command_names_each_hostile_file_and_stays_small() {
    use std::fs;
    use std::process::Stdio;

    use partdiff::runtime::{Device, find};
    use serde_json::Value;

    if let Err(error) = find(None, Device::Cpu) {
        skipped!("{}", error.report());
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let inputs = place.path().join("in");
    fs::create_dir(&inputs).unwrap();
    let files: Vec<_> = corpus().into_iter().enumerate().filter(|(i, _)| *i < 30 || i % 67 == 0).collect();
    for (i, Hostile { bytes, .. }) in &files {
        fs::write(inputs.join(format!("{i}.png")), bytes).unwrap();
    }
    for threads in ["2", "16"] {
        let (told, errors) = (place.path().join("told"), place.path().join("errors"));
        let mut child = Command::new(env!("CARGO_BIN_EXE_partdiff"))
            .args(["upscale", "--json", "--device", "cpu", "--steps", "1", "--cleanup", "0"])
            .args(["--memory", "400M", "--max-pixels", "4M", "--overwrite", "--threads", threads])
            .arg(&inputs)
            .arg("-o")
            .arg(place.path().join("out"))
            .stdin(Stdio::null())
            .stdout(fs::File::create(&told).unwrap())
            .stderr(fs::File::create(&errors).unwrap())
            .spawn()
            .unwrap();
        let (exit, peak) = crate::memory::watch(&mut child);
        let (told, errors) = (fs::read_to_string(told).unwrap(), fs::read_to_string(errors).unwrap());
        assert_eq!(exit.code(), Some(1), "{errors}");
        assert!(!told.contains("panicked") && !errors.contains("panicked"), "{told}\n{errors}");
        let mut ends: BTreeMap<String, String> = BTreeMap::new();
        for event in told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
            if matches!(event["event"].as_str(), Some("done" | "failed")) {
                // Pages of a file end one by one.
                let end = event["reason"].as_str().unwrap_or("done").to_owned();
                ends.insert(event["input"].as_str().unwrap().to_owned(), end);
            }
        }
        for (i, Hostile { name, .. }) in &files {
            let end = ends.get(inputs.join(format!("{i}.png")).to_str().unwrap());
            assert!(end.is_some_and(|end| end == "done" || end.len() > 10), "{name}: {end:?}");
        }
        println!("{} files through the command with {threads} threads, peak {peak} MiB", files.len());
        // A tenth of the memory stays in reserve.
        assert!(peak <= 360, "{threads} threads: {peak} MiB");
    }
}
