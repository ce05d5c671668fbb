//! How busy `partdiff watch` keeps the engine with a queue of small images: reading, writing and hashing should
//! overlap it. `cargo bench --bench watch [-- COUNT SIDE [STEPS]]`

use std::path::Path;
use std::process::Command;

use partdiff::watch::Ledger;
use partdiff::watch::ledger::entry::State;
use partdiff::watch::worker::protocol::Made;

fn main() {
    let numbers: Vec<u32> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    match numbers[..] {
        [] => [(50, 128), (100, 64), (200, 32)].into_iter().for_each(|(count, side)| measure(count, side, 4)),
        [count, side] => measure(count, side, 4),
        [count, side, steps] => measure(count, side, steps),
        _ => panic!("expected COUNT SIDE [STEPS]"),
    }
}

fn measure(count: u32, side: u32, steps: u32) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("in")).expect("a folder");
    let photo = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/house.png");
    let photo = image::open(photo).expect("tests/data/house.png").to_rgb8();
    let (width, height) =
        (photo.width().saturating_sub(side).max(1), photo.height().saturating_sub(side).max(1));
    for index in 0..count {
        let cut = image::imageops::crop_imm(&photo, index * 31 % width, index * 17 % height, side, side);
        // Twins would only be copied.
        let mut cut = cut.to_image();
        cut.put_pixel(0, 0, image::Rgb([index as u8, (index >> 8) as u8, 128]));
        cut.save(path("in").join(format!("{index}.png"))).expect("saved");
    }
    let status = Command::new(env!("CARGO_BIN_EXE_partdiff"))
        .arg("watch")
        .args([path("in"), path("out")])
        .arg("--state")
        .arg(path("state"))
        .args(["--once", "--settle", "100ms", "--device", "cpu", "--json", "--steps", &steps.to_string()])
        .stdout(std::process::Stdio::null())
        .status()
        .expect("started");
    assert!(status.success(), "{status}");
    let ledger = Ledger::open(&path("state")).expect("the ledger");
    let made: Vec<Made> = ledger
        .list(Some(State::Done), count)
        .expect("entries")
        .into_iter()
        .filter_map(|entry| serde_json::from_str(&entry.result?.details).ok())
        .collect();
    assert_eq!(made.len() as u32, count);
    let mut spans: Vec<_> =
        made.iter().map(|made| (made.engine_began, made.engine_began + made.engine_seconds)).collect();
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Several images are in the engine at the same time.
    let (began, mut ended, mut engine) = (spans[0].0, spans[0].0, 0.0);
    for (start, end) in spans {
        engine += (end - ended.max(start)).max(0.0);
        ended = ended.max(end);
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as f64;
    let wall = ended - began;
    let sessions = made.iter().map(|made| made.network_seconds).sum::<f64>() / threads;
    println!(
        "{count} images of {side}x{side}, {steps} steps: {wall:.2} s, {:.1} a second; engine busy {:.1} % of the \
         time, each of its {threads} sessions {:.1} %",
        f64::from(count) / wall,
        100.0 * engine / wall,
        100.0 * sessions / wall
    );
}
