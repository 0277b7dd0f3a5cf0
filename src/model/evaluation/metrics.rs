//! The metrics, as plain functions on one user's ranked list and held-out items, and their means over users.
//!
//! All are over the first `k` places of a list, rank counted from 0. A held-out item that train never saw cannot be in any
//! list: it is a miss that stays in the denominator.

use std::collections::BTreeMap;

use crate::model::manifest::Figure;

/// How long a list is judged; MRR looks no further.
pub const LIST: usize = 100;

/// The names of the figures taken per user, in the order of [`of_list`].
pub const NAMES: [&str; 7] = ["hr@10", "ndcg@10", "recall@20", "ndcg@20", "ndcg@100", "mrr", "novelty@10"];

/// The name of the figure that is no mean over users, see [`super::coverage`].
pub const COVERAGE: &str = "coverage@10";

/// The first places that coverage and novelty look at.
pub const SHOWN: usize = 10;

/// The figure that candidates are chosen and gated by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Metric {
    /// `ndcg@10`.
    #[default]
    Ndcg10,
    /// `recall@20`.
    Recall20,
    /// `hr@10`.
    Hr10,
}

impl Metric {
    /// Its name among the figures.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ndcg10 => "ndcg@10",
            Self::Recall20 => "recall@20",
            Self::Hr10 => "hr@10",
        }
    }

    /// Its mean among `figures`; none where there is none.
    #[must_use]
    pub fn of(self, figures: &BTreeMap<String, Figure>) -> Option<f64> {
        figures.get(self.name()).map(|figure| figure.mean)
    }
}

/// No figure of that name can be compared by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown metric {0}: take ndcg@10, recall@20 or hr@10")]
pub struct UnknownMetric(String);

impl std::str::FromStr for Metric {
    type Err = UnknownMetric;

    fn from_str(name: &str) -> Result<Self, UnknownMetric> {
        [Self::Ndcg10, Self::Recall20, Self::Hr10]
            .into_iter()
            .find(|metric| metric.name() == name)
            .ok_or_else(|| UnknownMetric(name.to_owned()))
    }
}

/// One user's held-out items.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeldOut {
    known: Vec<u32>,
    count: usize,
}

impl HeldOut {
    /// Held-out items: those that train knows, by index, and how many there are besides that it never saw.
    #[must_use]
    pub fn new(mut known: Vec<u32>, unseen: usize) -> Self {
        known.sort_unstable();
        known.dedup();
        let count = known.len() + unseen;
        Self { known, count }
    }

    /// The held-out items that train knows, ascending.
    #[must_use]
    pub fn known(&self) -> &[u32] {
        &self.known
    }

    /// Number of held-out items, the unseen among them.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether nothing is held out.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether `item` is held out.
    #[must_use]
    pub fn contains(&self, item: u32) -> bool {
        self.known.binary_search(&item).is_ok()
    }

    fn hits<'a>(&'a self, list: &'a [u32], k: usize) -> impl Iterator<Item = usize> + 'a {
        list.iter().take(k).enumerate().filter(|&(_, &item)| self.contains(item)).map(|(rank, _)| rank)
    }
}

/// HR@k: 1 if any held-out item is in the first `k`, else 0.
#[must_use]
pub fn hit_rate(list: &[u32], held_out: &HeldOut, k: usize) -> f64 {
    if held_out.hits(list, k).next().is_some() { 1.0 } else { 0.0 }
}

/// Recall@k: hits in the first `k` by the number of held-out items; 0 when nothing is held out.
#[must_use]
pub fn recall(list: &[u32], held_out: &HeldOut, k: usize) -> f64 {
    if held_out.is_empty() { 0.0 } else { held_out.hits(list, k).count() as f64 / held_out.len() as f64 }
}

/// NDCG@k with binary gains: the sum of 1/log2(rank + 2) over hits, divided by that of min(k, held-out items) hits at
/// the top; 0 when nothing is held out.
#[must_use]
pub fn ndcg(list: &[u32], held_out: &HeldOut, k: usize) -> f64 {
    let ideal: f64 = (0..k.min(held_out.len())).map(discount).sum();
    if ideal == 0.0 { 0.0 } else { held_out.hits(list, k).map(discount).sum::<f64>() / ideal }
}

/// Reciprocal rank: 1/(rank + 1) of the first hit in the list, 0 without one.
#[must_use]
pub fn reciprocal_rank(list: &[u32], held_out: &HeldOut) -> f64 {
    held_out.hits(list, list.len()).next().map_or(0.0, |rank| 1.0 / (rank as f64 + 1.0))
}

/// Novelty@k: the mean self-information of the first `k` items in bits (Zhou et al. 2010), `-log2` of the share of train's
/// users who have the item; 0 for an empty list. `information` holds it by item.
#[must_use]
pub fn novelty(list: &[u32], information: &[f64], k: usize) -> f64 {
    let shown = list.len().min(k);
    let bits: f64 = list.iter().take(k).filter_map(|&item| information.get(item as usize)).sum();
    if shown == 0 { 0.0 } else { bits / shown as f64 }
}

/// What a hit at `rank` is worth in [`ndcg`].
#[must_use]
pub fn discount(rank: usize) -> f64 {
    1.0 / (rank as f64 + 2.0).log2()
}

