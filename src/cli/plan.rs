//! The whole run before it starts: which picture becomes which file, and what speaks against it.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::destination::Destination;
use super::file_id::{FileId, resolved};
use super::inputs::{Failure, Input, collect};
use super::probe::probe;
use super::upscale_request::{Existing, UpscaleRequest};
use crate::error::{Error, ErrorKind, Result};
use crate::image::{EncodeOptions, ImageFormat};
use crate::limits::Limits;
use crate::naming::{NameFields, Template, ending, show_scale, shown};
use crate::options::Target;

/// One picture to make.
#[derive(Debug)]
pub struct Job {
    /// What to read.
    pub input: Input,
    /// The whole input, where it comes from a pipe.
    pub bytes: Option<Vec<u8>>,
    /// Width and height of the input.
    pub size: (usize, usize),
    /// Colour channels of the input, 1 or 3.
    pub channels: usize,
    /// Width and height of the result.
    pub target: (usize, usize),
    /// Format of the result.
    pub format: ImageFormat,
    /// Where the result goes; `None` is standard output.
    pub output: Option<PathBuf>,
}

/// What a run will do.
#[derive(Debug, Default)]
pub struct RunPlan {
    /// Pictures to make, in order.
    pub jobs: Vec<Job>,
    /// Inputs whose results exist, with those.
    pub skipped: Vec<(PathBuf, PathBuf)>,
    /// Inputs that cannot be worked on.
    pub failures: Vec<Failure>,
}

/// What a plan needs to know of the model.
#[derive(Clone, Copy, Debug)]
pub struct ModelFacts<'a> {
    /// Name for `{model}`.
    pub name: &'a str,
    /// The model's own factor.
    pub scale: usize,
}

impl RunPlan {
    /// Reads headers, chooses names and checks what can be checked; writes nothing.
    ///
    /// # Errors
    /// `InvalidOption` where two inputs would be written to one file.
    pub fn make(request: &UpscaleRequest, model: ModelFacts<'_>, limits: &Limits) -> Result<Self> {
        let folder = match &request.destination {
            Destination::Folder(folder) => Some(folder.as_path()),
            _ => None,
        };
        let (inputs, failures) = collect(&request.inputs, folder);
        let mut known: HashSet<FileId> = inputs.iter().filter_map(|input| FileId::of(&input.path)).collect();
        let mut plan = Self { failures, ..Self::default() };
        for input in inputs {
            match job(request, model, limits, &input) {
                Ok(job) => plan.jobs.push(job),
                Err(error) => plan.failures.push(Failure { input: input.path, error }),
            }
        }
        if request.template.is_none() {
            plan.drop_earlier_results(&mut known);
        }
        plan.refuse_collisions()?;
        plan.check_outputs(request.existing, &known);
        Ok(plan)
    }

    /// Leaves out found pictures that are the result of another one, so that a second run over a folder does not
    /// upscale what the first one made.
    /// They leave `inputs` too, since they may be replaced.
    fn drop_earlier_results(&mut self, inputs: &mut HashSet<FileId>) {
        let beside = |job: &Job| {
            let output = job.output.as_deref().filter(|output| same_folder(output, &job.input.path))?;
            Some(resolved(output))
        };
        let results: HashSet<PathBuf> = self.jobs.iter().filter_map(beside).collect();
        self.jobs.retain(|job| {
            let earlier = job.input.walked && results.contains(&resolved(&job.input.path));
            if earlier && let Some(id) = FileId::of(&job.input.path) {
                inputs.remove(&id);
            }
            !earlier
        });
    }

    fn refuse_collisions(&self) -> Result<()> {
        let mut taken: HashMap<PathBuf, &Path> = HashMap::new();
        for job in &self.jobs {
            let Some(output) = &job.output else { continue };
            if let Some(other) = taken.insert(resolved(output), &job.input.path) {
                return Err(Error::new(
                    ErrorKind::InvalidOption,
                    format!(
                        "{} and {} would both be written to {}: nothing was done; tell them apart with --name, \
                         for instance {{stem}}-{{from}}.{{ext}}",
                        shown(other),
                        shown(&job.input.path),
                        shown(output)
                    ),
                ));
            }
        }
        Ok(())
    }

    fn check_outputs(&mut self, existing: Existing, inputs: &HashSet<FileId>) {
        for job in std::mem::take(&mut self.jobs) {
            match job.output.as_deref().map_or(Ok(Verdict::Go), |output| judge(output, existing, inputs)) {
                Ok(Verdict::Go) => self.jobs.push(job),
                Ok(Verdict::Skip) => self.skipped.push((job.input.path, job.output.unwrap_or_default())),
                Err(error) => self.failures.push(Failure { input: job.input.path, error }),
            }
        }
    }
}

enum Verdict {
    Go,
    Skip,
}

