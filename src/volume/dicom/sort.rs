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
    for slice in &slices {
        for (plane, frame) in &slice[1..] {
            if let Some(aside) = grid::shift(&slice[0].0, plane) {
                return Err(format!(
                    "{} is shifted by {aside:.2} mm within its plane against {}, another time of this slice: \
                     expected both in one place",
                    name(frame),
                    name(&slice[0].1)
                ));
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::volume::dicom::component::Component;
    use crate::volume::dicom::found::{Details, Time};
    use crate::volume::dicom::series::Sample;

    /// Frame `file`, `height` along the normal of slices that lie along no axis.
    fn frame(file: usize, height: f64) -> Found {
        let directions = [[0.8, 0.0, -0.6], [0.0, 1.0, 0.0]];
        let across = normal(&directions);
        let position = std::array::from_fn(|axis| [4.0, -7.0, 11.0][axis] + height * across[axis]);
        let sample = Sample { allocated: 16, stored: 12, signed: false };
        Found {
            file,
            number: 0,
            instance: format!("2.25.{file}"),
            key: Key {
                uid: "2.25.9".into(),
                number: Some(3),
                component: Component::Magnitude,
                echo: None,
                size: (4, 5),
                sample,
            },
            plane: Ok(Plane { position, directions, spacing: [0.5, 0.5] }),
            time: Time { instance: Some(file as i64), ..Time::default() },
            scaling: (1.0, 0.0),
            thickness: Some(2.0),
            between: None,
            details: Details::default(),
        }
    }

    /// The same at one of several times.
    fn timed(file: usize, height: f64, position: i64) -> Found {
        let mut frame = frame(file, height);
        frame.time.position = Some(position);
        frame
    }

    fn sorted(frames: Vec<Found>) -> Vec<Group> {
        let places: Vec<_> = (0..frames.len())
            .map(|file| Place { path: PathBuf::from(format!("f{file}")), entry: None })
            .collect();
        sort(&places, frames)
    }

    fn only(frames: Vec<Found>) -> Result<Series, String> {
        let mut groups = sorted(frames);
        assert_eq!(groups.len(), 1);
        groups.remove(0).outcome
    }

    #[test]
    fn slices_stand_in_the_order_of_their_places_whatever_their_numbers() {
        let heights = [6.0, 0.0, 3.0, 9.0];
        let series = only((0..4).map(|file| frame(file, heights[file])).collect()).unwrap();
        let names: Vec<_> = series.frames.iter().map(|frame| series.files[frame.file].to_string()).collect();
        assert_eq!(names, ["f1", "f2", "f0", "f3"]);
        assert_eq!((series.grid.slices, series.grid.times), (4, 1));
        assert!((series.grid.distance() - 3.0).abs() < 1e-12);
        assert!(dot(series.grid.step, series.grid.normal()) > 0.0);
    }

    #[test]
    fn frames_at_one_place_are_times_in_the_order_of_what_tells_them_apart() {
        let series =
            only(vec![timed(0, 3.0, 2), timed(1, 0.0, 2), timed(2, 0.0, 1), timed(3, 3.0, 1)]).unwrap();
        let names: Vec<_> = series.frames.iter().map(|frame| series.files[frame.file].to_string()).collect();
        assert_eq!((series.grid.slices, series.grid.times), (2, 2));
        assert_eq!(names, ["f2", "f3", "f1", "f0"]);
    }

    #[test]
    fn times_of_a_slice_lie_in_one_place() {
        let stack = |aside: f64| {
            let mut frames = vec![timed(0, 0.0, 1), timed(1, 0.0, 2), timed(2, 3.0, 1), timed(3, 3.0, 2)];
            if let Ok(plane) = &mut frames[3].plane {
                plane.position[1] += aside;
            }
            only(frames)
        };
        assert_eq!(stack(0.2).unwrap().grid.times, 2);
        let refused = stack(20.0).unwrap_err();
        assert!(refused.starts_with("f3 is shifted by 20.00 mm within its plane against f2"), "{refused}");
    }

    #[test]
    fn echoes_and_turned_slices_are_series_of_their_own() {
        let mut echo = frame(1, 0.0);
        echo.key.echo = Some(20_000);
        let mut turned = frame(2, 0.0);
        if let Ok(plane) = &mut turned.plane {
            plane.directions = [[0.0, 1.0, 0.0], [0.0, 0.0, -1.0]];
        }
        let groups = sorted(vec![frame(0, 0.0), echo, turned]);
        assert!(groups.len() == 3 && groups.iter().all(|group| group.outcome.is_ok()));
    }

    #[test]
    fn distances_may_differ_by_what_scanners_round() {
        let heights = |heights: [f64; 4]| only((0..4).map(|file| frame(file, heights[file])).collect());
        let series = heights([0.0, 7.06, 14.02, 21.0]).unwrap();
        assert!((series.grid.distance() - 7.0).abs() < 1e-9);
        assert!(heights([0.0, 7.3, 14.0, 21.0]).unwrap_err().contains("6.70 to 7.30 mm apart"));
        assert!(heights([0.0, f64::NAN, 14.0, 21.0]).is_err());
    }
}
