//! Encoding with libjpeg: full chroma resolution, tables made for the image.

use std::error::Error as StdError;
use std::ffi::{c_int, c_uint};
use std::io::{self, Write};
use std::panic::resume_unwind;
use std::ptr;

use mozjpeg_sys as ffi;

use super::{Fatal, caught, error_manager};

/// Bytes collected before they are written.
const PORTION: usize = 1 << 16;

/// How a file is written.
pub(in crate::image) struct Form<'a> {
    /// Columns, up to 65,500.
    pub width: usize,
    /// Rows, up to 65,500.
    pub height: usize,
    /// 1, grey, or 3, luma and chroma.
    pub channels: usize,
    /// 1 to 100, on the scale of the Independent JPEG Group.
    pub quality: u8,
    /// In scans of rising precision instead of a single one.
    pub progressive: bool,
    /// JFIF's unit (0 for none), and pixels across and down.
    pub density: (u8, u16, u16),
    /// Markers and payloads of segments after JFIF's, each of up to 65,533 bytes.
    pub segments: &'a [(u8, Vec<u8>)],
}

/// Writes a file whose rows, of interleaved channels, come from `row` in order.
///
/// The library holds all coefficients, of two bytes each, until it has seen the image.
pub(in crate::image) fn compress(
    form: &Form<'_>,
    row: impl FnMut(usize, &mut [u8]),
    out: &mut dyn Write,
) -> Result<(), Box<dyn StdError + Send + Sync>> {
    let mut state = State { out, buffer: vec![0; PORTION], failed: None };
    let mut encoder = Encoder::new(&mut state);
    let result = caught(|| encoder.run(form, row));
    drop(encoder);
    match (result, state.failed) {
        (_, Some(error)) => Err(error.into()),
        (Err(fatal), None) => Err(fatal.into()),
        (Ok(()), None) => Ok(()),
    }
}

/// Where the file goes.
struct State<'a> {
    out: &'a mut dyn Write,
    buffer: Vec<u8>,
    failed: Option<io::Error>,
}

impl State<'_> {
    /// Writes the first `count` collected bytes; unwinds where that fails.
    fn write(&mut self, count: usize) {
        if let Err(error) = self.out.write_all(&self.buffer[..count]) {
            self.failed = Some(error);
            resume_unwind(Box::new(Fatal { code: 0, message: String::new() }));
        }
    }
}

/// The library's object, with what it points to.
struct Encoder {
    object: Box<ffi::jpeg_compress_struct>,
    // Both are pointed to by the object.
    _errors: Box<ffi::jpeg_error_mgr>,
    _destination: Box<ffi::jpeg_destination_mgr>,
}

impl Encoder {
    /// An encoder that must not outlive `state`.
    fn new(state: &mut State<'_>) -> Self {
        let mut errors = error_manager(ignore);
        let mut destination = Box::new(ffi::jpeg_destination_mgr {
            next_output_byte: state.buffer.as_mut_ptr(),
            free_in_buffer: state.buffer.len(),
            init_destination: Some(nothing),
            empty_output_buffer: Some(write_all),
            term_destination: Some(write_rest),
        });
        // SAFETY: numbers, pointers and enums with a value for 0; the library sets it up below.
        let mut object: Box<ffi::jpeg_compress_struct> = Box::new(unsafe { std::mem::zeroed() });
        object.common.err = &mut *errors;
        // SAFETY: the object is zeroed and has its error manager.
        unsafe { ffi::jpeg_create_compress(&mut *object) };
        object.common.client_data = ptr::from_mut(state).cast();
        object.dest = &mut *destination;
        Self { object, _errors: errors, _destination: destination }
    }

    /// Writes the file; unwinds with [`Fatal`].
    fn run(&mut self, form: &Form<'_>, mut row: impl FnMut(usize, &mut [u8])) {
        let object = &mut *self.object;
        object.image_width = form.width as c_uint;
        object.image_height = form.height as c_uint;
        object.input_components = form.channels as c_int;
        object.in_color_space = if form.channels == 1 {
            ffi::J_COLOR_SPACE::JCS_GRAYSCALE
        } else {
            ffi::J_COLOR_SPACE::JCS_YCbCr
        };
        // SAFETY: the object is set up, and the calls here and below come in the order that the library's manual asks
        // for. The state behind `client_data` outlives this function, and is touched by the callbacks only.
        unsafe {
            // As libjpeg-turbo; else Mozilla's slow search for smaller files.
            ffi::jpeg_c_set_int_param(
                object,
                ffi::JINT_COMPRESS_PROFILE,
                ffi::JINT_COMPRESS_PROFILE_VALUE::JCP_FASTEST as c_int,
            );
            ffi::jpeg_set_defaults(object);
            ffi::jpeg_set_quality(object, form.quality.into(), 1);
        }
        // SAFETY: setting the defaults has made an entry for each channel.
        let channels = unsafe { std::slice::from_raw_parts_mut(object.comp_info, form.channels) };
        for channel in channels {
            (channel.h_samp_factor, channel.v_samp_factor) = (1, 1);
        }
        (object.density_unit, object.X_density, object.Y_density) = form.density;
        object.optimize_coding = 1;
        // SAFETY: see above. The lengths are those of the data.
        unsafe {
            if form.progressive {
                ffi::jpeg_simple_progression(object);
            }
            ffi::jpeg_start_compress(object, 1);
            for (marker, data) in form.segments {
                ffi::jpeg_write_marker(object, (*marker).into(), data.as_ptr(), data.len() as c_uint);
            }
        }
        let mut samples = vec![0; form.width * form.channels];
        for y in 0..form.height {
            row(y, &mut samples);
            // SAFETY: a pointer to one row of the size that was set.
            unsafe { ffi::jpeg_write_scanlines(object, &samples.as_ptr(), 1) };
        }
        // SAFETY: see above.
        unsafe { ffi::jpeg_finish_compress(object) };
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: the object was created, and is destroyed once.
        unsafe { ffi::jpeg_destroy_compress(&mut self.object) };
    }
}

/// The object's state and destination.
fn parts(object: &mut ffi::jpeg_compress_struct) -> (&mut State<'_>, &mut ffi::jpeg_destination_mgr) {
    // SAFETY: `Encoder::new` has set both, to what outlives the object.
    unsafe { (&mut *object.common.client_data.cast(), &mut *object.dest) }
}

extern "C-unwind" fn nothing(_: &mut ffi::jpeg_compress_struct) {}

extern "C-unwind" fn ignore(_: &mut ffi::jpeg_common_struct, _: c_int) {}

/// The buffer is full, whatever the destination says is left of it.
extern "C-unwind" fn write_all(object: &mut ffi::jpeg_compress_struct) -> ffi::boolean {
    let (state, destination) = parts(object);
    state.write(PORTION);
    destination.next_output_byte = state.buffer.as_mut_ptr();
    destination.free_in_buffer = PORTION;
    1
}

extern "C-unwind" fn write_rest(object: &mut ffi::jpeg_compress_struct) {
    let (state, destination) = parts(object);
    state.write(PORTION - destination.free_in_buffer);
}
