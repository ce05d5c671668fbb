//! Options of `partdiff upscale` as typed; `UpscaleRequest` gives them meaning.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::choice::{DEVICES, one_of};
use super::settings_args::{RESOURCES, SettingsArgs};
use super::shard::Shard;
use super::volume_args::VolumeArgs;
use crate::engine::RuntimeOptions;
use crate::runtime::Device;
use crate::settings::values;

#[derive(Args, Clone, Debug)]
pub struct UpscaleArgs {
    #[command(flatten)]
    pub files: FileArgs,
    #[command(flatten)]
    pub settings: SettingsArgs<false>,
    #[command(flatten)]
    pub volumes: VolumeArgs,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub report: ReportArgs,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Files")]
pub struct FileArgs {
    /// Images, MR volumes (NIfTI, Analyze, DICOM series; those in zip files too), folders of them (searched
    /// recursively), or - for standard input
    #[arg(required = true, value_name = "INPUT", help_heading = None)]
    pub inputs: Vec<PathBuf>,

    /// Where results go: a file, a folder (also one to be made, if it ends in / or, with --like, has no extension), or -
    /// for standard output. Without it, each result lies beside its input. A result in DICOM is a folder inside it
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,

    /// Names of the results, from {stem} {ext} {from} {scale} {model} {preset} {width} {height};
    /// {from} is the extension of the input. By default {stem}_x{scale}.{ext} beside the input, and
    /// {stem}.{ext} in another folder; a volume with a name of BIDS gets res-x{scale} and desc-partdiff
    #[arg(long, value_name = "TEMPLATE")]
    pub name: Option<String>,

    /// Replace existing results (by default an existing result is kept and its input fails)
    #[arg(long, conflicts_with = "skip_existing")]
    pub overwrite: bool,

    /// Leave out inputs whose result exists already
    #[arg(long)]
    pub skip_existing: bool,

    /// Replace each input by its result, in the same format; the original is kept as NAME.orig
    #[arg(long, conflicts_with_all = ["output", "format", "name", "overwrite", "skip_existing"])]
    pub in_place: bool,

    /// What --in-place appends to the name of the original to keep it
    #[arg(
        long,
        value_name = "SUFFIX",
        default_value = ".orig",
        requires = "in_place",
        conflicts_with = "no_backup"
    )]
    pub backup: OsString,

    /// Keep no original with --in-place
    #[arg(long, requires = "in_place")]
    pub no_backup: bool,

    /// Make one part of the inputs, such as 3/16 for the third of 16; the other parts are other runs' work, on any
    /// machine. An input belongs to a part by its path below the folder that was named (docs/scale.md)
    #[arg(long, value_name = "INDEX/COUNT")]
    pub shard: Option<Shard>,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Model and device")]
pub struct ModelArgs {
    /// A model inside the program (see `partdiff model list`), a bundle folder, or a .partdiff file
    #[arg(short, long, value_name = "NAME|PATH")]
    pub model: Option<OsString>,

    /// Where the model runs (see docs/hardware.md); auto measures once what runs here
    #[arg(long, default_value = "auto", value_parser = one_of(DEVICES))]
    pub device: Device,

    /// The ONNX Runtime library to use, instead of the one that would be found
    #[arg(long, value_name = "PATH")]
    pub library: Option<PathBuf>,

    /// CPU threads; by default all, or fewer with a small --memory: each takes 40 MiB
    #[arg(long, value_name = "COUNT", value_parser = values::count, help_heading = RESOURCES)]
    pub threads: Option<usize>,
}

impl ModelArgs {
    /// How to run, with `memory` bytes for the engine.
    pub fn runtime(&self, memory: Option<u64>) -> RuntimeOptions {
        RuntimeOptions { library: self.library.clone(), device: self.device, threads: self.threads, memory }
    }
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Reporting")]
pub struct ReportArgs {
    /// Show what would be done, how long it takes and how much memory; write nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,

    /// Print events for scripts, one JSON object a line, on standard output (described below)
    #[arg(long)]
    pub json: bool,

    /// Print errors only
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Print model, library and plan as well
    #[arg(short, long)]
    pub verbose: bool,

