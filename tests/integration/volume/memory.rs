//! Peak memory of a large volume, with a network that costs nothing.

use std::fs;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use partdiff::image::Raster;
use partdiff::runtime::network::{Condition, Network};
use partdiff::volume::dicom::{Collection, files_of};
use partdiff::volume::{Distance, Listener, Map, Output, Plan, Sink, Source, VolumeOptions, VolumeTask};
use partdiff::{CancelToken, Limits, Progress, ProgressEvent, Target, UpscaleOptions, Upscaler};
use serde_json::json;

use super::bad_inputs::{nifti, put};
use super::dicom_in::series::{sequence, short, slice, text, write};
use crate::fake_network::{FakeNetwork, manifest};

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

/// A volume with `sides`, coarse along axis `through`, plain or gzipped, with air on one side of each axis.
fn scan(folder: &Path, sides: [usize; 3], through: usize, packed: bool) -> PathBuf {
    let input = folder.join(if packed { "in.nii.gz" } else { "in.nii" });
    let size = |axis: usize| if axis == through { 3f32 } else { 1f32 }.to_le_bytes();
    let head = nifti(|header| {
        for (axis, side) in sides.iter().enumerate() {
            put(header, 42 + 2 * axis, (*side as i16).to_le_bytes());
            put(header, 80 + 4 * axis, size(axis));
            put(header, 280 + 20 * axis, size(axis));
        }
        put(header, 254, 1i16.to_le_bytes());
    });
    let file = BufWriter::new(fs::File::create(&input).unwrap());
    let mut file: Box<dyn Write> =
        if packed { Box::new(GzEncoder::new(file, Compression::fast())) } else { Box::new(file) };
    file.write_all(&head[..352]).unwrap();
    let [i, j, k] = sides;
    for at in 0..i * j * k {
        let place = [at % i, at / i % j, at / (i * j)];
        let value =
            1000.0 + 900.0 * (place[0] as f32 * 0.1).sin() * (place[1] as f32 * 0.07).cos() - place[2] as f32;
        let air = place.iter().zip(sides).any(|(at, side)| *at < side / 3);
        file.write_all(&if air { 0 } else { value as i16 }.to_le_bytes()).unwrap();
    }
    file.flush().unwrap();
    input
}

/// Enlarges the volume `input` to the files `out` and, where options ask for uncertainty, `map` in `folder`.
fn make(
    folder: &Path,
    input: &Path,
    packed: bool,
    upscaler: &Upscaler,
    options: &UpscaleOptions,
    volumes: &VolumeOptions,
) -> Plan {
    let scale = upscaler.manifest().scale;
    let plan = Plan::new(input, Target::Native, scale, volumes, &Limits::default()).unwrap();
    enlarge(&plan, folder, packed, upscaler, options);
    plan
}

/// Enlarges the volume of `plan`, as `make` does; a series to the folder `out`.
fn enlarge(plan: &Plan, folder: &Path, packed: bool, upscaler: &Upscaler, options: &UpscaleOptions) {
    let mut map = BufWriter::new(fs::File::create(folder.join("map")).unwrap());
    let task = VolumeTask {
        plan,
        hash: None,
        packed,
        options,
        folder,
        cannot_write: "no",
        map: options.uncertainty.map(|_| Map { out: &mut map, packed, cannot_write: "no" }),
    };
    let output = folder.join("out");
    let (_, made) = task
        .make(upscaler, &Silent, &CancelToken::new(), |fill| {
            if let Output::Dicom(_) = plan.output {
                fs::create_dir(&output).unwrap();
                return fill(Sink::Folder(&output));
            }
            let mut file = BufWriter::new(fs::File::create(&output).unwrap());
            fill(Sink::File(&mut file))?;
            file.flush().unwrap();
            Ok(())
        })
        .unwrap();
    map.flush().unwrap();
    assert!(made.summary.correlation.unwrap() > 0.98, "{:?}", made.summary);
}

/// As `make`, with the network that costs nothing.
fn make_for_nothing(folder: &Path, sides: [usize; 3], through: usize, packed: bool) {
    let options = UpscaleOptions { memory: Some(400 << 20), ..UpscaleOptions::default() };
    let input = scan(folder, sides, through, packed);
    let plan = make(folder, &input, packed, &stub(), &options, &VolumeOptions::default());
    assert_eq!(plan.plane.2, through);
}

#[test]
fn slices_along_every_axis_give_a_whole_volume() {
    let folder = tempfile::tempdir().unwrap();
    for through in 0..3 {
        let sides = [30, 26, 22];
        let made = |packed: bool| {
            make_for_nothing(folder.path(), sides, through, packed);
            fs::read(folder.path().join("out")).unwrap()
        };
        let plain = made(false);
        let voxels: usize = sides.iter().product();
        assert_eq!(plain.len(), 352 + 2 * 16 * voxels);
        let packed = made(true);
        assert!(packed.len() < plain.len() && packed.starts_with(&[0x1f, 0x8b]));
        let mut unpacked = Vec::new();
        GzDecoder::new(&packed[..]).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, plain);
    }
}

