//! Popularities of several half-lives, on a logarithmic scale.

use crate::model::candidates::decayed::{decayed_takers, half_life_of, taking_times};
use crate::model::dataset::Dataset;

/// How often the mean item is taken within each half-life's reach: a short memory, a middling one, a long one.
const PER_ITEM: [f64; 3] = [1.0, 4.0, 16.0];

/// Added to counts before their logarithm, so that an item without a taker is rare and not impossible.
const SMOOTHING: f64 = 0.3;

/// The popularities of one catalogue: of each half-life, then of all time.
pub struct Trends {
    half_lives_days: Vec<f64>,
    /// By popularity, then by item: the logarithm of the count.
    logs: Vec<Vec<f32>>,
}

impl Trends {
    /// Half-lives by the pace of `data`; none where there are no times or too few pairs.
    pub fn new(data: &Dataset) -> Self {
        let half_life = |&per_item: &f64| half_life_of(|| taking_times(data), data.items(), per_item);
        Self::with(PER_ITEM.iter().filter_map(half_life).collect(), data)
    }

    /// The same half-lives on other data.
    pub fn on(self, data: &Dataset) -> Self {
        Self::with(self.half_lives_days, data)
    }

    /// The popularities as they were saved.
    pub const fn of(half_lives_days: Vec<f64>, logs: Vec<Vec<f32>>) -> Self {
        Self { half_lives_days, logs }
    }

    fn with(half_lives_days: Vec<f64>, data: &Dataset) -> Self {
        let log = |count: f64| (count + SMOOTHING).ln() as f32;
        let lately = half_lives_days.iter().map(|&days| decayed_takers(data, days).into_iter().map(log).collect());
        let mut ever = vec![0.0; data.items()];
        for pair in &data.pairs {
            if let Some(count) = ever.get_mut(pair.item as usize) {
                *count += f64::from(pair.strength());
            }
        }
        let ever = ever.into_iter().map(log).collect();
        let logs = lately.chain([ever]).collect();
        Self { half_lives_days, logs }
    }

    /// The half-lives in days, in the order of the popularities; that of all time has none.
    pub fn half_lives_days(&self) -> &[f64] {
        &self.half_lives_days
    }

    /// The logarithms of the counts, by popularity, then by item.
    pub fn logs(&self) -> &[Vec<f32>] {
        &self.logs
    }

    /// The logarithms of the counts item by item, the popularities beside one another.
    pub fn by_item(&self) -> Vec<Vec<f64>> {
        let items = self.logs.first().map_or(0, Vec::len);
        let of = |item: usize| self.logs.iter().filter_map(|logs| logs.get(item)).map(|&log| f64::from(log)).collect();
        (0..items).map(of).collect()
    }

    /// What a popularity is called where a score is explained.
    pub const fn name(&self, at: usize) -> &'static str {
        if at < self.half_lives_days.len() { "what sells lately" } else { "what sells most" }
    }
}
