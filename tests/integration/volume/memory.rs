//! Peak memory of a large volume, with a network that costs nothing.

use std::fs;
use std::io::{BufWriter, Seek, Write};
use std::path::Path;
use std::process::Command;

use partdiff::image::Raster;
use partdiff::runtime::network::{Condition, Network};
use partdiff::volume::{Listener, Plan, VolumeOptions, VolumeTask};
use partdiff::{CancelToken, Limits, Progress, ProgressEvent, Target, UpscaleOptions, Upscaler};
use serde_json::json;

use super::bad_inputs::{nifti, put};
use crate::fake_network::manifest;

/// Predicts that (nearly) nothing is missing.
struct Stub;

impl Network for Stub {
    fn encode(&mut self, lr: &Raster, _: f32) -> partdiff::Result<Raster> {
        Ok(Raster::new(3, lr.height(), lr.width()))
    }

    fn predict(&mut self, latent: &Raster, _: Condition<'_>, _: f32) -> partdiff::Result<Raster> {
        let mut nothing = Raster::new(latent.channels(), latent.height(), latent.width());
        // A constant would be taken for a fault.
        nothing.data_mut()[0] = 1e-6;
        Ok(nothing)
    }
}

struct Silent;

impl Progress for Silent {
    fn report(&self, _: ProgressEvent) -> bool {
        true
    }
}

impl Listener for Silent {
    fn warn(&self, message: &str) {
        panic!("{message}");
    }
}

fn stub() -> Upscaler {
    let manifest = manifest(json!({"scale": 4, "channels": 1}));
    Upscaler::with_networks(&manifest, vec![Box::new(Stub), Box::new(Stub)]).unwrap()
}

/// Makes a volume with `sides`, coarse along axis `through`, and enlarges it.
fn make(folder: &Path, sides: [usize; 3], through: usize, packed: bool) -> Vec<u8> {
    let input = folder.join("in.nii");
    let head = nifti(|header| {
        for (axis, side) in sides.iter().enumerate() {
            put(header, 42 + 2 * axis, (*side as i16).to_le_bytes());
            put(header, 80 + 4 * axis, if axis == through { 3f32 } else { 1f32 }.to_le_bytes());
        }
        put(header, 254, 1i16.to_le_bytes());
        (0..3).for_each(|axis| {
            put(header, 280 + 20 * axis, if axis == through { 3f32 } else { 1f32 }.to_le_bytes())
        });
    });
    let mut file = BufWriter::new(fs::File::create(&input).unwrap());
    file.write_all(&head[..352]).unwrap();
    let [i, j, k] = sides;
    for at in 0..i * j * k {
        let place = [at % i, at / i % j, at / (i * j)];
        let value =
            1000.0 + 900.0 * (place[0] as f32 * 0.1).sin() * (place[1] as f32 * 0.07).cos() - place[2] as f32;
        file.write_all(&(value as i16).to_le_bytes()).unwrap();
    }
    file.flush().unwrap();
    let plan = Plan::new(&input, Target::Native, 4, &VolumeOptions::default(), &Limits::default()).unwrap();
    assert_eq!(plan.plane.2, through);
    let options = UpscaleOptions { memory: Some(400 << 20), ..UpscaleOptions::default() };
    let task = VolumeTask {
        plan: &plan,
        hash: None,
        packed,
        options: &options,
        folder,
        cannot_write: "no",
        map: None,
    };
    let output = folder.join("out");
    let (_, made) = task
        .make(&stub(), &Silent, &CancelToken::new(), |fill| {
            let mut file = BufWriter::new(fs::File::create(&output).unwrap());
            fill(&mut file)?;
            file.flush().unwrap();
            Ok(())
        })
        .unwrap();
    assert!(made.summary.correlation.unwrap() > 0.999, "{:?}", made.summary);
    let mut file = fs::File::open(&output).unwrap();
    if file.seek(std::io::SeekFrom::End(0)).unwrap() > 100 << 20 {
        Vec::new()
    } else {
        fs::read(&output).unwrap()
    }
}

#[test]
fn slices_along_every_axis_give_a_whole_volume() {
    let folder = tempfile::tempdir().unwrap();
    for through in 0..3 {
        let sides = [30, 26, 22];
        let plain = make(folder.path(), sides, through, false);
        let voxels: usize = sides.iter().product();
        assert_eq!(plain.len(), 352 + 2 * 16 * voxels);
        let packed = make(folder.path(), sides, through, true);
        assert!(packed.len() < plain.len() && packed.starts_with(&[0x1f, 0x8b]));
    }
}

/// The measurement has a process of its own: that of the tests does other things at the same time.
#[test]
#[ignore = "makes files of 2.5 GB, for minutes"]
fn a_result_of_2_5_gigabytes_takes_less_than_1_gigabyte() {
    let variable = "PARTDIFF_VOLUME_AXIS";
    if let Ok(axis) = std::env::var(variable) {
        let through: usize = axis[..1].parse().unwrap();
        let mut sides = [512; 3];
        sides[through] = 300;
        make(tempfile::tempdir().unwrap().path(), sides, through, axis.ends_with("gz"));
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let peak = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        let mib = peak.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024;
        println!("peak along axis {axis}: {mib} MiB");
        assert!(mib < 1000, "{mib} MiB along axis {axis}");
        return;
    }
    for axis in ["0", "1", "2", "2gz"] {
        let name = "volume::memory::a_result_of_2_5_gigabytes_takes_less_than_1_gigabyte";
        let mut command = Command::new(std::env::current_exe().unwrap());
        let status =
            command.args(["--exact", name, "--ignored", "--nocapture"]).env(variable, axis).status().unwrap();
        assert!(status.success());
    }
}
