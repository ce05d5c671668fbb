//! Image file directories: the tag structure that TIFF files and EXIF blocks share (TIFF 6.0, section 2).

/// Byte order of a structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::image) enum Order {
    /// "II".
    Little,
    /// "MM".
    Big,
}

impl Order {
    /// A 16-bit number at `at`, if it is inside.
    pub fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let part = bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self == Self::Little { u16::from_le_bytes(part) } else { u16::from_be_bytes(part) })
    }

    /// A 32-bit number at `at`, if it is inside.
    pub fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let part = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self == Self::Little { u32::from_le_bytes(part) } else { u32::from_be_bytes(part) })
    }

    /// A 64-bit number at `at`, if it is inside.
    pub fn u64(self, bytes: &[u8], at: usize) -> Option<u64> {
        let part = bytes.get(at..at.checked_add(8)?)?.try_into().ok()?;
        Some(if self == Self::Little { u64::from_le_bytes(part) } else { u64::from_be_bytes(part) })
    }

    /// Bytes of a 16-bit number.
    pub fn bytes16(self, value: u16) -> [u8; 2] {
        if self == Self::Little { value.to_le_bytes() } else { value.to_be_bytes() }
    }

    /// Bytes of a 32-bit number.
    pub fn bytes32(self, value: u32) -> [u8; 4] {
        if self == Self::Little { value.to_le_bytes() } else { value.to_be_bytes() }
    }
}

/// One entry of a directory and where it lies; all ranges are inside the block.
#[derive(Clone, Copy, Debug)]
pub(in crate::image) struct Entry {
    /// Offset of the entry's 12 bytes.
    pub at: usize,
    /// The field's number.
    pub tag: u16,
    /// The field's type, 1 to 12.
    pub kind: u16,
    /// How many values.
    pub count: u32,
    /// Offset of the values: inside the entry if they fit in 4 bytes.
    pub data_at: usize,
    /// Bytes of all values.
    pub size: usize,
}

impl Entry {
    /// The values' bytes.
    pub fn data<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.data_at..self.data_at + self.size]
    }

    /// The first value of an integer field.
    pub fn number(&self, bytes: &[u8], order: Order) -> Option<u32> {
        match self.kind {
            1 | 7 => bytes.get(self.data_at).map(|&byte| byte.into()),
            3 => order.u16(bytes, self.data_at).map(u32::from),
            4 | 13 => order.u32(bytes, self.data_at),
            _ => None,
        }
    }

    /// The first value of a rational field.
    pub fn rational(&self, bytes: &[u8], order: Order) -> Option<f64> {
        if self.kind != 5 || self.count == 0 {
            return None;
        }
        let over = order.u32(bytes, self.data_at)?;
        let under = order.u32(bytes, self.data_at + 4)?;
        (under != 0).then(|| f64::from(over) / f64::from(under))
    }
}

/// A directory: its entries and where the offset of the next directory is stored.
#[derive(Clone, Debug)]
pub(in crate::image) struct Directory {
    /// Offset of the entry count.
    pub at: usize,
    /// Entries whose values are inside the block; others are left out.
    pub entries: Vec<Entry>,
    /// Offset of the 4-byte link to the next directory.
    pub link_at: usize,
}

impl Directory {
    /// The entry with number `tag`.
    pub fn find(&self, tag: u16) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.tag == tag)
    }
}

/// Bytes per value of a field type.
pub(in crate::image) fn type_size(kind: u16) -> Option<usize> {
    Some(match kind {
        1 | 2 | 6 | 7 => 1,
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 => 8,
        _ => return None,
    })
}

/// Byte order and offset of the first directory, from an 8-byte classic header.
pub(in crate::image) fn header(bytes: &[u8]) -> Option<(Order, usize)> {
    let order = match bytes.get(..4)? {
        [b'I', b'I', 42, 0] => Order::Little,
        [b'M', b'M', 0, 42] => Order::Big,
        _ => return None,
    };
    Some((order, order.u32(bytes, 4)? as usize))
}

/// Reads the directory at `at`; `None` if its table leaves the block.
pub(in crate::image) fn read(bytes: &[u8], order: Order, at: usize) -> Option<Directory> {
    let count = usize::from(order.u16(bytes, at)?);
    let table = at + 2;
    let link_at = table.checked_add(count * 12)?;
    bytes.get(table..link_at)?;
    let mut entries = Vec::with_capacity(count);
    for at in (table..link_at).step_by(12) {
        let (tag, kind, count) =
            (order.u16(bytes, at)?, order.u16(bytes, at + 2)?, order.u32(bytes, at + 4)?);
        let Some(unit) = type_size(kind) else { continue };
        let Some(size) = unit.checked_mul(count as usize) else { continue };
        let data_at = if size <= 4 { at + 8 } else { order.u32(bytes, at + 8)? as usize };
        if data_at.checked_add(size).is_some_and(|end| end <= bytes.len()) {
            entries.push(Entry { at, tag, kind, count, data_at, size });
        }
    }
    Some(Directory { at, entries, link_at })
}

/// A field outside any block, values in the byte order of its source.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::image) struct Field {
    /// The field's number.
    pub tag: u16,
    /// The field's type.
    pub kind: u16,
    /// The values' bytes.
    pub data: Vec<u8>,
}

impl Field {
    /// Copies an entry out of its block.
    pub fn copy(entry: &Entry, bytes: &[u8]) -> Self {
        Self { tag: entry.tag, kind: entry.kind, data: entry.data(bytes).to_vec() }
    }

    /// The values in `order`, given in `from`.
    pub fn in_order(mut self, from: Order, order: Order) -> Self {
        if from != order {
            let unit = match self.kind {
                3 | 8 => 2,
                4 | 5 | 9 | 10 | 11 | 13 => 4,
                12 => 8,
                _ => 1,
            };
            self.data.chunks_exact_mut(unit).for_each(<[u8]>::reverse);
        }
        self
    }
}

/// Appends a directory to `block` and returns its offset; `links` (tag, offset) become pointers to others.
pub(in crate::image) fn append(
    block: &mut Vec<u8>,
    order: Order,
    fields: &[Field],
    links: &[(u16, u32)],
) -> u32 {
    let mut fields = fields.to_vec();
    for &(tag, offset) in links {
        fields.push(Field { tag, kind: 4, data: order.bytes32(offset).to_vec() });
    }
    fields.sort_by_key(|field| field.tag);
    if block.len() % 2 == 1 {
        block.push(0);
    }
    let at = block.len();
    let mut data_at = at + 2 + fields.len() * 12 + 4;
    block.extend(order.bytes16(fields.len() as u16));
    let mut data = Vec::new();
    for field in &fields {
        let count = field.data.len() / type_size(field.kind).unwrap_or(1);
        block.extend(order.bytes16(field.tag));
        block.extend(order.bytes16(field.kind));
        block.extend(order.bytes32(count as u32));
        if field.data.len() <= 4 {
            let mut inline = [0; 4];
            inline[..field.data.len()].copy_from_slice(&field.data);
            block.extend(inline);
        } else {
            block.extend(order.bytes32(data_at as u32));
            data.extend(&field.data);
            data_at += field.data.len();
            if field.data.len() % 2 == 1 {
                data.push(0);
                data_at += 1;
            }
        }
    }
    block.extend([0; 4]);
    block.extend(data);
    at as u32
}
