//! Order statistics of numbers that stand elsewhere, without a copy of them, which sorting would take: each pass over them
//! finds out sixteen bits more of the one asked for.

/// Bits that a pass finds out.
const DIGIT: u32 = 16;

/// The number that would stand at place `n`, from 0, were all that `values` gives sorted; none where there are not as many.
/// `values` is called for four passes and has to give the same each time.
pub fn nth<I: Iterator<Item = i64>>(values: impl Fn() -> I, n: usize) -> Option<i64> {
    // With the sign bit turned over, the bits order as the numbers do.
    let bits = || values().map(|value| value.cast_unsigned() ^ (1 << 63));
    let (mut left, mut found) = (n, 0_u64);
    for shift in (0..u64::BITS).step_by(DIGIT as usize).rev() {
        let mut counts = vec![0_usize; 1 << DIGIT];
        let above = |value: u64| value.checked_shr(shift + DIGIT).unwrap_or(0);
        for value in bits().filter(|&value| above(value) == above(found)) {
            if let Some(count) = counts.get_mut((value >> shift & 0xffff) as usize) {
                *count += 1;
            }
        }
        let digit = counts.iter().position(|&count| {
            let here = left < count;
            if !here {
                left -= count;
            }
            here
        })?;
        found |= (digit as u64) << shift;
    }
    Some((found ^ (1 << 63)).cast_signed())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_the_one_of_the_sorted(
            values in proptest::collection::vec(prop_oneof![any::<i64>(), -3_i64..3, Just(i64::MIN)], 0..60),
            n in 0_usize..70,
        ) {
            let mut sorted = values.clone();
            sorted.sort_unstable();
            prop_assert_eq!(nth(|| values.iter().copied(), n), sorted.get(n).copied());
        }
    }
}
