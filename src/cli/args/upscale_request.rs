//! What `partdiff upscale` was asked to do, checked as far as possible before anything is read.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::destination::Destination;
use super::inputs::STDIO;
use super::settings_args::SettingsArgs;
use super::shard::Shard;
use super::upscale_args::UpscaleArgs;
use crate::batch::naming::Template;
use crate::engine::RuntimeOptions;
use crate::engine::options::UpscaleOptions;
use crate::error::{Error, Result};
use crate::image::ImageFormat;
use crate::settings::Settings;
use crate::volume::VolumeOptions;
use crate::volume::nifti::name_means_packed;

/// What to do about results that exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// The input fails.
    Refuse,
    /// The result is replaced.
    Replace,
    /// The input is left out.
    Skip,
}

/// What becomes of an original that is replaced by its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Originals {
    /// They are never replaced.
    Stay,
    /// They are kept under their name and this suffix.
    Backup(OsString),
    /// They are lost.
    Replace,
}

/// How to tell the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    /// Errors only.
    Quiet,
    /// Progress bar, a line per image, a summary.
    Normal,
    /// All that is known.
    Verbose,
    /// JSON events on standard output.
    Json,
}

/// A checked command line.
#[derive(Clone, Debug)]
pub struct UpscaleRequest {
    /// Files, folders and `-` as given.
    pub inputs: Vec<PathBuf>,
    /// Where results go.
    pub destination: Destination,
    /// What to make of each image.
    pub settings: Settings,
    /// What to make of each volume, beside that.
    pub volumes: VolumeOptions,
    /// The DICOM series with whose attributes NIfTI volumes are written.
    pub like: Option<PathBuf>,
    /// The naming template that was asked for.
    pub template: Option<Template>,
    /// What to do about results that exist.
    pub existing: Existing,
    /// Whether results replace their inputs.
    pub originals: Originals,
    /// The part of the inputs that is wanted; all, if none.
    pub shard: Option<Shard>,
    /// Where the uncertainty of the result goes.
    pub uncertainty: Option<PathBuf>,
    /// Where the picture of a volume goes.
    pub preview: Option<PathBuf>,
    /// Model name or path; `None` is the default model.
    pub model: Option<OsString>,
    /// Library, device and threads.
    pub runtime: RuntimeOptions,
    /// Everything that the engine has to know.
    pub options: UpscaleOptions,
    /// Where the report goes, a web page.
    pub report: Option<PathBuf>,
    /// Plan only.
    pub dry_run: bool,
    /// Tell where the time goes.
    pub timings: bool,
    /// How to tell the user.
    pub verbosity: Verbosity,
}

impl TryFrom<UpscaleArgs> for UpscaleRequest {
    type Error = Error;