/// What an existing file at `output` means.
fn judge(output: &Path, existing: Existing, inputs: &HashSet<FileId>) -> Result<Verdict> {
    let refuse = |what: &str| Err(Error::new(ErrorKind::Output, format!("{} {what}", shown(output))));
    let found = match fs::symlink_metadata(output) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Verdict::Go),
        Err(error) => {
            let message = format!("cannot write {}", shown(output));
            return Err(Error::with_source(ErrorKind::Output, message, error));
        }
        Ok(found) => found,
    };
    // Through links, as the input may be reached by several.
    if FileId::of(output).is_some_and(|id| inputs.contains(&id)) {
        return refuse("is an input itself: originals are never replaced, choose another name or folder");
    }
    if found.is_dir() {
        return refuse("is a folder");
    }
    if !found.is_file() && !found.is_symlink() {
        return refuse("is not an ordinary file");
    }
    match existing {
        Existing::Refuse => refuse("exists already: give --overwrite or --skip-existing"),
        Existing::Replace => Ok(Verdict::Go),
        Existing::Skip => Ok(Verdict::Skip),
    }
}

fn job(request: &UpscaleRequest, model: ModelFacts<'_>, limits: &Limits, input: &Input) -> Result<Job> {
    let probed = probe(input, limits)?;
    let size = (probed.width, probed.height);
    let target = request.options.target.resolve(size.0, size.1, model.scale)?;
    let (mut format, mut ext) = ending(request.format, &input.path, probed.format);
    if request.format.is_none() && !format.can_write() {
        // Frames of an animation are not worth a format with 256 colours.
        (format, ext) = (ImageFormat::Png, "png".into());
    }
    let scale = show_scale(match request.options.target {
        Target::Native => model.scale as f64,
        Target::Scale(scale) => scale,
        _ => target.0 as f64 / size.0 as f64,
    });
    let fields = NameFields {
        input: if input.is_stdin() { Path::new("stdin") } else { &input.path },
        ext: &ext,
        scale: &scale,
        model: model.name,
        preset: request.options.preset.as_deref().unwrap_or("default"),
        size: target,
    };
    let output = match &request.destination {
        Destination::Stdout => None,
        Destination::File(path) => Some(path.clone()),
        Destination::Beside => Some(named(request, folder_of(&input.path), &fields)),
        Destination::Folder(folder) => {
            let mirrored = folder.join(input.relative.parent().unwrap_or(Path::new("")));
            Some(named(request, &mirrored, &fields))
        }
    };
    // What the file is called decides, unless the user did.
    if request.format.is_none()
        && let Some(called) = output.as_deref().and_then(ImageFormat::from_path)
    {
        format = called;
    }
    EncodeOptions::new(format).validate()?;
    format.check_size(target.0, target.1)?;
    Ok(Job {
        input: input.clone(),
        bytes: probed.bytes,
        size,
        channels: probed.channels,
        target,
        format,
        output,
    })
}

fn named(request: &UpscaleRequest, folder: &Path, fields: &NameFields<'_>) -> PathBuf {
    let template = request.template.clone().unwrap_or_else(|| {
        if same_folder(&folder.join("_"), fields.input) { Template::beside() } else { Template::elsewhere() }
    });
    let name = template.render(fields);
    if folder == Path::new(".") { PathBuf::from(name) } else { folder.join(name) }
}

