//! A graph's real inputs and outputs, compared with what the manifest promises.

use std::fmt;

use ort::session::Session;
use ort::value::{Outlet, TensorElementType};

use crate::error::{Error, ErrorKind, Result};

/// A tensor that a graph must have.
#[derive(Clone, Debug)]
pub(super) struct Expected<'a> {
    /// Its name in the graph.
    pub name: &'a str,
    /// What it is, for messages.
    pub role: &'static str,
    /// Its dimensions.
    pub shape: ExpectedShape,
    /// Element types that can be served.
    pub elements: &'static [TensorElementType],
}

/// Dimensions that a tensor must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExpectedShape {
    /// [1, channels, any height, any width].
    Image(usize),
    /// [any number, channels, any height, any width].
    Crops(usize),
    /// One number: a scalar, [1] or [1, 1].
    Single,
    /// [any number].
    Each,
}

pub(super) const FLOAT: &[TensorElementType] = &[TensorElementType::Float32];
pub(super) const FLOAT_OR_INTEGER: &[TensorElementType] =
    &[TensorElementType::Float32, TensorElementType::Int64];

impl fmt::Display for ExpectedShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(channels) => write!(f, "[1, {channels}, ?, ?]"),
            Self::Crops(channels) => write!(f, "[?, {channels}, ?, ?]"),
            Self::Single => f.write_str("[1]"),
            Self::Each => f.write_str("[?]"),
        }
    }
}

/// A tensor as the graph declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Declared {
    /// Its name.
    pub name: String,
    /// Type of its elements; `None` if it is no tensor.
    pub element: Option<TensorElementType>,
    /// Dimensions, -1 where they are free.
    pub dims: Vec<i64>,
}

impl Declared {
    fn shape(&self) -> String {
        let dims: Vec<_> =
            self.dims.iter().map(|dim| if *dim < 0 { "?".to_owned() } else { dim.to_string() }).collect();
        format!("[{}]", dims.join(", "))
    }
}

impl From<&Outlet> for Declared {
    fn from(outlet: &Outlet) -> Self {
        Self {
            name: outlet.name().to_owned(),
            element: outlet.dtype().tensor_type(),
            dims: outlet.dtype().tensor_shape().map(|shape| shape.to_vec()).unwrap_or_default(),
        }
    }
}

