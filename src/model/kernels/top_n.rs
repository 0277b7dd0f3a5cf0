//! The first N of a slice of scores, exactly.
//!
//! One pass with the score that must be beaten at hand: blocks in which nothing reaches it are passed over by one
//! comparison per score, which the compiler turns into vector code, and the filter is asked only for what reaches it.

use std::collections::BinaryHeap;

/// Scores looked at between two branches.
const BLOCK: usize = 32;

/// One place of a list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranked {
    /// The item's index, as the scores have it.
    pub item: u32,
    /// Its score, finite.
    pub score: f32,
}

/// A place while it is sought: the smaller is the better, so that a heap has the worst at its root. The first number has
/// the score's bits, turned over so that they order from the best down, before the place among equals: one comparison
/// instead of three.
type Place = (u64, u32);

fn place(item: u32, score: f32, order: u32) -> Place {
    // Adding zero makes -0.0 equal to 0.0, as they are for everybody but their bits.
    let bits = (score + 0.0).to_bits();
    let ascending = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    (u64::from(!ascending) << 32 | u64::from(order), item)
}

fn ranked((key, item): Place) -> Ranked {
    let ascending = !((key >> 32) as u32);
    let bits = if ascending >> 31 == 1 { ascending & !(1 << 31) } else { !ascending };
    Ranked { item, score: f32::from_bits(bits) }
}

/// The best `n` of `scores`, best first, of those for which `keep` holds; the item is the place in the slice.
///
/// Equal scores are ordered by `order_of(item)`, then by item. Scores that are not finite never enter. `keep` is called
/// only for items that would enter the list as it is when the pass reaches them.
pub fn top_n(scores: &[f32], n: usize, order_of: impl Fn(u32) -> u32, keep: impl FnMut(u32) -> bool) -> Vec<Ranked> {
    let mut best = Best::new(n.min(scores.len()), order_of, keep);
    best.offer_all(scores);
    best.into_list()
}

/// As [`top_n`], of the items `items` alone, whose scores are `scores` in the same order.
pub fn top_n_of(
    items: &[u32],
    scores: &[f32],
    n: usize,
    order_of: impl Fn(u32) -> u32,
    keep: impl FnMut(u32) -> bool,
) -> Vec<Ranked> {
    let mut best = Best::new(n.min(items.len()), order_of, keep);
    for (&item, &score) in items.iter().zip(scores) {
        best.consider(item, score);
    }
    best.into_list()
}

/// A list in the making, as those see it who have items for it.
pub trait Offers {
    /// Takes an item in if it belongs there so far; gives the score that the next one must reach.
    fn offer(&mut self, item: u32, score: f32) -> f32;

    /// Whether the item may be shown at all.
    fn keeps(&mut self, item: u32) -> bool;

    /// The score that an item must reach to enter; the least of all floats while there is room.
    fn to_reach(&self) -> f32;

    /// Offers every item, its place being its index.
    fn offer_all(&mut self, scores: &[f32]);
}

/// The best `n` of what is offered, each item once at most.
pub struct Best<Order, Keep> {
    n: usize,
    heap: BinaryHeap<Place>,
    /// The score that an item must reach to enter; NaN compares false with it.
    to_reach: f32,
    /// The last place among equals of that score that still enters.
    last_order: u32,
    order_of: Order,
    keep: Keep,
}

impl<Order: Fn(u32) -> u32, Keep: FnMut(u32) -> bool> Best<Order, Keep> {
    /// An empty list of `n` places; see [`top_n`] for what `order_of` and `keep` are.
    pub fn new(n: usize, order_of: Order, keep: Keep) -> Self {
        let to_reach = if n == 0 { f32::INFINITY } else { f32::MIN };
        Self { n, heap: BinaryHeap::with_capacity(n), to_reach, last_order: u32::MAX, order_of, keep }
    }

    #[inline]
    fn consider(&mut self, item: u32, score: f32) {
        if score >= self.to_reach && score <= f32::MAX {
            let order = (self.order_of)(item);
            // Where many scores are the same, as the zeros of a sparse model, most end here.
            if score > self.to_reach || order <= self.last_order {
                self.enter(place(item, score, order));
            }
        }
    }

