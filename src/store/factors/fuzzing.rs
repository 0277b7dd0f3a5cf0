//! Laws of the readers of factors, for the targets in `fuzz/` and the tests; see [`crate::model::fuzzing`].
#![expect(clippy::unwrap_used, reason = "a law that does not hold panics")]

use std::path::Path;
use std::sync::Arc;

use super::{read, tensors};
use crate::model::candidates::ials::{GivenError, GivenFactors, MOST_FACTORS, SparkSettings};
use crate::model::fuzzing::Law;
use crate::model::recommender::{Acted, Taste};
use crate::store::import::fuzzing::Scratch;

/// Parquet files of factors.
pub const PARQUET: Law = ("Parquet factors", |bytes| {
    bytes.starts_with(b"PAR1") && read(&Scratch::new(bytes).0).is_ok_and(|read| holds(&read.factors))
});

/// Safetensors files of factors.
pub const TENSORS: Law =
    ("factors", |bytes| tensors::read(bytes, Path::new("factors")).is_ok_and(|factors| holds(&factors)));

/// Models larger than this are not made: few bytes may unpack to millions of factors.
const MOST: usize = 20_000;

/// What was accepted makes a model whose scores are finite.
fn holds(factors: &GivenFactors) -> bool {
    let (items, width) = (factors.items(), factors.factors());
    if items == 0 {
        return false;
    }
    assert!((1..=MOST_FACTORS).contains(&width), "{width}");
    match factors.only(|_| true) {
        Ok(all) => assert_eq!(all, *factors),
        Err(error) => return error == GivenError::Nothing,
    }
    if items * width > MOST || width > 32 {
        return true;
    }
    let recipe = SparkSettings { alpha: 1.0, reg_param: 0.1, weight_power: 0.0 }.recipe(width);
    let model = factors.fitted(&recipe, Arc::new(factors.item_ids().to_vec())).unwrap().recommender;
    let history = [Acted { item: 0, weight: 1.0, time_ms: 0 }];
    let mut scores = vec![0.0; items];
    if model.score_all(&Taste { user: None, history: &history, now_ms: 0 }, &mut scores) {
        assert!(scores.iter().all(|score| score.is_finite()), "{scores:?}");
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_laws_hold_on_the_committed_files() {
        crate::model::fuzzing::hold_the_corpus("parquet", &[&[PARQUET]]);
        crate::model::fuzzing::hold_the_corpus("weights", &[&[TENSORS]]);
    }
}
