//! Coverage@k: the share of the catalogue that is in the first `k` places of anybody's list.
//!
//! It is no mean over users. Its confidence comes from leaving out one user at a time (the jackknife), as for the number
//! of species in a sample: Heltshe and Forrester, "Estimating Species Richness Using the Jackknife Procedure" (1983).
#![expect(clippy::indexing_slicing, reason = "items of lists lie within the catalogue")]

use crate::model::manifest::Figure;

/// In no list so far.
const NOBODY: u32 = u32::MAX;

/// In more than one list.
const SEVERAL: u32 = u32::MAX - 1;

/// The lists of all users, as far as coverage needs them: 4 bytes an item.
#[derive(Debug, Clone)]
pub struct Coverage {
    /// By item: the one list that has it, [`NOBODY`] or [`SEVERAL`].
    holders: Vec<u32>,
    lists: u32,
}

impl Coverage {
    /// Of a catalogue of `items` items, before the first list.
    #[must_use]
    pub fn new(items: usize) -> Self {
        Self { holders: vec![NOBODY; items], lists: 0 }
    }

    /// Adds one user's list, without repeats.
    pub fn add(&mut self, list: &[u32]) {
        for &item in list {
            let holder = &mut self.holders[item as usize];
            *holder = if *holder == NOBODY { self.lists } else { SEVERAL };
        }
        self.lists += 1;
    }

    /// The share with its confidence; 0 for an empty catalogue.
    #[must_use]
    pub fn figure(&self) -> Figure {
        let (items, users) = (self.holders.len(), f64::from(self.lists));
        if items == 0 || self.lists == 0 {
            return Figure::default();
        }
        // What the catalogue's shown part loses with each user.
        let mut alone = vec![0.0_f64; self.lists as usize];
        for &holder in self.holders.iter().filter(|&&holder| holder < SEVERAL) {
            alone[holder as usize] += 1.0;
        }
        let (sum, squares) = alone.iter().fold((0.0, 0.0), |(sum, squares), &lost| (sum + lost, squares + lost * lost));
        let variance = (users - 1.0) / users * (squares - sum * sum / users).max(0.0);
        let listed = self.holders.iter().filter(|&&holder| holder != NOBODY).count();
        Figure { mean: listed as f64 / items as f64, ci95: 1.96 * variance.sqrt() / items as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covered(lists: &[&[u32]], items: usize) -> Figure {
        let mut coverage = Coverage::new(items);
        lists.iter().for_each(|list| coverage.add(list));
        coverage.figure()
    }

    #[test]
    fn it_agrees_with_a_case_worked_by_hand() {
        // Five of ten items; alone in their lists are 2 and 3, then none, then 4: 2, 0, 1 are lost with each user.
        let figure = covered(&[&[0, 2, 3], &[0, 1], &[1, 4]], 10);
        // Variance 2/3 * (4 + 0 + 1 - 9/3) = 4/3.
        assert!((figure.mean - 0.5).abs() < 1e-12);
        assert!((figure.ci95 - 1.96 * (4.0_f64 / 3.0).sqrt() / 10.0).abs() < 1e-12, "{figure:?}");
    }

    #[test]
    fn the_confidence_is_that_of_leaving_each_user_out() {
        let lists: Vec<Vec<u32>> =
            (0..40_u32).map(|user| (0..5).map(|k| user * user * (k + 1) % 90 + k).collect()).collect();
        let lists: Vec<Vec<u32>> = lists
            .into_iter()
            .map(|mut list| {
                list.sort_unstable();
                list.dedup();
                list
            })
            .collect();
        let all: Vec<&[u32]> = lists.iter().map(Vec::as_slice).collect();
        let without = |user: usize| covered(&[&all[..user], &all[user + 1..]].concat(), 100).mean;
        let shares: Vec<f64> = (0..all.len()).map(without).collect();
        let mean = shares.iter().sum::<f64>() / 40.0;
        let variance = 39.0 / 40.0 * shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>();
        assert!((covered(&all, 100).ci95 - 1.96 * variance.sqrt()).abs() < 1e-9);
    }

    #[test]
    fn nothing_shown_is_nothing_covered() {
        assert_eq!(covered(&[], 3), Figure::default());
        assert_eq!(covered(&[&[]], 0), Figure::default());
        assert_eq!(covered(&[&[1]], 4), Figure { mean: 0.25, ci95: 0.0 });
    }
}
