//! The pairs that count as liked, in both directions.

#![expect(clippy::indexing_slicing, reason = "users and items are dense indices of the dataset")]

use crate::model::dataset::Dataset;
use crate::model::interactions::starts;

/// Rows of (column, weight), compressed.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// `starts[r]..starts[r + 1]` are the entries of row `r`; one longer than the rows.
    starts: Vec<usize>,
    columns: Vec<u32>,
    weights: Vec<f32>,
}

impl Rows {
    /// The columns of row `row` and their weights.
    #[must_use]
    pub fn of(&self, row: usize) -> (&[u32], &[f32]) {
        let bounds = self.starts[row]..self.starts[row + 1];
        (&self.columns[bounds.clone()], &self.weights[bounds])
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same entries with rows and columns changed places; `columns` is how many columns there are.
    fn transposed(&self, columns: usize) -> Self {
        let starts = starts(&self.columns, columns);
        let mut next = starts.clone();
        let mut turned = Self { starts, columns: vec![0; self.columns.len()], weights: vec![0.0; self.columns.len()] };
        for (row, bounds) in (0_u32..).zip(self.starts.windows(2)) {
            for entry in bounds[0]..bounds[1] {
                let slot = &mut next[self.columns[entry] as usize];
                turned.columns[*slot] = row;
                turned.weights[*slot] = self.weights[entry];
                *slot += 1;
            }
        }
        turned
    }
}

/// The pairs of positive weight by user and by item; 16 bytes a pair.
#[derive(Debug, Clone, PartialEq)]
pub struct Positives {
    /// Items by user.
    pub by_user: Rows,
    /// Users by item.
    pub by_item: Rows,
    /// The weight of the pair in the middle, above 0.
    pub middle: f32,
}

impl Positives {
    /// Reads the pairs of positive weight. `confidence` says what a weight counts, given the weight in the middle of all;
    /// none where there is no such pair.
    #[must_use]
    pub fn new(data: &Dataset, confidence: impl Fn(f32, f32) -> f32) -> Option<Self> {
        let positive = |user: usize| data.of(user).iter().filter(|pair| pair.weight > 0.0);
        let mut starts = Vec::with_capacity(data.users() + 1);
        starts.push(0);
        let (mut columns, mut weights) = (Vec::with_capacity(data.pairs.len()), Vec::with_capacity(data.pairs.len()));
        for user in 0..data.users() {
            columns.extend(positive(user).map(|pair| pair.item));
            weights.extend(positive(user).map(|pair| pair.weight));
            starts.push(columns.len());
        }
        let middle = middle(&mut weights.clone())?;
        for weight in &mut weights {
            *weight = confidence(*weight, middle);
        }
        let by_user = Rows { starts, columns, weights };
        let by_item = by_user.transposed(data.items());
        Some(Self { by_user, by_item, middle })
    }
}

/// The weight in the middle; none where there is none.
fn middle(weights: &mut [f32]) -> Option<f32> {
    if weights.is_empty() {
        return None;
    }
    let at = weights.len() / 2;
    Some(*weights.select_nth_unstable_by(at, f32::total_cmp).1)
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::dataset;
    use super::*;

    #[test]
    fn dislikes_are_left_out_and_both_directions_agree() {
        let data = dataset(&[(0, 0, 1.0, 0), (0, 2, 4.0, 0), (1, 1, -1.0, 0), (1, 2, 9.0, 0), (2, 0, 0.0, 0)]);
        let positives = Positives::new(&data, |weight, middle| weight / middle).unwrap();
        assert_eq!(positives.middle, 4.0);
        assert_eq!(positives.by_user.of(0), (&[0, 2][..], &[0.25, 1.0][..]));
        assert_eq!(positives.by_user.of(2), (&[][..], &[][..]));
        assert_eq!(positives.by_item.of(2), (&[0, 1][..], &[1.0, 2.25][..]));
        assert_eq!(positives.by_item.of(1), (&[][..], &[][..]));
        assert!(Positives::new(&dataset(&[(0, 0, -1.0, 0)]), |weight, _| weight).is_none());
    }
}
