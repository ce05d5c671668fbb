//! Options of `partdiff upscale` as typed; `UpscaleRequest` gives them meaning.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::values;
use crate::diffusion::TimestepSpacing;
use crate::image::{ImageFormat, SampleDepth};

#[derive(Args, Clone, Debug)]
pub struct UpscaleArgs {
    #[command(flatten)]
    pub files: FileArgs,
    #[command(flatten)]
    pub size: SizeArgs,
    #[command(flatten)]
    pub sampling: SamplingArgs,
    #[command(flatten)]
    pub encoding: EncodingArgs,
    #[command(flatten)]
    pub metadata: MetadataArgs,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub resources: ResourceArgs,
    #[command(flatten)]
    pub report: ReportArgs,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Files")]
pub struct FileArgs {
    /// Pictures, folders of pictures (with all folders inside), or - for standard input
    #[arg(required = true, value_name = "INPUT", help_heading = None)]
    pub inputs: Vec<PathBuf>,

    /// Where results go: a file, a folder (also one to be made, if it ends in /), or - for standard output.
    /// Without it, each result lies beside its input
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,

    /// Format of the results, by its name or ending, such as png, jpg, webp, tif, jxl or exr (a wrong one lists them
    /// all); else the ending of OUT decides, else the input's own format
    #[arg(long, value_name = "FORMAT", value_parser = values::format)]
    pub format: Option<ImageFormat>,

    /// Names of the results, from {stem} {ext} {from} {scale} {model} {preset} {width} {height};
    /// {from} is the ending of the input. By default {stem}_x{scale}.{ext} beside the input, and
    /// {stem}.{ext} in another folder
    #[arg(long, value_name = "TEMPLATE")]
    pub name: Option<String>,

    /// Replace results that exist already (by default they are an error, and kept)
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

    /// Most pixels of an input (of a page), such as 200M or 1G; larger ones fail before they take memory
    #[arg(long, value_name = "COUNT", default_value = "200M", value_parser = values::pixels)]
    pub max_pixels: u64,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Encoding (by default as the input, as far as the format can)")]
pub struct EncodingArgs {
    /// Quality of JPEG and AVIF, 1 to 100 (95 by default); makes WebP lossy, which is lossless by default
    #[arg(long, value_name = "1-100", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub quality: Option<u8>,

    /// Bits per sample: 8, 16, or 32 (floating point)
    #[arg(long, value_name = "BITS", value_parser = values::depth)]
    pub depth: Option<SampleDepth>,

    /// What to lay transparency over where the format has none (JPEG): white, black, or #RRGGBB in the picture's own
    /// colour space
    #[arg(long, value_name = "COLOUR", default_value = "white", value_parser = values::color)]
    pub background: [f32; 3],

