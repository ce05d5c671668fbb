//! What becomes of one input: the pages to make, their sizes, and the file that they go to.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::volume_job::{VolumeJob, volume_job};
use crate::batch::naming::{NameFields, Template, format_and_extension, show_scale};
use crate::batch::planned_page::PlannedPage;
use crate::batch::probe::probe;
use crate::cli::args::destination::Destination;
use crate::cli::args::inputs::{Collected, Input};
use crate::cli::args::upscale_request::{Originals, UpscaleRequest};
use crate::engine::options::Target;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::file_id::FileId;
use crate::fs::folder::folder_of;
use crate::image::ImageFormat;
use crate::volume::Output;
use crate::volume::nifti::{is_volume, name_means_packed};
use crate::volume::sidecar_path;

/// One file to make.
#[derive(Clone, Debug)]
pub struct Job {
    /// What to read.
    pub input: Input,
    /// The whole input, where it comes from a pipe.
    pub bytes: Option<Arc<Vec<u8>>>,
    /// The pages of the result, in order; several in TIFF only.
    pub pages: Vec<PlannedPage>,
    /// Format of the result.
    pub format: ImageFormat,
    /// Where the result goes; `None` is standard output.
    pub output: Option<PathBuf>,
    /// Whether the result replaces its input.
    pub in_place: bool,
    /// Where the original is kept that is replaced.
    pub backup: Option<PathBuf>,
    /// What was appended to its name for that.
    pub backup_suffix: Option<OsString>,
    /// What is made of it where it is a volume: then the pages are its slices, and it has no format.
    pub volume: Option<Box<VolumeJob>>,
}

impl Job {
    /// Millions of pixels of the result, all pages.
    pub fn megapixels(&self) -> f64 {
        self.pages.iter().map(PlannedPage::megapixels).sum()
    }

    /// Whether its result is the folder of a DICOM series, and not a file.
    pub fn makes_folder(&self) -> bool {
        self.volume.as_ref().is_some_and(|volume| matches!(volume.plan.output, Output::Dicom(_)))
    }

    /// Where the sidecar of a volume's result goes, and the backup of one that it replaces.
    pub fn sidecar(&self) -> Option<(PathBuf, Option<PathBuf>)> {
        self.volume.as_ref()?.sidecar.as_ref()?;
        let path = sidecar_path(self.output.as_deref()?);
        Some((path.clone(), self.backup_suffix.as_ref().map(|suffix| with_suffix(&path, suffix))))
    }

    /// All files that it makes.
    pub fn outputs(&self) -> Vec<PathBuf> {
        self.output.iter().cloned().chain(self.sidecar().map(|(path, _)| path)).collect()
    }

    /// The same, replacing its input.
    pub fn in_place_of(self, request: &UpscaleRequest) -> Result<Self> {
        // The file itself, not a link to it, is replaced.
        let path = self
            .input
            .path
            .canonicalize()
            .map_err(|error| Error::with_source(ErrorKind::Input, "cannot read", error))?;
        let backup_suffix = match &request.originals {
            Originals::Backup(suffix) => Some(suffix.clone()),
            _ => None,
        };
        let backup = backup_suffix.as_ref().map(|suffix| with_suffix(&path, suffix));
        Ok(Self { in_place: true, backup, backup_suffix, output: Some(path), ..self })
    }
}

/// What a plan needs to know of the model.
#[derive(Clone, Copy, Debug)]
pub struct ModelFacts<'a> {
    /// Name for `{model}`.
    pub name: &'a str,
    /// The model's own factor.
    pub scale: usize,
}

/// The models of a run; they differ where none was named.
#[derive(Clone, Copy, Debug)]
pub struct Models<'a> {
    /// For images.
    pub images: ModelFacts<'a>,
    /// For volumes.
    pub volumes: ModelFacts<'a>,
}

/// The files to make from `input`: one, or one per page where the format holds no more. `like` is what `--like` names.
///
/// # Errors
/// `Input` or `Limit` for what cannot be read, `InvalidOption` or `Output` for what cannot be written.
pub fn jobs(
    request: &UpscaleRequest,
    models: Models<'_>,
    like: Option<&Collected>,
    input: &Input,
) -> Result<Vec<Job>> {
    if input.series.is_some() || !input.is_stdin() && is_volume(&input.path) {
        return Ok(vec![volume_job(request, models.volumes, like, input)?]);
    }
    if request.preview.is_some() {
        return Err(Error::invalid_option("--preview is for volumes"));
    }
    let volumes = &request.volumes;
    let given = [
        (volumes.plane.is_some(), "--plane"),
        (volumes.through.is_some(), "--through"),
        (volumes.mask.is_some(), "--mask"),
        (volumes.native, "--native"),
        (volumes.consistency_kernel.is_some(), "--consistency-kernel"),
        (volumes.datatype.is_some(), "--datatype"),
        (request.like.is_some(), "--like"),
    ];
    // Folders may hold both.
    if let Some((_, name)) = given.into_iter().find(|(is_given, _)| *is_given && !input.walked) {
        return Err(Error::invalid_option(format!("{name} is for volumes")));
    }
    let model = models.images;
    let path = (!input.is_stdin()).then_some(input.path.as_path());
    let probed = probe(path, &request.settings.limits())?;
    let pages = PlannedPage::all(&probed.pages, request.options.target, model.scale)?;
    let place = place(request, model, input, probed.format, &pages[0])?;
    let bytes = probed.bytes.map(Arc::new);
    let job = Job { input: input.clone(), bytes, pages, ..place };
    request.settings.encoding(job.format).validate()?;
    for page in &job.pages {
        job.format.check_size(page.target.0, page.target.1)?;
    }
    if job.pages.len() == 1 || job.format == ImageFormat::Tiff {
        return Ok(vec![job]);
    }
    let Some(output) = &job.output else {
        let message = format!(
            "the file has {} pages, but {} can store only one: give --format tiff",
            job.pages.len(),
            job.format
        );
        return Err(Error::invalid_option(message));
    };
    let digits = job.pages.len().to_string().len();
    let single = |page: &PlannedPage| {
        let output = Some(numbered(output, page.index + 1, digits));
        Job { pages: vec![*page], output, ..job.clone() }
    };
    Ok(job.pages.iter().map(single).collect())
}

