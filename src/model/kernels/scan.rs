//! The best products of a table's rows with a vector, exactly, by way of the rows in bytes.
//!
//! The rows are kept a second time in 8 bits, a quarter of the memory that a pass has to read. A product of bytes tells how
//! large the exact product can be at most: by the inequality of Cauchy and Schwarz it differs from the exact one by no
//! more than `|u - u'| |x| + |u'| |x - x'|`, with `u'`, `x'` what the bytes stand for. Only rows that may reach what must
//! be reached are multiplied exactly, so that nothing is missed. Rows stand by falling length: a pass ends where the rest
//! is too short to reach it.

#![expect(clippy::indexing_slicing, reason = "rows and blocks of known width")]

use super::scan_paths::{self, Bytes};
use super::top_n::Offers;

/// Rows of a block: they are multiplied together.
pub const BLOCK: usize = 16;

/// Columns that one instruction adds up.
pub const GROUP: usize = 4;

/// Fewer rows are multiplied exactly in less time than the bytes would save. In tests few are enough to be packed.
const PAYS_FROM: usize = if cfg!(test) { 48 } else { 1000 };

/// What rounding may add to a difference, as a share of the lengths' product: a sum of some hundred products in 32 bits.
const ROUNDING: f32 = 1e-5;

/// A vector in bytes.
pub struct Vector {
    /// In groups of [`GROUP`] columns.
    pub groups: Vec<[i8; GROUP]>,
    /// What is to be taken off a sum of products, since rows are kept with 128 added.
    pub offset: i32,
    /// What one step of a byte stands for.
    scale: f32,
    /// The length of the vector, of what the bytes stand for, and of the difference.
    lengths: [f32; 3],
}

/// What a block's products can differ by, and how long its rows are.
#[derive(Debug, Clone, Copy)]
struct Bound {
    /// The length of the longest row.
    length: f32,
    /// The longest difference of a row and what its bytes stand for.
    error: f32,
}

/// A table's rows in bytes, by falling length.
pub struct Packed {
    width: usize,
    /// The row of the table at each place, [`u32::MAX`] for those that fill up the last block.
    rows: Vec<u32>,
    /// By block, group of columns, row of the block and column of the group; 128 stands for 0.
    bytes: Vec<u8>,
    /// What one step of a byte stands for, by place.
    scales: Vec<f32>,
    bounds: Vec<Bound>,
}

impl Packed {
    /// Packs the rows of a row-major table, as wide as `width`, a multiple of [`super::LANES`]; a row that is not finite
    /// packs as one that is never reached.
    #[must_use]
    pub fn new(table: &[f32], width: usize) -> Self {
        assert!(width > 0 && width.is_multiple_of(super::LANES), "a width of {width} is no multiple of the lanes");
        let length = |row: usize| {
            let length = length_of(&table[row * width..][..width]);
            if length.is_finite() { length } else { 0.0 }
        };
        let lengths: Vec<f32> = (0..table.len() / width).map(length).collect();
        let mut rows: Vec<u32> = (0..u32::try_from(lengths.len()).unwrap_or(u32::MAX)).collect();
        rows.sort_by(|&a, &b| lengths[b as usize].total_cmp(&lengths[a as usize]));
        let places = rows.len().next_multiple_of(BLOCK);
        rows.resize(places, u32::MAX);
        let mut packed = Self {
            width,
            bytes: vec![128; places * width],
            scales: vec![0.0; places],
            bounds: Vec::with_capacity(places / BLOCK),
            rows,
        };
        for block in 0..places / BLOCK {
            let mut bound = Bound { length: 0.0, error: 0.0 };
            for at in 0..BLOCK {
                let row = packed.rows[block * BLOCK + at];
                if let Some(&length) = lengths.get(row as usize) {
                    let error = packed.pack(block, at, &table[row as usize * width..][..width]);
                    bound = Bound { length: bound.length.max(length), error: bound.error.max(error) };
                }
            }
            packed.bounds.push(bound);
        }
        packed
    }

