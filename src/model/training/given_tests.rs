//! Factors from elsewhere at the gate; they come from this crate's own fit, on part of a generated shop.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::given::{Given, judge};
use super::job::{FitError, Job};
use super::pipeline::{Outcome, Plan};
use super::search::Search;
use super::{gate, shop};
use crate::model::candidates;
use crate::model::candidates::ials::{GivenFactors, Ials, SparkSettings};
use crate::model::dataset::Dataset;
use crate::model::evaluation::metrics::Metric;
use crate::model::evaluation::split::{Protocol, after};
use crate::model::interactions::Interactions;
use crate::model::recommender::{Recipe, RecipeSpec};

const FACTORS: usize = 8;
/// Of 3,000 events, a second apart each.
const UNTIL: i64 = 2_400_000;

fn recipe() -> Ials {
    SparkSettings { alpha: 20.0, reg_param: 0.05, weight_power: 0.0 }.recipe(FACTORS)
}

fn spec() -> RecipeSpec {
    RecipeSpec { kind: recipe().kind().to_owned(), settings: recipe().settings() }
}

fn plan() -> Plan {
    Plan {
        search: Search::default(),
        protocol: Protocol::Temporal,
        metric: Metric::Ndcg10,
        margin: 0.02,
        test_users: 0,
        probes: 8,
    }
}

/// Factors that were fitted on the events up to a time.
fn trained(rows: &Interactions, until_ms: i64) -> GivenFactors {
    let data = Dataset::new(after(rows.clone(), until_ms).train);
    let fitted = candidates::fit(&recipe(), &data, None, &Job::quiet(1)).unwrap();
    let values = fitted.recommender.save().unwrap().take_f32("items", &[data.items(), FACTORS]).unwrap();
    let mut given = GivenFactors::default();
    for (id, values) in fitted.item_ids.iter().zip(values.chunks_exact(FACTORS)) {
        given.push(id.clone(), values).unwrap();
    }
    given
}

/// The same items with factors that mean nothing.
fn garbage(good: &GivenFactors) -> GivenFactors {
    let mut rng = StdRng::seed_from_u64(5);
    let mut given = GivenFactors::default();
    for id in good.item_ids() {
        given.push(id.clone(), &[0.0; FACTORS].map(|_: f32| rng.random_range(-1.0..1.0))).unwrap();
    }
    given
}

fn given(factors: GivenFactors) -> Given {
    Given { factors, judged: None, recipe: recipe(), until_ms: Some(UNTIL) }
}

fn judged(given: &Given, rows: &Interactions, live: Option<&RecipeSpec>) -> Outcome {
    judge(given, rows.clone(), &plan(), live, &Job::quiet(1)).unwrap()
}

#[test]
fn what_came_after_their_time_judges_them_beside_every_rival() {
    let rows = shop::rows(300, 60);
    let outcome = judged(&given(trained(&rows, UNTIL)), &rows, Some(&spec()));
    assert!(outcome.verdict.passed, "{:?}", outcome.verdict);
    let models: Vec<&str> = outcome.candidates.iter().map(|row| row.model.as_str()).collect();
    assert_eq!(models, ["ials", "popular", "recent-popular", gate::LIVE]);
    assert!(outcome.candidates.iter().all(|row| row.part == "holdout" && row.chosen == (row.model == "ials")));
    let later = after(rows.clone(), UNTIL).test.len() as u64;
    assert!(outcome.candidates.iter().all(|row| row.users == later), "{later}: {:?}", outcome.candidates);
    // A live version of the same settings is another model, not the chosen one itself.
    let reasons = outcome.verdict.reasons.join("; ");
    assert!(reasons.contains("that of the live version's ials") && !reasons.contains("itself"), "{reasons}");
    let fitted = outcome.fitted.unwrap();
    assert_eq!(fitted.item_ids[..], trained(&rows, UNTIL).item_ids()[..]);
    assert_eq!((outcome.chosen, outcome.probes.probes.len()), (spec(), 8));
}

#[test]
fn garbage_is_refused() {
    let rows = shop::rows(300, 60);
    let outcome = judged(&given(garbage(&trained(&rows, UNTIL))), &rows, None);
    assert!(!outcome.verdict.passed && outcome.fitted.is_none());
    assert!(outcome.verdict.reasons[0].contains("that of popular"), "{:?}", outcome.verdict);
}

#[test]
fn factors_of_an_unknown_time_are_judged_with_a_note() {
    let rows = shop::rows(300, 60);
    let given = Given { until_ms: None, ..given(trained(&rows, i64::MAX)) };
    let outcome = judged(&given, &rows, None);
    assert!(outcome.verdict.passed && outcome.fitted.is_some());
    let last = outcome.verdict.reasons.last().unwrap();
    assert!(last.contains("may have been fitted on the holdout itself"), "{last}");
}

#[test]
fn with_too_little_behind_their_time_nothing_is_judged() {
    let rows = shop::rows(300, 60);
    let given = Given { until_ms: Some(2_999_000), ..given(trained(&rows, i64::MAX)) };
    let refused = judge(&given, rows, &plan(), None, &Job::quiet(1)).err().unwrap();
    assert!(matches!(&refused, FitError::Unsuited(why) if why.starts_with("only 0 users took something new since")));
}

#[test]
fn what_is_judged_decides_and_what_is_given_answers() {
    let rows = shop::rows(300, 60);
    let (good, all) = (trained(&rows, UNTIL), trained(&rows, i64::MAX));
    let outcome = judged(&Given { judged: Some(good.clone()), ..given(all.clone()) }, &rows, None);
    let saved = |tensors: crate::model::artifact::Tensors| tensors.to_bytes().unwrap();
    let answers = outcome.fitted.unwrap();
    let wanted = all.fitted(&recipe(), answers.item_ids.clone()).unwrap();
    assert_eq!(saved(answers.recommender.save().unwrap()), saved(wanted.recommender.save().unwrap()));
    let outcome = judged(&Given { judged: Some(garbage(&good)), ..given(all.clone()) }, &rows, None);
    assert!(!outcome.verdict.passed && outcome.fitted.is_none());
    let other = SparkSettings { alpha: 20.0, reg_param: 0.05, weight_power: 0.0 }.recipe(FACTORS + 1);
    let refused = judge(&Given { recipe: other, ..given(all) }, rows, &plan(), None, &Job::quiet(1)).err().unwrap();
    assert!(refused.to_string().contains("8 factors, the settings say 9"), "{refused}");
}
