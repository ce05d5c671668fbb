//! Folders with very many files.

use std::fs;
use std::path::Path;
use std::time::Instant;

use super::place::{Place, ppm};

const FILES: usize = 20_000;
const BURST: usize = 5_000;

/// Most memory that the daemon may take, as docs/watch.md states it.
const MEMORY_KIB: u64 = 100 << 10;

/// On a memory disk where there is one: the ledger's flushes would only measure the disk.
fn place() -> Place {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { Place::below(memory) } else { Place::new() }
}

#[test]
fn twenty_thousand_files_and_a_burst_of_five_thousand_are_all_made() {
    let place = place();
    for index in 0..FILES {
        fs::write(place.path(&format!("in/{index}.ppm")), ppm(2, index)).unwrap();
    }
    let start = Instant::now();
    let mut daemon = place.spawn(&mut place.stub("rescan = \"10min\"\n"));
    let done = || place.figure("inputs{watch=\"in\",state=\"done\"}") as usize;
    place.until("all results", || done() == FILES);
    println!("{FILES} files: {:.1} s, {} MiB", start.elapsed().as_secs_f64(), daemon.peak_kib() >> 10);
    assert!(daemon.peak_kib() < MEMORY_KIB, "{} KiB", daemon.peak_kib());
    assert_eq!(daemon.end(), Some(0));
    assert_eq!(place.visible().len(), FILES);

    // A new start looks at all of them and does nothing again; then a burst, written and moved in.
    fs::remove_file(place.path("metrics")).unwrap();
    let start = Instant::now();
    let mut daemon = place.spawn(&mut place.stub("rescan = \"10min\"\n"));
    place.until("the look", || done() == FILES);
    println!("start again: {:.1} s, {} MiB", start.elapsed().as_secs_f64(), daemon.peak_kib() >> 10);
    fs::create_dir(place.path("aside")).unwrap();
    for index in FILES..FILES + BURST / 2 {
        fs::write(place.path(&format!("aside/{index}.ppm")), ppm(2, index)).unwrap();
    }
    let start = Instant::now();
    for index in FILES..FILES + BURST / 2 {
        fs::rename(place.path(&format!("aside/{index}.ppm")), place.path(&format!("in/{index}.ppm")))
            .unwrap();
        let written = index + BURST / 2;
        fs::write(place.path(&format!("in/{written}.ppm")), ppm(2, written)).unwrap();
    }
    place.until("the burst", || done() == FILES + BURST);
    println!("burst of {BURST}: {:.1} s, {} MiB", start.elapsed().as_secs_f64(), daemon.peak_kib() >> 10);
    assert!(daemon.peak_kib() < MEMORY_KIB, "{} KiB", daemon.peak_kib());
    assert_eq!(place.figure("results_total{watch=\"in\"}") as usize, BURST);
    assert_eq!(daemon.end(), Some(0));
    let expected = (0..FILES + BURST).map(|index| format!("{index}.ppm").into_bytes()).collect();
    assert_eq!(place.results(), expected);
    assert!(!place.log().contains("failed: "), "{}", place.log());
}