fn same_folder(a: &Path, b: &Path) -> bool {
    FileId::of(folder_of(a)).is_some_and(|id| FileId::of(folder_of(b)) == Some(id))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    const PICTURE: &[u8] = b"P6\n4 2\n255\n........................";

    /// A folder with `names` as small pictures.
    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, PICTURE).unwrap();
        }
        folder
    }

    /// Plans a command line; `@` stands for the folder.
    fn plan(folder: &tempfile::TempDir, arguments: &str) -> Result<RunPlan> {
        let arguments = arguments.replace('@', folder.path().to_str().unwrap());
        let words = ["partdiff", "upscale"].into_iter().chain(arguments.split_whitespace());
        let Command::Upscale(args) = Cli::try_parse_from(words).unwrap().command else { unreachable!() };
        let request = UpscaleRequest::try_from(*args)?;
        RunPlan::make(&request, ModelFacts { name: "m", scale: 4 }, &Limits::default())
    }

    fn outputs(folder: &tempfile::TempDir, plan: &RunPlan) -> Vec<String> {
        let short = |path: &Path| path.strip_prefix(folder.path()).unwrap().to_str().unwrap().to_string();
        plan.jobs.iter().map(|job| short(job.output.as_ref().unwrap())).collect()
    }

    #[test]
    fn trees_are_mirrored() {
        let folder = folder(&["in/a.ppm", "in/sub/b.ppm"]);
        let plan = plan(&folder, "@/in -o @/out --format png").unwrap();
        assert_eq!(outputs(&folder, &plan), ["out/a.png", "out/sub/b.png"]);
        assert_eq!((plan.jobs[0].size, plan.jobs[0].target), ((4, 2), (16, 8)));
        assert_eq!(plan.jobs[0].format, ImageFormat::Png);
        assert!(!folder.path().join("out").exists());
    }

    #[test]
    fn names_follow_place_and_template() {
        let folder = folder(&["a.ppm"]);
        let name = |arguments: &str| outputs(&folder, &plan(&folder, arguments).unwrap()).remove(0);
        assert_eq!(name("@/a.ppm"), "a_x4.ppm");
        assert_eq!(name("@/a.ppm -o @ -s 2.5"), "a_x2.5.ppm");
        assert_eq!(name("@/a.ppm -o @/out/"), "out/a.ppm");
        assert_eq!(name("@/a.ppm --width 6"), "a_x1.5.ppm");
        assert_eq!(name("@/a.ppm --name {stem}_{model}_{width}x{height}.webp"), "a_m_16x8.webp");
        let plan = plan(&folder, "@/a.ppm --name {stem}.webp").unwrap();
        assert_eq!(plan.jobs[0].format, ImageFormat::WebP);
    }

    #[test]
    fn two_inputs_for_one_output_stop_everything() {
        let folder = folder(&["a.ppm", "a.pnm", "x/a.ppm"]);
        let error = plan(&folder, "@/a.ppm @/a.pnm -o @/out --format png").unwrap_err();
        assert!(error.to_string().contains("would both be written to"), "{error}");
        assert!(error.to_string().contains("a.pnm"), "{error}");
        assert!(plan(&folder, "@/a.ppm @/x/a.ppm -o @/out").is_err());
        let plan = plan(&folder, "@/a.ppm @/a.pnm -o @/out --name {stem}-{from}.png").unwrap();
        assert_eq!(outputs(&folder, &plan), ["out/a-ppm.png", "out/a-pnm.png"]);
    }

    #[test]
    fn existing_results_are_kept_unless_asked() {
        let folder = folder(&["a.ppm", "a_x4.ppm"]);
        let refused = plan(&folder, "@/a.ppm").unwrap();
        assert!(refused.failures[0].error.to_string().contains("exists already"));
        assert!(refused.jobs.is_empty());
        assert_eq!(plan(&folder, "@/a.ppm --overwrite").unwrap().jobs.len(), 1);
        let skipping = plan(&folder, "@/a.ppm --skip-existing").unwrap();
        assert_eq!((skipping.jobs.len(), skipping.skipped.len()), (0, 1));
    }

    #[test]
    fn originals_are_never_replaced() {
        let folder = folder(&["a.ppm", "b.ppm"]);
        let mut cases = vec!["@/a.ppm -o @/a.ppm --overwrite", "@/a.ppm --name {stem}.ppm --overwrite"];
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("a.ppm", folder.path().join("link.ppm")).unwrap();
            cases.push("@/a.ppm -o @/link.ppm --overwrite");
        }
        for case in cases {
            let plan = plan(&folder, case).unwrap();
            assert!(plan.jobs.is_empty(), "{case}");
            assert!(plan.failures[0].error.to_string().contains("is an input itself"), "{case}");
        }
        // Nor another picture of the same run.
        let plan = plan(&folder, "@/a.ppm @/b.ppm --name b.ppm --overwrite");
        assert!(plan.is_err());
    }

    #[test]
    fn a_second_run_leaves_out_what_the_first_made() {
        let folder = folder(&["in/a.ppm", "in/a_x4.ppm"]);
        for arguments in ["@/in --skip-existing", "@/in -o @/in --skip-existing"] {
            let plan = plan(&folder, arguments).unwrap();
            assert!(plan.jobs.is_empty() && plan.failures.is_empty(), "{arguments}");
            assert_eq!(plan.skipped.len(), 1, "{arguments}");
        }
        // A picture that was named is worked on, whatever its name.
        let plan = plan(&folder, "@/in/a_x4.ppm").unwrap();
        assert_eq!(outputs(&folder, &plan), ["in/a_x4_x4.ppm"]);
    }

    #[test]
    fn what_a_format_cannot_hold_fails_before_work() {
        let folder = folder(&[]);
        fs::write(folder.path().join("wide.ppm"), b"P6\n5000 1\n255\n").unwrap();
        let plan = plan(&folder, "@/wide.ppm -o @/wide.webp").unwrap();
        assert!(plan.failures[0].error.to_string().contains("WebP cannot store 20000 x 4 pixels"));
    }

    #[cfg(unix)]
    #[test]
    fn devices_and_folders_are_no_targets() {
        let folder = folder(&["a.ppm"]);
        fs::create_dir(folder.path().join("b.ppm")).unwrap();
        let reason = |arguments: &str| plan(&folder, arguments).unwrap().failures[0].error.report();
        assert!(reason("@/a.ppm -o /dev/full --overwrite --format png").contains("is not an ordinary file"));
        assert!(reason("@/a.ppm --name b.ppm --overwrite").contains("is a folder"));
        assert!(reason("@/a.ppm -o @/a.ppm/x.png").contains("Not a directory"));
    }
}