    fn try_from(args: UpscaleArgs) -> Result<Self> {
        let UpscaleArgs { files, settings: SettingsArgs(settings), volumes, model, report } = args;
        if files.inputs.iter().filter(|input| *input == Path::new(STDIO)).count() > 1 {
            return Err(Error::invalid_option(
                "standard input (-) is given more than once: expected at most once",
            ));
        }
        let destination =
            Destination::choose(files.output.as_deref(), &files.inputs, volumes.like.is_some())?;
        let template = files.name.as_deref().map(Template::parse).transpose()?;
        if template.is_some() && matches!(destination, Destination::File(_) | Destination::Stdout) {
            return Err(Error::invalid_option(
                "--name cannot be used where OUT is a single file or standard output: give a folder as OUT, or \
                 leave out --output",
            ));
        }
        if let Destination::File(path) = &destination
            && settings.format.is_none()
            && name_means_packed(path).is_none()
            && !ImageFormat::from_path(path).is_some_and(ImageFormat::can_write)
        {
            return Err(Error::invalid_option(format!(
                "cannot write {}: its extension names no writable format: expected one of {}, or give --format",
                path.display(),
                ImageFormat::writable_extensions()
            )));
        }
        if let (Destination::File(path), Some(format)) = (&destination, settings.format)
            && let Some(named) = ImageFormat::from_path(path).filter(|named| *named != format)
        {
            let path = path.display();
            return Err(Error::invalid_option(format!(
                "the extension of {path} means {named}, but --format is {format}"
            )));
        }
        if report.json && destination == Destination::Stdout && !report.dry_run {
            return Err(Error::invalid_option(
                "--json and an image cannot both go to standard output: give a file as OUT",
            ));
        }
        if files.in_place && files.inputs.iter().any(|input| input == Path::new(STDIO)) {
            return Err(Error::invalid_option(
                "standard input (-) cannot be used with --in-place: expected files",
            ));
        }
        if files.shard.is_some() && files.inputs.iter().any(|input| input == Path::new(STDIO)) {
            return Err(Error::invalid_option(
                "standard input (-) cannot be used with --shard: expected files or folders",
            ));
        }
        if files.backup.is_empty() || files.backup.as_encoded_bytes().iter().any(|byte| b"/\\".contains(byte))
        {
            return Err(Error::invalid_option(
                "--backup is empty or contains / or \\: expected a file name suffix such as .orig; to keep no \
                 original, give --no-backup",
            ));
        }
        if let Some(path) = &volumes.preview
            && ImageFormat::from_path(path) != Some(ImageFormat::Png)
        {
            let path = path.display();
            return Err(Error::invalid_option(format!(
                "--preview is {path}: expected a file name ending in .png"
            )));
        }
        if report.report.as_deref() == Some(Path::new(STDIO)) {
            return Err(Error::invalid_option("--report is -: expected the name of a file"));
        }
        if let Some(map) = &report.uncertainty {
            // What it is of is known when it is read: several files, or a folder, may be one DICOM series.
            if ImageFormat::from_path(map) != Some(ImageFormat::Tiff) && name_means_packed(map).is_none() {
                return Err(Error::invalid_option(format!(
                    "--uncertainty is {}: expected a file name ending in .tif or .tiff, or of a volume in .nii or .nii.gz",
                    map.display()
                )));
            }
        }
        let options = UpscaleOptions {
            uncertainty: report.uncertainty.is_some().then_some(report.samples),
            ..settings.options()?
        };
        options.validate()?;
        Ok(Self {
            inputs: files.inputs,
            destination,
            settings,
            like: volumes.like.clone(),
            preview: volumes.preview.clone(),
            volumes: volumes.into(),
            template,
            existing: match (files.overwrite, files.skip_existing) {
                (true, _) => Existing::Replace,
                (_, true) => Existing::Skip,
                _ => Existing::Refuse,
            },
            originals: match (files.in_place, files.no_backup) {
                (false, _) => Originals::Stay,
                (true, false) => Originals::Backup(files.backup),
                (true, true) => Originals::Replace,
            },
            shard: files.shard,
            uncertainty: report.uncertainty,
            report: report.report,
            runtime: model.runtime(options.memory),
            model: model.model,
            options,
            dry_run: report.dry_run,
            timings: report.timings,
            verbosity: match (report.json, report.quiet, report.verbose) {
                (true, ..) => Verbosity::Json,
                (_, true, _) => Verbosity::Quiet,
                (.., true) => Verbosity::Verbose,
                _ => Verbosity::Normal,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};
    use crate::diffusion::SamplerKind;
    use crate::engine::options::Target;
    use crate::runtime::Device;
    use crate::tiling::available_memory::PROGRAM_BYTES;

    fn request(arguments: &str) -> Result<UpscaleRequest> {
        let words = ["partdiff", "upscale"].into_iter().chain(arguments.split_whitespace());
        match Cli::try_parse_from(words).unwrap().command {
            Command::Upscale(args) => UpscaleRequest::try_from(*args),
            _ => unreachable!("the command is upscale"),
        }
    }

    fn message(arguments: &str) -> String {
        request(arguments).unwrap_err().to_string()
    }

    #[test]
    fn sizes_become_targets() {
        let target = |arguments: &str| request(&format!("a.png {arguments}")).unwrap().options.target;
        assert_eq!(target(""), Target::Native);
        assert_eq!(target("-s 2.5"), Target::Scale(2.5));
        assert_eq!(target("--width 100"), Target::Width(100));
        assert_eq!(target("--height 90"), Target::Height(90));
        assert_eq!(target("--width 100 --height 90"), Target::Size { width: 100, height: 90 });
        assert_eq!(target("--fit 100x90"), Target::Fit { width: 100, height: 90 });
        for clash in ["-s 2 --width 5", "--fit 1x1 --height 5", "--overwrite --skip-existing", "-q -v"] {
            let words = ["partdiff", "upscale", "a.png"].into_iter().chain(clash.split(' '));
            assert!(Cli::try_parse_from(words).is_err(), "{clash}");
        }
    }

    #[test]
    fn the_rest_is_carried_over() {
        let request = request(
            "a.png -o b.jpg --quality 80 --overwrite --sampler dpmpp-2m --steps 3 --eta 0.5 --seed 7 \
             --preset detailed --cleanup 0.25 --memory 1G --tile 64 --threads 2 --device cpu --model x -v",
        )
        .unwrap();
        let options = &request.options;
        assert_eq!(options.sampler, Some(SamplerKind::DpmSolverPp2m));
        assert_eq!((options.steps, options.eta, options.seed), (Some(3), Some(0.5), 7));
        assert_eq!(
            (options.cleanup, options.memory, options.tile),
            (0.25, Some((1 << 30) - PROGRAM_BYTES), Some(64))
        );
        assert_eq!(request.originals, Originals::Stay);
        assert_eq!(options.preset.as_deref(), Some("detailed"));
        assert_eq!((request.runtime.device, request.runtime.threads), (Device::Cpu, Some(2)));
        assert_eq!((request.existing, request.verbosity), (Existing::Replace, Verbosity::Verbose));
        assert_eq!((request.settings.quality, request.model), (Some(80), Some("x".into())));
    }

    #[test]
    fn contradictions_are_named() {
        assert!(message("- - -o out/").contains("more than once"));
        assert!(message("a.png -o b.xyz").contains(
            "cannot write b.xyz: its extension names no writable format: expected one of png, jpg"
        ));
        assert!(request("a.png -o b.xyz --format png").is_ok());
        assert!(request("a.png -o b.jpeg --format jpg").is_ok());
        assert!(message("a.png -o b.png --format jpg").contains("means PNG, but --format is JPEG"));
        assert!(message("a.png -o b.png --name {stem}").contains("give a folder as OUT"));
        assert!(message("a.png -o - --json").contains("both go to standard output"));
        assert!(message("a.png b.png -o -").contains("only one image"));
        assert!(message("a.png --tile 3").contains("tile is 3"));
        assert!(message("- --in-place").contains("cannot be used with --in-place"));
        assert!(message("- --shard 1/2").contains("cannot be used with --shard"));
        assert!(message("a.png --in-place --backup /x").contains("file name suffix"));
        assert!(
            message("a.nii --preview b.tif")
                .contains("--preview is b.tif: expected a file name ending in .png")
        );
        assert!(message("a.png --uncertainty b.png").contains("ending in .tif"));
        assert!(request("a.nii.gz --uncertainty b.nii").is_ok());
        for clash in
            ["--in-place -o b.png", "--in-place --overwrite", "--backup .old", "--no-backup", "--samples 3"]
        {
            let words = ["partdiff", "upscale", "a.png"].into_iter().chain(clash.split(' '));
            assert!(Cli::try_parse_from(words).is_err(), "{clash}");
        }
    }
}
