//! The size of a picture from its header, and its bytes where they can be read only once.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::inputs::Input;
use crate::error::{Error, ErrorKind, Result};
use crate::image::{Header, ImageFormat, Picture, decode, header};
use crate::limits::Limits;

/// What a header tells.
#[derive(Debug)]
pub struct Probed {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Colour channels, 1 or 3.
    pub channels: usize,
    /// The format of the contents.
    pub format: ImageFormat,
    /// The whole file, where it comes from a pipe.
    pub bytes: Option<Vec<u8>>,
}

/// Reads the size of a picture without decoding it.
///
/// # Errors
/// `Input` where the file cannot be read or is no picture, `Limit` where it is too large.
pub fn probe(input: &Input, limits: &Limits) -> Result<Probed> {
    if input.is_stdin() {
        return probe_stream(io::stdin().lock(), limits);
    }
    let data = fs::metadata(&input.path).map_err(cannot_read)?;
    if data.is_file() {
        return probe_file(&input.path, limits);
    }
    if is_device(&data) {
        return Err(Error::new(ErrorKind::Input, "is a device, not a file"));
    }
    probe_stream(File::open(&input.path).map_err(cannot_read)?, limits)
}

/// Reads a whole file.
///
/// # Errors
/// `Input` where it cannot be read, `Limit` where it is larger than any picture within `limits`.
pub fn read_file(path: &Path, limits: &Limits) -> Result<Vec<u8>> {
    read_all(File::open(path).map_err(cannot_read)?, limits)
}

fn probe_file(path: &Path, limits: &Limits) -> Result<Probed> {
    let file = BufReader::new(File::open(path).map_err(cannot_read)?);
    if let Some(header) = header(file) {
        return Ok(Probed::new(&header, None));
    }
    // The decoder knows best what is wrong.
    let picture = decode(&read_file(path, limits)?, limits)?;
    Ok(Probed::of(&picture, None))
}

fn probe_stream(stream: impl Read, limits: &Limits) -> Result<Probed> {
    let bytes = read_all(stream, limits)?;
    if let Some(header) = header(io::Cursor::new(&bytes)) {
        return Ok(Probed::new(&header, Some(bytes)));
    }
    let picture = decode(&bytes, limits)?;
    Ok(Probed::of(&picture, Some(bytes)))
}

impl Probed {
    fn new(header: &Header, bytes: Option<Vec<u8>>) -> Self {
        let &Header { width, height, channels, format, .. } = header;
        Self { width, height, channels, format, bytes }
    }

    fn of(picture: &Picture, bytes: Option<Vec<u8>>) -> Self {
        let (width, height, channels) = (picture.width(), picture.height(), picture.color.channels());
        Self { width, height, channels, format: picture.format, bytes }
    }
}

fn read_all(stream: impl Read, limits: &Limits) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.take(limits.max_decode_bytes + 1).read_to_end(&mut bytes).map_err(cannot_read)?;
    if bytes.len() as u64 > limits.max_decode_bytes {
        let message = format!("the file has more than {} bytes, the limit", limits.max_decode_bytes);
        return Err(Error::new(ErrorKind::Limit, message));
    }
    Ok(bytes)
}

fn is_device(data: &fs::Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        data.file_type().is_char_device() || data.file_type().is_block_device()
    }
    #[cfg(not(unix))]
    {
        let _ = data;
        false
    }
}

fn cannot_read(error: io::Error) -> Error {
    Error::with_source(ErrorKind::Input, "cannot read", error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(path: &Path) -> Input {
        Input { path: path.to_path_buf(), relative: path.to_path_buf(), walked: false }
    }

    fn of_file(bytes: &[u8]) -> Result<Probed> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes).unwrap();
        probe(&input(file.path()), &Limits::default())
    }

    #[test]
    fn headers_tell_sizes_without_pixels() {
        // The pixels are missing, which only decoding finds.
        for probed in [
            of_file(b"P6\n7 5\n255\n").unwrap(),
            probe_stream(&b"P6\n7 5\n255\n"[..], &Limits::default()).unwrap(),
        ] {
            assert_eq!(
                (probed.width, probed.height, probed.channels, probed.format),
                (7, 5, 3, ImageFormat::Pnm)
            );
        }
        assert!(probe_stream(&b"P6\n7 5\n255\n"[..], &Limits::default()).unwrap().bytes.is_some());
    }

    #[test]
    fn what_is_no_picture_says_so() {
        assert_eq!(of_file(b"").unwrap_err().to_string(), "the file is empty");
        assert!(of_file(b"Dear Sir or Madam").unwrap_err().to_string().starts_with("not a picture"));
        assert!(of_file(b"\x89PNG\r\n\x1a\n").unwrap_err().to_string().contains("PNG data is truncated"));
    }

    #[cfg(unix)]
    #[test]
    fn endless_sources_are_refused() {
        let error = probe(&input(Path::new("/dev/zero")), &Limits::default()).unwrap_err();
        assert_eq!(error.to_string(), "is a device, not a file");
        let limits = Limits { max_decode_bytes: 1000, ..Limits::default() };
        let error = probe_stream(io::repeat(0), &limits).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit);
    }
}
