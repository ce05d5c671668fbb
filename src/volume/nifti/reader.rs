//! Opening a volume, and its voxels as a stream.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::datatype::Datatype;
use super::extension::{CIFTI, Extension};
use super::field;
use super::gzip::{MAGIC, Members};
use super::header::{Form, Header, Version};
use super::name::{advice, companions, is_data, may_be_analyze, without_gz};
use crate::error::{Error, ErrorKind, Result};
use crate::fs::hash::hash_file;

/// Most bytes that extensions may have.
const MAX_EXTENSIONS: u64 = 64 << 20;

/// Most bytes that deflate makes of one.
const MAX_INFLATION: u64 = 1032;

/// Bytes read from a file at once.
const BUFFER: usize = 1 << 18;

/// Intent codes of CIFTI.
const CIFTI_INTENTS: std::ops::Range<i64> = 3000..3100;

/// A volume whose header was read.
#[derive(Clone, Debug)]
pub struct Nifti {
    /// The header.
    pub header: Header,
    /// How header and data lie.
    pub form: Form,
    /// Type of the voxels.
    pub datatype: Datatype,
    /// Sides along i, j, k and t.
    pub shape: [usize; 4],
    /// Extensions in their order.
    pub extensions: Vec<Extension>,
    /// Harmless problems of the file, one sentence each.
    pub warnings: Vec<String>,
    data_path: PathBuf,
    data_offset: u64,
    data_bytes: u64,
    packed: bool,
}

/// The voxels of a volume, in the order of the file.
pub struct Data {
    source: Source,
    expected: u64,
    read: u64,
}

enum Source {
    Plain(BufReader<File>),
    Packed(Members<BufReader<File>>),
}

impl Nifti {
    /// Opens a volume by the name of its file, or of either file of a pair, and checks all that can be known without its
    /// voxels.
    ///
    /// # Errors
    /// `Input` naming the field that is wrong, its value and what was expected.
    pub fn open(path: &Path) -> Result<Self> {
        if let Some(advice) = advice(path) {
            return Err(wrong(advice));
        }
        let header_path = if is_data(path) { companion(path, "hdr", "header")? } else { path.to_path_buf() };
        let mut source = Source::open(&header_path)?;
        let mut bytes = source.up_to(4)?;
        let start = *bytes.first_chunk().ok_or_else(|| wrong(short_header(bytes.len(), Version::One)))?;
        let (version, order) = Header::kind(start)?;
        bytes.extend(source.up_to(version.bytes() as u64 - 4)?);
        if bytes.len() < version.bytes() {
            return Err(wrong(short_header(bytes.len(), version)));
        }
        let (header, form) = Header::parse(&bytes, may_be_analyze(&header_path))?;
        let offset = data_offset(&header, form)?;
        let data_path = match form {
            Form::Single => header_path,
            Form::Pair | Form::Analyze => companion(&header_path, "img", "voxels")?,
        };
        let mut warnings = Vec::new();
        let place = without_gz(&data_path).with_extension("mat");
        if form == Form::Analyze && place.is_file() {
            let message = format!("{} beside it, with its position for SPM, is not read", place.display());
            warnings.push(message);
        }
        let mut extensions = Vec::new();
        if form != Form::Analyze && source.up_to(4)?.first().is_some_and(|flag| *flag != 0) {
            let head = version.bytes() as u64 + 4;
            let length = if form == Form::Single { offset - head } else { u64::MAX };
            let area = source.up_to(length.min(MAX_EXTENSIONS))?;
            if area.len() as u64 == MAX_EXTENSIONS {
                return Err(Error::new(
                    ErrorKind::Limit,
                    "the extensions have 64 MiB or more: expected less",
                ));
            }
            let (found, damaged) = Extension::all(&area, order);
            if damaged {
                warnings
                    .push("an extension of the header is damaged; it and those after it are dropped".into());
            }
            extensions = found;
        }
        let datatype = Datatype::from_code(header.int(field::DATATYPE, 0))?;
        if CIFTI_INTENTS.contains(&header.int(field::INTENT_CODE, 0))
            || extensions.iter().any(|extension| extension.code() == CIFTI)
        {
            return Err(wrong(
                "is a CIFTI file, which holds surfaces and more: expected a volume; wb_command -cifti-separate takes one \
                 out",
            ));
        }
        let shape = header.shape()?;
        let data_bytes = data_bytes(shape, datatype)?;
        let packed = is_packed(&data_path)?;
        let nifti = Self {
            header,
            form,
            datatype,
            shape,
            extensions,
            warnings,
            data_path,
            data_offset: offset,
            data_bytes,
            packed,
        };
        nifti.check_length()?;
        Ok(nifti)
    }

    /// The file that holds the voxels.
    pub fn data_path(&self) -> &Path {
        &self.data_path
    }

    /// SHA-256 of that file, in hexadecimal.
    ///
    /// # Errors
    /// `Input` where it cannot be read.
    pub fn hash(&self) -> Result<String> {
        hash_file(&self.data_path).map_err(cannot_read)
    }