    /// Write JPEG in scans of rising detail, which is a little smaller and shows early
    #[arg(long)]
    pub progressive: bool,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Size (by default the model's own factor)")]
pub struct SizeArgs {
    /// Factor between input and result, such as 4 or 2.5
    #[arg(short, long, value_name = "FACTOR", value_parser = values::scale, conflicts_with_all = ["width", "height", "fit"])]
    pub scale: Option<f64>,

    /// Width of the result in pixels; the height follows, unless given too
    #[arg(long, value_name = "PIXELS", value_parser = values::side, conflicts_with = "fit")]
    pub width: Option<u32>,

    /// Height of the result in pixels; the width follows, unless given too
    #[arg(long, value_name = "PIXELS", value_parser = values::side, conflicts_with = "fit")]
    pub height: Option<u32>,

    /// Largest size with the input's aspect ratio that fits into WIDTHxHEIGHT pixels
    #[arg(long, value_name = "WxH", value_parser = values::size_pair)]
    pub fit: Option<(u32, u32)>,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Sampling (by default as the model asks)")]
pub struct SamplingArgs {
    /// One of the model's presets: faithful, balanced or detailed
    #[arg(short, long)]
    pub preset: Option<String>,

    /// Denoising steps: 1 is the most faithful, more add texture
    #[arg(long, value_name = "COUNT", value_parser = values::count)]
    pub steps: Option<usize>,

    /// The step of the diffusion chain at which denoising starts
    #[arg(long, value_name = "STEP", value_parser = values::count)]
    pub start_step: Option<usize>,

    /// Update rule of a step
    #[arg(long, value_enum)]
    pub sampler: Option<SamplerArg>,

    /// Share of fresh noise in each DDIM step, 0 (none) to 1 (as DDPM)
    #[arg(long, value_name = "0-1", value_parser = values::unit)]
    pub eta: Option<f64>,

    /// Seed of the noise: the same seed gives the same picture
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,

    /// How much noise and compression damage to clean up, for models that can: 0 (none) to 1
    #[arg(long, value_name = "0-1", default_value_t = 0.0, value_parser = values::unit)]
    pub cleanup: f64,

    /// Rounds, at most, in which the result is shrunk, compared with the input, and corrected, until no sample is off
    /// by a level of 255. By default 32 with the preset faithful and no clean-up, else 0: with --cleanup, it brings
    /// back what was cleaned up
    #[arg(long, value_name = "ROUNDS")]
    pub consistency: Option<usize>,

    /// Where the steps lie between the start step and 0: uniform, or quadratic (denser toward 0)
    #[arg(long, value_name = "HOW")]
    pub spacing: Option<TimestepSpacing>,
}

/// What results say about themselves.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Metadata (kept as far as the format can)")]
pub struct MetadataArgs {
    /// Leave out the place where the picture was taken, or all metadata but the colour profile
    #[arg(long, value_enum, value_name = "WHAT")]
    pub strip: Option<StripArg>,

    /// Keep the dots per inch instead of the size in print
    #[arg(long)]
    pub keep_dpi: bool,

    /// Do not record in the result how it was made
    #[arg(long)]
    pub no_provenance: bool,
}

/// What to leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StripArg {
    /// GPS positions
    Gps,
    /// EXIF, XMP, IPTC and texts
    All,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Model and device")]
pub struct ModelArgs {
    /// A model inside the program (see `partdiff model list`), a bundle folder, or a .partdiff file
    #[arg(short, long, value_name = "NAME|PATH")]
    pub model: Option<OsString>,

    /// Where the model runs; auto takes the GPU if one really works
    #[arg(long, value_enum, default_value_t = DeviceArg::Auto)]
    pub device: DeviceArg,

    /// The ONNX Runtime library to use, instead of the one that would be found
    #[arg(long, value_name = "PATH")]
    pub library: Option<PathBuf>,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Resources (none changes the picture)")]
pub struct ResourceArgs {
    /// Largest tile side in input pixels; planned from the memory by default
    #[arg(long, value_name = "PIXELS", value_parser = values::count)]
    pub tile: Option<usize>,

    /// Memory to use at most, such as 800M or 1G; half of the free memory by default
    #[arg(long, value_name = "AMOUNT", value_parser = values::bytes)]
    pub memory: Option<u64>,

    /// Processor threads; all by default
    #[arg(long, value_name = "COUNT", value_parser = values::count)]
    pub threads: Option<usize>,
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

    /// Print model, library, plan and timings as well
    #[arg(short, long)]
    pub verbose: bool,

    /// Write how far results of different seeds lie apart to MAP: the standard deviation of every pixel in levels of
    /// 255, as 32-bit floating point. High where detail is invented; more steps invent more. One picture only
    #[arg(long, value_name = "MAP.tif")]
    pub uncertainty: Option<PathBuf>,

    /// Results to compare for --uncertainty, 2 to 1000; the one with --seed is the picture
    #[arg(long, value_name = "COUNT", default_value_t = 8, requires = "uncertainty", value_parser = values::count)]
    pub samples: usize,
}

/// Update rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SamplerArg {
    /// Deterministic, or with --eta partly random
    Ddim,
    /// Ancestral: fresh noise in every step
    Ddpm,
    /// DPM-Solver++ of second order
    #[value(name = "dpmpp-2m")]
    Dpmpp2m,
}

/// Where to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DeviceArg {
    /// The GPU if one really works, else the processor
    Auto,
    /// The processor
    Cpu,
    /// An NVIDIA GPU with CUDA, or fail
    Cuda,
    /// An NVIDIA GPU with TensorRT, or fail
    Tensorrt,
}

/// Shown below the short help.
pub const EXAMPLES: &str = "\
Examples:
  partdiff upscale photo.jpg                          writes photo_x4.jpg
  partdiff upscale photo.jpg -o big.png --steps 8     more texture
  partdiff upscale holiday/ -o big/                   a whole folder, with its folders
  partdiff upscale *.png -o out/ --fit 3840x2160      sizes for a screen
  partdiff upscale - -o - < small.png > large.png     in a pipe
  partdiff upscale --in-place photo.jpg               photo.jpg.orig keeps the original
  partdiff upscale holiday/ -o big/ --dry-run         how long will it take?

Exit status: 0 if all was done, 1 if some inputs failed or the run was cancelled, 2 if it could not start.
Pages of a TIFF file become pages of a TIFF file, or numbered files of another format.
Results appear whole or not at all. Ctrl-C stops within a step and leaves nothing half-written.";

/// Shown below the long help.
pub const EVENTS: &str = "\
Events of --json, one object a line, each with a field \"event\":
  run       version, model, model_version, model_digest, library, provider, files
  start     index, total, input, output, width, height (of the result)
  progress  input, fraction (0 to 1), step, steps
  plan      input, output, width, height, memory_bytes, seconds (with --dry-run)
  done      input, output, backup (with --in-place), pages, width, height, seconds, and in \"report\" the sampling
            used and the fidelity: max_error, mean_error and drift (result less input, per channel) in levels of 255,
            between the input and the result shrunk to its size, before any resampling to another size than the
            model's; off, the share of samples (0 to 1) off by a level or more; and rounds of --consistency
  skipped   input, output
  warning   input, message
  failed    input, kind (option, input, output, model, runtime, limit, quality or cancelled), reason
  summary   done, skipped, failed, cancelled (true or false), seconds, exit
Names that are not valid Unicode come with a field input_hex or output_hex that holds their bytes.";
