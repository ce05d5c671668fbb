//! The whole run before it starts: which image becomes which file, and what speaks against it.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::slice;

use super::job::{Job, Models, jobs, same_folder};
use super::verdict::{Verdict, verdict};
use crate::batch::naming::shown;
use crate::cli::args::destination::{Destination, single};
use crate::cli::args::inputs::{Collected, Failure, Input, collect};
use crate::cli::args::upscale_request::{Originals, UpscaleRequest};
use crate::error::{Error, Result};
use crate::fs::file_id::{FileId, resolved};
use crate::volume::nifti::name_means_packed;

/// What a run will do.
#[derive(Debug, Default)]
pub struct RunPlan {
    /// Images to make, in order.
    pub jobs: Vec<Job>,
    /// Inputs whose results exist, with those.
    pub skipped: Vec<(PathBuf, PathBuf)>,
    /// Inputs that cannot be worked on.
    pub failures: Vec<Failure>,
    /// What users should know before: inputs, and a sentence.
    pub notes: Vec<(PathBuf, String)>,
    /// How many inputs this part has, whatever becomes of them, and how many all parts have.
    pub files: [usize; 2],
}

impl RunPlan {
    /// Reads headers, chooses names and checks what can be checked; writes nothing. With a shard, it does so for all inputs
    /// before it leaves out those of other parts, so that every part refuses what would collide.
    ///
    /// # Errors
    /// `InvalidOption` where two inputs would be written to one file, or the uncertainty of several is wanted.
    pub fn make(request: &UpscaleRequest, models: Models<'_>) -> Result<Self> {
        let folder = match &request.destination {
            Destination::Folder(folder) => Some(folder.as_path()),
            _ => None,
        };
        let Collected { inputs, failures, notes } = collect(&request.inputs, folder);
        if let Destination::File(path) = &request.destination
            && inputs.len() > 1
        {
            return Err(single(path, &listed(&inputs)));
        }
        let mut known: HashSet<FileId> =
            inputs.iter().flat_map(Input::files).filter_map(FileId::of).collect();
        // What else is read must not be written over either.
        known.extend(request.volumes.mask.as_deref().and_then(FileId::of));
        let like = request.like.as_ref().map(|like| collect(slice::from_ref(like), None));
        let read = like.iter().flat_map(|like| &like.inputs);
        known.extend(read.flat_map(Input::files).filter_map(FileId::of));
        let is_ours = |relative: &Path| request.shard.is_none_or(|shard| shard.takes(relative));
        let mut plan = Self { failures, notes, ..Self::default() };
        for input in inputs {
            match jobs(request, models, like.as_ref(), &input) {
                Ok(jobs) => {
                    plan.notes.extend(note(&jobs).filter(|_| is_ours(&input.relative)));
                    plan.jobs.extend(jobs);
                }
                Err(error) => {
                    // Several series may have the same path.
                    let error = match &input.series {
                        Some(member) if member.suffix.is_some() => error.context(member),
                        _ => error,
                    };
                    plan.failures.push(Failure { input: input.path, relative: input.relative, error });
                }
            }
        }
        if request.template.is_none() && request.originals == Originals::Stay {
            plan.drop_earlier_results(&mut known);
        }
        plan.refuse_collisions(request)?;
        let all = plan.count_files();
        plan.jobs.retain(|job| is_ours(&job.input.relative));
        plan.failures.retain(|failure| is_ours(&failure.relative));
        plan.files = [plan.count_files(), all];
        plan.check_outputs(request, &known);
        Ok(plan)
    }

    fn count_files(&self) -> usize {
        let jobs: HashSet<_> = self.jobs.iter().map(|job| (&job.input.path, job.input.suffix())).collect();
        jobs.len() + self.failures.len()
    }

