//! Every path of this machine against the portable one.

use proptest::prelude::*;

use super::*;

/// A table of `rows` by `width`, a vector, and a weight per row, some of them 0 or negative.
fn operands() -> impl Strategy<Value = (Vec<f32>, Vec<f32>, Vec<f32>)> {
    let weight = prop_oneof![Just(0.0_f32), -4.0..4.0_f32];
    (0..40_usize, 1..6_usize).prop_flat_map(move |(rows, lanes)| {
        let value = || prop::num::f32::NORMAL.prop_map(|value| value % 2.0);
        (
            prop::collection::vec(value(), rows * lanes * LANES),
            prop::collection::vec(value(), lanes * LANES),
            prop::collection::vec(weight.clone(), rows),
        )
    })
}

/// Whether two sums of the same products agree: within the rounding of sums of as large `terms`.
fn agree(a: &[f32], b: &[f32], terms: f32) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-5 * terms.max(1e-3))
}

proptest! {
    #[test]
    fn every_path_gives_what_the_portable_one_gives((rows, vector, weights) in operands()) {
        let width = vector.len() as f32;
        for simd in Simd::available() {
            let (mut dots, mut expected) = (vec![f32::NAN; weights.len()], vec![f32::NAN; weights.len()]);
            simd.dots(&rows, &vector, &mut dots);
            Simd::Portable.dots(&rows, &vector, &mut expected);
            prop_assert!(agree(&dots, &expected, 4.0 * width), "{}: {dots:?} {expected:?}", simd.name());
            let (mut sum, mut wanted) = (vector.clone(), vector.clone());
            simd.combine(&rows, &weights, &mut sum);
            Simd::Portable.combine(&rows, &weights, &mut wanted);
            prop_assert!(agree(&sum, &wanted, 8.0 * weights.len() as f32), "{}: {sum:?} {wanted:?}", simd.name());
            let found = [simd.curvature(&rows, &weights, &vector)];
            let wanted = [Simd::Portable.curvature(&rows, &weights, &vector)];
            let terms = 4.0 * (4.0 * width).powi(2) * weights.len() as f32;
            prop_assert!(agree(&found, &wanted, terms), "{}: {found:?} {wanted:?}", simd.name());
            for pull in [0.0, 1.0] {
                let (mut sum, mut wanted) = (vector.clone(), vector.clone());
                simd.pull(&rows, &weights, pull, &vector, &mut sum);
                Simd::Portable.pull(&rows, &weights, pull, &vector, &mut wanted);
                let terms = 4.0 * 2.0 * (4.0 * width + 1.0) * weights.len() as f32;
                prop_assert!(agree(&sum, &wanted, terms), "{}: {sum:?} {wanted:?}", simd.name());
            }
        }
    }

    #[test]
    fn a_row_gives_the_same_bits_in_a_block_and_alone((rows, vector, weights) in operands()) {
        for simd in Simd::available() {
            let mut together = vec![0.0; weights.len()];
            simd.dots(&rows, &vector, &mut together);
            for (row, dot) in rows.chunks(vector.len()).zip(together) {
                let mut alone = [0.0];
                simd.dots(row, &vector, &mut alone);
                prop_assert_eq!(alone[0].to_bits(), dot.to_bits());
            }
        }
    }

    #[test]
    fn gathered_rows_are_the_tables(rows in 1..50_u32, indices in prop::collection::vec(any::<u32>(), 0..40)) {
        let table: Vec<f32> = (0..rows * LANES as u32).map(|at| at as f32).collect();
        let indices: Vec<u32> = indices.iter().map(|index| index % rows).collect();
        let mut out = vec![f32::NAN; indices.len() * LANES];
        for simd in Simd::available() {
            out.fill(f32::NAN);
            simd.gather(&table, LANES, &indices, &mut out);
            let expected = indices.iter().flat_map(|&index| &table[index as usize * LANES..][..LANES]);
            prop_assert!(out.iter().eq(expected), "{}", simd.name());
        }
    }
}

#[test]
fn the_portable_path_is_right() {
    let rows: Vec<f32> = (0..2 * LANES).map(|at| if at < LANES { 1.0 } else { 2.0 }).collect();
    let vector = [0.5; LANES];
    let mut dots = [0.0; 2];
    Simd::Portable.dots(&rows, &vector, &mut dots);
    assert_eq!(dots, [8.0, 16.0]);
    let mut out = [1.0; LANES];
    Simd::Portable.pull(&rows, &[3.0, -0.5], 1.0, &vector, &mut out);
    // 1 + (3 - 3 * 8) * 1 + (-0.5 - 0.5 * 16) * 2
    assert_eq!(out, [-37.0; LANES]);
    assert_eq!(Simd::Portable.curvature(&rows, &[3.0, -0.5], &vector), 3.0 * 64.0 + 0.5 * 256.0);
    Simd::Portable.combine(&rows, &[2.0, -0.25], &mut out);
    assert_eq!(out, [-35.5; LANES]);
}

#[test]
fn the_widest_path_comes_first_and_the_portable_one_last() {
    let names: Vec<&str> = Simd::available().map(Simd::name).collect();
    assert_eq!(names.last(), Some(&"portable"));
    assert_eq!(names[0], Simd::widest().name());
    // No such processor is without it.
    assert!(!cfg!(target_arch = "aarch64") || names == ["neon", "portable"]);
    assert!(padded(1) == LANES && padded(LANES) == LANES && padded(LANES + 1) == 2 * LANES);
}

#[test]
#[should_panic(expected = "no multiple")]
fn a_width_that_is_no_multiple_is_refused() {
    Simd::widest().dots(&[0.0; 3], &[0.0; 3], &mut [0.0]);
}

#[test]
#[should_panic(expected = "as wide as the vector")]
fn lengths_that_do_not_belong_together_are_refused() {
    Simd::widest().pull(&[0.0; LANES], &[1.0; 2], 1.0, &[0.0; LANES], &mut [0.0; LANES]);
}
