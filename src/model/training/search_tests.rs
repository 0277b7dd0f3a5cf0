//! Searches on a small generated shop.

use std::time::Duration;

use super::choose::{POPULAR, Scored};
use super::job::Job;
use super::pipeline::{Plan, train};
use super::search::{Budget, Search};
use super::shop;
use crate::model::candidates::{self, CandidateOptions};
use crate::model::evaluation::metrics::Metric;
use crate::model::evaluation::ranking::TestSet;
use crate::model::evaluation::split::{self, Protocol};
use crate::model::recommender::RecipeSpec;

fn spec(kind: &str, settings: serde_json::Value) -> RecipeSpec {
    RecipeSpec { kind: kind.to_owned(), settings }
}

fn search(specs: &[RecipeSpec], metric: Metric, budget: Budget) -> Vec<Scored> {
    let set = TestSet::new(&split::leave_last_out(shop::rows(40, 30)));
    let search = Search { specs: specs.to_vec(), budget, ..Search::default() };
    search.run(&set, Protocol::LeaveLastOut, metric, &shop::recipe, &Job::quiet(1)).unwrap()
}

/// A search among the kinds that users get.
fn real(kinds: &[&str], budget: Budget) -> Search {
    let options = CandidateOptions {
        kinds: kinds.iter().map(|&kind| kind.to_owned()).collect(),
        ease_max_items: 1000,
        ease_lambdas: vec![1.0, 10.0, 100.0],
        ..CandidateOptions::default()
    };
    Search { specs: candidates::specs(&options).unwrap(), options, budget }
}

#[test]
fn the_best_of_each_kind_comes_best_first_and_failures_last() {
    let specs = [
        spec("broken", serde_json::json!({})),
        spec("unheard", serde_json::json!({})),
        spec(POPULAR, serde_json::json!({})),
        spec("neighbours", serde_json::json!({"sign": -1.0})),
        spec("neighbours", serde_json::json!({})),
    ];
    let kinds = search(&specs, Metric::Ndcg10, Budget::default());
    let names: Vec<&str> = kinds.iter().map(|scored| scored.figures.model.as_str()).collect();
    assert_eq!(names, ["neighbours", POPULAR, "broken", "unheard"]);
    assert_eq!(kinds[0].spec.settings, serde_json::json!({"sign": 1.0}), "the better spec, its default filled in");
    assert_eq!(kinds[2].figures.error.as_deref(), Some("broken is never fitted"));
    assert_eq!(kinds[3].figures.error.as_deref(), Some("unknown kind of model unheard"));
    assert!(kinds[3].figures.metrics.is_empty());
}

#[test]
fn of_equals_the_earlier_is_taken() {
    let specs = ["recent-popular", POPULAR].map(|kind| spec(kind, serde_json::json!({"all": true})));
    let kinds = search(&specs, Metric::Hr10, Budget::default());
    assert_eq!(kinds[0].figures.metrics, kinds[1].figures.metrics);
    assert_eq!(kinds[0].spec.kind, "recent-popular");
}

#[test]
fn no_time_leaves_the_popularities() {
    let specs = ["neighbours", POPULAR].map(|kind| spec(kind, serde_json::json!({})));
    let kinds = search(&specs, Metric::Ndcg10, Budget::Time(Duration::ZERO));
    assert_eq!(kinds[0].spec.kind, POPULAR);
    assert_eq!(kinds[1].figures.error.as_deref(), Some("stopped when training.budget was over"));
}

#[test]
fn more_trials_find_no_worse_and_the_same_each_time() {
    let set = TestSet::new(&split::leave_last_out(shop::rows(120, 60)));
    let run = |trials: usize| {
        let search = real(&[POPULAR, "decayed-popular", "item-knn", "ease", "blend"], Budget::Trials(trials));
        let kinds = search.run(&set, Protocol::LeaveLastOut, Metric::Ndcg10, &candidates::recipe, &Job::quiet(1));
        kinds.unwrap().into_iter().map(|kind| (kind.score(Metric::Ndcg10).unwrap(), kind.spec)).collect::<Vec<_>>()
    };
    let (few, many) = (run(0), run(30));
    assert_eq!(few.len(), 5);
    for (score, spec) in &many {
        let before = few.iter().find(|(_, other)| other.kind == spec.kind).unwrap();
        assert!(*score >= before.0, "{spec:?} {score} {before:?}");
    }
    assert!(few != many, "thirty fits change some setting");
    assert_eq!(many, run(30));
}

#[test]
fn a_search_begins_where_the_last_one_ended() {
    let rows = shop::rows(120, 60);
    let plan = |budget| Plan {
        search: real(&[POPULAR, "item-knn", "ease", "blend"], budget),
        protocol: Protocol::Auto,
        metric: Metric::Ndcg10,
        margin: 1.0,
        test_users: 0,
        probes: 1,
    };
    let first = train(rows.clone(), &plan(Budget::Trials(20)), None, None, &Job::quiet(1)).unwrap();
    let again = plan(Budget::Trials(0)).remembering(&first.candidates);
    let again = train(rows.clone(), &again, None, None, &Job::quiet(1)).unwrap();
    let validation = |outcome: &super::pipeline::Outcome| {
        let rows = outcome.candidates.iter().filter(|row| row.part == "validation" && row.model != "blend");
        rows.map(|row| (row.model.clone(), row.settings.clone(), row.metrics.clone())).collect::<Vec<_>>()
    };
    assert_eq!(validation(&first), validation(&again));
    // A budget in trials gives the same weights to the bit.
    let weights = |trials| {
        let outcome = train(rows.clone(), &plan(Budget::Trials(trials)), None, None, &Job::quiet(1)).unwrap();
        outcome.fitted.unwrap().recommender.save().unwrap().to_bytes().unwrap()
    };
    assert_eq!(weights(8), weights(8));
}