/// Checks `session`, loaded from `file`: exactly `inputs`, and among its outputs `output`.
pub(super) fn check_session(
    file: &str,
    session: &Session,
    inputs: &[Expected<'_>],
    output: &Expected<'_>,
) -> Result<()> {
    let declared: Vec<Declared> = session.inputs().iter().map(Declared::from).collect();
    check_inputs(file, &declared, inputs)?;
    check_output(file, session, output)
}

/// Checks that `session`, loaded from `file`, has `output` among its outputs.
pub(super) fn check_output(file: &str, session: &Session, output: &Expected<'_>) -> Result<()> {
    let declared: Vec<Declared> = session.outputs().iter().map(Declared::from).collect();
    check_tensor(file, "output", &declared, output)
}

fn check_inputs(file: &str, declared: &[Declared], expected: &[Expected<'_>]) -> Result<()> {
    for expected in expected {
        check_tensor(file, "input", declared, expected)?;
    }
    let extra = declared.iter().find(|input| expected.iter().all(|expected| expected.name != input.name));
    match extra {
        None => Ok(()),
        Some(input) => Err(Error::new(
            ErrorKind::Model,
            format!("{file}: input \"{}\" {} is not named in the manifest", input.name, input.shape()),
        )),
    }
}

fn check_tensor(file: &str, side: &str, declared: &[Declared], expected: &Expected<'_>) -> Result<()> {
    let fail = |reason: String| Err(Error::new(ErrorKind::Model, format!("{file}: {side} {reason}")));
    let Expected { name, role, shape, .. } = expected;
    let Some(tensor) = declared.iter().find(|tensor| tensor.name == *name) else {
        let names: Vec<_> = declared.iter().map(|tensor| format!("\"{}\"", tensor.name)).collect();
        return fail(format!("\"{name}\" ({role}) is missing; the graph has {}", names.join(", ")));
    };
    if tensor.element.is_none_or(|element| !expected.elements.contains(&element)) {
        let is = tensor.element.map_or("a non-tensor type".to_owned(), |element| element.to_string());
        let wanted: Vec<_> = expected.elements.iter().map(ToString::to_string).collect();
        return fail(format!("\"{name}\" ({role}) is of type {is}, expected {}", wanted.join(" or ")));
    }
    let fits = match *shape {
        // Some exporters leave an output's shape out; every run checks it anyway.
        ExpectedShape::Image(_) if side == "output" && tensor.dims.is_empty() => true,
        ExpectedShape::Image(channels) => are_images(&tensor.dims, &[-1, 1], channels),
        ExpectedShape::Crops(channels) => are_images(&tensor.dims, &[-1], channels),
        ExpectedShape::Each => matches!(tensor.dims[..], [-1]),
        ExpectedShape::Single => {
            tensor.dims.len() <= 2 && tensor.dims.iter().all(|dim| matches!(dim, -1 | 1))
        }
    };
    if fits {
        return Ok(());
    }
    fail(format!("\"{name}\" ({role}) has shape {}, expected {shape} (? is free)", tensor.shape()))
}

/// Whether a graph with these dimensions takes images of `channels`, as many as one of `counts` says (-1: any number).
fn are_images(dims: &[i64], counts: &[i64], channels: usize) -> bool {
    // A fixed tile size would bind the plan of tiles to one graph.
    matches!(dims, [count, planes, -1, -1] if counts.contains(count) && [-1, channels as i64].contains(planes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(name: &str, element: TensorElementType, dims: &[i64]) -> Declared {
        Declared { name: name.to_owned(), element: Some(element), dims: dims.to_vec() }
    }

    fn expected() -> [Expected<'static>; 2] {
        [
            Expected { name: "z", role: "latent", shape: ExpectedShape::Image(3), elements: FLOAT },
            Expected {
                name: "t",
                role: "timestep",
                shape: ExpectedShape::Single,
                elements: FLOAT_OR_INTEGER,
            },
        ]
    }

    fn message(inputs: &[Declared]) -> String {
        let error = check_inputs("denoiser.onnx", inputs, &expected()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Model);
        error.to_string()
    }

    #[test]
    fn good_graphs_pass() {
        use TensorElementType::{Float32, Int64};
        for t in [tensor("t", Float32, &[-1]), tensor("t", Int64, &[1]), tensor("t", Float32, &[])] {
            check_inputs("d", &[tensor("z", Float32, &[-1, 3, -1, -1]), t.clone()], &expected()).unwrap();
            check_inputs("d", &[t, tensor("z", Float32, &[1, -1, -1, -1])], &expected()).unwrap();
        }
    }

    #[test]
    fn a_graph_for_one_crop_is_none_for_several() {
        let expected =
            [Expected { name: "lr", role: "image", shape: ExpectedShape::Crops(3), elements: FLOAT }];
        let check =
            |dims: &[i64]| check_inputs("e", &[tensor("lr", TensorElementType::Float32, dims)], &expected);
        check(&[-1, 3, -1, -1]).unwrap();
        let error = check(&[1, 3, -1, -1]).unwrap_err().to_string();
        assert_eq!(
            error,
            "e: input \"lr\" (image) has shape [1, 3, ?, ?], expected [?, 3, ?, ?] (? is free)"
        );
    }

    #[test]
    fn each_misfit_names_the_tensor_and_both_shapes() {
        use TensorElementType::{Float16, Float32};
        let (z, t) = (tensor("z", Float32, &[-1, 3, -1, -1]), tensor("t", Float32, &[-1]));
        assert_eq!(
            message(std::slice::from_ref(&t)),
            "denoiser.onnx: input \"z\" (latent) is missing; the graph has \"t\""
        );
        assert_eq!(
            message(&[tensor("z", Float32, &[-1, 1, -1, -1]), t.clone()]),
            "denoiser.onnx: input \"z\" (latent) has shape [?, 1, ?, ?], expected [1, 3, ?, ?] (? is free)"
        );
        for dims in [&[1, 3, 64, 64][..], &[2, 3, -1, -1], &[3, -1, -1]] {
            assert!(message(&[tensor("z", Float32, dims), t.clone()]).contains("expected [1, 3, ?, ?]"));
        }
        assert_eq!(
            message(&[z.clone(), tensor("t", Float32, &[4])]),
            "denoiser.onnx: input \"t\" (timestep) has shape [4], expected [1] (? is free)"
        );
        assert!(
            message(&[tensor("z", Float16, &[-1, 3, -1, -1]), t.clone()])
                .contains("is of type f16, expected f32")
        );
        assert_eq!(
            message(&[z, t, tensor("mask", Float32, &[-1, 1, -1, -1])]),
            "denoiser.onnx: input \"mask\" [?, 1, ?, ?] is not named in the manifest"
        );
    }
}
