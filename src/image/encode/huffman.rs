//! The entropy-coded part of a baseline JPEG (ITU-T T.81), coded anew with tables made for it.
//!
//! Tables made for an image need its statistics first. The coded symbols give them as well as the coefficients would,
//! and take a tenth of the memory. docs/upstream has a proposal for jpeg-encoder that would make this file unneeded.

use std::ops::Range;

/// Marker codes.
const START_OF_FRAME: u8 = 0xc0;
const TABLES: u8 = 0xc4;
const START_OF_SCAN: u8 = 0xda;
const END_OF_IMAGE: u8 = 0xd9;

/// Classes and numbers of tables: DC 0, AC 0, DC 1, AC 1.
const SLOTS: usize = 4;

/// Longest code, in bits.
const LONGEST: usize = 16;

/// How a table is stored: how many codes there are of each length from 1 bit on, and their symbols by rising code.
#[derive(Clone, Debug, Default, PartialEq)]
struct Table {
    counts: [u8; LONGEST],
    symbols: Vec<u8>,
}

/// The places of a file's parts.
struct Layout {
    /// What comes before the scan, without tables of codes.
    kept: Vec<Range<usize>>,
    scan: Range<usize>,
    tables: [Table; SLOTS],
    /// Blocks of every component.
    blocks: usize,
    /// The slots of each component's DC and AC table, in the scan's order.
    components: Vec<(usize, usize)>,
}

/// `file` with tables made for it; as it is unless it is baseline with all components in one scan, of one block each
/// per unit, and no restarts.
pub(crate) fn optimized(file: Vec<u8>) -> Vec<u8> {
    rewritten(&file).filter(|smaller| smaller.len() < file.len()).unwrap_or(file)
}

fn rewritten(file: &[u8]) -> Option<Vec<u8>> {
    let layout = layout(file)?;
    let coded = &file[layout.scan.end..];
    let mut frequencies = [[0u32; 257]; SLOTS];
    walk(&layout, coded, |slot, symbol, _| frequencies[slot][usize::from(symbol)] += 1)?;
    let tables = frequencies.map(|frequencies| Table::of(&frequencies));
    let codes = tables.each_ref().map(Table::codes);
    let mut out = Vec::with_capacity(file.len());
    out.extend(&file[..2]);
    layout.kept.iter().for_each(|part| out.extend(&file[part.clone()]));
    for (slot, table) in tables.iter().enumerate().filter(|(_, table)| !table.symbols.is_empty()) {
        out.extend([0xff, TABLES]);
        out.extend((19 + table.symbols.len() as u16).to_be_bytes());
        out.push((((slot % 2) << 4) | (slot / 2)) as u8);
        out.extend(table.counts);
        out.extend(&table.symbols);
    }
    out.extend(&file[layout.scan.clone()]);
    let mut bits = BitWriter { out, held: 0, count: 0 };
    walk(&layout, coded, |slot, symbol, value| {
        let (code, length) = codes[slot][usize::from(symbol)];
        bits.put(code, length);
        bits.put(value, u32::from(symbol & 15));
    })?;
    let mut out = bits.finish();
    out.extend([0xff, END_OF_IMAGE]);
    Some(out)
}

fn layout(file: &[u8]) -> Option<Layout> {
    let number = |at: usize| Some(usize::from(u16::from_be_bytes([*file.get(at)?, *file.get(at + 1)?])));
    let mut at = 2;
    let mut layout = Layout {
        kept: Vec::new(),
        scan: 0..0,
        tables: Default::default(),
        blocks: 0,
        components: Vec::new(),
    };
    loop {
        let (marker, end) = (*file.get(at + 1)?, at + 2 + number(at + 2)?);
        let data = file.get(at + 4..end)?;
        match marker {
            TABLES => {
                let mut rest = data;
                while let [head, tail @ ..] = rest {
                    let (counts, tail) = tail.split_first_chunk::<LONGEST>()?;
                    let count = counts.iter().map(|&count| usize::from(count)).sum();
                    let slot = usize::from(head >> 4) + 2 * usize::from(head & 15);
                    *layout.tables.get_mut(slot)? =
                        Table { counts: *counts, symbols: tail.get(..count)?.to_vec() };
                    rest = &tail[count..];
                }
            }
            START_OF_SCAN => {
                layout.scan = at..end;
                for part in data.get(1..)?.chunks_exact(2).take(usize::from(data[0])) {
                    let (dc, ac) = (usize::from(part[1] >> 4), usize::from(part[1] & 15));
                    (dc < 2 && ac < 2).then(|| layout.components.push((2 * dc, 2 * ac + 1)))?;
                }
                return (layout.blocks > 0).then_some(layout);
            }
            // Restarts, other frames than baseline.
            0xdd | 0xc1..=0xcf => return None,
            _ => {
                if marker == START_OF_FRAME {
                    let blocks = |at: usize| number(at).map(|side| side.div_ceil(8));
                    layout.blocks = blocks(at + 5)? * blocks(at + 7)?;
                    let single = data.get(6..)?.chunks_exact(3).all(|component| component[1] == 0x11);
                    single.then_some(())?;
                }
                layout.kept.push(at..end);
            }
        }
        at = end;
    }
}

