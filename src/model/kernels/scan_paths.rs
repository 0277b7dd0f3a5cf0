//! Products of bytes on vector instructions, sixteen rows at a time, chosen at run time.
#![expect(unsafe_code, reason = "vector instructions and loads through pointers, behind a look at the processor")]
#![expect(clippy::indexing_slicing, reason = "blocks within the packed rows, which the callers give whole")]

use super::scan::{BLOCK, GROUP, Vector};

/// Made only after the processor said that it has the instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen(());

/// The instructions that products of bytes are made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bytes {
    /// AVX-512 VNNI: four products of each of sixteen rows at once.
    Vnni(Seen),
    /// AVX2, whose sums of two products must fit 16 bits: the vector has 7 bits.
    Avx2(Seen),
    /// NEON.
    Neon(Seen),
    /// What the compiler makes of plain Rust; the reference of the others.
    Portable,
}

impl Bytes {
    /// The quickest that this machine has.
    #[must_use]
    pub fn widest() -> Self {
        Self::available().next().unwrap_or(Self::Portable)
    }

    /// All that this machine has, the quickest first, [`Self::Portable`] last.
    pub fn available() -> impl Iterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let seen = {
            let vnni = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vnni");
            let avx2 = is_x86_feature_detected!("avx2").then_some(Self::Avx2(Seen(())));
            vnni.then_some(Self::Vnni(Seen(()))).into_iter().chain(avx2)
        };
        #[cfg(target_arch = "aarch64")]
        let seen = std::arch::is_aarch64_feature_detected!("neon").then_some(Self::Neon(Seen(()))).into_iter();
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        let seen = std::iter::empty();
        seen.chain([Self::Portable])
    }

    /// Its name, as in `avx2`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vnni(_) => "avx512-vnni",
            Self::Avx2(_) => "avx2",
            Self::Neon(_) => "neon",
            Self::Portable => "portable",
        }
    }

    /// The largest byte of a vector.
    pub(super) const fn steps(self) -> f32 {
        match self {
            Self::Avx2(_) => 63.0,
            _ => 127.0,
        }
    }
}

