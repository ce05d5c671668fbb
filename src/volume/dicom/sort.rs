//! Frames into series, and those into spatial order. Names of files and numbers of images play no part.

use std::collections::BTreeMap;

use super::found::{Found, Key, Plane};
use super::grid::{self, SAME, dot, normal, shown};
use super::place::Place;
use super::series::{Frame, Grid, Series};

/// Most by which two directions of one series differ in any part: numbers are rounded in files.
const SAME_DIRECTION: f64 = 1e-3;

/// Most by which two distances of pixels differ, as a share.
const SAME_SPACING: f64 = 1e-3;

/// Frames that belong together, and the series that they make, or why they make none.
#[derive(Debug)]
pub struct Group {
    /// What they share.
    pub key: Key,
    /// Their files, each once, in order.
    pub files: Vec<usize>,
    /// The series.
    pub outcome: Result<Series, String>,
}

/// Sorts frames of `files` into groups, in an order that depends on the frames alone.
pub fn sort(files: &[Place], frames: Vec<Found>) -> Vec<Group> {
    let mut by_key: BTreeMap<Key, Vec<Found>> = BTreeMap::new();
    for frame in frames {
        by_key.entry(frame.key.clone()).or_default().push(frame);
    }
    let mut groups = Vec::new();
    for (key, mut frames) in by_key {
        frames.sort_by(|a, b| (&a.instance, a.number, a.file).cmp(&(&b.instance, b.number, b.file)));
        let (placed, lost): (Vec<_>, Vec<_>) = frames.into_iter().partition(|frame| frame.plane.is_ok());
        if let Some(Err(why)) = lost.first().map(|frame| &frame.plane) {
            let outcome = Err(why.clone());
            groups.push(Group { key: key.clone(), files: used(&lost), outcome });
        }
        let mut stacks: Vec<Vec<(Plane, Found)>> = Vec::new();
        for frame in placed {
            let Ok(plane) = frame.plane else { continue };
            match stacks.iter_mut().find(|stack| are_parallel(&stack[0].0, &plane)) {
                Some(stack) => stack.push((plane, frame)),
                None => stacks.push(vec![(plane, frame)]),
            }
        }
        for stack in stacks {
            let own: Vec<Found> = stack.iter().map(|(_, frame)| frame.clone()).collect();
            groups.push(Group { key: key.clone(), files: used(&own), outcome: series(files, &key, stack) });
        }
    }
    groups
}

/// The files of some frames.
fn used(frames: &[Found]) -> Vec<usize> {
    let mut files: Vec<usize> = frames.iter().map(|frame| frame.file).collect();
    files.sort_unstable();
    files.dedup();
    files
}

fn are_parallel(a: &Plane, b: &Plane) -> bool {
    let parts = a.directions.as_flattened().iter().zip(b.directions.as_flattened());
    parts.into_iter().all(|(a, b)| (a - b).abs() <= SAME_DIRECTION)
        && a.spacing.iter().zip(b.spacing).all(|(a, b)| (a - b).abs() <= SAME_SPACING * a.max(b))
}

/// The series of parallel frames.
fn series(files: &[Place], key: &Key, mut stack: Vec<(Plane, Found)>) -> Result<Series, String> {
    let directions = stack[0].0.directions;
    let normal = normal(&directions);
    let height = |plane: &Plane| dot(plane.position, normal);
    stack.sort_by(|(a, _), (b, _)| height(a).total_cmp(&height(b)));
    let mut slices: Vec<Vec<(Plane, Found)>> = Vec::new();
    for (plane, frame) in stack {
        match slices.last_mut().filter(|slice| height(&plane) - height(&slice[0].0) <= SAME) {
            Some(slice) => slice.push((plane, frame)),
            None => slices.push(vec![(plane, frame)]),
        }
    }
    let name = |frame: &Found| match frame.number {
        0 => files[frame.file].to_string(),
        number => format!("frame {} of {}", number + 1, files[frame.file]),
    };
    for slice in &mut slices {
        slice.sort_by(|(_, a), (_, b)| {
            (&a.time, &a.instance, a.number).cmp(&(&b.time, &b.instance, b.number))
        });
    }
    let times = times(&slices, name)?;
    let planes: Vec<Plane> = slices.iter().map(|slice| slice[0].0).collect();
    let first = &slices[0][0];
    let step = if slices.len() > 1 {
        grid::step(&planes, |at| name(&slices[at][0].1))?
    } else {
        let distance = first.1.between.or(first.1.thickness).unwrap_or(1.0);
        normal.map(|part| part * distance)
    };
    let grid = Grid {
        columns: key.size.0,
        rows: key.size.1,
        slices: slices.len(),
        times,
        along_row: directions[0],
        along_column: directions[1],
        spacing: first.0.spacing,
        step,
        origin: first.0.position,
        thickness: first.1.thickness,
    };
    let mut own: Vec<Place> = Vec::new();
    let mut numbers: BTreeMap<usize, usize> = BTreeMap::new();
    let mut frames = Vec::with_capacity(slices.len() * times);
    for time in 0..times {
        for slice in &slices {
            let (plane, frame) = &slice[time];
            let file = *numbers.entry(frame.file).or_insert_with(|| {
                own.push(files[frame.file].clone());
                own.len() - 1
            });
            let Found { number, scaling, .. } = *frame;
            frames.push(Frame { file, number, position: plane.position, scaling });
        }
    }
    Ok(Series::new(own, frames, grid, key, &first.1.details))
}

/// The number of times, which is the same at each place.
fn times(slices: &[Vec<(Plane, Found)>], name: impl Fn(&Found) -> String) -> Result<usize, String> {
    let mut counts: Vec<usize> = slices.iter().map(Vec::len).collect();
    counts.sort_unstable();
    let usual = counts[counts.len() / 2];
    for slice in slices {
        for two in slice.windows(2) {
            let [(plane, a), (_, b)] = two else { continue };
            let is_copy = !a.instance.is_empty() && (&a.instance, a.number) == (&b.instance, b.number);
            if is_copy || a.time == b.time || usual == 1 {
                return Err(format!(
                    "{} and {} are the same slice, at {} mm: expected each once",
                    name(a),
                    name(b),
                    shown(plane.position)
                ));
            }
        }
    }
    match slices.iter().find(|slice| slice.len() != usual) {
        None => Ok(usual),
        Some(slice) => Err(format!(
            "the slice at {} mm ({}) was taken {} times, others {usual} times: expected as many of each",
            shown(slice[0].0.position),
            name(&slice[0].1),
            slice.len()
        )),
    }
}
