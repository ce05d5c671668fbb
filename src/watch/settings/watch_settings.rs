//! What one watch and the whole service were asked to do, and what speaks against it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::names::Names;
use super::schedule::Schedule;
use crate::diffusion::Trajectory;
use crate::engine::sampling::Sampling;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::folder::make_folder;
use crate::model::Bundle;
use crate::settings::Settings;
use crate::settings::repair::AskedRepair;
use crate::settings::units::{Amount, Period};
use crate::volume;
use crate::watch::source::selection::Selection;

/// What happens to an original once its result is in place and was read back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Originals {
    /// It stays. Default.
    #[default]
    Keep,
    /// It goes to the folder `move_to`.
    Move,
    /// It is deleted.
    Delete,
}

/// What to do where a file of the result's name exists that is not this input's own earlier result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Collision {
    /// The result gets a number: `a-2.png`. Default.
    #[default]
    Number,
    /// The file is replaced.
    Replace,
    /// The input fails.
    Refuse,
}

/// How files are quarantined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quarantine {
    /// By a link to the file, which stays. Default.
    #[default]
    Link,
    /// By moving the file.
    Move,
}

/// One watched folder.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WatchSettings {
    /// Name in the ledger and in messages. Default: the last part of `input`.
    pub name: String,
    /// The watched folder; `in` in the file.
    #[serde(rename = "in")]
    pub input: PathBuf,
    /// Where results go; `out` in the file.
    #[serde(rename = "out")]
    pub output: PathBuf,
    /// Whether folders inside are watched, and mirrored. Default: no.
    pub recursive: bool,
    /// Globs of files to take; all readable formats if empty.
    pub include: Vec<String>,
    /// Globs of files and folders to leave alone.
    pub exclude: Vec<String>,
    /// Whether files that are there at the first start are left alone. Default: no.
    pub ignore_existing: bool,
    /// How long a file must stay the same. Default: 2 s.
    pub settle: Period,
    /// How often the whole folder is walked. Default: 5 min where the kernel tells of changes, else 10 s.
    pub rescan: Option<Period>,
    /// Names of results. Default: `{stem}.{ext}`.
    pub names: Names,
    /// Where a file of that name exists.
    pub collision: Collision,
    /// What happens to originals.
    pub originals: Originals,
    /// The folder for `originals = "move"`.
    pub move_to: Option<PathBuf>,
    /// Failures until a file is given up. Default: 3.
    pub attempts: u32,
    /// The wait after a first failure; it doubles with every other. Default: 5 s.
    pub retry_delay: Period,
    /// How files that are given up are quarantined, in the state folder.
    pub quarantine: Quarantine,
    /// Least free space in the output folder's file system. Default: 500 MiB.
    pub min_free: Amount,
    /// The hours in which work is done. Default: all.
    pub hours: Option<Schedule>,
    /// What to make of each image.
    pub upscale: Settings,
}

impl Default for WatchSettings {
    fn default() -> Self {
        Self {
            name: String::new(),
            input: PathBuf::new(),
            output: PathBuf::new(),
            recursive: false,
            include: Vec::new(),
            exclude: Vec::new(),
            ignore_existing: false,
            settle: Period(Duration::from_secs(2)),
            rescan: None,
            names: Names::default(),
            collision: Collision::default(),
            originals: Originals::default(),
            move_to: None,
            attempts: 3,
            retry_delay: Period(Duration::from_secs(5)),
            quarantine: Quarantine::default(),
            min_free: Amount(500 << 20),
            hours: None,
            upscale: Settings::default(),
        }
    }
}

impl WatchSettings {
    /// Checks everything but loops, and resolves links in the paths. Makes nothing.
    ///
    /// # Errors
    /// `InvalidOption` naming the setting; `Input` or `Output` where a folder cannot be used; `Model` where the model
    /// cannot be.
    pub fn prepare(&mut self) -> Result<()> {
        if self.input.as_os_str().is_empty() || self.output.as_os_str().is_empty() {
            return Err(Error::invalid_option("a watch needs both folders, in and out"));
        }
        if self.attempts == 0 {
            return Err(Error::invalid_option("attempts is 0: expected at least 1"));
        }
        if (self.originals == Originals::Move) != self.move_to.is_some() {
            return Err(Error::invalid_option(
                "originals = \"move\" requires move_to, and move_to requires originals = \"move\"",
            ));
        }
        Selection::new(&self.include, &self.exclude)?;
        self.upscale.validate()?;
        fits_model(&self.upscale)?;
        self.input = canonical(&self.input, ErrorKind::Input)?;
        for folder in [Some(&mut self.output), self.move_to.as_mut()].into_iter().flatten() {
            *folder = to_be(folder)?;
        }
        if self.name.is_empty() {
            let name = self.input.file_name().unwrap_or(self.input.as_os_str());
            self.name = name.to_string_lossy().into_owned();
        }
        Ok(())
    }

