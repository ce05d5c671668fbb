//! What a user can ask for of volumes, beside what images have.

use std::path::PathBuf;

use super::nifti::Datatype;
use super::noise::DEFAULT_LENGTH;

/// Options of volumes.
#[derive(Clone, Debug, PartialEq)]
pub struct VolumeOptions {
    /// The two axes that are enlarged, of i = 0, j = 1 and k = 2. Default: the two finest.
    pub plane: Option<(usize, usize)>,
    /// The distance of slices to be made through the plane, instead of finer pixels in it. Default: none.
    pub through: Option<Distance>,
    /// How thick slices were acquired, in millimetres, for `through`. Default: what the sidecar or the series says, else
    /// the distance of slices.
    pub thickness: Option<f64>,
    /// A volume of the same grid, outside of whose voxels other than 0 there is only interpolation. Default: none.
    pub mask: Option<PathBuf>,
    /// Millimetres over which the noise of slices is alike; 0 for independent slices. Default: 2.
    pub noise_length: f64,
    /// How the input is taken to have been acquired, for putting back what it holds. Default: with one step, as the result
    /// tells; else nothing is put back.
    pub consistency_kernel: Option<ConsistencyKernel>,
    /// Type of the result's voxels. Default: the input's; float32 for one of 8 bits.
    pub datatype: Option<Datatype>,
    /// Level of gzip, 0 to 9. Default: 1.
    pub gz_level: u32,
    /// Whether slices are reduced in k-space to what was acquired, where less was acquired than stored. Default: no.
    pub native: bool,
    /// What was acquired, along i, j and k, for `native`. Default: what the sidecar says, or k-space shows.
    pub acquired: Option<[usize; 3]>,
    /// Whether volumes are made that should not be interpolated. Default: no.
    pub force: bool,
}

impl Default for VolumeOptions {
    fn default() -> Self {
        Self {
            plane: None,
            through: None,
            thickness: None,
            mask: None,
            noise_length: DEFAULT_LENGTH,
            consistency_kernel: None,
            native: false,
            acquired: None,
            datatype: None,
            gz_level: 1,
            force: false,
        }
    }
}

/// A distance of slices.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distance {
    /// That of the finest axis in the plane.
    Iso,
    /// In millimetres.
    Millimetres(f64),
}

/// How pixels of an input came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsistencyKernel {
    /// By shrinking with bicubic interpolation.
    Bicubic,
    /// As the central part of k-space.
    Kspace,
}

/// A kernel by its name.
///
/// # Errors
/// What was expected.
pub fn consistency_kernel(text: &str) -> Result<ConsistencyKernel, String> {
    match text {
        "bicubic" => Ok(ConsistencyKernel::Bicubic),
        "kspace" => Ok(ConsistencyKernel::Kspace),
        _ => Err("expected bicubic or kspace".into()),
    }
}

/// A distance as people write it.
///
/// # Errors
/// What was expected.
pub fn distance(text: &str) -> Result<Distance, String> {
    if text == "iso" {
        return Ok(Distance::Iso);
    }
    let number = millimetres(text).filter(|number| *number > 0.0);
    number.map(Distance::Millimetres).ok_or_else(|| "expected iso, or millimetres such as 1 or 1.5mm".into())
}

/// A thickness in millimetres.
///
/// # Errors
/// What was expected.
pub fn thickness(text: &str) -> Result<f64, String> {
    let number = millimetres(text).filter(|number| *number > 0.0);
    number.ok_or_else(|| "expected millimetres above 0, such as 4 or 2.5mm".into())
}

/// A length in millimetres.
///
/// # Errors
/// What was expected.
pub fn length(text: &str) -> Result<f64, String> {
    let number = millimetres(text).filter(|number| *number >= 0.0);
    number.ok_or_else(|| "expected millimetres of at least 0, such as 5 or 2.5mm".into())
}

/// A finite number, with or without its unit.
fn millimetres(text: &str) -> Option<f64> {
    let number = text.strip_suffix("mm").unwrap_or(text).trim().parse().ok();
    number.filter(|number: &f64| number.is_finite())
}

/// Names of the axes, as in NIfTI.
pub const AXES: [char; 3] = ['i', 'j', 'k'];

/// Two different axes by their names, such as `ij`.
///
/// # Errors
/// What was expected.
pub fn plane(text: &str) -> Result<(usize, usize), String> {
    let axis = |name: char| AXES.iter().position(|known| *known == name);
    let mut names = text.chars();
    match (names.next().and_then(axis), names.next().and_then(axis), names.next()) {
        (Some(a), Some(b), None) if a != b => Ok((a.min(b), a.max(b))),
        _ => Err("expected ij, ik or jk".into()),
    }
}

/// A datatype by its name.
///
/// # Errors
/// What was expected.
pub fn datatype(text: &str) -> Result<Datatype, String> {
    Datatype::ALL
        .into_iter()
        .find(|known| known.name() == text)
        .ok_or_else(|| format!("expected one of {}", Datatype::ALL.map(Datatype::name).join(", ")))
}

/// A level of gzip.
///
/// # Errors
/// What was expected.
pub fn gz_level(text: &str) -> Result<u32, String> {
    text.parse().ok().filter(|level| *level <= 9).ok_or_else(|| "expected 0 to 9".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read() {
        assert_eq!((plane("ij"), plane("ki")), (Ok((0, 1)), Ok((0, 2))));
        assert!(plane("ii").is_err() && plane("ijk").is_err() && plane("xy").is_err());
        assert_eq!((distance("iso"), distance("1.5mm")), (Ok(Distance::Iso), Ok(Distance::Millimetres(1.5))));
        assert!(distance("0").is_err() && distance("-1").is_err() && distance("fine").is_err());
        assert_eq!(datatype("uint16"), Ok(Datatype::U16));
        assert!(datatype("short").unwrap_err().contains("int16"));
        assert_eq!((length("0"), length("2.5mm")), (Ok(0.0), Ok(2.5)));
        assert!(length("-1").is_err() && length("inf").is_err() && length("").is_err());
        assert_eq!((thickness("4"), thickness("2.5mm")), (Ok(4.0), Ok(2.5)));
        assert!(thickness("0").is_err() && thickness("-1").is_err() && thickness("thick").is_err());
        assert!(gz_level("9").is_ok() && gz_level("10").is_err());
    }
}
