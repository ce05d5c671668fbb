//! The pages of a file from its headers, and its bytes where they can be read only once.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::image::{Header, ImageFormat, decode_page, page_headers};
use crate::limits::Limits;

/// What headers tell.
#[derive(Debug)]
pub struct Probed {
    /// The pages, at least one.
    pub pages: Vec<PageSize>,
    /// The format of the contents.
    pub format: ImageFormat,
    /// The whole file, where it comes from a pipe.
    pub bytes: Option<Vec<u8>>,
}

/// The size of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageSize {
    /// Width and height in pixels.
    pub size: (usize, usize),
    /// Colour channels, 1 or 3.
    pub channels: usize,
}

/// Reads the sizes of the pages of a file, or of standard input, without decoding them.
///
/// # Errors
/// `Input` where it cannot be read or is no image, `Limit` where it or a page is too large.
pub fn probe(path: Option<&Path>, limits: &Limits) -> Result<Probed> {
    let Some(path) = path else { return probe_stream(io::stdin().lock(), limits) };
    let data = fs::metadata(path).map_err(cannot_read)?;
    if data.is_file() {
        return probe_file(path, limits);
    }
    if is_device(&data) {
        return Err(Error::new(ErrorKind::Input, "is a device, not a file"));
    }
    probe_stream(File::open(path).map_err(cannot_read)?, limits)
}

/// As [`probe`], of a file that was read.
///
/// # Errors
/// As [`probe`].
pub fn probe_bytes(bytes: &[u8], limits: &Limits) -> Result<Probed> {
    let headers = page_headers(io::Cursor::new(bytes), limits)?;
    match Probed::new(&headers, limits)? {
        Some(probed) => Ok(probed),
        None => Probed::of(&headers, bytes, limits),
    }
}

/// Reads a whole file.
///
/// # Errors
/// `Input` where it cannot be read, `Limit` where it is larger than any image within `limits`.
pub fn read_file(path: &Path, limits: &Limits) -> Result<Vec<u8>> {
    read_all(File::open(path).map_err(cannot_read)?, limits)
}

fn probe_file(path: &Path, limits: &Limits) -> Result<Probed> {
    let headers = page_headers(BufReader::new(File::open(path).map_err(cannot_read)?), limits)?;
    match Probed::new(&headers, limits)? {
        Some(probed) => Ok(probed),
        None => Probed::of(&headers, &read_file(path, limits)?, limits),
    }
}

fn probe_stream(stream: impl Read, limits: &Limits) -> Result<Probed> {
    let bytes = read_all(stream, limits)?;
    let probed = probe_bytes(&bytes, limits)?;
    Ok(Probed { bytes: Some(bytes), ..probed })
}

impl Probed {
    /// From headers alone, if they tell enough.
    fn new(headers: &[Option<Header>], limits: &Limits) -> Result<Option<Self>> {
        let Some(headers) = headers.iter().copied().collect::<Option<Vec<_>>>() else { return Ok(None) };
        let page = |header: &Header| {
            let (width, height) = (header.width, header.height);
            let bytes = u64::from(header.depth.bits() / 8);
            limits.check(width as u64, height as u64, header.channels as u64, bytes)?;
            Ok(PageSize { size: (width, height), channels: header.channels })
        };
        let pages = headers.iter().map(page).collect::<Result<_>>()?;
        Ok(headers.first().map(|first| Self { pages, format: first.format, bytes: None }))
    }

    /// From pixels, where a header does not tell; the decoder also knows best what is wrong.
    fn of(headers: &[Option<Header>], bytes: &[u8], limits: &Limits) -> Result<Self> {
        let mut pages = Vec::new();
        let mut format = None;
        for (index, header) in headers.iter().enumerate() {
            let (page, found) = match header {
                Some(header) => ((header.width, header.height, header.channels), header.format),
                None => {
                    let image = decode_page(bytes, index, limits)?;
                    ((image.width(), image.height(), image.color.channels()), image.format)
                }
            };
            pages.push(PageSize { size: (page.0, page.1), channels: page.2 });
            format = format.or(Some(found));
        }
        let format = format.ok_or_else(|| Error::new(ErrorKind::Input, "the file has no page"))?;
        Ok(Self { pages, format, bytes: None })
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

    fn of_file(bytes: &[u8]) -> Result<Probed> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes).unwrap();
        probe(Some(file.path()), &Limits::default())
    }

    #[test]
    fn headers_tell_sizes_without_pixels() {
        // The pixels are missing, which only decoding finds.
        for probed in [
            of_file(b"P6\n7 5\n255\n").unwrap(),
            probe_stream(&b"P6\n7 5\n255\n"[..], &Limits::default()).unwrap(),
        ] {
            assert_eq!(probed.pages, [PageSize { size: (7, 5), channels: 3 }]);
            assert_eq!(probed.format, ImageFormat::Pnm);
        }
        assert!(probe_stream(&b"P6\n7 5\n255\n"[..], &Limits::default()).unwrap().bytes.is_some());
    }

    #[test]
    fn what_is_no_image_says_so() {
        assert_eq!(of_file(b"").unwrap_err().to_string(), "the file is empty");
        assert!(of_file(b"Dear Sir or Madam").unwrap_err().to_string().starts_with("unknown image format"));
        assert!(of_file(b"\x89PNG\r\n\x1a\n").unwrap_err().to_string().contains("PNG data is truncated"));
    }

    #[cfg(unix)]
    #[test]
    fn endless_sources_are_refused() {
        let error = probe(Some(Path::new("/dev/zero")), &Limits::default()).unwrap_err();
        assert_eq!(error.to_string(), "is a device, not a file");
        let limits = Limits { max_decode_bytes: 1000, ..Limits::default() };
        let error = probe_stream(io::repeat(0), &limits).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit);
    }
}
