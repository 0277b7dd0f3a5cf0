//! The loss over a batch's scores and its slope, on the host: the softmax of the liked items among all or drawn ones.

#![expect(clippy::indexing_slicing, reason = "columns are indices of the batch")]

use super::steps::Step;
use rand::RngExt;
use rand::rngs::StdRng;

/// The catalogue beyond which items are drawn instead of taking all.
pub const FULL_SOFTMAX: usize = 8_192;
/// Items drawn per batch.
const DRAWN: usize = 2_048;

/// The items that a batch's scores are taken for.
pub struct Columns {
    /// The items, ascending.
    pub items: Vec<u32>,
    /// For drawn columns the logarithm of the chance that a batch draws the item; empty when they are the catalogue.
    corrections: Vec<f32>,
    /// Whether a column was drawn; one that was not is there as the target of some row and counts for that one alone.
    drawn: Vec<bool>,
}

/// Draws the columns of a batch.
pub struct Drawing {
    items: usize,
    /// Running sums of the items' chances; empty when all items are taken.
    sums: Vec<f64>,
}

impl Drawing {
    /// Items are drawn by the number of their takers, flattened a little so that rare ones are met as well.
    pub fn new(takers: &[u32]) -> Self {
        let mut sum = 0.0;
        let chances = takers.iter().map(|&takers| {
            sum += f64::from(takers.max(1)).powf(0.75);
            sum
        });
        let sums = if takers.len() > FULL_SOFTMAX { chances.collect() } else { Vec::new() };
        Self { items: takers.len(), sums }
    }

    /// The columns for rows that have these targets.
    pub fn columns(&self, targets: &[Vec<u32>], rng: &mut StdRng) -> Columns {
        let Some(&all) = self.sums.last() else {
            return Columns { items: (0..self.items as u32).collect(), corrections: Vec::new(), drawn: Vec::new() };
        };
        let draw = |_| {
            let at = rng.random_range(0.0..all);
            (self.sums.partition_point(|&sum| sum <= at).min(self.items - 1) as u32, true)
        };
        let mut columns: Vec<(u32, bool)> = (0..DRAWN).map(draw).collect();
        columns.extend(targets.iter().flatten().map(|&item| (item, false)));
        // Drawn ones come first among equals and are kept.
        columns.sort_unstable_by_key(|&(item, drawn)| (item, !drawn));
        columns.dedup_by_key(|column| column.0);
        let chance = |item: u32| {
            let item = item as usize;
            let before = if item == 0 { 0.0 } else { self.sums[item - 1] };
            -(DRAWN as f64 * (-(self.sums[item] - before) / all).ln_1p()).exp_m1()
        };
        Columns {
            corrections: columns.iter().map(|&(item, _)| chance(item).ln() as f32).collect(),
            drawn: columns.iter().map(|&(_, drawn)| drawn).collect(),
            items: columns.into_iter().map(|(item, _)| item).collect(),
        }
    }
}

impl Columns {
    fn of(&self, item: u32) -> Option<usize> {
        if self.drawn.is_empty() { Some(item as usize) } else { self.items.binary_search(&item).ok() }
    }

    /// What these rows have in the mean over `whole` rows of the cross entropy between the softmax of their scores
    /// (`[rows, columns]`) and their targets, alike in weight. Replaces each score by the loss's slope in it. Where
    /// columns were drawn each score is first lowered by the logarithm of its chance to be drawn, so that popular items,
    /// drawn more often, are not learnt to be worth less (logQ correction: Bengio and Senécal, 2008; Jean et al., 2015).
    /// The items of a row's history have no part in its softmax: they are not recommended, and that an item does not
    /// follow itself would be most of what is learnt.
    pub fn slopes(&self, scores: &mut [f32], histories: &[Vec<Step>], targets: &[Vec<u32>], whole: usize) -> f64 {
        let mut loss = 0.0;
        let share = 1.0 / whole as f32;
        let rows = scores.chunks_exact_mut(self.items.len());
        for (row, (history, targets)) in rows.zip(histories.iter().zip(targets)) {
            for (score, correction) in row.iter_mut().zip(&self.corrections) {
                *score -= correction;
            }
            let wanted: Vec<(usize, f32)> =
                targets.iter().filter_map(|&item| self.of(item)).map(|column| (column, row[column])).collect();
            for (score, drawn) in row.iter_mut().zip(&self.drawn) {
                *score = if *drawn { *score } else { f32::MIN };
            }
            history.iter().filter_map(|step| self.of(step.item)).for_each(|column| row[column] = f32::MIN);
            wanted.iter().for_each(|&(column, score)| row[column] = score);
            let most = row.iter().copied().fold(f32::MIN, f32::max);
            row.iter_mut().for_each(|score| *score = exp(*score - most));
            let sum: f32 = lanes(row);
            let each = share / wanted.len().max(1) as f32;
            let scale = share / sum;
            row.iter_mut().for_each(|value| *value *= scale);
            for (column, score) in wanted {
                row[column] -= each;
                loss += f64::from(each) * f64::from(most + sum.ln() - score);
            }
        }
        loss
    }
}

