//! CCITT's codes for black and white (T.4 and T.6), as TIFF 6.0 uses them in sections 10 and 11.

use fax::BitReader;
use fax::maps::{Mode, black, mode, white};

use super::compression::Compression;
use super::unpacked::Unpacked;

/// Decodes a strip or tile of `width` pixels a row: 1 is black. As many of `rows` count as good as were decoded without
/// an error.
pub(super) fn decode(data: &[u8], compression: Compression, width: usize, rows: usize) -> Unpacked<'static> {
    let row_bytes = width.div_ceil(8);
    let mut bytes = vec![0; rows * row_bytes];
    let mut decoder = Decoder { bits: Bits { data, at: 0 }, width, above: Vec::new(), row: Vec::new() };
    let mut good = 0;
    let mut seen_eol = false;
    for row in bytes.chunks_exact_mut(row_bytes.max(1)) {
        let result = match compression {
            Compression::FaxRows { words } => {
                let unit = if words { 16 } else { 8 };
                decoder.bits.at = decoder.bits.at.next_multiple_of(unit);
                decoder.one_dimensional()
            }
            Compression::Fax3 { two_dimensional } => decoder.group3(two_dimensional, &mut seen_eol),
            _ => decoder.two_dimensional(),
        };
        if result == Row::End {
            break;
        }
        paint(row, &decoder.row, width);
        good += usize::from(result == Row::Good);
        std::mem::swap(&mut decoder.above, &mut decoder.row);
        // Each row is coded by its difference from the one above, so all that follow are lost.
        if result == Row::Bad && compression == Compression::Fax4 {
            break;
        }
    }
    // After a wrong code that went unnoticed, the data does not end where the image does.
    if compression == Compression::Fax4 && good == rows && !decoder.bits.ends() {
        good = 0;
    }
    Unpacked { bytes: bytes.into(), good: good * row_bytes, decoded: true }
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    Good,
    Bad,
    /// There are no more rows.
    End,
}

struct Decoder<'a> {
    bits: Bits<'a>,
    width: usize,
    /// Where colours change in the row above: to black, to white, and so on.
    above: Vec<usize>,
    /// The same of the current row.
    row: Vec<usize>,
}

impl Decoder<'_> {
    /// Decodes a row between end-of-line codes.
    fn group3(&mut self, two_dimensional: bool, seen_eol: &mut bool) -> Row {
        let mut marks = 0;
        let mut first_kind = true;
        while self.bits.take_eol() {
            marks += 1;
            first_kind = !two_dimensional || self.bits.take() == 1;
        }
        // Several end-of-line codes without a row between them mark the end of the page.
        if marks > 1 || self.bits.left() == 0 {
            return Row::End;
        }
        let lost = marks == 0 && *seen_eol;
        *seen_eol |= marks > 0;
        if lost && !self.bits.seek_eol() {
            return Row::End;
        }
        if lost {
            return self.group3(two_dimensional, seen_eol).or_bad();
        }
        let result = if first_kind { self.one_dimensional() } else { self.two_dimensional() };
        if result == Row::Bad {
            self.bits.seek_eol();
        }
        result
    }

    /// Decodes a row of runs.
    fn one_dimensional(&mut self) -> Row {
        self.row.clear();
        let (mut at, mut is_black) = (0, false);
        if self.bits.left() == 0 {
            return Row::End;
        }
        while at < self.width {
            let Some(run) = self.run(is_black) else { return Row::Bad };
            at += run;
            if at > self.width {
                return Row::Bad;
            }
            self.row.push(at);
            is_black = !is_black;
        }
        Row::Good
    }

    /// Decodes a row of differences from the one above.
    fn two_dimensional(&mut self) -> Row {
        self.row.clear();
        let (mut at, mut started, mut is_black) = (0, false, false);
        let mut above = 0;
        if self.bits.left() == 0 {
            return Row::End;
        }
        while at < self.width {
            // The first change of the row above to the right, to the other colour.
            while self.above.get(above).is_some_and(|change| *change < at || started && *change == at) {
                above += 1;
            }
            let same = above + usize::from(above % 2 != usize::from(is_black));
            let change = |index: usize| self.above.get(index).copied().unwrap_or(self.width);
            match mode::decode(&mut self.bits) {
                Some(Mode::Pass) => at = change(same + 1),
                Some(Mode::Vertical(offset)) => {
                    let to = change(same).checked_add_signed(offset.into());
                    match to.filter(|to| (at..=self.width).contains(to)) {
                        Some(to) => at = to,
                        None => return Row::Bad,
                    }
                    self.row.push(at);
                    is_black = !is_black;
                }
                Some(Mode::Horizontal) => {
                    for color in [is_black, !is_black] {
                        let Some(run) = self.run(color) else { return Row::Bad };
                        at += run;
                        if at > self.width {
                            return Row::Bad;
                        }
                        self.row.push(at);
                    }
                }
                Some(Mode::EOF) if !started => return Row::End,
                Some(Mode::EOF | Mode::Extension) | None => return Row::Bad,
            }
            started = true;
        }
        Row::Good
    }

    /// A run of one colour.
    fn run(&mut self, is_black: bool) -> Option<usize> {
        let mut run = 0;
        loop {
            let part = if is_black { black::decode(&mut self.bits) } else { white::decode(&mut self.bits) }?;
            run += usize::from(part);
            if part < 64 {
                return Some(run);
            }
            if run > self.width {
                return None;
            }
        }
    }
}