    #[inline(never)]
    fn enter(&mut self, place: Place) {
        if self.heap.len() < self.n {
            if (self.keep)(place.1) {
                self.heap.push(place);
            }
        } else if let Some(mut worst) = self.heap.peek_mut()
            && place < *worst
            && (self.keep)(place.1)
        {
            *worst = place;
        }
        if self.heap.len() == self.n
            && let Some(&worst) = self.heap.peek()
        {
            (self.to_reach, self.last_order) = (ranked(worst).score, worst.0 as u32);
        }
    }

    /// The list, best first.
    #[must_use]
    pub fn into_list(self) -> Vec<Ranked> {
        self.heap.into_sorted_vec().into_iter().map(ranked).collect()
    }
}

impl<Order: Fn(u32) -> u32, Keep: FnMut(u32) -> bool> Offers for Best<Order, Keep> {
    fn offer(&mut self, item: u32, score: f32) -> f32 {
        self.consider(item, score);
        self.to_reach
    }

    fn keeps(&mut self, item: u32) -> bool {
        (self.keep)(item)
    }

    fn to_reach(&self) -> f32 {
        self.to_reach
    }

    fn offer_all(&mut self, scores: &[f32]) {
        let mut first = 0_u32;
        for block in scores.chunks(BLOCK) {
            // No early exit inside a block: it would keep the loop from being vectorised.
            if block.iter().fold(false, |reached, &score| reached | (score >= self.to_reach)) {
                for (item, &score) in (first..).zip(block) {
                    self.consider(item, score);
                }
            }
            first = first.saturating_add(BLOCK as u32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What everybody understands by it.
    fn by_sorting(scores: &[f32], n: usize, order: &[u32], kept: &[bool]) -> Vec<(u32, f32)> {
        let mut all: Vec<u32> =
            (0..scores.len() as u32).filter(|&i| scores[i as usize].is_finite() && kept[i as usize]).collect();
        all.sort_by(|&a, &b| {
            let (a, b) = (a as usize, b as usize);
            scores[b].partial_cmp(&scores[a]).unwrap().then(order[a].cmp(&order[b])).then(a.cmp(&b))
        });
        all.into_iter().take(n).map(|item| (item, scores[item as usize])).collect()
    }

    fn plain(list: Vec<Ranked>) -> Vec<(u32, f32)> {
        list.into_iter().map(|ranked| (ranked.item, ranked.score)).collect()
    }

    fn score() -> impl Strategy<Value = f32> {
        // Few values, so that equal scores are common.
        prop_oneof![
            6 => (-3..4_i8).prop_map(f32::from),
            4 => -1e3_f32..1e3,
            1 => prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, f32::MAX, f32::MIN]),
        ]
    }

    proptest! {
        #[test]
        fn it_equals_a_full_sort(
            rows in prop::collection::vec((score(), any::<u32>(), prop::bool::weighted(0.7)), 0..300),
            n in 0..80_usize,
        ) {
            let scores: Vec<f32> = rows.iter().map(|row| row.0).collect();
            let order: Vec<u32> = rows.iter().map(|row| row.1).collect();
            let kept: Vec<bool> = rows.iter().map(|row| row.2).collect();
            let expected = by_sorting(&scores, n, &order, &kept);
            let list = top_n(&scores, n, |item| order[item as usize], |item| kept[item as usize]);
            prop_assert_eq!(&plain(list), &expected);
            let items: Vec<u32> = (0..scores.len() as u32).collect();
            let list = top_n_of(&items, &scores, n, |item| order[item as usize], |item| kept[item as usize]);
            prop_assert_eq!(&plain(list), &expected);
        }
    }

    #[test]
    fn the_filter_is_asked_only_for_what_would_enter() {
        let scores: Vec<f32> = (0..10_000_u16).rev().map(f32::from).collect();
        let mut asked = 0;
        let list = top_n(
            &scores,
            10,
            |item| item,
            |_| {
                asked += 1;
                true
            },
        );
        assert_eq!((list.len(), asked), (10, 10));
    }

    #[test]
    fn equal_scores_go_by_the_order_given() {
        let list = top_n(&[1.0; 4], 2, |item| [3, 1, 2, 0][item as usize], |_| true);
        assert_eq!(plain(list), [(3, 1.0), (1, 1.0)]);
    }
}
