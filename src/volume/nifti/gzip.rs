//! Gzip files of one member or several, each verified.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// The first bytes of every member.
pub(super) const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Reads the contents of all members, one after the other. Bytes after the last member are ignored, as Python's gzip
/// module does for zeros and nibabel for the rest.
pub(super) struct Members<R> {
    state: Option<State<R>>,
}

enum State<R> {
    Inside(Box<GzDecoder<R>>),
    Between(R),
    /// With whether other bytes than a member followed.
    End(bool),
}

impl<R: BufRead> Members<R> {
    pub(super) fn new(source: R) -> Self {
        Self { state: Some(State::Inside(Box::new(GzDecoder::new(source)))) }
    }

    /// Whether something other than zeros follows the last member; known at the end.
    pub(super) fn has_rest(&self) -> bool {
        matches!(self.state, Some(State::End(true)))
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let state = match self.state.take().unwrap_or(State::End(false)) {
                State::Inside(mut member) => {
                    let read = member.read(buffer).map_err(described)?;
                    if read > 0 {
                        self.state = Some(State::Inside(member));
                        return Ok(read);
                    }
                    State::Between(member.into_inner())
                }
                State::Between(mut source) => {
                    let next = source.fill_buf()?;
                    let zeros = next.iter().take_while(|byte| **byte == 0).count();
                    if next.is_empty() {
                        State::End(false)
                    } else if zeros > 0 {
                        source.consume(zeros);
                        State::Between(source)
                    } else if next.starts_with(&MAGIC) || next.len() == 1 && next[0] == MAGIC[0] {
                        State::Inside(Box::new(GzDecoder::new(source)))
                    } else {
                        State::End(true)
                    }
                }
                State::End(rest) => {
                    self.state = Some(State::End(rest));
                    return Ok(0);
                }
            };
            self.state = Some(state);
        }
    }
}

/// In words that say what is wrong with the file.
fn described(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            io::Error::new(io::ErrorKind::UnexpectedEof, "the gzip data is truncated")
        }
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            let what = if error.to_string().contains("checksum") {
                "the gzip checksum or length does not match the data: the file is damaged"
            } else {
                "the gzip data is damaged"
            };
            io::Error::new(io::ErrorKind::InvalidData, what)
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn member(contents: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(contents).unwrap();
        encoder.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> (Result<Vec<u8>, String>, bool) {
        // A small buffer, so that members begin anywhere in it.
        let mut members = Members::new(io::BufReader::with_capacity(7, bytes));
        let mut contents = Vec::new();
        let result = members.read_to_end(&mut contents).map_err(|error| error.to_string());
        (result.map(|_| contents), members.has_rest())
    }

    #[test]
    fn members_are_joined_and_what_follows_is_no_error() {
        let two = [member(b"abc"), member(b"defg")].concat();
        assert_eq!(read(&two), (Ok(b"abcdefg".to_vec()), false));
        assert_eq!(read(&[&two[..], &[0; 50]].concat()), (Ok(b"abcdefg".to_vec()), false));
        assert_eq!(read(&[&two[..], b"rubbish"].concat()), (Ok(b"abcdefg".to_vec()), true));
    }

    #[test]
    fn damage_is_found_in_every_member() {
        let (one, two) = (member(b"abc"), member(&[7; 1000]));
        let both = [one, two].concat();
        for cut in 1..both.len() - 24 {
            let result = read(&both[..both.len() - cut]).0;
            assert!(result.is_err_and(|error| error.contains("truncated")), "{cut}");
        }
        for (from_end, what) in [(5, "checksum or length"), (1, "checksum or length")] {
            let mut wrong = both.clone();
            let at = wrong.len() - from_end;
            wrong[at] ^= 1;
            assert!(read(&wrong).0.unwrap_err().contains(what), "{from_end}");
        }
    }
}
