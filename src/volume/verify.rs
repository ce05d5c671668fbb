//! Whether a volume is what its record says: made again from its source, and compared.

use std::io::{self, Write};
use std::path::Path;

use super::geometry::{Geometry, distance};
use super::nifti::{COMMENT, Datatype, Extension, Header, Nifti, Order, field};
use super::options::{self, ConsistencyKernel, Distance, VolumeOptions};
use super::plan::Plan;
use super::source::Source;
use super::summary::Summary;
use super::task::{Listener, Made, Sink, VolumeTask};
use crate::engine::{Target, UpscaleOptions, Upscaler};
use crate::error::{Error, ErrorKind, Result};
use crate::image::Provenance;
use crate::limits::Limits;
use crate::progress::{CancelToken, NoProgress};

/// A volume compared with what its record makes of its source.
#[derive(Clone, Debug)]
pub struct Verification {
    /// Largest difference of any voxel, in 255ths of the window; at least 255 where only one of two is NaN.
    pub max_difference: f64,
    /// Mean difference, in 255ths of the window.
    pub mean_difference: f64,
    /// Share of voxels that differ at all, 0 to 1.
    pub differing: f64,
    /// Largest difference that counts as equal, in 255ths of the window: 1, for other processors round differently, and
    /// for integers a whole number more.
    pub tolerance: f64,
    /// Fields of the header that differ, by name; `extensions` for those after the header.
    pub fields: Vec<&'static str>,
    /// Largest distance between an outer corner of the result and that of its source, in millimetres, by whichever of
    /// qform and sform is worse; `None` where neither is set.
    pub corners_mm: Option<f64>,
    /// The numbers that are told of a result.
    pub summary: Summary,
}

/// The record in the extensions of `nifti`.
pub fn record(nifti: &Nifti) -> Option<Provenance> {
    nifti.extensions.iter().rev().find_map(of_extension)
}

fn of_extension(extension: &Extension) -> Option<Provenance> {
    let text = extension.bytes().get(8..).filter(|_| extension.code() == COMMENT)?;
    let end = text.iter().rposition(|byte| *byte != 0)? + 1;
    let record: Provenance = serde_json::from_slice(&text[..end]).ok()?;
    // Other programs leave comments too.
    (!record.source_sha256.is_empty()).then_some(record)
}

impl Listener for NoProgress {
    fn warn(&self, _: &str) {}
}

/// Makes the volume again of which `result` has a record, from `source`, and compares them. `options` are those of the
/// record, whatever their target.
///
/// # Errors
/// As [`Plan::new`] and [`VolumeTask::make`]; `Input` where `result` cannot be one of `source` by its size.
pub fn verify(
    upscaler: &Upscaler,
    result: &Nifti,
    source: &Path,
    options: &UpscaleOptions,
    limits: &Limits,
    cancel: &CancelToken,
) -> Result<Verification> {
    let record = record(result).unwrap_or_default();
    if record.mask_sha256.is_some() {
        let message = "was made with a mask, of which the record has the hash alone: cannot be made again";
        return Err(Error::new(ErrorKind::Input, message));
    }
    let plan = plan(upscaler, result, source, &record, limits)?;
    let (width, height) = plan.target();
    let target = Target::Size { width: width as u32, height: height as u32 };
    let task = VolumeTask {
        plan: &plan,
        hash: None,
        packed: false,
        options: &UpscaleOptions { target, ..options.clone() },
        folder: &std::env::temp_dir(),
        cannot_write: "cannot compare",
        map: None,
    };
    let mut judge =
        Judge { result, data: Some(result.data()?), head: Vec::new(), offset: None, sums: Sums::default() };
    let made = task.make(upscaler, &NoProgress, cancel, |fill| fill(Sink::File(&mut judge)))?;
    let ((), Made { summary, window, .. }) = made;
    if let Some(data) = judge.data.take() {
        data.finish()?;
    }
    let (header, _) = Header::parse(&judge.head, false)?;
    let level = (window.high - window.low) / 255.0;
    let Sums { most, sum, differing, holes, count } = judge.sums;
    // A hole where there was none is as wrong as can be.
    let (most, holes) = (if holes > 0 { most.max(255.0 * level) } else { most }, holes as f64);
    let whole = if result.datatype.is_float() { 0.0 } else { 1.0 / level };
    Ok(Verification {
        max_difference: most / level,
        mean_difference: (sum / level + 255.0 * holes) / count as f64,
        differing: (differing as f64 + holes) / count as f64,
        tolerance: 1.0 + whole,
        fields: different_fields(&header, &plan.source, result),
        corners_mm: corners_mm(&plan.geometry, &Geometry::of(&result.header, plan.sides)),
        summary,
    })
}