/// Calls `each` with table, symbol, and the bits of the value that follows, whose number the symbol's lower half tells.
fn walk(layout: &Layout, coded: &[u8], mut each: impl FnMut(usize, u8, u32)) -> Option<()> {
    let lookups = layout.tables.each_ref().map(Table::lookup);
    let mut bits = BitReader { rest: coded, held: 0, count: 0 };
    for _ in 0..layout.blocks {
        for &(dc, ac) in &layout.components {
            let symbol = bits.symbol(&lookups[dc])?;
            each(dc, symbol, bits.take(u32::from(symbol))?);
            let mut place = 1;
            while place < 64 {
                let symbol = bits.symbol(&lookups[ac])?;
                each(ac, symbol, bits.take(u32::from(symbol & 15))?);
                match symbol {
                    0 => break,
                    _ => place += usize::from(symbol >> 4) + 1,
                }
            }
        }
    }
    Some(())
}

impl Table {
    /// The table for symbols of such frequencies (T.81, annex K.2); the last one's place is for the code of ones alone,
    /// which is forbidden.
    fn of(frequencies: &[u32; 257]) -> Self {
        let mut left = *frequencies;
        if left.iter().all(|&frequency| frequency == 0) {
            return Self::default();
        }
        left[256] = 1;
        // Trees that still grow together; each holds symbols, all of whose codes become a bit longer.
        let mut trees: Vec<(u64, Vec<usize>)> = (0..257)
            .rev()
            .filter(|&symbol| left[symbol] > 0)
            .map(|symbol| (u64::from(left[symbol]), vec![symbol]))
            .collect();
        let mut lengths = [0usize; 257];
        while trees.len() > 1 {
            trees.sort_by_key(|tree| std::cmp::Reverse(tree.0));
            let (Some(a), Some(b)) = (trees.pop(), trees.pop()) else { break };
            let both: Vec<usize> = a.1.into_iter().chain(b.1).collect();
            both.iter().for_each(|&symbol| lengths[symbol] += 1);
            trees.push((a.0 + b.0, both));
        }
        let mut counts = [0usize; 258];
        lengths.iter().filter(|&&length| length > 0).for_each(|&length| counts[length] += 1);
        // Two codes that are too long become one that is shorter, beside one that grows.
        for length in (LONGEST + 1..counts.len()).rev() {
            while counts[length] > 0 {
                let donor = (1..length - 1).rev().find(|&shorter| counts[shorter] > 0).unwrap_or(1);
                counts[length] -= 2;
                counts[length - 1] += 1;
                counts[donor + 1] += 2;
                counts[donor] -= 1;
            }
        }
        // The forbidden code is among the longest.
        if let Some(last) = counts[..=LONGEST].iter_mut().rev().find(|count| **count > 0) {
            *last -= 1;
        }
        let mut symbols: Vec<usize> = (0..256).filter(|&symbol| lengths[symbol] > 0).collect();
        symbols.sort_by_key(|&symbol| (lengths[symbol], symbol));
        Self {
            counts: std::array::from_fn(|i| counts[i + 1] as u8),
            symbols: symbols.into_iter().map(|symbol| symbol as u8).collect(),
        }
    }

    /// Symbols with their code and its length, by rising code.
    fn each(&self) -> impl Iterator<Item = (u8, u32, u32)> {
        let mut code = 0u32;
        let mut length = 1;
        let mut left = self.counts[0];
        self.symbols.iter().map(move |&symbol| {
            while left == 0 && length < LONGEST {
                code <<= 1;
                left = self.counts[length];
                length += 1;
            }
            left = left.saturating_sub(1);
            code += 1;
            (symbol, code - 1, length as u32)
        })
    }

    /// Code and length of each symbol.
    fn codes(&self) -> [(u32, u32); 256] {
        let mut codes = [(0, 0); 256];
        self.each().for_each(|(symbol, code, length)| codes[usize::from(symbol)] = (code, length));
        codes
    }

    /// Symbol and length of what begins with any 16 bits; length 0 for nothing.
    fn lookup(&self) -> Vec<(u8, u8)> {
        let mut lookup = vec![(0, 0); 1 << LONGEST];
        for (symbol, code, length) in self.each() {
            let unused = LONGEST as u32 - length;
            let first = (code << unused) as usize;
            if let Some(places) = lookup.get_mut(first..first + (1 << unused)) {
                places.fill((symbol, length as u8));
            }
        }
        lookup
    }
}

