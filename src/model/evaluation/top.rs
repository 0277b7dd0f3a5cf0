//! The best `n` of many scores, exactly.
#![expect(clippy::indexing_slicing, reason = "scores, order and skip are as long as the catalogue, items index it")]

use std::cmp::Ordering;

/// A scored item: score, place in the string order of ids, item.
type Scored = (f32, u32, u32);

/// Writes the items with the best `n` scores to `out`, best first; ties go to the item whose id comes first in string
/// order (`id_order`, as in [`crate::model::dataset::Dataset::id_order`]). Items for which `skip` holds are left out.
/// The three slices are as long as the catalogue; scores are finite.
///
/// What beats the worst of the best so far goes to a buffer twice as long as the list, which is cut by selection when
/// full: linear in the catalogue.
pub fn top_n(scores: &[f32], id_order: &[u32], skip: &[bool], n: usize, out: &mut Vec<u32>) {
    out.clear();
    if n == 0 {
        return;
    }
    let mut best: Vec<Scored> = Vec::with_capacity(scores.len().min(2 * n));
    let mut bar: Option<Scored> = None;
    for (item, &score) in (0_u32..).zip(scores) {
        let at = item as usize;
        // Adding zero makes -0 and 0 the tie that they are.
        let scored = (score + 0.0, id_order[at], item);
        if skip[at] || bar.is_some_and(|bar| better_first(&scored, &bar) == Ordering::Greater) {
            continue;
        }
        best.push(scored);
        if best.len() == 2 * n {
            best.select_nth_unstable_by(n - 1, better_first);
            best.truncate(n);
            bar = best.last().copied();
        }
    }
    best.sort_unstable_by(better_first);
    out.extend(best.iter().take(n).map(|&(_, _, item)| item));
}

fn better_first(a: &Scored, b: &Scored) -> Ordering {
    b.0.total_cmp(&a.0).then(a.1.cmp(&b.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ties_go_by_the_order_of_ids() {
        let mut out = Vec::new();
        top_n(&[1.0, 2.0, -0.0, 0.0, 2.0], &[4, 3, 2, 1, 0], &[false; 5], 9, &mut out);
        assert_eq!(out, [4, 1, 0, 3, 2]);
        top_n(&[1.0, 2.0], &[0, 1], &[false, true], 1, &mut out);
        assert_eq!(out, [0]);
        top_n(&[1.0], &[0], &[false], 0, &mut out);
        assert!(out.is_empty());
    }

    proptest! {
        #[test]
        fn it_equals_a_full_sort(
            items in proptest::collection::vec((-3_i8..3, any::<bool>(), any::<u64>()), 0..300),
            n in 0_usize..50,
        ) {
            let scores: Vec<f32> = items.iter().map(|&(score, _, _)| f32::from(score)).collect();
            let skip: Vec<bool> = items.iter().map(|&(_, skip, _)| skip).collect();
            let mut by_id: Vec<usize> = (0..items.len()).collect();
            by_id.sort_by_key(|&item| (items[item].2, item));
            let mut id_order = vec![0; items.len()];
            for (place, &item) in (0..).zip(&by_id) {
                id_order[item] = place;
            }
            let mut sorted: Vec<u32> = (0..).take(items.len()).filter(|&item: &u32| !skip[item as usize]).collect();
            sorted.sort_by(|&a, &b| {
                let (a, b) = (a as usize, b as usize);
                scores[b].partial_cmp(&scores[a]).unwrap().then(id_order[a].cmp(&id_order[b]))
            });
            sorted.truncate(n);
            let mut out = Vec::new();
            top_n(&scores, &id_order, &skip, n, &mut out);
            prop_assert_eq!(out, sorted);
        }
    }
}