impl Row {
    fn or_bad(self) -> Self {
        if self == Self::Good { Self::Bad } else { self }
    }
}

/// Fills with black from each odd change to the next one.
fn paint(row: &mut [u8], changes: &[usize], width: usize) {
    for pair in changes.chunks(2) {
        let (from, to) = (pair[0], pair.get(1).copied().unwrap_or(width));
        for at in from..to {
            if at % 8 == 0 && at + 8 <= to {
                row[at / 8] = 0xff;
            } else {
                row[at / 8] |= 0x80 >> (at % 8);
            }
        }
    }
}

/// Reads bits, the highest first, and zeros after the end.
struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn left(&self) -> usize {
        (self.data.len() * 8).saturating_sub(self.at)
    }

    fn take(&mut self) -> u16 {
        let bit = self.peek(1).unwrap_or(0);
        self.at += 1;
        bit
    }

    /// Zeros from here on, at most `most`.
    fn zeros(&self, most: usize) -> usize {
        let zero = |at: usize| self.data[at / 8] & 0x80 >> (at % 8) == 0;
        (self.at..self.at + self.left().min(most)).take_while(|at| zero(*at)).count()
    }

    /// Skips an end-of-line code, with the fill bits before it, if it comes next.
    fn take_eol(&mut self) -> bool {
        let zeros = self.zeros(usize::MAX);
        let found = zeros >= 11 && self.left() > zeros;
        if found {
            self.at += zeros + 1;
        }
        found
    }

    /// Goes to the next end-of-line code; to the end if there is none.
    fn seek_eol(&mut self) -> bool {
        while self.left() > 0 {
            let zeros = self.zeros(11);
            if zeros == 11 {
                let zeros = self.zeros(usize::MAX);
                if zeros < self.left() {
                    return true;
                }
                // Zeros up to the end are no end-of-line code. Skipped, they are not counted again for each row.
                self.at += zeros;
                return false;
            }
            self.at += zeros + 1;
        }
        false
    }

    /// Whether the end of a block comes next, or only fill bits.
    fn ends(&mut self) -> bool {
        self.take_eol() || self.left() < 32 || self.zeros(usize::MAX) == self.left()
    }
}

impl BitReader for Bits<'_> {
    type Error = ();

    fn peek(&self, bits: u8) -> Option<u16> {
        if self.left() == 0 {
            return None;
        }
        let byte = |i: usize| u32::from(self.data.get(self.at / 8 + i).copied().unwrap_or(0));
        let window = byte(0) << 24 | byte(1) << 16 | byte(2) << 8 | byte(3);
        Some((window << (self.at % 8) >> (32 - u32::from(bits))) as u16)
    }

    fn consume(&mut self, bits: u8) -> Result<(), ()> {
        self.at += usize::from(bits);
        if self.at > self.data.len() * 8 { Err(()) } else { Ok(()) }
    }

    fn bits_to_byte_boundary(&self) -> u8 {
        (8 - self.at % 8) as u8 % 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_up_to_the_end_are_skipped_at_once() {
        let mut bits = Bits { data: &[0xff, 0, 0, 0], at: 0 };
        assert!(!bits.seek_eol());
        assert_eq!(bits.left(), 0);
        let mut bits = Bits { data: &[0xff, 0, 0, 1], at: 0 };
        assert!(bits.seek_eol());
        assert_eq!(bits.at, 8);
    }
}