    /// A hash of all that changes the results: settings, models and names.
    ///
    /// # Errors
    /// `Model` where the model cannot be used.
    pub fn digest(&self) -> Result<String> {
        let bundle = Bundle::resolve(self.upscale.model())?;
        let mut models = bundle.digest().to_owned();
        if self.upscale.model.is_none() {
            models.push_str(Bundle::resolve(volume::DEFAULT_MODEL)?.digest());
        }
        Ok(self.upscale.digest(&models, self.names.as_str()))
    }

    /// Makes the folders for results and originals.
    ///
    /// # Errors
    /// `Output` where they cannot be made or used.
    pub fn make_folders(&self) -> Result<()> {
        for folder in [Some(&self.output), self.move_to.as_ref()].into_iter().flatten() {
            make_folder(folder)?;
            canonical(folder, ErrorKind::Output)?;
        }
        Ok(())
    }

    /// Whether a file written into `folder` would be taken by this watch.
    fn takes_from(&self, folder: &Path) -> bool {
        let Ok(relative) = folder.strip_prefix(&self.input) else { return false };
        if relative.as_os_str().is_empty() {
            return true;
        }
        let selection = Selection::new(&self.include, &self.exclude);
        let enters = |part: &Path| {
            part.as_os_str().is_empty() || selection.as_ref().is_ok_and(|selection| selection.enters(part))
        };
        self.recursive && relative.ancestors().all(enters)
    }
}

/// Refuses watches whose results would be taken again: OUT in IN, IN below OUT, or rings over several watches.
///
/// Paths must have been resolved by [`WatchSettings::prepare`].
///
/// # Errors
/// `InvalidOption` naming the watches and folders.
pub fn refuse_loops(watches: &[WatchSettings]) -> Result<()> {
    for (index, watch) in watches.iter().enumerate() {
        if watches[..index].iter().any(|other| other.name == watch.name) {
            return Err(Error::invalid_option(format!(
                "two watches are called {:?}: give each its own name",
                watch.name
            )));
        }
        if let Some(folder) = &watch.move_to
            && watch.takes_from(folder)
        {
            let message = format!(
                "{:?}: move_to {} is itself a watched folder: choose another folder",
                watch.name,
                folder.display()
            );
            return Err(Error::invalid_option(message));
        }
        // Mirrored folders below OUT may be IN again.
        if watch.recursive && watch.input.starts_with(&watch.output) && watch.input != watch.output {
            return Err(Error::invalid_option(format!(
                "{:?}: {} lies in {}, where results are mirrored: they could be taken again",
                watch.name,
                watch.input.display(),
                watch.output.display()
            )));
        }
        // From watch to watch along results; coming back is a ring.
        let mut reached = vec![index];
        let mut next = 0;
        while next < reached.len() {
            let from = &watches[reached[next]];
            for (to, other) in watches.iter().enumerate() {
                if !other.takes_from(&from.output) {
                    continue;
                }
                if to == index {
                    return Err(Error::invalid_option(format!(
                        "{:?}: results in {} would be taken again from {}: choose another folder, or exclude it",
                        watch.name,
                        from.output.display(),
                        watch.input.display()
                    )));
                }
                if !reached.contains(&to) {
                    reached.push(to);
                }
            }
            next += 1;
        }
    }
    Ok(())
}

/// Checks what depends on the model, so that no image meets a mistake of the settings.
fn fits_model(settings: &Settings) -> Result<()> {
    let bundle = Bundle::resolve(settings.model())?;
    let manifest = bundle.manifest();
    AskedRepair::from(settings).check(manifest)?;
    let trajectory = Trajectory::new(manifest.schedule.build()?, manifest.alignment, manifest.start_step)?;
    Sampling::resolve(manifest, &settings.options()?)?.plan(manifest, &trajectory).map(drop)
}