    /// Puts a row at a place of a block; gives the length of the difference.
    fn pack(&mut self, block: usize, at: usize, row: &[f32]) -> f32 {
        let scale = scale_of(row, 127.0);
        let mut difference = 0.0_f64;
        for (column, &value) in row.iter().enumerate() {
            let byte = quantised(value, scale, 127.0);
            let place = block * BLOCK * self.width + column / GROUP * (BLOCK * GROUP) + at * GROUP + column % GROUP;
            self.bytes[place] = (i16::from(byte) + 128) as u8;
            difference += (f64::from(value) - f64::from(byte) * f64::from(scale)).powi(2);
        }
        self.scales[block * BLOCK + at] = scale;
        // That of a row that is not finite says nothing.
        if difference.is_finite() { difference.sqrt() as f32 } else { 0.0 }
    }

    /// As [`Self::new`], of a table with so many rows that a pass over the bytes saves time; none of a smaller one.
    #[must_use]
    pub fn of_many(table: &[f32], width: usize) -> Option<Self> {
        (table.len() / width >= PAYS_FROM).then(|| Self::new(table, width))
    }

    /// Offers the rows that may be among the best for `vector` and may be shown, each with the score that `exact` gives
    /// it: its product with `vector`.
    pub fn rank(&self, vector: &[f32], best: &mut dyn Offers, exact: impl Fn(u32) -> f32) {
        self.search(Bytes::widest(), vector, best.to_reach(), |row| match best.keeps(row) {
            true => best.offer(row, exact(row)),
            false => best.to_reach(),
        });
    }

    /// Bytes of memory.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.bytes.len() + 4 * (self.rows.len() + self.scales.len()) + size_of_val(&*self.bounds)
    }

    /// Calls `offer` with every row whose product with `vector` may be as large as `offer` asked for when it was called
    /// last, `to_reach` at first. Rows come sixteen at a time, by falling length; it may be called for rows that do
    /// not reach it, never not for one that does.
    pub fn search(&self, simd: Bytes, vector: &[f32], mut to_reach: f32, mut offer: impl FnMut(u32) -> f32) {
        assert_eq!(vector.len(), self.width, "the vector is as wide as the table");
        let vector = Vector::new(vector, simd.steps());
        let [length, kept, error] = vector.lengths;
        let mut block = 0;
        while block < self.bounds.len() {
            // The least product of bytes, in steps of the vector, with which a row may reach it.
            let limit = |block: usize| {
                let Bound { length: longest, error: furthest } = self.bounds[block];
                let slack = error * longest + kept * furthest + ROUNDING * length * longest;
                (to_reach - slack) / vector.scale
            };
            let too_short = |block: usize| self.bounds[block].length * length * (1.0 + ROUNDING) < to_reach;
            let found = scan_paths::next(simd, &self.bytes, &self.scales, &vector, block, limit, too_short);
            let Some((at, reached)) = found else { return };
            for place in (0..BLOCK).filter(|place| reached >> place & 1 == 1) {
                let row = self.rows[at * BLOCK + place];
                if row != u32::MAX {
                    to_reach = offer(row);
                }
            }
            block = at + 1;
        }
    }
}

impl Vector {
    fn new(values: &[f32], steps: f32) -> Self {
        let scale = scale_of(values, steps);
        let bytes: Vec<i8> = values.iter().map(|&value| quantised(value, scale, steps)).collect();
        let stands_for: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte) * scale).collect();
        let difference: Vec<f32> =
            values.iter().zip(&stands_for).map(|(value, stands_for)| value - stands_for).collect();
        Self {
            offset: 128 * bytes.iter().map(|&byte| i32::from(byte)).sum::<i32>(),
            groups: bytes.as_chunks::<GROUP>().0.to_vec(),
            scale,
            lengths: [length_of(values), length_of(&stands_for), length_of(&difference)],
        }
    }
}

/// What one of `steps` steps stands for, so that the largest value is the last; above 0.
fn scale_of(values: &[f32], steps: f32) -> f32 {
    let largest = values.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    if largest.is_finite() { (largest / steps).max(f32::MIN_POSITIVE) } else { f32::MIN_POSITIVE }
}

fn quantised(value: f32, scale: f32, steps: f32) -> i8 {
    (value / scale).round().clamp(-steps, steps) as i8
}

fn length_of(values: &[f32]) -> f32 {
    values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt() as f32
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
