//! The exact best, on every path, whatever the rows.

use proptest::prelude::*;

use super::super::Simd;
use super::*;

/// The products of all rows, as the exact path gives them.
fn products(table: &[f32], vector: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; table.len() / vector.len()];
    Simd::widest().dots(table, vector, &mut out);
    out
}

/// The best `n` by a search, best first, ties by row.
fn best(packed: &Packed, simd: Bytes, products: &[f32], vector: &[f32], n: usize) -> (Vec<u32>, usize) {
    let (mut list, mut offered): (Vec<u32>, usize) = (Vec::new(), 0);
    packed.search(simd, vector, f32::MIN, |row| {
        offered += 1;
        list.push(row);
        list.sort_by(|&a, &b| products[b as usize].total_cmp(&products[a as usize]).then(a.cmp(&b)));
        list.truncate(n);
        if list.len() < n { f32::MIN } else { products[list[n - 1] as usize] }
    });
    (list, offered)
}

fn operands() -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
    // Values of several sizes, zeros, and rows that are all alike.
    let value = || prop_oneof![6 => -1.0..1.0_f32, 1 => Just(0.0), 1 => -1e-3..1e-3_f32, 1 => -30.0..30.0_f32];
    (0..200_usize, 1..6_usize).prop_flat_map(move |(rows, lanes)| {
        let width = lanes * super::super::LANES;
        (prop::collection::vec(value(), rows * width), prop::collection::vec(value(), width))
    })
}

proptest! {
    #[test]
    fn a_search_finds_what_a_full_sort_finds((table, vector) in operands(), n in 1..30_usize) {
        let packed = Packed::new(&table, vector.len());
        let products = products(&table, &vector);
        let mut wanted: Vec<u32> = (0..products.len() as u32).collect();
        wanted.sort_by(|&a, &b| products[b as usize].total_cmp(&products[a as usize]).then(a.cmp(&b)));
        wanted.truncate(n);
        for simd in Bytes::available() {
            prop_assert_eq!(&best(&packed, simd, &products, &vector, n).0, &wanted, "{}", simd.name());
        }
    }

    #[test]
    fn a_search_misses_nothing_that_reaches_it((table, vector) in operands(), share in 0.0..1.0_f32) {
        let packed = Packed::new(&table, vector.len());
        let products = products(&table, &vector);
        let to_reach = products.iter().copied().fold(0.0, f32::max) * share;
        for simd in Bytes::available() {
            let mut offered = vec![false; products.len()];
            packed.search(simd, &vector, to_reach, |row| {
                offered[row as usize] = true;
                to_reach
            });
            for (row, product) in products.iter().enumerate() {
                prop_assert!(offered[row] || *product < to_reach, "{}: row {row}, {product} of {to_reach}", simd.name());
            }
        }
    }
}

#[test]
fn the_quickest_path_comes_first_and_the_portable_one_last() {
    let names: Vec<&str> = Bytes::available().map(Bytes::name).collect();
    assert_eq!((names[0], names.last()), (Bytes::widest().name(), Some(&"portable")));
    assert!(!cfg!(target_arch = "aarch64") || names == ["neon", "portable"]);
}

#[test]
fn few_rows_are_multiplied_exactly() {
    use rand::{RngExt as _, SeedableRng as _};
    let mut random = rand::rngs::StdRng::seed_from_u64(1);
    let table: Vec<f32> = (0..20_000 * 64).map(|_| random.random_range(-1.0..1.0)).collect();
    let packed = Packed::new(&table, 64);
    for simd in Bytes::available() {
        let vector: Vec<f32> = (0..64).map(|_| random.random_range(-1.0..1.0)).collect();
        let products = products(&table, &vector);
        let (_, offered) = best(&packed, simd, &products, &vector, 10);
        assert!(offered < 400, "{}: {offered} of 20000", simd.name());
    }
}

#[test]
fn rows_that_are_not_finite_or_all_zero_harm_nobody() {
    let mut table = vec![0.0_f32; 40 * 16];
    table[16] = f32::NAN;
    table[32] = f32::INFINITY;
    table[48] = 2.0;
    let packed = Packed::new(&table, 16);
    let mut vector = vec![0.0_f32; 16];
    vector[0] = 1.0;
    for simd in Bytes::available() {
        let mut offered = Vec::new();
        packed.search(simd, &vector, 1.5, |row| {
            offered.push(row);
            1.5
        });
        assert!(offered.contains(&3), "{}: {offered:?}", simd.name());
        packed.search(simd, &[0.0; 16], 1.5, |row| panic!("row {row} cannot reach it"));
    }
}
