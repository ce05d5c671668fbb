//! Opens libpartdiff at run time and speaks its C ABI, for hosts in Rust that do not want to link the engine.
//!
//! ```no_run
//! # fn main() -> Result<(), partdiff_host::Error> {
//! use partdiff_host::{Color, Form, Input, Library, Output, Sample};
//! let library = Library::find()?;
//! let mut job = library.context()?.open(None)?.job()?;
//! job.set_real("scale", 2.0)?;
//! let small = Form::new(Sample::U8, Color::Rgb, 64, 48);
//! let (width, height) = job.output_size(64, 48)?;
//! let large = Form::new(Sample::U8, Color::Rgb, width, height);
//! let (pixels, mut result) = (vec![0; small.bytes()], vec![0; large.bytes()]);
//! job.run(&small, Input::Memory(&pixels), &large, Output::Memory(&mut result), None)?;
//! # Ok(()) }
//! ```
//!
//! Set `ORT_DISABLE_TELEMETRY=1` early in `main`: nothing else keeps ONNX Runtime from sending an event when it starts.

// The very types of the library, so that the two cannot differ.
#[path = "../../src/abi.rs"]
pub mod abi;
mod error;
mod functions;
mod image;
mod job;
mod library;
mod objects;

pub use abi::{
    partdiff_color as Color, partdiff_layout as Layout, partdiff_sample as Sample, partdiff_status as Status,
};
pub use error::{Error, Result};
pub use functions::Functions;
pub use image::Form;
pub use job::{Canceller, Input, Job, Output, Progress, Strip, StripMut};
pub use library::Library;
pub use objects::{Context, Model};
