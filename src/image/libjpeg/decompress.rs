//! Decoding with libjpeg, which continues after errors and reports them as warnings.

use std::ffi::{c_int, c_long};
use std::ptr;

use mozjpeg_sys as ffi;

use super::{Fatal, caught, error_manager};
use crate::error::Error;
use crate::limits::Limits;

/// Most scans of a file: known encoders write up to about 20, and a small file of thousands would take minutes.
pub(in crate::image) const MOST_SCANS: u32 = 100;

/// Bytes given to the library at a time. With more than this it uses a faster Huffman decoder, which does not notice
/// invalid codes.
const PORTION: usize = 511;

/// Most fill bytes at the end of a scan: more mean that a part or whole scans are lost.
const FILL_BYTES: usize = 64;

/// Bytes that the library may have read and not used at the end of a scan, and one that the scan may end with.
const READ_AHEAD: usize = 8 + 1;

/// What the library reads after the end of the data: an end-of-image marker, as from its own data sources.
static END: [u8; 2] = [0xff, 0xd9];

/// How colours are stored, and whether they are converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::image) enum Coding {
    /// As markers and channel numbers say; YCbCr becomes RGB.
    Declared,
    /// Channels are delivered as they are stored.
    Stored,
    /// The three channels are YCbCr, whatever the file says, and become RGB.
    YCbCr,
}

/// What the delivered channels mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::image) enum Space {
    Grey,
    Rgb,
    /// As stored: files by Adobe hold 255 for no ink.
    Cmyk,
    /// No marker says it, or nobody asked.
    Unknown,
}

/// Something wrong with the data that did not stop the decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::image) struct Warning {
    /// The scan, counted from 1; 0 before the first.
    pub scan: u32,
    /// The row of MCUs in the scan, counted from 0.
    pub row: u32,
}

/// An image, and what was wrong with its file.
#[derive(Debug)]
pub(in crate::image) struct Decompressed {
    pub width: usize,
    pub height: usize,
    pub channels: usize,
    pub space: Space,
    /// Interleaved.
    pub samples: Vec<u8>,
    /// Errors in coded data, in the file's order; each place once.
    pub warnings: Vec<Warning>,
    /// How often the decoder found damage.
    pub errors: u64,
    /// Scans in the file.
    pub scans: u32,
    /// Whether the data ended before the end-of-image marker.
    pub ended: bool,
    /// Whether coded data were missing at the end.
    pub truncated: bool,
    /// For a progressive file, whether scans gave all coefficients in full precision; true for others.
    pub refined: bool,
    /// Number of channels that no scan contained.
    pub missing: usize,
}

/// What happens when the library cannot go on.
#[derive(Debug)]
pub(in crate::image) enum Failure {
    /// The data ended too early.
    Truncated,
    /// There are more than [`MOST_SCANS`].
    Scans,
    /// The image is over the limits.
    Limit(Error),
    /// The library's error.
    Fatal(Fatal),
}

/// Decodes `stream`, with the tables of another, abbreviated stream if `tables` are given.
///
/// `limits` are checked before pixels are allocated, and hold for what the library takes.
pub(in crate::image) fn decompress(
    tables: Option<&[u8]>,
    stream: &[u8],
    coding: Coding,
    limits: &Limits,
) -> Result<Decompressed, Failure> {
    let mut state = State { rest: tables.unwrap_or(stream), whole: stream, ..State::default() };
    let mut decoder = Decoder::new(&mut state, limits.max_decode_bytes);
    let result = caught(|| decoder.run(tables.is_some(), coding, limits));
    drop(decoder);
    match result {
        Ok(Ok(mut out)) => {
            out.warnings = state.warnings;
            out.errors = state.errors;
            out.ended = state.ended;
            out.truncated = state.truncated;
            Ok(out)
        }
        Ok(Err(failure)) => Err(failure),
        Err(_) if state.ended => Err(Failure::Truncated),
        Err(fatal) => Err(Failure::Fatal(fatal)),
    }
}

/// What the library's callbacks share.
#[derive(Default)]
struct State<'a> {
    /// What has not been handed to the library.
    rest: &'a [u8],
    whole: &'a [u8],
    warnings: Vec<Warning>,
    errors: u64,
    ended: bool,
    truncated: bool,
}

/// The library's object, with what it points to.
struct Decoder {
    object: Box<ffi::jpeg_decompress_struct>,
    // Both are pointed to by the object.
    _errors: Box<ffi::jpeg_error_mgr>,
    _source: Box<ffi::jpeg_source_mgr>,
}