/// A job without its pages: format and names.
fn place(
    request: &UpscaleRequest,
    model: ModelFacts<'_>,
    input: &Input,
    contents: ImageFormat,
    first: &PlannedPage,
) -> Result<Job> {
    let job = |format, output| Job {
        input: input.clone(),
        bytes: None,
        pages: Vec::new(),
        format,
        output,
        in_place: false,
        backup: None,
        backup_suffix: None,
        volume: None,
    };
    if request.originals != Originals::Stay {
        return job(contents, None).in_place_of(request);
    }
    let (mut format, mut ext) = format_and_extension(request.settings.format, &input.path, contents);
    if request.settings.format.is_none() && !format.can_write() {
        // Frames of an animation are not worth a format with 256 colours.
        (format, ext) = (ImageFormat::Png, "png".into());
    }
    let output = named_output(request, model, input, &ext, first, None);
    if let Some(path) = output.as_deref().filter(|path| name_means_packed(path).is_some()) {
        let message = format!("{} is a name for volumes, but the input is {contents}", path.display());
        return Err(Error::invalid_option(message));
    }
    // What the file is called decides, unless the user did.
    if request.settings.format.is_none()
        && let Some(called) = output.as_deref().and_then(ImageFormat::from_path)
    {
        format = called;
    }
    Ok(job(format, output))
}

/// Where a result goes, by the extension `ext` and `factor`, if that is not the target's, where a template asks for them;
/// `None` is standard output.
pub fn named_output(
    request: &UpscaleRequest,
    model: ModelFacts<'_>,
    input: &Input,
    ext: &str,
    first: &PlannedPage,
    factor: Option<f64>,
) -> Option<PathBuf> {
    let scale = show_scale(match request.options.target {
        Target::Native => model.scale as f64,
        Target::Scale(scale) => scale,
        _ => first.target.0 as f64 / first.size.0 as f64,
    });
    let scale = factor.map_or(scale, show_scale);
    let fields = NameFields {
        input: if input.is_stdin() { Path::new("stdin") } else { &input.path },
        ext,
        scale: &scale,
        model: model.name,
        preset: request.options.preset.as_deref().unwrap_or("default"),
        size: first.target,
    };
    match &request.destination {
        Destination::Stdout => None,
        Destination::File(path) => Some(path.clone()),
        Destination::Beside => Some(named(request, folder_of(&input.path), &fields)),
        Destination::Folder(folder) => {
            let mirrored = folder.join(input.relative.parent().unwrap_or(Path::new("")));
            Some(named(request, &mirrored, &fields))
        }
    }
}

/// `path` with `suffix` after its name.
fn with_suffix(path: &Path, suffix: &OsStr) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// `path` with `-number` before its extension.
fn numbered(path: &Path, number: usize, digits: usize) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_os_string();
    name.push(format!("-{number:0digits$}"));
    if let Some(ext) = path.extension() {
        name.push(".");
        name.push(ext);
    }
    path.with_file_name(name)
}

fn named(request: &UpscaleRequest, folder: &Path, fields: &NameFields<'_>) -> PathBuf {
    let template = request.template.clone().unwrap_or_else(|| {
        if same_folder(&folder.join("_"), fields.input) { Template::beside() } else { Template::elsewhere() }
    });
    let name = template.render(fields);
    if folder == Path::new(".") { PathBuf::from(name) } else { folder.join(name) }
}

/// Whether two files lie, or would lie, in one folder.
pub fn same_folder(a: &Path, b: &Path) -> bool {
    FileId::of(folder_of(a)).is_some_and(|id| FileId::of(folder_of(b)) == Some(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_before_the_extension() {
        assert_eq!(numbered(Path::new("a/b_x4.tar.png"), 3, 2), Path::new("a/b_x4.tar-03.png"));
        assert_eq!(numbered(Path::new("b"), 12, 2), Path::new("b-12"));
    }
}