/// The sum, in lanes that the compiler may keep in one vector.
fn lanes(values: &[f32]) -> f32 {
    let (whole, rest) = values.as_chunks::<16>();
    let mut sums = [0.0_f32; 16];
    for chunk in whole {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum += value;
        }
    }
    sums.iter().sum::<f32>() + rest.iter().sum::<f32>()
}

/// `e` to the power of a number of 0 at most, to a relative error of 1e-5: as `2^(n + f)` with `n` whole and `f` within
/// ±½, by a polynomial without a branch or a call, which the compiler makes vectors of.
fn exp(value: f32) -> f32 {
    /// Adding it rounds to a whole number, which then stands in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let power = (value * std::f32::consts::LOG2_E).max(-126.0);
    let rounded = power + ROUND;
    let part = (power - (rounded - ROUND)) * std::f32::consts::LN_2;
    let series = 1.0 + part * (1.0 + part * (0.5 + part * (1.0 / 6.0 + part * (1.0 / 24.0 + part * (1.0 / 120.0)))));
    f32::from_bits(rounded.to_bits().wrapping_add(127) << 23) * series
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn the_exponential_is_right_to_five_digits() {
        for step in 0..8_000 {
            let value = -(step as f32) * 0.01;
            let (found, expected) = (f64::from(exp(value)), f64::from(value).exp());
            assert!((found / expected - 1.0).abs() < 1e-5, "e^{value} is {expected}, not {found}");
        }
        assert!(exp(f32::MIN) < 2e-38 && exp(0.0) == 1.0);
    }

    #[test]
    fn slopes_are_those_of_the_loss() {
        let drawing = Drawing::new(&[5, 1, 2, 9]);
        let targets = vec![vec![1], vec![0, 3]];
        let columns = drawing.columns(&targets, &mut StdRng::seed_from_u64(1));
        let histories = [vec![Step { item: 2, weight: 1.0, time_ms: 0 }], Vec::new()];
        let scores = [0.3, -0.2, 0.5, 1.0, 0.0, 2.0, -1.0, 0.1];
        let loss = |scores: [f32; 8]| columns.slopes(&mut scores.clone(), &histories, &targets, 2);
        let mut slopes = scores;
        let logarithm = |scores: &[f64]| scores.iter().map(|score| score.exp()).sum::<f64>().ln();
        let first = logarithm(&[0.3, -0.2, 1.0]) + 0.2;
        let second = logarithm(&[0.0, 2.0, -1.0, 0.1]) - 0.05;
        assert!((columns.slopes(&mut slopes, &histories, &targets, 2) - (first + second) / 2.0).abs() < 1e-5);
        assert!(slopes[2].abs() < 1e-30, "what is in the history has no part");
        for (at, slope) in slopes.iter().enumerate() {
            let moved = |by: f32| {
                let mut moved = scores;
                moved[at] += by;
                loss(moved)
            };
            let numeric = (moved(0.01) - moved(-0.01)) / 0.02;
            assert!((numeric - f64::from(*slope)).abs() < 1e-3, "{at}: {numeric} {slope}");
        }
    }

    #[test]
    fn drawn_columns_hold_the_targets_and_are_unbiased() {
        let items = FULL_SOFTMAX + 1;
        let takers: Vec<u32> = (0..items as u32).map(|item| 1 + 400_000 / (item + 1)).collect();
        let drawing = Drawing::new(&takers);
        let mut rng = StdRng::seed_from_u64(3);
        let targets = vec![vec![8_192, 7], vec![5_000]];
        let histories = [Vec::new(), Vec::new()];
        let score = |item: u32| (f64::from(item) * 0.37).sin() as f32;
        let full: f64 = (0..items as u32).map(|item| f64::from(score(item)).exp()).sum();
        let mut sum = 0.0;
        for _ in 0..200 {
            let columns = drawing.columns(&targets, &mut rng);
            assert!(columns.items.is_sorted() && targets.iter().flatten().all(|&item| columns.of(item).is_some()));
            assert!(columns.items.len() < items);
            let terms = columns.items.iter().zip(&columns.corrections).zip(&columns.drawn);
            let drawn = terms.filter(|&(_, drawn)| *drawn).map(|((&item, c), _)| f64::from(score(item) - c).exp());
            sum += drawn.sum::<f64>() / 200.0;
            let mut slopes: Vec<f32> = columns.items.iter().chain(&columns.items).map(|&item| score(item)).collect();
            assert!(columns.slopes(&mut slopes, &histories, &targets, 2).is_finite());
            let foreign = columns.of(5_000).unwrap();
            assert!(columns.drawn[foreign] || slopes[foreign].abs() < 1e-30, "another row's target counts not");
        }
        assert!((sum / full - 1.0).abs() < 0.03, "the corrected sum is {sum}, over all items it is {full}");
    }
}