    /// Leaves out found images that are the result of another one, so that a second run over a folder does not
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
            if earlier {
                for id in job.input.files().into_iter().filter_map(FileId::of) {
                    inputs.remove(&id);
                }
            }
            !earlier
        });
    }

    fn refuse_collisions(&self, request: &UpscaleRequest) -> Result<()> {
        let mut taken: HashMap<PathBuf, &Path> = HashMap::new();
        if let Some(map) = request.uncertainty.as_deref() {
            let invalid = |message: String| Err(Error::invalid_option(message));
            let images: usize =
                self.jobs.iter().map(|job| if job.volume.is_some() { 1 } else { job.pages.len() }).sum();
            if images > 1 {
                return invalid(format!("--uncertainty takes one image: there are {images}"));
            }
            let is_volume = self.jobs.iter().any(|job| job.volume.is_some());
            if !self.jobs.is_empty() && is_volume != name_means_packed(map).is_some() {
                let (what, endings) =
                    if is_volume { ("a volume", ".nii or .nii.gz") } else { ("an image", ".tif or .tiff") };
                let map = map.display();
                return invalid(format!(
                    "--uncertainty is {map} for {what}: expected a file name ending in {endings}"
                ));
            }
            taken.insert(resolved(map), Path::new("--uncertainty"));
        }
        if let Some(preview) = request.preview.as_deref() {
            if self.jobs.len() > 1 {
                let message = format!("--preview draws one volume: there are {} inputs", self.jobs.len());
                return Err(Error::invalid_option(message));
            }
            taken.insert(resolved(preview), Path::new("--preview"));
        }
        if let Some(report) = &request.report
            && let Some(other) = taken.insert(resolved(report), Path::new("--report"))
        {
            let message = format!("{} and --report name the same file", other.display());
            return Err(Error::invalid_option(message));
        }
        let each = |job| Job::outputs(job).into_iter().map(move |output| (job, output));
        for (job, output) in self.jobs.iter().flat_map(each) {
            if let Some(other) = taken.insert(resolved(&output), &job.input.path) {
                let path = &job.input.path;
                let remedy = if other.extension() == path.extension() {
                    "write them to folders of their own, or give the folder above them, whose tree is mirrored"
                } else {
                    "tell them apart with --name, for instance {stem}-{from}.{ext}"
                };
                return Err(Error::invalid_option(format!(
                    "{} and {} would both be written to {}: nothing was done; {remedy}",
                    shown(other),
                    shown(path),
                    shown(&output)
                )));
            }
        }
        Ok(())
    }

    fn check_outputs(&mut self, request: &UpscaleRequest, inputs: &HashSet<FileId>) {
        for job in std::mem::take(&mut self.jobs) {
            match verdict(&job, request, inputs) {
                Ok(Verdict::Go) => self.jobs.push(job),
                Ok(Verdict::Skip) => self.skipped.push((job.input.path, job.output.unwrap_or_default())),
                Err(error) => {
                    let Input { path: input, relative, .. } = job.input;
                    self.failures.push(Failure { input, relative, error });
                }
            }
        }
    }
}

/// Several inputs, by name where they are series.
fn listed(inputs: &[Input]) -> String {
    let series: Option<Vec<_>> = inputs.iter().map(|input| input.series.as_ref()).collect();
    let Some(series) = series else { return "several inputs".into() };
    let named: Vec<_> = series.iter().map(|member| member.to_string()).collect();
    format!("{} series ({})", series.len(), named.join("; "))
}

