//! The kernels on vector instructions, chosen at run time: the only unsafe code of the crate.
//!
//! The paths are one source, written out per instruction set by [`path!`]; a set contributes a vector of floats and six
//! operations on it. Eight rows are worked on at a time: enough sums at once to hide the latency of an addition.
#![expect(
    unsafe_code,
    reason = "vector instructions, loads through pointers, and calls behind a look at the processor"
)]
#![expect(clippy::indexing_slicing, reason = "lengths are checked by the callers; the loops run within them")]

use super::Simd;

/// Made only by [`seen`], after the processor said that it has the instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen(());

/// The vector instructions of this processor, the widest first.
pub fn seen() -> Vec<Simd> {
    #[cfg(target_arch = "x86_64")]
    {
        let avx512 = is_x86_feature_detected!("avx512f").then_some(Simd::Avx512(Seen(())));
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        avx512.into_iter().chain(avx2.then_some(Simd::Avx2(Seen(())))).collect()
    }
    #[cfg(target_arch = "aarch64")]
    {
        std::arch::is_aarch64_feature_detected!("neon").then_some(Simd::Neon(Seen(()))).into_iter().collect()
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        Vec::new()
    }
}

/// How many rows are worked on at a time.
const BLOCK: usize = 8;

/// Rows ahead that are fetched while one is copied.
const AHEAD: usize = 16;