/// What must have been made of `source` to get a grid as large as that of `result`.
fn plan(
    upscaler: &Upscaler,
    result: &Nifti,
    source: &Path,
    record: &Provenance,
    limits: &Limits,
) -> Result<Plan> {
    let scale = upscaler.manifest().scale;
    let default = VolumeOptions::default();
    let mut options = VolumeOptions {
        datatype: Some(result.datatype),
        native: record.native.is_some(),
        acquired: record.native,
        consistency_kernel: record.kspace.then_some(ConsistencyKernel::Kspace),
        noise_length: record.noise_length.unwrap_or(default.noise_length),
        plane: record.plane.as_deref().and_then(|plane| options::plane(plane).ok()),
        force: true,
        ..default
    };
    let own = Plan::new(source, Target::Scale(1.0), scale, &options, limits)?;
    let [i, j, k] = own.geometry.sides;
    let (old, new) = ([i, j, k, own.source.shape()[3]], result.shape);
    let changed: Vec<usize> = (0..3).filter(|&axis| new[axis] != old[axis]).collect();
    if new[3] != old[3] || changed.len() > 2 {
        let [i, j, k, t] = old;
        let message = format!(
            "has {} x {} x {} x {} voxels, and the source {i} x {j} x {k} x {t}: expected the same number of volumes, and \
             one or two finer axes",
            new[0], new[1], new[2], new[3]
        );
        return Err(Error::new(ErrorKind::Input, message));
    }
    let (a, b, through) = own.plane;
    let target = if record.through {
        let distance = own.geometry.voxel_mm()[through] * old[through] as f64 / new[through] as f64;
        options.through = Some(Distance::Millimetres(distance));
        // Whatever lies beside the source now.
        options.thickness = Some(record.thickness.unwrap_or(own.geometry.voxel_mm()[through]));
        Target::Native
    } else {
        // The longer side says more exactly what the factor was.
        let axis = if old[a] >= old[b] { a } else { b };
        Target::Scale(new[axis] as f64 / old[axis] as f64)
    };
    let mut plan = Plan::new(source, target, scale, &options, limits)?;
    // Factors round to whole voxels.
    plan.sides = [new[0], new[1], new[2]];
    Ok(plan)
}

/// The names of fields in which the header of `result` is not `expected`; those that depend on the program and on
/// compression do not count.
fn different_fields(expected: &Header, source: &Source, result: &Nifti) -> Vec<&'static str> {
    let found = &result.header;
    let mut names: Vec<_> = field::ALL
        .iter()
        .filter(|field| field.name != field::VOX_OFFSET.name)
        // The program's name stands where the source had no description.
        .filter(|field| field.name != field::DESCRIP.name || source.header().has_text(field::DESCRIP))
        .filter(|field| {
            (0..field.count).any(|index| {
                let (a, b) = (expected.real(**field, index), found.real(**field, index));
                a != b && !(a.is_nan() && b.is_nan())
            })
        })
        .map(|field| field.name)
        .collect();
    let (extra, kept) =
        result.extensions.split_last().map_or((None, &[][..]), |(last, rest)| (Some(last), rest));
    if kept != source.extensions() || extra.and_then(of_extension).is_none() {
        names.push("extensions");
    }
    names
}

/// The largest distance between outer corners, by whichever form is worse.
fn corners_mm(source: &Geometry, result: &Geometry) -> Option<f64> {
    let forms = [(&source.qform, &result.qform), (&source.sform, &result.sform)];
    let distances = forms.into_iter().filter_map(|(a, b)| match (a, b) {
        (Some(a), Some(b)) => Some(distance((a, source.sides), (b, result.sides))),
        (None, None) => None,
        _ => Some(f64::INFINITY),
    });
    distances.reduce(f64::max).map(|units| units * source.millimetres.unwrap_or(1.0))
}

/// Takes a file as it is made, and compares its voxels with those of another.
struct Judge<'a> {
    result: &'a Nifti,
    data: Option<super::nifti::Data>,
    /// The first bytes, as many as a header has.
    head: Vec<u8>,
    /// Bytes until the voxels, once the header is there.
    offset: Option<u64>,
    sums: Sums,
}

#[derive(Default)]
struct Sums {
    /// The largest difference, in stored values.
    most: f64,
    sum: f64,
    differing: u64,
    /// Voxels of which only one of two is NaN.
    holes: u64,
    count: u64,
}

impl Judge<'_> {
    /// Compares the next voxels.
    fn compare(&mut self, made: &[u8]) -> io::Result<()> {
        let mut found = vec![0; made.len()];
        let data = self.data.as_mut().ok_or(io::ErrorKind::UnexpectedEof)?;
        data.fill(&mut found).map_err(|error| io::Error::other(error.report()))?;
        let order = self.result.header.order();
        let values = |bytes: &[u8]| decoded(self.result.datatype, order, bytes);
        for (a, b) in values(made).into_iter().zip(values(&found)) {
            self.sums.count += 1;
            if a.is_nan() || b.is_nan() {
                self.sums.holes += u64::from(a.is_nan() != b.is_nan());
                continue;
            }
            let difference = (a - b).abs();
            self.sums.most = self.sums.most.max(difference);
            self.sums.sum += difference;
            self.sums.differing += u64::from(difference > 0.0);
        }
        Ok(())
    }
}

fn decoded(datatype: Datatype, order: Order, bytes: &[u8]) -> Vec<f64> {
    let mut values = Vec::with_capacity(bytes.len() / datatype.bytes());
    datatype.decode(order, bytes, |value| values.push(value));
    values
}

impl Write for Judge<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(left) = self.offset else {
            // Header by header field, until it says where the voxels begin.
            let needed = match self.head.first_chunk() {
                Some(start) => {
                    Header::kind(*start).map_err(|error| io::Error::other(error.report()))?.0.bytes()
                }
                None => 4,
            };
            let taken = bytes.len().min(needed - self.head.len());
            self.head.extend_from_slice(&bytes[..taken]);
            if needed > 4 && self.head.len() == needed {
                let (header, _) =
                    Header::parse(&self.head, false).map_err(|error| io::Error::other(error.report()))?;
                self.offset = Some(header.int(field::VOX_OFFSET, 0) as u64 - needed as u64);
            }
            return Ok(taken);
        };
        if left > 0 {
            let taken = left.min(bytes.len() as u64);
            self.offset = Some(left - taken);
            return Ok(taken as usize);
        }
        self.compare(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