/// The path of a folder that may have to be made: links in what exists of it are resolved.
fn to_be(path: &Path) -> Result<PathBuf> {
    let path = std::path::absolute(path).map_err(|error| {
        Error::with_source(ErrorKind::Output, format!("cannot use the folder {}", path.display()), error)
    })?;
    for existing in path.ancestors() {
        if let Ok(resolved) = existing.canonicalize() {
            let rest = path.strip_prefix(existing).unwrap_or(Path::new(""));
            return if rest.as_os_str().is_empty() {
                canonical(&path, ErrorKind::Output)
            } else if rest.components().any(|part| part == std::path::Component::ParentDir) {
                Err(Error::invalid_option(format!(
                    "{}: .. leads out of a folder that does not exist",
                    path.display()
                )))
            } else {
                Ok(resolved.join(rest))
            };
        }
    }
    Ok(path)
}

fn canonical(path: &Path, kind: ErrorKind) -> Result<PathBuf> {
    let wrong = |error| Error::with_source(kind, format!("cannot use the folder {}", path.display()), error);
    let path = path.canonicalize().map_err(wrong)?;
    fs::read_dir(&path).map_err(wrong)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(root: &Path, name: &str, input: &str, output: &str) -> WatchSettings {
        fs::create_dir_all(root.join(input)).unwrap();
        let mut watch = WatchSettings {
            name: name.into(),
            input: root.join(input),
            output: root.join(output),
            recursive: true,
            ..WatchSettings::default()
        };
        watch.prepare().unwrap();
        watch
    }

    #[test]
    fn loops_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let check = |watches: &[WatchSettings]| refuse_loops(watches).map_err(|error| error.to_string());
        check(&[watch(root, "w", "a", "b")]).unwrap();
        assert!(check(&[watch(root, "w", "a", "a")]).unwrap_err().contains("taken again"));
        let mut inside = watch(root, "w", "a", "a/out");
        assert!(check(std::slice::from_ref(&inside)).is_err());
        inside.exclude = vec!["out".into()];
        check(std::slice::from_ref(&inside)).unwrap();
        inside.exclude.clear();
        inside.recursive = false;
        check(&[inside]).unwrap();
        assert!(check(&[watch(root, "w", "c/in", "c")]).unwrap_err().contains("mirrored"));
        let chain = [watch(root, "v", "a", "b"), watch(root, "w", "b", "d")];
        check(&chain).unwrap();
        let ring = [watch(root, "v", "a", "b"), watch(root, "w", "b", "a")];
        assert!(check(&ring).unwrap_err().contains("taken again"));
        assert!(
            check(&[watch(root, "w", "a", "b"), watch(root, "w", "d", "b")]).unwrap_err().contains("called")
        );
    }

    #[test]
    fn what_no_image_could_be_made_with_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let wrong = |upscale: Settings| {
            let watch = WatchSettings { upscale, ..watch(root.path(), "w", "a", "b") };
            watch.clone().prepare().unwrap_err().report()
        };
        let preset = wrong(Settings { preset: Some("nope".into()), ..Settings::default() });
        assert!(preset.starts_with("no preset \"nope\" in model natural-x4: expected one of"), "{preset}");
        let steps = wrong(Settings { steps: Some(5000), ..Settings::default() });
        assert!(steps.starts_with("steps is 5000, expected 1 to"), "{steps}");
        let start = wrong(Settings { start_step: Some(5000), ..Settings::default() });
        assert!(start.starts_with("start step is 5000, expected 1 to"), "{start}");
        let fit = wrong(Settings { fit: Some((0, 9)), ..Settings::default() });
        assert!(fit.starts_with("fit is 0x9"), "{fit}");
        let model = wrong(Settings { model: Some("nope".into()), ..Settings::default() });
        assert!(model.contains("nope"), "{model}");
    }

    #[cfg(unix)]
    #[test]
    fn links_hide_no_loop() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("a")).unwrap();
        std::os::unix::fs::symlink("a", root.path().join("link")).unwrap();
        assert!(refuse_loops(&[watch(root.path(), "w", "a", "link/out")]).is_err());
    }
}
