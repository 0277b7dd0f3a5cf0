//! Products of tables of 32-bit factors, on the widest instructions that the machine has.
//!
//! A table is rows of one width, a multiple of [`LANES`]; whoever has fewer columns fills up with zeros, which change no
//! product. Every path adds a row's products in an order of its own that never depends on the rows beside it: the same
//! row gives the same bits in a block and alone.

mod paths;
mod portable;
mod scan;
mod scan_paths;
#[cfg(test)]
mod tests;
pub mod top_n;

pub use paths::fetch;
pub use scan::Packed;
pub use scan_paths::Bytes;

/// Widths are multiples of this.
pub const LANES: usize = 16;

/// `columns` rounded up to a whole number of [`LANES`].
#[must_use]
pub const fn padded(columns: usize) -> usize {
    columns.next_multiple_of(LANES)
}

/// The instructions that a path is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Simd {
    /// AVX-512 F: 16 lanes.
    Avx512(paths::Seen),
    /// AVX2 and FMA: 8 lanes.
    Avx2(paths::Seen),
    /// NEON: 4 lanes.
    Neon(paths::Seen),
    /// What the compiler makes of plain Rust for the target's baseline; the reference of the others.
    Portable,
}

impl Simd {
    /// The widest that this machine has.
    #[must_use]
    pub fn widest() -> Self {
        Self::available().next().unwrap_or(Self::Portable)
    }

    /// All that this machine has, the widest first, [`Self::Portable`] last.
    pub fn available() -> impl Iterator<Item = Self> {
        paths::seen().into_iter().chain([Self::Portable])
    }

    /// Its name, as in `avx2`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Avx512(_) => "avx512",
            Self::Avx2(_) => "avx2",
            Self::Neon(_) => "neon",
            Self::Portable => "portable",
        }
    }

    /// `out[j] = rows[j] · vector`.
    ///
    /// # Panics
    /// When the lengths do not belong together.
    pub fn dots(self, rows: &[f32], vector: &[f32], out: &mut [f32]) {
        check(rows, vector, out.len());
        paths::dots(self, rows, vector, out);
    }

    /// `out += Σ_j scales[j] rows[j]`: for a symmetric matrix its product with `scales`, quicker than by [`Self::dots`].
    ///
    /// # Panics
    /// When the lengths do not belong together.
    pub fn combine(self, rows: &[f32], scales: &[f32], out: &mut [f32]) {
        check(rows, out, scales.len());
        paths::combine(self, rows, scales, out);
    }

    /// `Σ_j |weights[j]| (rows[j] · vector)²`: `vector` on both sides of the rows' normal matrix.
    ///
    /// # Panics
    /// When the lengths do not belong together.
    #[must_use]
    pub fn curvature(self, rows: &[f32], weights: &[f32], vector: &[f32]) -> f32 {
        check(rows, vector, weights.len());
        paths::curvature(self, rows, weights, vector)
    }

    /// `out += Σ_j (pull weights[j] - |weights[j]| (rows[j] · vector)) rows[j]`: with `pull` 1 the part of a least-squares
    /// residual at `vector` that belongs to `rows`, whose targets are the signs of their weights; with `pull` 0 the
    /// negated product of their normal matrix with `vector`.
    ///
    /// # Panics
    /// When the lengths do not belong together.
    pub fn pull(self, rows: &[f32], weights: &[f32], pull: f32, vector: &[f32], out: &mut [f32]) {
        check(rows, vector, weights.len());
        assert_eq!(out.len(), vector.len(), "the sum is as long as a row");
        paths::pull(self, rows, weights, pull, vector, out);
    }

    /// Copies the rows of `table` that `indices` name to `out`, one behind the other.
    ///
    /// # Panics
    /// When an index is beyond the table or `out` is not as long as the rows.
    pub fn gather(self, table: &[f32], width: usize, indices: &[u32], out: &mut [f32]) {
        assert!(width > 0 && width.is_multiple_of(LANES), "a width of {width} is no multiple of {LANES}");
        assert_eq!(out.len(), indices.len() * width, "a place for every row");
        paths::gather(self, table, width, indices, out);
    }
}

fn check(rows: &[f32], vector: &[f32], count: usize) {
    assert!(vector.len().is_multiple_of(LANES), "a width of {} is no multiple of {LANES}", vector.len());
    assert_eq!(rows.len(), count * vector.len(), "{count} rows as wide as the vector");
}
