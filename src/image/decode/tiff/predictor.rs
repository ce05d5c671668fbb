//! Undoing what is done to samples before compression (TIFF 6.0, section 14, and Adobe's technical note 3).

use super::layout::Layout;
use crate::image::metadata::ifd::Order;

/// Undoes the page's predictor in whole rows.
pub(super) fn undo(layout: &Layout, rows: &mut [u8]) {
    let Some(row_bytes) = layout.row_bytes().filter(|bytes| *bytes > 0) else { return };
    let unit = layout.bits / 8;
    let step = layout.stored();
    for row in rows.chunks_exact_mut(row_bytes) {
        match layout.effective_predictor() {
            2 => differences(row, unit, step, layout.order),
            3 => floats(row, unit, step, layout.order),
            _ => {}
        }
    }
}

/// Adds to each number of `unit` bytes the one `step` numbers before it.
fn differences(row: &mut [u8], unit: usize, step: usize, order: Order) {
    macro_rules! sum {
        ($number:ty) => {
            match order {
                Order::Little => add(row, step, |a, b| {
                    <$number>::from_le_bytes(a).wrapping_add(<$number>::from_le_bytes(b)).to_le_bytes()
                }),
                Order::Big => add(row, step, |a, b| {
                    <$number>::from_be_bytes(a).wrapping_add(<$number>::from_be_bytes(b)).to_be_bytes()
                }),
            }
        };
    }
    match unit {
        1 => sum!(u8),
        2 => sum!(u16),
        4 => sum!(u32),
        8 => sum!(u64),
        _ => {
            let whole = |[a, b, c]: [u8; 3]| match order {
                Order::Little => u32::from_le_bytes([a, b, c, 0]),
                Order::Big => u32::from_be_bytes([0, a, b, c]),
            };
            add(row, step, |a, b| {
                let sum = whole(a).wrapping_add(whole(b));
                let [low, middle, high, _] = sum.to_le_bytes();
                if order == Order::Little { [low, middle, high] } else { [high, middle, low] }
            });
        }
    }
}

/// Puts sums in the place of differences, for numbers of `B` bytes.
fn add<const B: usize>(row: &mut [u8], step: usize, sum: impl Fn([u8; B], [u8; B]) -> [u8; B]) {
    let (numbers, _) = row.as_chunks_mut::<B>();
    match step {
        1 => channels::<B, 1>(numbers, sum),
        3 => channels::<B, 3>(numbers, sum),
        4 => channels::<B, 4>(numbers, sum),
        _ => (step..numbers.len()).for_each(|i| numbers[i] = sum(numbers[i], numbers[i - step])),
    }
}

/// The same for `N` channels, whose sums stay at hand.
fn channels<const B: usize, const N: usize>(
    numbers: &mut [[u8; B]],
    sum: impl Fn([u8; B], [u8; B]) -> [u8; B],
) {
    let mut sums = [[0; B]; N];
    for pixel in numbers.chunks_exact_mut(N) {
        for (number, so_far) in pixel.iter_mut().zip(&mut sums) {
            *so_far = sum(*number, *so_far);
            *number = *so_far;
        }
    }
}

/// The row holds differences of bytes: of all numbers first the highest bytes, then the next ones.
fn floats(row: &mut [u8], unit: usize, step: usize, order: Order) {
    differences(row, 1, step, order);
    let planes = row.to_vec();
    let count = row.len() / unit;
    for (i, number) in row.chunks_exact_mut(unit).enumerate() {
        for (byte, slot) in number.iter_mut().enumerate() {
            let plane = if order == Order::Big { byte } else { unit - 1 - byte };
            *slot = planes[plane * count + i];
        }
    }
}