impl Decoder {
    /// A decoder that must not outlive `state`.
    fn new(state: &mut State<'_>, memory: u64) -> Self {
        let mut errors = error_manager(warn);
        let mut source = Box::new(ffi::jpeg_source_mgr {
            next_input_byte: ptr::null(),
            bytes_in_buffer: 0,
            init_source: Some(nothing),
            fill_input_buffer: Some(fill),
            skip_input_data: Some(skip),
            resync_to_restart: Some(ffi::jpeg_resync_to_restart),
            term_source: Some(nothing),
        });
        // SAFETY: numbers, pointers and enums with a value for 0; the library sets it up below.
        let mut object: Box<ffi::jpeg_decompress_struct> = Box::new(unsafe { std::mem::zeroed() });
        object.common.err = &mut *errors;
        // SAFETY: the object is zeroed and has its error manager.
        unsafe { ffi::jpeg_create_decompress(&mut *object) };
        object.common.client_data = ptr::from_mut(state).cast();
        object.src = &mut *source;
        // SAFETY: the memory manager was made just now.
        unsafe { (*object.common.mem).max_memory_to_use = c_long::try_from(memory).unwrap_or(c_long::MAX) };
        Self { object, _errors: errors, _source: source }
    }

    /// Decodes what `state` has, at first only tables if `abbreviated`; unwinds with [`Fatal`].
    fn run(&mut self, abbreviated: bool, coding: Coding, limits: &Limits) -> Result<Decompressed, Failure> {
        let object = &mut *self.object;
        // SAFETY (all calls below): the object is set up, and the calls come in the order that the library's manual
        // asks for. The state behind `client_data` outlives this function, and is touched by the callbacks only.
        if abbreviated {
            // SAFETY: see above.
            unsafe { ffi::jpeg_read_header(object, 0) };
            let state = state(&mut object.common);
            (state.rest, state.ended) = (state.whole, false);
            // SAFETY: the source lives as long as the object. What is left of the tables is dropped.
            unsafe { (*object.src).bytes_in_buffer = 0 };
        }
        // SAFETY: see above.
        unsafe { ffi::jpeg_read_header(object, 1) };
        use ffi::J_COLOR_SPACE::{JCS_CMYK, JCS_GRAYSCALE, JCS_RGB, JCS_UNKNOWN, JCS_YCCK, JCS_YCbCr};
        match coding {
            Coding::Declared => {}
            Coding::YCbCr if object.num_components == 3 => object.jpeg_color_space = JCS_YCbCr,
            Coding::Stored | Coding::YCbCr => object.jpeg_color_space = JCS_UNKNOWN,
        }
        let space = match object.jpeg_color_space {
            JCS_GRAYSCALE => Space::Grey,
            JCS_RGB | JCS_YCbCr => Space::Rgb,
            JCS_CMYK | JCS_YCCK => Space::Cmyk,
            _ => Space::Unknown,
        };
        object.out_color_space = match space {
            Space::Grey => JCS_GRAYSCALE,
            Space::Rgb => JCS_RGB,
            Space::Cmyk => JCS_CMYK,
            Space::Unknown => JCS_UNKNOWN,
        };
        let (width, height) = (object.image_width.into(), object.image_height.into());
        limits.check(width, height, object.num_components as u64, 1).map_err(Failure::Limit)?;
        // SAFETY: see above.
        let several = unsafe { ffi::jpeg_has_multiple_scans(object) } != 0;
        // All scans are read before the first row is made; the library would do the same, without counting.
        object.buffered_image = several.into();
        // SAFETY: see above.
        unsafe { ffi::jpeg_start_decompress(object) };
        if several {
            /// The library's word for the end of the image.
            const REACHED_EOI: c_int = 2;
            // SAFETY: see above.
            while unsafe { ffi::jpeg_consume_input(object) } != REACHED_EOI {
                if object.input_scan_number > MOST_SCANS as c_int {
                    return Err(Failure::Scans);
                }
            }
            let last = object.input_scan_number;
            // SAFETY: see above.
            unsafe { ffi::jpeg_start_output(object, last) };
        }
        let (refined, missing) = completeness(object);
        let (width, height) = (object.output_width as usize, object.output_height as usize);
        let channels = object.output_components as usize;
        let mut samples = vec![0u8; width * height * channels];
        let mut rows: Vec<*mut u8> =
            samples.chunks_exact_mut(width * channels).map(<[u8]>::as_mut_ptr).collect();
        while object.output_scanline < object.output_height {
            let next = &mut rows[object.output_scanline as usize..];
            // SAFETY: as many pointers as rows are asked for, each to a row of the output's width.
            unsafe { ffi::jpeg_read_scanlines(object, next.as_mut_ptr(), next.len() as u32) };
        }
        let scans = object.input_scan_number as u32;
        // After the last row only superfluous data can follow.
        let end = caught(|| {
            if several {
                // SAFETY: see above.
                unsafe { ffi::jpeg_finish_output(object) };
            }
            // SAFETY: see above.
            unsafe { ffi::jpeg_finish_decompress(object) }
        });
        if end.is_err() {
            state(&mut object.common).ended = true;
        }
        Ok(Decompressed {
            width,
            height,
            channels,
            space,
            samples,
            warnings: Vec::new(),
            errors: 0,
            scans,
            ended: false,
            truncated: false,
            refined,
            missing,
        })
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: the object was created, and is destroyed once.
        unsafe { ffi::jpeg_destroy_decompress(&mut self.object) };
    }
}