/// The first block from `block` on in which a row's product, times its scale, reaches the block's `limit`, and which rows
/// do, a bit each; none where no block does before the first that is `too_short`.
#[inline]
pub fn next(
    simd: Bytes,
    bytes: &[u8],
    scales: &[f32],
    vector: &Vector,
    block: usize,
    limit: impl Fn(usize) -> f32,
    too_short: impl Fn(usize) -> bool,
) -> Option<(usize, u16)> {
    let size = BLOCK * GROUP * vector.groups.len();
    assert!(bytes.len() == scales.len() / BLOCK * size && scales.len().is_multiple_of(BLOCK), "whole blocks");
    match simd {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the value was made after the processor said that it has the instructions.
        Bytes::Vnni(Seen(())) => unsafe { vnni::next(bytes, scales, vector, block, limit, too_short) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Bytes::Avx2(Seen(())) => unsafe { avx2::next(bytes, scales, vector, block, limit, too_short) },
        #[cfg(target_arch = "aarch64")]
        // SAFETY: as above.
        Bytes::Neon(Seen(())) => unsafe { neon::next(bytes, scales, vector, block, limit, too_short) },
        _ => portable(bytes, scales, vector, block, limit, too_short),
    }
}

/// The loop over blocks, written out in each path, so that what looks at a block is inlined with its instructions.
macro_rules! first {
    ($bytes:ident, $scales:ident, $vector:ident, $block:ident, $limit:ident, $too_short:ident, $reached:expr) => {{
        let size = BLOCK * GROUP * $vector.groups.len();
        for block in $block..$scales.len() / BLOCK {
            if $too_short(block) {
                return None;
            }
            let (bytes, scales) = (&$bytes[block * size..][..size], &$scales[block * BLOCK..][..BLOCK]);
            let reached = $reached(bytes, scales, $vector, $limit(block));
            if reached != 0 {
                return Some((block, reached));
            }
        }
        None
    }};
}

fn portable(
    bytes: &[u8],
    scales: &[f32],
    vector: &Vector,
    block: usize,
    limit: impl Fn(usize) -> f32,
    too_short: impl Fn(usize) -> bool,
) -> Option<(usize, u16)> {
    first!(bytes, scales, vector, block, limit, too_short, reached_of)
}

/// Which rows of one block reach the limit.
fn reached_of(bytes: &[u8], scales: &[f32], vector: &Vector, limit: f32) -> u16 {
    let mut sums = [-vector.offset; BLOCK];
    for (rows, group) in bytes.chunks_exact(BLOCK * GROUP).zip(&vector.groups) {
        for (sum, row) in sums.iter_mut().zip(rows.chunks_exact(GROUP)) {
            *sum += row.iter().zip(group).map(|(&row, &value)| i32::from(row) * i32::from(value)).sum::<i32>();
        }
    }
    let mut reached = 0;
    for (at, (sum, scale)) in sums.iter().zip(scales).enumerate() {
        reached |= u16::from(*sum as f32 * scale >= limit) << at;
    }
    reached
}

/// A path: `reached` makes the bits of a block from its bytes, its scales and its limit.
macro_rules! path {
    ($name:ident, $features:literal, $arch:ident, |$bytes:ident, $scales:ident, $vector:ident, $limit:ident| $reached:expr) => {
        mod $name {
            use std::arch::$arch::*;

            use super::{BLOCK, GROUP, Vector};

            /// Which rows of one block reach the limit.
            ///
            /// # Safety
            /// `bytes` has a whole block, `scales` one for each of its rows.
            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn reached($bytes: &[u8], $scales: &[f32], $vector: &Vector, $limit: f32) -> u16 {
                debug_assert!($bytes.len() == BLOCK * GROUP * $vector.groups.len() && $scales.len() == BLOCK);
                // SAFETY: every load is within the block and its scales, as the caller says.
                unsafe { $reached }
            }

            #[target_feature(enable = $features)]
            pub fn next(
                bytes: &[u8],
                scales: &[f32],
                vector: &Vector,
                block: usize,
                limit: impl Fn(usize) -> f32,
                too_short: impl Fn(usize) -> bool,
            ) -> Option<(usize, u16)> {
                // SAFETY: the loop cuts both to a block.
                first!(bytes, scales, vector, block, limit, too_short, |rows, scales, vector, limit| unsafe {
                    reached(rows, scales, vector, limit)
                })
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
path!(vnni, "avx512f,avx512bw,avx512vnni", x86_64, |bytes, scales, vector, limit| {
    let mut sums = [_mm512_set1_epi32(-vector.offset), _mm512_setzero_si512()];
    for (at, group) in vector.groups.iter().enumerate() {
        let rows = _mm512_loadu_si512(bytes.as_ptr().add(at * BLOCK * GROUP).cast());
        let values = _mm512_set1_epi32(i32::from_le_bytes(group.map(|value| value as u8)));
        // Two sums, so that an addition need not wait for the one before.
        sums[at % 2] = _mm512_dpbusd_epi32(sums[at % 2], rows, values);
    }
    let products = _mm512_cvtepi32_ps(_mm512_add_epi32(sums[0], sums[1]));
    let scaled = _mm512_mul_ps(products, _mm512_loadu_ps(scales.as_ptr()));
    _mm512_cmp_ps_mask::<_CMP_GE_OQ>(scaled, _mm512_set1_ps(limit))
});

#[cfg(target_arch = "x86_64")]
path!(avx2, "avx2", x86_64, |bytes, scales, vector, limit| {
    let mut sums = [_mm256_set1_epi32(-vector.offset); 2];
    for (at, group) in vector.groups.iter().enumerate() {
        let values = _mm256_set1_epi32(i32::from_le_bytes(group.map(|value| value as u8)));
        for (half, sum) in sums.iter_mut().enumerate() {
            let rows = _mm256_loadu_si256(bytes.as_ptr().add((at * 2 + half) * 32).cast());
            let pairs = _mm256_maddubs_epi16(rows, values);
            *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
        }
    }
    let mut reached = 0;
    for (half, sum) in sums.iter().enumerate() {
        let scaled = _mm256_mul_ps(_mm256_cvtepi32_ps(*sum), _mm256_loadu_ps(scales.as_ptr().add(half * 8)));
        let reaches = _mm256_cmp_ps::<_CMP_GE_OQ>(scaled, _mm256_set1_ps(limit));
        reached |= (_mm256_movemask_ps(reaches) as u16) << (half * 8);
    }
    reached
});

#[cfg(target_arch = "aarch64")]
path!(neon, "neon", aarch64, |bytes, scales, vector, limit| {
    // With 128 taken off each byte is signed, and nothing need be taken off the sums.
    let mut sums = [vdupq_n_s32(0); 4];
    for (at, group) in vector.groups.iter().enumerate() {
        let values = vreinterpret_s8_s32(vdup_n_s32(i32::from_le_bytes(group.map(|value| value as u8))));
        for (quarter, sum) in sums.iter_mut().enumerate() {
            let rows = vld1q_u8(bytes.as_ptr().add((at * 4 + quarter) * 16));
            let rows = vreinterpretq_s8_u8(veorq_u8(rows, vdupq_n_u8(128)));
            let low = vpaddlq_s16(vmull_s8(vget_low_s8(rows), values));
            let high = vpaddlq_s16(vmull_s8(vget_high_s8(rows), values));
            *sum = vaddq_s32(*sum, vpaddq_s32(low, high));
        }
    }
    let mut reached = 0;
    for (quarter, sum) in sums.iter().enumerate() {
        let scaled = vmulq_f32(vcvtq_f32_s32(*sum), vld1q_f32(scales.as_ptr().add(quarter * 4)));
        let bits = vandq_u32(vcgeq_f32(scaled, vdupq_n_f32(limit)), vld1q_u32([1_u32, 2, 4, 8].as_ptr()));
        reached |= (vaddvq_u32(bits) as u16) << (quarter * 4);
    }
    reached
});