/// Asks for a row of a table before it is needed, so that it is on the way from memory meanwhile.
#[inline(always)]
pub fn fetch(row: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    for at in (0..row.len()).step_by(16) {
        let from: *const f32 = &row[at];
        // SAFETY: a prefetch reads nothing that the program could see, and the address is one of the row's.
        unsafe { std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(from.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = row;
}

macro_rules! path {
    ($name:ident, $features:literal, $lanes:literal, $vector:ty, $arch:ident: zero $zero:expr; splat $splat:ident;
     load $load:ident; store $store:ident; sum + a * b as ($sum:ident, $a:ident, $b:ident) $fused:expr;
     total of $all:ident $total:expr) => {
        mod $name {
            use std::arch::$arch::*;

            use super::{AHEAD, BLOCK, fetch};

            /// # Safety
            /// `from` has a whole vector at `at`.
            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn load(from: &[f32], at: usize) -> $vector {
                debug_assert!(at + $lanes <= from.len());
                // SAFETY: so the caller says; the load asks for no alignment.
                unsafe { $load(from.as_ptr().add(at)) }
            }

            /// # Safety
            /// `to` has room for a whole vector at `at`.
            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn store(to: &mut [f32], at: usize, vector: $vector) {
                debug_assert!(at + $lanes <= to.len());
                // SAFETY: so the caller says; the store asks for no alignment.
                unsafe { $store(to.as_mut_ptr().add(at), vector) };
            }

            #[inline]
            #[target_feature(enable = $features)]
            fn add_product($sum: $vector, $a: $vector, $b: $vector) -> $vector {
                $fused
            }

            #[inline]
            #[target_feature(enable = $features)]
            fn total($all: $vector) -> f32 {
                $total
            }

            /// The dot products of `N` rows.
            #[inline]
            #[target_feature(enable = $features)]
            fn dots_of<const N: usize>(rows: &[f32], vector: &[f32]) -> [f32; N] {
                let width = vector.len();
                assert!(rows.len() == N * width && width.is_multiple_of($lanes));
                let mut sums = [$zero; N];
                for at in (0..width).step_by($lanes) {
                    // SAFETY: `at` is a multiple of the lanes below the width, which is one too.
                    let values = unsafe { load(vector, at) };
                    for (row, sum) in sums.iter_mut().enumerate() {
                        // SAFETY: there are `N` rows of that width.
                        *sum = add_product(*sum, unsafe { load(rows, row * width + at) }, values);
                    }
                }
                // Not `sums.map(total)`: into a function without the instructions nothing with them is inlined.
                let mut dots = [0.0; N];
                for (dot, sum) in dots.iter_mut().zip(sums) {
                    *dot = total(sum);
                }
                dots
            }

            /// Adds `N` rows, each times its scale, to `out`.
            #[inline]
            #[target_feature(enable = $features)]
            fn add_rows<const N: usize>(rows: &[f32], scales: [f32; N], out: &mut [f32]) {
                let width = out.len();
                assert!(rows.len() == N * width && width.is_multiple_of($lanes));
                let mut spread = [$zero; N];
                for (spread, scale) in spread.iter_mut().zip(scales) {
                    *spread = $splat(scale);
                }
                for at in (0..width).step_by($lanes) {
                    // SAFETY: `at` is a multiple of the lanes below the width, which is one too.
                    let mut sum = unsafe { load(out, at) };
                    for (row, scale) in spread.into_iter().enumerate() {
                        // SAFETY: there are `N` rows of that width.
                        sum = add_product(sum, scale, unsafe { load(rows, row * width + at) });
                    }
                    // SAFETY: as above.
                    unsafe { store(out, at, sum) };
                }
            }

            #[inline]
            #[target_feature(enable = $features)]
            fn pull_of<const N: usize>(rows: &[f32], weights: &[f32; N], pull: f32, vector: &[f32], out: &mut [f32]) {
                let mut scales = dots_of::<N>(rows, vector);
                for (scale, weight) in scales.iter_mut().zip(weights) {
                    *scale = pull * weight - weight.abs() * *scale;
                }
                add_rows::<N>(rows, scales, out);
            }

            #[target_feature(enable = $features)]
            pub fn dots(rows: &[f32], vector: &[f32], out: &mut [f32]) {
                let width = vector.len();
                let (blocks, rest) = out.as_chunks_mut::<BLOCK>();
                let (block_rows, rest_rows) = rows.split_at(blocks.len() * BLOCK * width);
                for (out, rows) in blocks.iter_mut().zip(block_rows.chunks_exact(BLOCK * width)) {
                    *out = dots_of::<BLOCK>(rows, vector);
                }
                for (out, row) in rest.iter_mut().zip(rest_rows.chunks_exact(width)) {
                    [*out] = dots_of::<1>(row, vector);
                }
            }

            #[target_feature(enable = $features)]
            pub fn gather(table: &[f32], width: usize, indices: &[u32], out: &mut [f32]) {
                // Plain loops: the adapters of iterators are not always inlined into a function with the instructions.
                for row in 0..indices.len() {
                    if row + AHEAD < indices.len() {
                        fetch(&table[indices[row + AHEAD] as usize * width..][..width]);
                    }
                    let from = &table[indices[row] as usize * width..][..width];
                    let to = &mut out[row * width..][..width];
                    for at in (0..width / $lanes * $lanes).step_by($lanes) {
                        // SAFETY: `at` is a multiple of the lanes within the width, which both slices have.
                        unsafe { store(to, at, load(from, at)) };
                    }
                }
            }

            #[target_feature(enable = $features)]
            pub fn combine(rows: &[f32], scales: &[f32], out: &mut [f32]) {
                let width = out.len();
                let (blocks, rest) = scales.as_chunks::<BLOCK>();
                let (block_rows, rest_rows) = rows.split_at(blocks.len() * BLOCK * width);
                for (scales, rows) in blocks.iter().zip(block_rows.chunks_exact(BLOCK * width)) {
                    add_rows::<BLOCK>(rows, *scales, out);
                }
                for (&scale, row) in rest.iter().zip(rest_rows.chunks_exact(width)) {
                    add_rows::<1>(row, [scale], out);
                }
            }

            #[target_feature(enable = $features)]
            pub fn curvature(rows: &[f32], weights: &[f32], vector: &[f32]) -> f32 {
                let width = vector.len();
                let mut sum = 0.0;
                let (blocks, rest) = weights.as_chunks::<BLOCK>();
                let (block_rows, rest_rows) = rows.split_at(blocks.len() * BLOCK * width);
                for (weights, rows) in blocks.iter().zip(block_rows.chunks_exact(BLOCK * width)) {
                    for (dot, weight) in dots_of::<BLOCK>(rows, vector).iter().zip(weights) {
                        sum += weight.abs() * dot * dot;
                    }
                }
                for (weight, row) in rest.iter().zip(rest_rows.chunks_exact(width)) {
                    let [dot] = dots_of::<1>(row, vector);
                    sum += weight.abs() * dot * dot;
                }
                sum
            }

            #[target_feature(enable = $features)]
            pub fn pull(rows: &[f32], weights: &[f32], pull: f32, vector: &[f32], out: &mut [f32]) {
                let width = vector.len();
                let (blocks, rest) = weights.as_chunks::<BLOCK>();
                let (block_rows, rest_rows) = rows.split_at(blocks.len() * BLOCK * width);
                for (weights, rows) in blocks.iter().zip(block_rows.chunks_exact(BLOCK * width)) {
                    pull_of::<BLOCK>(rows, weights, pull, vector, out);
                }
                for (&weight, row) in rest.iter().zip(rest_rows.chunks_exact(width)) {
                    pull_of::<1>(row, &[weight], pull, vector, out);
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
path!(avx512, "avx512f", 16, __m512, x86_64: zero _mm512_setzero_ps(); splat _mm512_set1_ps; load _mm512_loadu_ps;
    store _mm512_storeu_ps; sum + a * b as (sum, a, b) _mm512_fmadd_ps(a, b, sum); total of all _mm512_reduce_add_ps(all));

#[cfg(target_arch = "x86_64")]
path!(avx2, "avx2,fma", 8, __m256, x86_64: zero _mm256_setzero_ps(); splat _mm256_set1_ps; load _mm256_loadu_ps;
store _mm256_storeu_ps; sum + a * b as (sum, a, b) _mm256_fmadd_ps(a, b, sum); total of all {
    let four = _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps::<1>(all));
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
});

#[cfg(target_arch = "aarch64")]
path!(neon, "neon", 4, float32x4_t, aarch64: zero vdupq_n_f32(0.0); splat vdupq_n_f32; load vld1q_f32; store vst1q_f32;
    sum + a * b as (sum, a, b) vfmaq_f32(sum, a, b); total of all vaddvq_f32(all));

/// Calls `$kernel` of the path that was seen.
macro_rules! dispatch {
    ($simd:expr, $kernel:ident($($argument:expr),*)) => {
        match $simd {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the value was made by `seen`, so the processor has AVX-512 F.
            Simd::Avx512(Seen(())) => unsafe { avx512::$kernel($($argument),*) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the value was made by `seen`, so the processor has AVX2 and FMA.
            Simd::Avx2(Seen(())) => unsafe { avx2::$kernel($($argument),*) },
            #[cfg(target_arch = "aarch64")]
            // SAFETY: the value was made by `seen`, so the processor has NEON.
            Simd::Neon(Seen(())) => unsafe { neon::$kernel($($argument),*) },
            _ => super::portable::$kernel($($argument),*),
        }
    };
}

/// See [`Simd::dots`].
pub fn dots(simd: Simd, rows: &[f32], vector: &[f32], out: &mut [f32]) {
    dispatch!(simd, dots(rows, vector, out));
}

/// See [`Simd::gather`].
pub fn gather(simd: Simd, table: &[f32], width: usize, indices: &[u32], out: &mut [f32]) {
    dispatch!(simd, gather(table, width, indices, out));
}

/// See [`Simd::combine`].
pub fn combine(simd: Simd, rows: &[f32], scales: &[f32], out: &mut [f32]) {
    dispatch!(simd, combine(rows, scales, out));
}

/// See [`Simd::curvature`].
pub fn curvature(simd: Simd, rows: &[f32], weights: &[f32], vector: &[f32]) -> f32 {
    dispatch!(simd, curvature(rows, weights, vector))
}

/// See [`Simd::pull`].
pub fn pull(simd: Simd, rows: &[f32], weights: &[f32], pull: f32, vector: &[f32], out: &mut [f32]) {
    dispatch!(simd, pull(rows, weights, pull, vector, out));
}