/// Whether all coefficients of a progressive file came in full precision, and the number of channels that no scan had.
fn completeness(object: &ffi::jpeg_decompress_struct) -> (bool, usize) {
    let count = object.num_components as usize;
    let precision = object.coef_bits.cast::<[c_int; ffi::DCTSIZE2]>();
    let refined = precision.is_null() || {
        // SAFETY: the library allocates such an array for each channel of a progressive file.
        let precision = unsafe { std::slice::from_raw_parts(precision, count) };
        precision.iter().flatten().all(|&bits| bits == 0)
    };
    // SAFETY: the frame header was read, which makes an entry for each channel.
    let channels = unsafe { std::slice::from_raw_parts(object.comp_info, count) };
    // A channel's quantisation table is set when its first scan begins.
    (refined, channels.iter().filter(|channel| channel.quant_table.is_null()).count())
}

/// The state that belongs to the library's object.
fn state<'a>(common: &mut ffi::jpeg_common_struct) -> &'a mut State<'static> {
    // SAFETY: set by `Decoder::new` to a state that outlives the object; callbacks do not call each other while they
    // hold it.
    unsafe { &mut *common.client_data.cast() }
}

extern "C-unwind" fn nothing(_: &mut ffi::jpeg_decompress_struct) {}

/// Hands the library what comes next.
extern "C-unwind" fn fill(object: &mut ffi::jpeg_decompress_struct) -> ffi::boolean {
    let state = state(&mut object.common);
    let (portion, rest) = state.rest.split_at(state.rest.len().min(PORTION));
    state.rest = rest;
    state.ended |= portion.is_empty();
    let portion = if portion.is_empty() { &END } else { portion };
    // SAFETY: the source lives as long as the object.
    let source = unsafe { &mut *object.src };
    (source.next_input_byte, source.bytes_in_buffer) = (portion.as_ptr(), portion.len());
    1
}

extern "C-unwind" fn skip(object: &mut ffi::jpeg_decompress_struct, count: c_long) {
    let count = usize::try_from(count).unwrap_or(0);
    let state = state(&mut object.common);
    // SAFETY: the source lives as long as the object.
    let source = unsafe { &mut *object.src };
    let here = count.min(source.bytes_in_buffer);
    // SAFETY: `here` bytes are in the buffer.
    source.next_input_byte = unsafe { source.next_input_byte.add(here) };
    source.bytes_in_buffer -= here;
    state.rest = state.rest.get(count - here..).unwrap_or_default();
}

/// Records a warning of the library, if it means damage.
extern "C-unwind" fn warn(common: &mut ffi::jpeg_common_struct, level: c_int) {
    // Other levels are trace messages.
    if level >= 0 {
        return;
    }
    // SAFETY: the manager outlives the object.
    let errors = unsafe { &mut *common.err };
    let code = errors.msg_code;
    // SAFETY: warnings with parameters have numbers; others leave them as they were.
    let count = unsafe { (*errors.msg_parm.i())[0] };
    let state = state(common);
    // SAFETY: this manager is used for decoders only, which begin with the common part.
    let object = unsafe { &*ptr::from_mut(common).cast::<ffi::jpeg_decompress_struct>() };
    match code {
        ffi::JWRN_EXTRANEOUS_DATA => {
            // SAFETY: the source lives as long as the object.
            let left = unsafe { (*object.src).bytes_in_buffer } + state.rest.len();
            let end = state.whole.len().saturating_sub(left);
            let start = end.saturating_sub(usize::try_from(count).unwrap_or(0));
            // More zeros before the fill bytes than the decoder reads ahead were decoded as if they were codes.
            let zeros = state.whole[..end].iter().rev().take_while(|byte| **byte == 0).count();
            let is_fill = state.whole[start..end].iter().all(|byte| matches!(byte, 0 | 0xff))
                && end - start <= FILL_BYTES
                && zeros <= end - start + READ_AHEAD;
            if object.input_scan_number == 0 || is_fill {
                return;
            }
        }
        // Without these the image would end here.
        ffi::JWRN_HIT_MARKER | ffi::JWRN_MUST_RESYNC if state.ended => state.truncated = true,
        // Unknown kinds of metadata, and scan parameters that do not matter.
        ffi::JWRN_ADOBE_XFORM | ffi::JWRN_JFIF_MAJOR | ffi::JWRN_NOT_SEQUENTIAL => return,
        _ => {}
    }
    /// Most places that are remembered.
    const MOST: usize = 1 << 16;
    state.errors += 1;
    let warning = Warning { scan: object.input_scan_number as u32, row: object.input_iMCU_row };
    if state.warnings.last() != Some(&warning) && state.warnings.len() < MOST {
        state.warnings.push(warning);
    }
}
