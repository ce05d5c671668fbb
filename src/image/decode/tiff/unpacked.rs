//! Decompressing strips and tiles.

use std::borrow::Cow;

use flate2::{Decompress, FlushDecompress, Status};
use weezl::decode::Decoder as LzwDecoder;
use weezl::{BitOrder, LzwStatus};

/// Most bytes that are decompressed after the end of a whole strip or tile, to find errors.
const BEYOND: usize = 1 << 16;
/// Most bytes with which writers pad a strip or tile.
const PADDING: usize = 4;

/// The bytes of a strip or tile.
pub(super) struct Unpacked<'a> {
    /// As many as are needed; zeros where they are lost.
    pub bytes: Cow<'a, [u8]>,
    /// How many of them, from the first one on, can be trusted.
    pub good: usize,
    /// Whether the other bytes were decoded too, so that they may be right.
    pub decoded: bool,
}

impl<'a> Unpacked<'a> {
    /// Plain bytes.
    pub fn plain(data: Cow<'a, [u8]>, needed: usize) -> Self {
        let good = data.len().min(needed);
        if good == needed {
            return Self { bytes: data, good, decoded: false };
        }
        let mut bytes = data.into_owned();
        bytes.resize(needed, 0);
        Self { bytes: bytes.into(), good, decoded: false }
    }

    /// Deflate in zlib's frame. The checksum at the end is compared if it is there; `whole` is the size of a whole
    /// strip or tile, with rows below the image.
    pub fn deflate(data: &[u8], needed: usize, whole: usize) -> Self {
        let mut state = Decompress::new(true);
        unpack(needed, whole, |read, out| {
            let before = (state.total_in(), state.total_out());
            let status = state.decompress(&data[read..], out, FlushDecompress::None);
            let moved = ((state.total_in() - before.0) as usize, (state.total_out() - before.1) as usize);
            match status {
                Ok(Status::StreamEnd) => (moved, Next::Checked),
                Ok(_) => (moved, Next::More),
                Err(_) => (moved, Next::Fault),
            }
        })
    }

    /// LZW, as in TIFF 6.0 or in the order of bits of the first programs.
    pub fn lzw(data: &[u8], needed: usize, whole: usize) -> Self {
        let old = matches!(data, [0, second, ..] if second & 1 == 1);
        let mut state = match old {
            true => LzwDecoder::new(BitOrder::Lsb, 8),
            false => LzwDecoder::with_tiff_size_switch(BitOrder::Msb, 8),
        };
        unpack(needed, whole, |read, out| {
            let result = state.decode_bytes(&data[read..], out);
            let moved = (result.consumed_in, result.consumed_out);
            match result.status {
                Ok(LzwStatus::Done) => (moved, Next::End),
                Ok(_) => (moved, Next::More),
                Err(_) => (moved, Next::Fault),
            }
        })
    }

    /// Apple's run-length code. It has no checksum: the only sign of an error is that no run ends with the strip or
    /// tile.
    pub fn pack_bits(data: &[u8], needed: usize, whole: usize) -> Self {
        let mut bytes = Vec::with_capacity(needed.min(data.len().saturating_mul(64)));
        let mut rest = data;
        let mut ended = 0;
        while bytes.len() < whole + BEYOND
            && let [head, tail @ ..] = rest
        {
            let head = *head as i8;
            rest = match (head, tail) {
                (-128, _) => tail,
                (0.., _) => {
                    let (run, behind) = tail.split_at(tail.len().min(head as usize + 1));
                    bytes.extend_from_slice(run);
                    behind
                }
                (_, [value, behind @ ..]) => {
                    bytes.resize(bytes.len() + 1 + usize::from(head.unsigned_abs()), *value);
                    behind
                }
                (_, []) => tail,
            };
            if bytes.len() == needed || bytes.len() == whole {
                ended = bytes.len();
            }
        }
        let made = bytes.len();
        bytes.resize(needed, 0);
        let fits = made < needed || ended > 0 && made <= ended + PADDING;
        Self { bytes: bytes.into(), good: if fits { made.min(needed) } else { 0 }, decoded: made >= needed }
    }
}

/// What comes after a step of a decoder.
enum Next {
    More,
    End,
    /// The end, with a checksum that is right.
    Checked,
    Fault,
}

/// Calls `step` until the end. It gets how many bytes were read and where to write, and returns how many it read and
/// wrote.
fn unpack(
    needed: usize,
    whole: usize,
    mut step: impl FnMut(usize, &mut [u8]) -> ((usize, usize), Next),
) -> Unpacked<'static> {
    let mut bytes = vec![0; needed];
    let (mut read, mut made) = (0, 0);
    let mut behind = [0; 4096];
    let most = whole.max(needed) + BEYOND;
    let right = loop {
        let out = if made < needed { &mut bytes[made..] } else { &mut behind[..] };
        let ((took, gave), next) = step(read, out);
        read += took;
        made += gave;
        match next {
            Next::Checked => break true,
            Next::Fault => break false,
            Next::More if made > most => break false,
            Next::More if took > 0 || gave > 0 => {}
            // All is read. Without a checksum, only the size can show an error.
            Next::End | Next::More => break made == needed || made == whole,
        }
    };
    let good = match made < needed {
        true => made,
        false if right => needed,
        // An error after the needed bytes, usually a wrong checksum, does not say where they are wrong.
        false => 0,
    };
    Unpacked { bytes: bytes.into(), good, decoded: made >= needed }
}
