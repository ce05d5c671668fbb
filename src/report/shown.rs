//! What pages show of a result besides names and size.

use serde::{Deserialize, Serialize};

use crate::engine::Report;

/// What is said of images that the model did not see.
pub const RESAMPLED: &str = "only resampled, no model needed";

/// An image and its result, of the first page, as sources of `img` elements.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Thumbnails {
    /// The image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// Pictures and numbers of a result, by the names of the page's data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Shown {
    /// Before and after.
    #[serde(flatten)]
    pub thumbnails: Thumbnails,
    /// Clean-up level.
    pub cleanup: f32,
    /// The factor by which the image was made smaller first, against blur.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deblur: Option<usize>,
    /// Denoising steps, where the model made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<usize>,
    /// How it was made, where the model did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub how: Option<String>,
    /// Mean difference between the input and the result at its size, in levels of 255.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    /// The largest of these differences.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most: Option<f64>,
}

impl Shown {
    /// Of an image.
    pub fn image(report: &Report, thumbnails: Thumbnails) -> Self {
        let made = report.passes > 0;
        // What was only resampled owes the model nothing.
        let of = |number: f64| made.then_some(number);
        let (mean, most) = (of(report.fidelity.mean_error), of(report.fidelity.max_error));
        Self { thumbnails, mean, most, ..Self::volume(report, false) }
    }

    /// Of a volume, which is compared slice by slice; `copied` where it is as large as its input.
    pub fn volume(report: &Report, copied: bool) -> Self {
        let how = match report.passes {
            _ if copied => Some("copied"),
            0 => Some(RESAMPLED),
            _ => None,
        };
        Self {
            cleanup: report.cleanup,
            deblur: Some(report.deblur).filter(|&factor| factor > 1),
            steps: how.is_none().then_some(report.sampling.steps),
            how: how.map(str::to_owned),
            ..Self::default()
        }
    }
}