#[test]
fn bytes_are_the_same_for_any_threads_tiles_and_memory() {
    let folder = tempfile::tempdir().unwrap();
    let through = VolumeOptions { through: Some(Distance::Millimetres(1.5)), ..VolumeOptions::default() };
    for (axis, volumes) in [(0, VolumeOptions::default()), (2, VolumeOptions::default()), (2, through)] {
        let input = scan(folder.path(), [36, 33, 20], axis, false);
        let made = |networks: usize, memory: Option<u64>, tile: Option<usize>| {
            let networks = (0..networks).map(|_| FakeNetwork::boxed(2)).collect();
            let upscaler = Upscaler::with_networks(&manifest(json!({})), networks).unwrap();
            // Fresh noise at each of several steps.
            let options = UpscaleOptions {
                steps: Some(2),
                eta: Some(0.5),
                uncertainty: Some(2),
                memory,
                tile,
                ..UpscaleOptions::default()
            };
            make(folder.path(), &input, false, &upscaler, &options, &volumes);
            ["out", "map"].map(|name| fs::read(folder.path().join(name)).unwrap())
        };
        let first = made(1, None, None);
        assert!(first[1][352..].iter().any(|byte| *byte != 0));
        for (networks, memory, tile) in [(3, None, None), (2, Some(4 << 20), None), (1, None, Some(16))] {
            let again = made(networks, memory, tile);
            assert!(again == first, "{networks} networks, memory {memory:?}, tile {tile:?}, axis {axis}");
        }
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
        make_for_nothing(tempfile::tempdir().unwrap().path(), sides, through, axis.ends_with("gz"));
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let peak = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        let mib = peak.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024;
        println!("peak along axis {axis}: {mib} MiB");
        assert!(mib < 1000, "{mib} MiB along axis {axis}");
        return;
    }
    for axis in ["0", "1", "2", "0gz", "1gz", "2gz"] {
        let name = "volume::memory::a_result_of_2_5_gigabytes_takes_less_than_1_gigabyte";
        let mut command = Command::new(std::env::current_exe().unwrap());
        let status =
            command.args(["--exact", name, "--ignored", "--nocapture"]).env(variable, axis).status().unwrap();
        assert!(status.success());
    }
}

/// A series of 300 slices in `folder`, in a file of its own each or in one.
fn write_series(folder: &Path, in_one: bool) {
    const SIDE: u16 = 512;
    let size = |object: &mut InMemDicomObject, frames: u16| {
        object.put(short(tags::COLUMNS, SIDE));
        object.put(short(tags::ROWS, SIDE));
        object.put(text(tags::SLICE_THICKNESS, VR::DS, "5"));
        let count = usize::from(frames) * usize::from(SIDE) * usize::from(SIDE);
        let values =
            (0..count).map(|at| (500.0 + 400.0 * ((at % usize::from(SIDE)) as f32 * 0.05).sin()) as u16);
        let values = PrimitiveValue::U16(values.collect());
        object.put(DataElement::new(tags::PIXEL_DATA, VR::OW, values));
    };
    let heights = (0..300u16).map(|index| 5.0 * f64::from(index));
    if !in_one {
        for height in heights {
            let mut object = slice(height);
            size(&mut object, 1);
            write(object, &folder.join(height.to_string()));
        }
        return;
    }
    let mut object = slice(0.0);
    size(&mut object, 300);
    object.put(text(tags::NUMBER_OF_FRAMES, VR::IS, "300"));
    let frames = heights.map(|height| {
        let mut position = InMemDicomObject::new_empty();
        position.put(text(tags::IMAGE_POSITION_PATIENT, VR::DS, &format!(r"0\0\{height}")));
        InMemDicomObject::from_element_iter([sequence(tags::PLANE_POSITION_SEQUENCE, vec![position])])
    });
    object.put(sequence(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, frames.collect()));
    write(object, &folder.join("all"));
}

#[test]
#[ignore = "makes files of 2.5 GB, for minutes"]
fn a_dicom_series_of_300_slices_takes_less_than_1_gigabyte() {
    let variable = "PARTDIFF_DICOM_SERIES";
    if let Some(folder) = std::env::var_os(variable) {
        let files = fs::read_dir(folder).unwrap().flat_map(|entry| files_of(&entry.unwrap().path()).unwrap());
        let series = Collection::read(&files.collect::<Vec<_>>()).members.remove(0).series;
        assert_eq!(series.shape(), [512, 512, 300, 1]);
        let options = VolumeOptions::default();
        let source = Source::Series(series.clone());
        let mut plan = Plan::of(source, Target::Native, 4, &options, &Limits::default()).unwrap();
        let to_dicom = std::env::var_os("PARTDIFF_DICOM_RESULT").is_some();
        if to_dicom {
            plan = plan.into_dicom(series).unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let options = UpscaleOptions { memory: Some(400 << 20), ..UpscaleOptions::default() };
        enlarge(&plan, folder.path(), false, &stub(), &options);
        assert_eq!(folder.path().join("out/0300.dcm").is_file(), to_dicom);
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let peak = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        let mib = peak.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024;
        println!("peak: {mib} MiB");
        assert!(mib < 1000, "{mib} MiB");
        return;
    }
    for in_one in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        write_series(folder.path(), in_one);
        let name = "volume::memory::a_dicom_series_of_300_slices_takes_less_than_1_gigabyte";
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", name, "--ignored", "--nocapture"]).env(variable, folder.path());
        assert!(command.status().unwrap().success());
        assert!(command.env("PARTDIFF_DICOM_RESULT", "").status().unwrap().success());
    }
}
