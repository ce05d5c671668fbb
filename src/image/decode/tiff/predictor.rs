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
    match unit {
        1 => bytes(row, step),
        2 => sums::<2>(row, step, order),
        3 => sums::<3>(row, step, order),
        4 => sums::<4>(row, step, order),
        _ => sums::<8>(row, step, order),
    }
}

fn bytes(row: &mut [u8], step: usize) {
    match step {
        1 => (1..row.len()).for_each(|i| row[i] = row[i].wrapping_add(row[i - 1])),
        3 => columns::<3>(row),
        4 => columns::<4>(row),
        _ => (step..row.len()).for_each(|i| row[i] = row[i].wrapping_add(row[i - step])),
    }
}

fn columns<const N: usize>(row: &mut [u8]) {
    let mut sums = [0u8; N];
    for pixel in row.chunks_exact_mut(N) {
        for (value, sum) in pixel.iter_mut().zip(&mut sums) {
            *sum = sum.wrapping_add(*value);
            *value = *sum;
        }
    }
}

fn sums<const N: usize>(row: &mut [u8], step: usize, order: Order) {
    for at in (step * N..(row.len() + 1).saturating_sub(N)).step_by(N) {
        let sum = number::<N>(row, at, order).wrapping_add(number::<N>(row, at - step * N, order));
        put::<N>(row, at, order, sum);
    }
}

fn number<const N: usize>(row: &[u8], at: usize, order: Order) -> u64 {
    let mut bytes = [0; 8];
    match order {
        Order::Little => bytes[..N].copy_from_slice(&row[at..at + N]),
        Order::Big => {
            bytes[8 - N..].copy_from_slice(&row[at..at + N]);
            bytes.reverse();
        }
    }
    u64::from_le_bytes(bytes)
}

fn put<const N: usize>(row: &mut [u8], at: usize, order: Order, value: u64) {
    let mut bytes = value.to_le_bytes();
    if order == Order::Big {
        bytes[..N].reverse();
    }
    row[at..at + N].copy_from_slice(&bytes[..N]);
}

/// Undoes predictor 3: a row holds differences of bytes, first the highest byte of every number, then the next ones.
fn floats(row: &mut [u8], unit: usize, step: usize, order: Order) {
    bytes(row, step);
    let planes = row.to_vec();
    let count = row.len() / unit;
    for (i, number) in row.chunks_exact_mut(unit).enumerate() {
        for (byte, slot) in number.iter_mut().enumerate() {
            let plane = if order == Order::Big { byte } else { unit - 1 - byte };
            *slot = planes[plane * count + i];
        }
    }
}
