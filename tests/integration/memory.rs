//! Peak memory of the command, measured from outside.

use std::fs;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use partdiff::Limits;
use partdiff::image::{EncodeOptions, Image, ImageFormat, Kernel, SampleDepth, decode, encode, resize};

use crate::real_model::data;

/// Waits for a process and returns its highest resident memory in MiB, too.
pub fn watch(child: &mut Child) -> (ExitStatus, u64) {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let exit = loop {
        // The kernel's own high-water mark, so that nothing between two looks is missed.
        if let Ok(status) = fs::read_to_string(&status)
            && let Some(line) = status.lines().find(|line| line.starts_with("VmHWM:"))
        {
            peak = line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024;
        }
        if let Some(exit) = child.try_wait().unwrap() {
            break exit;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    (exit, peak)
}

/// Runs `partdiff upscale` and returns its highest resident memory in MiB.
fn peak_mib(width: usize, height: usize, arguments: &[&str]) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.png"), folder.path().join("out.png"));
    let photo = decode(&fs::read(data("house.png")).unwrap(), &Limits::default()).unwrap().color;
    let photo = resize(&photo, height, width, Kernel::Cubic { a: -0.5 });
    let image = Image::new(photo, None, SampleDepth::U8, ImageFormat::Png);
    fs::write(&input, encode(&image, &EncodeOptions::new(ImageFormat::Png)).unwrap().bytes).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_partdiff"))
        .arg("upscale")
        .arg(&input)
        .arg("-o")
        .arg(&output)
        .args(["--quiet", "--device", "cpu", "--steps", "1"])
        .args(arguments)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let (exit, peak) = watch(&mut child);
    assert!(exit.success());
    let result = fs::read(&output).unwrap();
    let result = image::ImageReader::new(std::io::Cursor::new(result)).with_guessed_format().unwrap();
    assert_eq!(result.into_dimensions().unwrap(), (4 * width as u32, 4 * height as u32));
    peak
}

#[test]
fn a_24_megapixel_result_stays_within_one_gigabyte() {
    let peak = peak_mib(1500, 1000, &["--memory", "1G"]);
    println!("24 megapixels with --memory 1G: {peak} MiB");
    assert!((300..=1024).contains(&peak), "{peak} MiB");
}

#[test]
fn a_24_megapixel_result_that_meets_its_input_stays_within_one_gigabyte() {
    // Which needs the whole result, not strips of it, and more beside it; as many rounds as the preset does.
    let peak = peak_mib(1500, 1000, &["--memory", "1G", "--consistency", "32"]);
    println!("24 megapixels with --memory 1G --consistency 32: {peak} MiB");
    assert!((500..=960).contains(&peak), "{peak} MiB");
}

#[test]
fn a_6_megapixel_result_stays_within_the_default() {
    // The default is half of the free memory; a quarter of a gigabyte more is for the program itself.
    let half = sysinfo_available_mib() / 2;
    let peak = peak_mib(750, 500, &[]);
    println!("6 megapixels with the default of {half} MiB: {peak} MiB");
    assert!(peak <= half + 256, "{peak} MiB of {half}");
}

fn sysinfo_available_mib() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap();
    let line = text.lines().find(|line| line.starts_with("MemAvailable:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}