/// Bits of a scan, most significant first, with the zeros left out that follow bytes of ones.
struct BitReader<'a> {
    rest: &'a [u8],
    held: u64,
    count: u32,
}

impl BitReader<'_> {
    /// Sees to it that 32 bits are held, or all that are left and zeros.
    fn fill(&mut self) {
        while self.count <= 32 {
            let byte = match self.rest {
                [0xff, 0, rest @ ..] => {
                    self.rest = rest;
                    0xff
                }
                [0xff, ..] | [] => 0,
                [byte, rest @ ..] => {
                    self.rest = rest;
                    *byte
                }
            };
            self.held |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    fn symbol(&mut self, lookup: &[(u8, u8)]) -> Option<u8> {
        self.fill();
        let (symbol, length) = lookup[(self.held >> 48) as usize];
        self.take(u32::from(length)).filter(|_| length > 0)?;
        Some(symbol)
    }

    /// The next bits, up to 16.
    fn take(&mut self, count: u32) -> Option<u32> {
        if count > LONGEST as u32 {
            return None;
        }
        self.fill();
        // In two steps, since a shift by 64 is none.
        let value = (self.held >> 1 >> (63 - count)) as u32;
        self.held <<= count;
        self.count -= count;
        Some(value)
    }
}

struct BitWriter {
    out: Vec<u8>,
    held: u64,
    count: u32,
}

impl BitWriter {
    /// Writes the lower `count` bits of `value`, up to 16.
    fn put(&mut self, value: u32, count: u32) {
        self.held = (self.held << count) | u64::from(value);
        self.count += count;
        while self.count >= 8 {
            self.count -= 8;
            let byte = (self.held >> self.count) as u8;
            self.out.push(byte);
            if byte == 0xff {
                self.out.push(0);
            }
        }
    }

    /// Fills the last byte with ones.
    fn finish(mut self) -> Vec<u8> {
        let missing = (8 - self.count % 8) % 8;
        self.put((1 << missing) - 1, missing);
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_prefix_codes_of_at_most_16_bits_without_the_one_of_ones() {
        let rising = |i: usize| if i < 40 { 1 << (i / 2) } else { 0 };
        let flat = |i: usize| u32::from(i < 256);
        let one = |i: usize| u32::from(i == 7) * 1000;
        for frequencies in [std::array::from_fn(rising), std::array::from_fn(flat), std::array::from_fn(one)]
        {
            let table = Table::of(&frequencies);
            let used = frequencies[..256].iter().filter(|&&frequency| frequency > 0).count();
            assert_eq!(table.symbols.len(), used);
            let mut space = 0u32;
            for (symbol, code, length) in table.each() {
                assert!(frequencies[usize::from(symbol)] > 0 && (1..=16).contains(&length));
                assert!(code < (1 << length) - 1, "{symbol}: {code:b}");
                // Codes rise, so none begins another.
                assert_eq!(code << (16 - length), space);
                space += 1 << (16 - length);
            }
            // More frequent symbols never have longer codes.
            let codes = table.codes();
            for (a, b) in (0..255).map(|i| (i, i + 1)).filter(|&(a, b)| frequencies[a] > frequencies[b]) {
                assert!(frequencies[b] == 0 || codes[a].1 <= codes[b].1, "{a} {b}");
            }
        }
    }

    #[test]
    fn files_become_smaller_and_show_the_same() {
        use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
        for (color, channels) in [(ColorType::Luma, 1), (ColorType::Rgb, 3)] {
            for (width, height, quality) in [(1usize, 1usize, 90), (33, 17, 100), (200, 120, 60), (64, 64, 1)]
            {
                let level = |i: usize| ((i % 97) * (i % 31) + i / 50 + (i * i) % 13) as u8;
                let pixels: Vec<u8> = (0..width * height * channels).map(level).collect();
                let mut file = Vec::new();
                let mut encoder = Encoder::new(&mut file, quality);
                encoder.set_sampling_factor(SamplingFactor::R_4_4_4);
                encoder.encode(&pixels, width as u16, height as u16, color).unwrap();
                let smaller = optimized(file.clone());
                assert!(smaller.len() < file.len(), "{} of {}", smaller.len(), file.len());
                let show = |file: &[u8]| image::load_from_memory(file).unwrap().into_rgb8();
                assert_eq!(show(&smaller), show(&file), "{width}x{height} {quality}");
                // Nothing is left to gain.
                assert_eq!(optimized(smaller.clone()), smaller);
            }
        }
    }

    #[test]
    fn other_files_stay_as_they_are() {
        for file in [&b""[..], b"\xff\xd8", b"\xff\xd8\xff\xc2\0\x04\0\0", b"\xff\xd8\xff\xda\0\x02"] {
            assert_eq!(optimized(file.to_vec()), file);
        }
    }
}