/// What is to be said about pages that become several files.
fn note(jobs: &[Job]) -> Option<(PathBuf, String)> {
    let [first, .., last] = jobs else { return None };
    let name = |job: &Job| shown(job.output.as_deref().unwrap_or(Path::new("")));
    let text = format!(
        "the file has {} pages, but {} can store only one: written as {} to {}",
        jobs.len(),
        first.format,
        name(first),
        name(last)
    );
    Some((first.input.path.clone(), text))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser;

    use super::super::job::ModelFacts;
    use super::*;
    use crate::cli::{Cli, Command};
    use crate::image::ImageFormat;

    const PICTURE: &[u8] = b"P6\n4 2\n255\n........................";

    /// A folder with `names` as small images.
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
        let model = ModelFacts { name: "m", scale: 4 };
        RunPlan::make(&request, Models { images: model, volumes: model })
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
        let page = &plan.jobs[0].pages[0];
        assert_eq!((page.size, page.target), ((4, 2), (16, 8)));
        assert_eq!(plan.jobs[0].format, ImageFormat::Png);
        assert!(!folder.path().join("out").exists());
    }

    #[test]
    fn maps_and_pictures_are_of_one_input_and_of_its_kind() {
        let folder = folder(&["a.ppm", "b.ppm"]);
        let message = |arguments: &str| plan(&folder, arguments).unwrap_err().to_string();
        assert!(message("@/a.ppm @/b.ppm --uncertainty @/c.tif").contains("takes one image: there are 2"));
        assert!(message("@ --uncertainty @/c.tif").contains("takes one image: there are 2"));
        assert!(message("@/a.ppm --uncertainty @/c.nii").contains("ending in .tif or .tiff"));
        assert!(plan(&folder, "@/a.ppm --uncertainty @/c.tif").is_ok());
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
            assert!(plan.failures[0].error.to_string().contains("is also an input"), "{case}");
        }
        // Nor another image of the same run.
        let plan = plan(&folder, "@/a.ppm @/b.ppm --name b.ppm --overwrite");
        assert!(plan.is_err());
    }

    #[test]
    fn in_place_the_result_takes_the_name_and_a_backup_keeps_the_original() {
        let folder = folder(&["in/a.ppm", "in/b.ppm", "in/b.ppm.orig"]);
        let found = plan(&folder, "@/in --in-place").unwrap();
        assert_eq!(outputs(&folder, &found), ["in/a.ppm"]);
        assert!(found.jobs[0].in_place);
        assert_eq!(found.jobs[0].backup, Some(folder.path().canonicalize().unwrap().join("in/a.ppm.orig")));
        assert!(found.failures[0].error.to_string().contains("b.ppm.orig already exists"));
        let found = plan(&folder, "@/in --in-place --no-backup").unwrap();
        assert!(found.jobs.len() == 2 && found.jobs.iter().all(|job| job.backup.is_none()));
        fs::write(
            folder.path().join("x.gif"),
            b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;",
        )
        .unwrap();
        let error = &plan(&folder, "@/x.gif --in-place").unwrap().failures[0].error;
        assert!(error.to_string().contains("GIF can be read but not written"), "{error}");
        #[cfg(unix)]
        {
            // Through a link the file itself is replaced, and the link stays.
            std::os::unix::fs::symlink("in/a.ppm", folder.path().join("link.ppm")).unwrap();
            assert_eq!(outputs(&folder, &plan(&folder, "@/link.ppm --in-place").unwrap()), ["in/a.ppm"]);
            assert!(plan(&folder, "@/link.ppm @/in/a.ppm --in-place").is_err());
        }
    }

    #[test]
    fn a_map_of_uncertainty_replaces_nothing() {
        let folder = folder(&["a.ppm", "old.tif", "in.tif"]);
        let reason = |arguments: &str| match plan(&folder, arguments) {
            Ok(plan) => plan.failures[0].error.to_string(),
            Err(error) => error.to_string(),
        };
        assert!(reason("@/a.ppm -o @/b.tif --uncertainty @/b.tif").contains("would both be written"));
        assert!(reason("@/a.ppm --uncertainty @/old.tif").contains("old.tif exists already"));
        assert!(reason("@/in.tif -o @/b.png --uncertainty @/in.tif --overwrite").contains("also an input"));
        assert!(plan(&folder, "@/a.ppm --uncertainty @/old.tif --overwrite").unwrap().failures.is_empty());
    }

    #[test]
    fn a_second_run_leaves_out_what_the_first_made() {
        let folder = folder(&["in/a.ppm", "in/a_x4.ppm"]);
        for arguments in ["@/in --skip-existing", "@/in -o @/in --skip-existing"] {
            let plan = plan(&folder, arguments).unwrap();
            assert!(plan.jobs.is_empty() && plan.failures.is_empty(), "{arguments}");
            assert_eq!(plan.skipped.len(), 1, "{arguments}");
        }
        // An image that was named is worked on, whatever its name.
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