    /// Tell of each image where the time went: read, decoded, engine (and networks in it), restored, encoded; not of volumes
    #[arg(long, conflicts_with = "quiet")]
    pub timings: bool,

    /// Write a report of the run to PAGE, a web page that holds all it shows: images before and after, numbers, and what
    /// failed and why. An earlier report is replaced
    #[arg(long, value_name = "PAGE", conflicts_with = "dry_run")]
    pub report: Option<PathBuf>,

    /// Write an uncertainty map to MAP.tif, or of a volume MAP.nii.gz: the standard deviation of every pixel over results
    /// with different seeds, as 32-bit floating point, in levels of 255, or a volume's own units. High where detail is
    /// invented; more steps invent more. One image only
    #[arg(long, value_name = "MAP")]
    pub uncertainty: Option<PathBuf>,

    /// Number of results for --uncertainty, 2 to 1000; the one made with --seed is written as the image
    #[arg(long, value_name = "COUNT", default_value_t = 8, requires = "uncertainty", value_parser = values::count)]
    pub samples: usize,
}

/// Shown below the short help.
pub const EXAMPLES: &str = "\
Examples:
  partdiff upscale photo.jpg                          writes photo_x4.jpg
  partdiff upscale photo.jpg -o big.png --steps 8     more texture
  partdiff upscale holiday/ -o big/                   a whole folder, with its folders
  partdiff upscale *.png -o out/ --fit 3840x2160      sizes for a screen
  partdiff upscale scan.nii.gz -s 2                   an MR volume, in the plane of its slices
  partdiff upscale series/                            a DICOM series, to the folder series_x4
  partdiff upscale series/ -o scan_x4.nii.gz          the same as NIfTI
  partdiff upscale scan.nii.gz --through iso          through the plane, to voxels with equal sides
  partdiff upscale - -o - < small.png > large.png     in a pipe
  partdiff upscale --in-place photo.jpg               photo.jpg.orig keeps the original
  partdiff upscale holiday/ -o big/ --dry-run         how long will it take?

Exit status: 0 if all was done, 1 if some inputs failed or the run was cancelled, 2 if it could not start.
Pages of a TIFF file become pages of a TIFF file, or numbered files of another format.
Several images are made at the same time, as far as the memory allows; with --threads 1, one after the other.
Results appear whole or not at all. Ctrl-C stops within a step and leaves nothing half-written.";

/// Shown below the long help.
pub const EVENTS: &str = "\
Events of --json, one object a line, each with a field \"event\":
  run       version, model, model_version, model_digest, library, provider, files; a second one where there are
            both images and volumes, which have another model
  shard     index, count, files, all_files: the inputs of this part and of all, first of all (with --shard)
  start     index, total, input, output, width, height (of the result)
  progress  input, output, fraction (0 to 1, of all pages), step, steps
  plan      input, output, width, height, memory_bytes, seconds (with --dry-run); of a volume, width and height are a slice's
  done      input, output, backup (with --in-place), preview (with --preview), pages, width, height, seconds, and in \"report\" the sampling
            used and the fidelity: max_error, mean_error and drift (result less input, per channel) in levels of 255,
            between the input and the result shrunk to its size, before any resampling to another size than the
            model's; off, the share of samples (0 to 1) off by a level or more; and rounds of --consistency.
            With --timings also \"timings\": total_s, read_s, decode_s, engine_s, inference_s (of engine_s), restore_s
            and encode_s, in seconds.
            Of a volume also \"volume\": plane, datatype, slices, flat_slices, correlation, and for input and output
            shape, voxel_mm, mean, p1, p50 and p99 (of the output shrunk to the input's size); and acquired, the sides
            that were measured, where the scanner stored more voxels than that; native, whether it began with those;
            kspace, whether the k-space of slices was put back
  skipped   input, output
  warning   input, message
  damaged   input, message (what is wrong with the input; the result holds what could be read of it)
  failed    input, output, kind (option, input, output, model, runtime, limit, quality or cancelled), reason
  summary   done, skipped, failed, cancelled (true or false), seconds, exit
Images are begun in their order. Several are at work at the same time: their events mix, output tells them
apart, and seconds count the work on others meanwhile.
Names that are not valid Unicode come with a field input_hex or output_hex that holds their bytes.";