    /// Whether the voxels are compressed.
    pub fn is_packed(&self) -> bool {
        self.packed
    }

    /// The voxels from the first one on.
    ///
    /// # Errors
    /// `Input` where they cannot be read.
    pub fn data(&self) -> Result<Data> {
        let mut source = Source::open(&self.data_path)?;
        let skipped =
            io::copy(&mut source.by_ref().take(self.data_offset), &mut io::sink()).map_err(cannot_read)?;
        if skipped < self.data_offset {
            return Err(self.too_short(0));
        }
        Ok(Data { source, expected: self.data_bytes, read: 0 })
    }

    /// Refuses a header that promises more data than the file has, before memory is allocated.
    fn check_length(&self) -> Result<()> {
        let length = fs::metadata(&self.data_path).map_err(cannot_read)?.len();
        let most = if self.packed { length.saturating_mul(MAX_INFLATION) } else { length };
        let held = most.saturating_sub(self.data_offset);
        if held < self.data_bytes { Err(self.too_short(held)) } else { Ok(()) }
    }

    fn too_short(&self, held: u64) -> Error {
        let [i, j, k, t] = self.shape;
        let most = if self.packed { "at most " } else { "" };
        wrong(format!(
            "the data is too short: {most}{held} bytes from vox_offset {} on, expected {} for {i} x {j} x {k} x {t} voxels \
             of {}",
            self.data_offset,
            self.data_bytes,
            self.datatype.name()
        ))
    }
}

impl Data {
    /// Fills `buffer` with the next voxels.
    ///
    /// # Errors
    /// `Input` where the data ends before, or is damaged.
    pub fn fill(&mut self, buffer: &mut [u8]) -> Result<()> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.source.read(&mut buffer[filled..]) {
                Ok(0) => {
                    let (read, expected) = (self.read + filled as u64, self.expected);
                    let message = format!("the data is too short: {read} bytes, expected {expected}");
                    return Err(wrong(message));
                }
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(damaged(error)),
            }
        }
        self.read += filled as u64;
        Ok(())
    }

    /// Reads what follows the voxels, and so verifies the checksum of compressed data. Returns what is worth a warning.
    ///
    /// # Errors
    /// `Input` where compressed data is damaged.
    pub fn finish(mut self) -> Result<Option<String>> {
        let Source::Packed(members) = &mut self.source else { return Ok(None) };
        io::copy(members, &mut io::sink()).map_err(damaged)?;
        Ok(members.has_rest().then(|| "bytes that follow the gzip data are ignored".into()))
    }
}

impl Source {
    fn open(path: &Path) -> Result<Self> {
        let mut file = BufReader::with_capacity(BUFFER, File::open(path).map_err(cannot_read)?);
        let packed = file.fill_buf().map_err(cannot_read)?.starts_with(&MAGIC);
        Ok(if packed { Self::Packed(Members::new(file)) } else { Self::Plain(file) })
    }

    /// The next `length` bytes, or fewer at the end.
    fn up_to(&mut self, length: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.by_ref().take(length).read_to_end(&mut bytes).map_err(damaged)?;
        Ok(bytes)
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(buffer),
            Self::Packed(members) => members.read(buffer),
        }
    }
}

fn is_packed(path: &Path) -> Result<bool> {
    Ok(matches!(Source::open(path)?, Source::Packed(_)))
}

/// The other file of a pair.
fn companion(path: &Path, extension: &str, what: &str) -> Result<PathBuf> {
    let places = companions(path, extension);
    if let Some(found) = places.iter().find(|place| place.is_file()) {
        return Ok(found.clone());
    }
    Err(wrong(format!("is one file of a pair: expected its {what} in {}", places[0].display())))
}

/// Where the data begins.
fn data_offset(header: &Header, form: Form) -> Result<u64> {
    let offset = header.real(field::VOX_OFFSET, 0);
    let least = if form == Form::Single { header.version().bytes() as f64 + 4.0 } else { 0.0 };
    // Beyond 2^53 a double does not hold every whole number.
    if offset >= least && offset.fract() == 0.0 && offset < 9e15 {
        return Ok(offset as u64);
    }
    Err(wrong(format!("vox_offset is {offset}: expected a whole number of at least {least}")))
}

fn data_bytes(shape: [usize; 4], datatype: Datatype) -> Result<u64> {
    let bytes = shape.iter().try_fold(datatype.bytes() as u64, |bytes, &side| bytes.checked_mul(side as u64));
    bytes.filter(|bytes| *bytes <= i64::MAX as u64).ok_or_else(|| {
        let [i, j, k, t] = shape;
        wrong(format!("dim says {i} x {j} x {k} x {t} voxels: expected less than 2^63 bytes of them"))
    })
}

fn short_header(length: usize, version: Version) -> String {
    format!("the file has only {length} bytes: expected a header of {}", version.bytes())
}

/// What is wrong with compressed data is said by the error itself.
fn damaged(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => wrong(error.to_string()),
        _ => cannot_read(error),
    }
}

fn cannot_read(error: io::Error) -> Error {
    Error::with_source(ErrorKind::Input, "cannot read", error)
}

fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Input, message)
}
