//! Header extensions: what programs keep between header and data.

use super::header::Order;

/// The code of a comment in plain text.
pub const COMMENT: i32 = 6;

/// The code by which CIFTI files are known.
pub(super) const CIFTI: i32 = 32;

/// An extension with its header of 8 bytes, as in the file.
#[derive(Clone, PartialEq, Eq)]
pub struct Extension {
    code: i32,
    bytes: Vec<u8>,
}

impl std::fmt::Debug for Extension {
    /// Without the contents, which may name the patient.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "extension {} of {} bytes", self.code, self.bytes.len())
    }
}

impl Extension {
    /// A comment, to be written in `order`.
    pub fn comment(text: &str, order: Order) -> Self {
        // The size is a multiple of 16.
        let size = (8 + text.len()).next_multiple_of(16);
        let mut bytes = Vec::with_capacity(size);
        for number in [size as i32, COMMENT] {
            bytes.extend(order.little(number.to_le_bytes()));
        }
        bytes.extend_from_slice(text.as_bytes());
        bytes.resize(size, 0);
        Self { code: COMMENT, bytes }
    }

    /// The code.
    pub fn code(&self) -> i32 {
        self.code
    }

    /// Header and contents.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Reads all extensions in `area`, the bytes between header and data; and whether invalid bytes follow them.
    pub(super) fn all(area: &[u8], order: Order) -> (Vec<Self>, bool) {
        let (mut found, mut rest) = (Vec::new(), area);
        while let Some((head, _)) = rest.split_first_chunk::<8>() {
            let number = |bytes: [u8; 4]| i32::from_le_bytes(order.little(bytes));
            let [a, b, c, d, e, f, g, h] = *head;
            let (size, code) = (number([a, b, c, d]), number([e, f, g, h]));
            if size == 0 {
                return (found, false);
            }
            let Some(bytes) =
                usize::try_from(size).ok().filter(|size| *size >= 8).and_then(|size| rest.get(..size))
            else {
                return (found, true);
            };
            found.push(Self { code, bytes: bytes.to_vec() });
            rest = &rest[bytes.len()..];
        }
        (found, rest.iter().any(|byte| *byte != 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_come_back_byte_for_byte() {
        for order in [Order::Little, Order::Big] {
            let first = Extension::comment("made by hand", order);
            let second = Extension::comment("a", order);
            assert_eq!((first.bytes().len(), second.bytes().len()), (32, 16));
            let mut area = [first.bytes(), second.bytes()].concat();
            assert_eq!(Extension::all(&area, order), (vec![first.clone(), second.clone()], false));
            area.extend([0; 24]);
            assert_eq!(Extension::all(&area, order), (vec![first.clone(), second.clone()], false));
            area[32] = 200;
            area[35] = 200;
            assert_eq!(Extension::all(&area, order), (vec![first], true));
        }
    }

    #[test]
    fn contents_are_not_shown() {
        let shown = format!("{:?}", Extension::comment("Jane Doe", Order::Little));
        assert_eq!(shown, "extension 6 of 16 bytes");
    }
}