/// One user's figures, in the order of [`NAMES`].
#[must_use]
pub fn of_list(list: &[u32], held_out: &HeldOut, information: &[f64]) -> [f64; NAMES.len()] {
    [
        hit_rate(list, held_out, 10),
        ndcg(list, held_out, 10),
        recall(list, held_out, 20),
        ndcg(list, held_out, 20),
        ndcg(list, held_out, LIST),
        reciprocal_rank(list, held_out),
        novelty(list, information, SHOWN),
    ]
}

/// Means over users with their confidence; adding in the same order gives the same bits.
#[derive(Debug, Clone, Default)]
pub struct Means {
    users: u64,
    sums: [f64; NAMES.len()],
    squares: [f64; NAMES.len()],
}

impl Means {
    /// Adds one user's figures.
    pub fn add(&mut self, figures: &[f64; NAMES.len()]) {
        self.users += 1;
        for ((sum, square), &figure) in self.sums.iter_mut().zip(&mut self.squares).zip(figures) {
            *sum += figure;
            *square += figure * figure;
        }
    }

    /// Number of users added.
    #[must_use]
    pub const fn users(&self) -> u64 {
        self.users
    }

    /// The figures by name; none where no user was added.
    #[must_use]
    pub fn figures(&self) -> BTreeMap<String, Figure> {
        if self.users == 0 {
            return BTreeMap::new();
        }
        let sums = self.sums.iter().zip(&self.squares);
        NAMES
            .iter()
            .zip(sums)
            .map(|(&name, (&sum, &square))| (name.to_owned(), figure(self.users, sum, square)))
            .collect()
    }
}

/// Mean and 1.96 standard errors of `values`; zeros for none.
#[must_use]
pub fn mean(values: impl Iterator<Item = f64>) -> Figure {
    let fold = |(n, sum, squares), value| (n + 1, sum + value, squares + value * value);
    let (n, sum, squares) = values.fold((0, 0.0, 0.0), fold);
    if n == 0 { Figure::default() } else { figure(n, sum, squares) }
}

/// Mean and 1.96 standard errors (sample variance) from a sum and a sum of squares; no width for one user.
fn figure(users: u64, sum: f64, squares: f64) -> Figure {
    let n = users as f64;
    let mean = sum / n;
    let variance = if users < 2 { 0.0 } else { ((squares - n * mean * mean) / (n - 1.0)).max(0.0) };
    Figure { mean, ci95: 1.96 * (variance / n).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
    }

    #[test]
    fn figures_agree_with_a_case_worked_by_hand() {
        // Hits at the ranks 1 and 3; three items held out, one of them unseen in train.
        let list = [7, 3, 9, 5, 1];
        let held_out = HeldOut::new(vec![5, 3], 1);
        assert!(close(hit_rate(&list, &held_out, 1), 0.0));
        assert!(close(hit_rate(&list, &held_out, 2), 1.0));
        assert!(close(recall(&list, &held_out, 2), 1.0 / 3.0));
        assert!(close(recall(&list, &held_out, 20), 2.0 / 3.0));
        // DCG@10 = 1/log2(3) + 1/log2(5) = 0.630930 + 0.430677; ideal of three = 1 + 0.630930 + 0.5.
        assert!((ndcg(&list, &held_out, 10) - 1.061_606_311 / 2.130_929_754).abs() < 1e-9);
        // The ideal for k = 2 has two hits only.
        assert!((ndcg(&list, &held_out, 2) - 0.630_929_754 / 1.630_929_754).abs() < 1e-9);
        assert!(close(reciprocal_rank(&list, &held_out), 0.5));
    }

    #[test]
    fn one_held_out_item_on_top_is_worth_one_and_none_is_worth_nothing() {
        let held_out = HeldOut::new(vec![4], 0);
        assert_eq!(&of_list(&[4, 2], &held_out, &[0.0; 5])[..6], [1.0; 6]);
        assert_eq!(&of_list(&[2, 3], &held_out, &[0.0; 5])[..6], [0.0; 6]);
        assert_eq!(&of_list(&[2, 3], &HeldOut::new(vec![], 2), &[0.0; 5])[..6], [0.0; 6]);
        assert_eq!(&of_list(&[], &HeldOut::default(), &[])[..], [0.0; 7]);
    }

    #[test]
    fn novelty_is_self_information() {
        // Items with a half, a quarter and all of the users.
        let information = [1.0, 2.0, 0.0];
        assert!(close(novelty(&[0, 1], &information, 10), 1.5));
        assert!(close(novelty(&[0, 1, 2], &information, 10), 1.0));
        assert!(close(novelty(&[1, 0], &information, 1), 2.0));
    }

    #[test]
    fn means_carry_their_confidence() {
        let mut means = Means::default();
        assert!(means.figures().is_empty());
        for value in [0.0, 1.0, 1.0, 0.0, 1.0] {
            means.add(&[value; NAMES.len()]);
        }
        // Mean 0.6, sample variance 0.3: 1.96 * sqrt(0.3 / 5).
        let figure = means.figures()["hr@10"];
        assert!(close(figure.mean, 0.6) && close(figure.ci95, 1.96 * 0.06_f64.sqrt()), "{figure:?}");
        let mut one = Means::default();
        one.add(&[1.0; NAMES.len()]);
        assert_eq!(one.figures()["mrr"], Figure { mean: 1.0, ci95: 0.0 });
    }

    #[test]
    fn metrics_have_names() {
        assert_eq!("recall@20".parse::<Metric>(), Ok(Metric::Recall20));
        assert!("recall@7".parse::<Metric>().is_err());
    }
}
