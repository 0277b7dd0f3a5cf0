//! The pairs that count as liked, in both directions.

#![expect(clippy::indexing_slicing, reason = "users and items are dense indices of the dataset")]

use crate::model::dataset::{Dataset, Pair};
use crate::model::order::nth;

/// What a pair of some weight counts, given the weight in the middle of all.
type Confidence<'a> = Box<dyn Fn(f32, f32) -> f32 + Sync + 'a>;

/// Memory for a row's entries, to be used again.
#[derive(Debug, Default)]
pub struct Entries {
    columns: Vec<u32>,
    weights: Vec<f32>,
}

/// Rows of (column, weight) with few entries each.
pub trait Rows: Sync {
    /// Number of rows.
    fn len(&self) -> usize;

    /// Whether there is no row.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The columns of row `row`, each once, and their weights; put together in `entries` where they do not stand so.
    fn of<'e>(&'e self, row: usize, entries: &'e mut Entries) -> (&'e [u32], &'e [f32]);
}

/// Items by user, read from the dataset each time: a copy would be 8 bytes a pair.
pub struct ByUser<'a> {
    data: &'a Dataset,
    confidence: Confidence<'a>,
    middle: f32,
}

impl Rows for ByUser<'_> {
    fn len(&self) -> usize {
        self.data.users()
    }

    fn of<'e>(&'e self, row: usize, entries: &'e mut Entries) -> (&'e [u32], &'e [f32]) {
        entries.columns.clear();
        entries.weights.clear();
        // Most pairs weigh the same, and a power is dear.
        let mut last = (f32::NAN, 0.0);
        for pair in positive(self.data.of(row)) {
            if pair.weight != last.0 {
                last = (pair.weight, (self.confidence)(pair.weight, self.middle));
            }
            entries.columns.push(pair.item);
            entries.weights.push(last.1);
        }
        (&entries.columns, &entries.weights)
    }
}

/// Users by item, compressed; 8 bytes a pair.
#[derive(Debug, Clone, PartialEq)]
pub struct ByItem {
    /// `starts[i]..starts[i + 1]` are the entries of item `i`; one longer than the items.
    starts: Vec<usize>,
    columns: Vec<u32>,
    weights: Vec<f32>,
}

impl ByItem {
    fn new(items: usize, by_user: &ByUser<'_>) -> Self {
        let mut starts = vec![0; items + 1];
        for pair in positive(&by_user.data.pairs) {
            starts[pair.item as usize + 1] += 1;
        }
        for item in 0..items {
            starts[item + 1] += starts[item];
        }
        let (mut next, all) = (starts.clone(), starts[items]);
        let (mut columns, mut weights) = (vec![0; all], vec![0.0; all]);
        let mut entries = Entries::default();
        for (user, row) in (0_u32..).zip(0..by_user.len()) {
            let (items, of_user) = by_user.of(row, &mut entries);
            for (&item, &weight) in items.iter().zip(of_user) {
                let slot = &mut next[item as usize];
                (columns[*slot], weights[*slot]) = (user, weight);
                *slot += 1;
            }
        }
        Self { starts, columns, weights }
    }
}

impl Rows for ByItem {
    fn len(&self) -> usize {
        self.starts.len() - 1
    }

    fn of<'e>(&'e self, row: usize, _entries: &'e mut Entries) -> (&'e [u32], &'e [f32]) {
        let bounds = self.starts[row]..self.starts[row + 1];
        (&self.columns[bounds.clone()], &self.weights[bounds])
    }
}

/// The pairs of positive weight by user and by item.
pub struct Positives<'a> {
    /// Items by user.
    pub by_user: ByUser<'a>,
    /// Users by item.
    pub by_item: ByItem,
    /// The weight of the pair in the middle, above 0.
    pub middle: f32,
}

impl<'a> Positives<'a> {
    /// Reads the pairs of positive weight. `confidence` says what a weight counts, given the weight in the middle of all;
    /// none where there is no such pair.
    #[must_use]
    pub fn new(data: &'a Dataset, confidence: impl Fn(f32, f32) -> f32 + Sync + 'a) -> Option<Self> {
        let middle = middle(&data.pairs)?;
        let by_user = ByUser { data, confidence: Box::new(confidence), middle };
        let by_item = ByItem::new(data.items(), &by_user);
        Some(Self { by_user, by_item, middle })
    }
}

fn positive(pairs: &[Pair]) -> impl Iterator<Item = &Pair> {
    pairs.iter().filter(|pair| pair.weight > 0.0)
}

/// The weight in the middle of the positive ones, the upper of two; none where there is none.
fn middle(pairs: &[Pair]) -> Option<f32> {
    // The bits of positive numbers order as their values do.
    let bits = || positive(pairs).map(|pair| i64::from(pair.weight.to_bits()));
    let middle = nth(bits, bits().count() / 2)?;
    Some(f32::from_bits(middle as u32))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::tests::dataset;
    use super::*;

    #[test]
    fn dislikes_are_left_out_and_both_directions_agree() {
        let data = dataset(&[(0, 0, 1.0, 0), (0, 2, 4.0, 0), (1, 1, -1.0, 0), (1, 2, 9.0, 0), (2, 0, 0.0, 0)]);
        let positives = Positives::new(&data, |weight, middle| weight / middle).unwrap();
        let mut entries = Entries::default();
        assert_eq!(positives.middle, 4.0);
        assert_eq!(positives.by_user.of(0, &mut entries), (&[0, 2][..], &[0.25, 1.0][..]));
        assert_eq!(positives.by_user.of(2, &mut entries), (&[][..], &[][..]));
        assert_eq!(positives.by_item.of(2, &mut entries), (&[0, 1][..], &[1.0, 2.25][..]));
        assert_eq!(positives.by_item.of(1, &mut entries), (&[][..], &[][..]));
        assert!(Positives::new(&dataset(&[(0, 0, -1.0, 0)]), |weight, _| weight).is_none());
    }

    proptest! {
        #[test]
        fn the_middle_is_the_one_of_the_sorted_weights(weights in proptest::collection::vec(-2.0_f32..1000.0, 0..60)) {
            let pair = |&weight: &f32| Pair { item: 0, weight, first_ms: 0 };
            let pairs: Vec<Pair> = weights.iter().map(pair).collect();
            let mut sorted: Vec<f32> = weights.into_iter().filter(|&weight| weight > 0.0).collect();
            sorted.sort_by(f32::total_cmp);
            prop_assert_eq!(middle(&pairs), sorted.get(sorted.len() / 2).copied());
        }
    }
}
