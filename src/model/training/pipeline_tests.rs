//! Runs on a small generated shop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::choose::POPULAR;
use super::job::{FitError, Job, Report};
use super::pipeline::{Outcome, Plan, train, train_with};
use super::search::{Budget, Search};
use super::{gate, probes, shop};
use crate::model::candidates::{self, CandidateOptions};
use crate::model::evaluation::metrics::Metric;
use crate::model::evaluation::split::Protocol;
use crate::model::interactions::Interactions;
use crate::model::manifest::CandidateFigures;
use crate::model::recommender::{Fitted, RecipeSpec};

fn spec(kind: &str, settings: serde_json::Value) -> RecipeSpec {
    RecipeSpec { kind: kind.to_owned(), settings }
}

fn plan(kinds: &[&str]) -> Plan {
    Plan {
        search: Search {
            specs: kinds.iter().map(|kind| spec(kind, serde_json::json!({}))).collect(),
            ..Search::default()
        },
        protocol: Protocol::Auto,
        metric: Metric::Ndcg10,
        margin: 0.02,
        test_users: 0,
        probes: 8,
    }
}

/// A job that keeps what it is told and is cancelled when `stop` says so.
fn watched(stop: impl Fn(&Report) -> bool + Send + Sync + 'static) -> (Job, Arc<Mutex<Vec<Report>>>) {
    let (flag, told) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
    let (raise, list) = (flag.clone(), told.clone());
    let reporter = move |report: Report| {
        if stop(&report) {
            raise.store(true, Ordering::Relaxed);
        }
        list.lock().push(report);
    };
    (Job::new(42, 2, flag, Arc::new(reporter)), told)
}

fn run(rows: &Interactions, plan: &Plan, live: Option<&RecipeSpec>, parent: Option<&Fitted>) -> Outcome {
    train_with(&shop::recipe, rows.clone(), plan, live, parent, &Job::quiet(1)).unwrap()
}

fn rows_of<'a>(outcome: &'a Outcome, part: &str) -> Vec<(&'a str, bool)> {
    let of_part = |row: &&CandidateFigures| row.part == part;
    outcome.candidates.iter().filter(of_part).map(|row| (row.model.as_str(), row.chosen)).collect()
}

#[test]
fn the_best_on_validation_is_gated_and_refitted_on_all_rows() {
    let rows = shop::rows(120, 60);
    let plan = plan(&[POPULAR, "recent-popular", "neighbours", "broken", "nan"]);
    let outcome = run(&rows, &plan, None, None);
    assert_eq!(outcome.chosen, spec("neighbours", serde_json::json!({"sign": 1.0})));
    assert_eq!(outcome.protocol, Protocol::LeaveLastOut);
    let validation = rows_of(&outcome, "validation");
    assert_eq!((validation[0], validation.len()), (("neighbours", true), 5));
    let holdout = rows_of(&outcome, "holdout");
    assert_eq!((holdout[0], holdout.len()), (("neighbours", true), 5));
    assert_eq!(outcome.candidates.iter().filter(|row| row.error.is_some()).count(), 4);
    assert!(outcome.verdict.passed, "{:?}", outcome.verdict);
    assert_eq!(outcome.verdict.reasons.len(), 2);
    let fitted = outcome.fitted.unwrap();
    assert_eq!(fitted.item_ids.len(), 60, "all rows, the held-out ones too");
    assert_eq!(outcome.probes.probes.len(), 8);
    assert_eq!(probes::check_probes(&fitted, &outcome.probes), Ok(()));
}

#[test]
fn a_live_recipe_that_is_better_refuses_the_chosen_one() {
    let rows = shop::rows(120, 60);
    let live = spec("neighbours", serde_json::json!({"sign": 1.0}));
    let outcome = run(&rows, &plan(&[POPULAR]), Some(&live), None);
    assert!(!outcome.verdict.passed && outcome.fitted.is_none() && outcome.probes.probes.is_empty());
    assert!(outcome.verdict.reasons[0].contains("the live version's neighbours"), "{:?}", outcome.verdict);
    assert_eq!(rows_of(&outcome, "holdout").last(), Some(&(gate::LIVE, false)));
    // A recipe that this build does not know is named and stops nothing; its own recipe is no rival of itself.
    for live in [spec("unheard", serde_json::json!({})), spec(POPULAR, serde_json::json!({"sign": 1.0}))] {
        let outcome = run(&rows, &plan(&[POPULAR, "neighbours"]), Some(&live), None);
        assert!(outcome.verdict.passed, "{:?}", outcome.verdict);
        assert_eq!(rows_of(&outcome, "holdout").last(), Some(&(gate::LIVE, false)));
    }
}

#[test]
fn one_event_gives_a_version_by_rule_and_none_gives_an_error() {
    let rows = crate::model::evaluation::split::tests::rows(&["u a 1"]);
    let outcome = run(&rows, &plan(&["neighbours"]), None, None);
    assert_eq!(outcome.chosen, spec(POPULAR, serde_json::json!({"sign": 1.0})));
    assert_eq!(
        outcome.verdict.reasons,
        ["only 0 users to choose or judge by, at least 10 are needed: popular is taken by rule, without comparison"]
    );
    assert!(outcome.verdict.passed && outcome.candidates.is_empty());
    assert_eq!(outcome.fitted.unwrap().item_ids[0].as_str(), "a");
    let none = train_with(&shop::recipe, Interactions::default(), &plan(&[POPULAR]), None, None, &Job::quiet(1));
    assert!(matches!(none, Err(FitError::Unsuited(_))));
    let broken = train_with(&shop::recipe, shop::rows(120, 60), &plan(&["broken"]), None, None, &Job::quiet(1));
    assert!(matches!(broken, Err(FitError::Unsuited(why)) if why.contains("broken is never fitted")));
}

#[test]
fn steps_and_progress_are_told_in_order() {
    let (job, told) = watched(|_| false);
    train_with(&shop::recipe, shop::rows(120, 60), &plan(&[POPULAR, "neighbours"]), None, None, &job).unwrap();
    let mut steps = Vec::new();
    let mut last = 0.0;
    for report in told.lock().iter() {
        match report {
            Report::Step(name) => (last, _) = (0.0, steps.push(*name)),
            Report::Progress(now) => {
                assert!((last..=1.0).contains(now), "{now} after {last} in {steps:?}");
                last = *now;
            }
            Report::Log(_) => {}
        }
    }
    assert_eq!(steps, ["prepare", "train", "evaluate", "gate", "refit"]);
    assert_eq!(last, 1.0);
    assert!(steps.iter().all(|step| crate::model::run::STEPS.contains(step)));
}

#[test]
fn a_run_is_cancelled_in_every_step() {
    for step in ["prepare", "train", "evaluate", "gate", "refit"] {
        let (job, told) = watched(move |report| *report == Report::Step(step));
        let (rows, plan) = (shop::rows(120, 60), plan(&[POPULAR, "neighbours"]));
        let outcome = train_with(&shop::recipe, rows.clone(), &plan, None, None, &job);
        assert!(matches!(outcome, Err(FitError::Cancelled)), "in {step}");
        let steps = told.lock().iter().filter(|report| matches!(report, Report::Step(_))).count();
        assert!(steps <= 5);
    }
}

#[test]
fn the_parent_is_for_the_refit_alone_and_of_the_same_kind() {
    let rows = shop::rows(120, 60);
    let parent = run(&rows, &plan(&["neighbours"]), None, None).fitted.unwrap();
    let begun = |kind: &str| {
        let (job, told) = watched(|_| false);
        train_with(&shop::recipe, rows.clone(), &plan(&[kind]), None, Some(&parent), &job).unwrap();
        let is_begun =
            |report: &&Report| matches!(report, Report::Log(line) if line.contains("begins from its parent"));
        told.lock().iter().filter(is_begun).count()
    };
    assert_eq!(begun("neighbours"), 1);
    let other = run(&rows, &plan(&[POPULAR]), None, None).fitted.unwrap();
    let (job, told) = watched(|_| false);
    train_with(&shop::recipe, rows.clone(), &plan(&["neighbours"]), None, Some(&other), &job).unwrap();
    assert!(!told.lock().iter().any(|report| matches!(report, Report::Log(line) if line.contains("parent"))));
}

#[test]
fn the_same_rows_give_the_same_outcome_on_any_number_of_threads() {
    let outcome = |threads: usize| {
        let job = Job::new(42, threads, Arc::default(), Arc::new(|_| ()));
        let (rows, plan) = (shop::rows(700, 60), plan(&[POPULAR, "recent-popular", "neighbours"]));
        let mut outcome = train_with(&shop::recipe, rows, &plan, None, None, &job).unwrap();
        outcome.candidates.iter_mut().for_each(|row| row.fit_seconds = 0.0);
        (outcome.candidates, outcome.chosen, outcome.verdict, outcome.probes)
    };
    assert_eq!(outcome(1), outcome(1));
    assert_eq!(outcome(1), outcome(3));
}

#[test]
fn a_budget_in_trials_gives_the_same_weights() {
    let kinds = ["popular", "item-knn", "ease", "ials", "sequence", "blend"];
    let options = CandidateOptions {
        kinds: kinds.map(str::to_owned).to_vec(),
        ease_max_items: 100,
        ease_lambdas: vec![5.0, 50.0],
        ..CandidateOptions::default()
    };
    let specs = candidates::specs(&options).unwrap();
    let plan = Plan { search: Search { specs, options, budget: Budget::Trials(10) }, ..plan(&[]) };
    let rows = shop::rows(300, 60);
    let run = |parent: Option<&Outcome>| {
        let job = Job::new(42, 2, Arc::default(), Arc::new(|_| ()));
        let (live, model) = parent.map(|of| (&of.chosen, of.fitted.as_ref().unwrap())).unzip();
        let plan = parent.map_or_else(|| plan.clone(), |parent| plan.remembering(&parent.candidates));
        train(rows.clone(), &plan, live, model, &job).unwrap()
    };
    let weights = |outcome: &Outcome| outcome.fitted.as_ref().unwrap().recommender.save().unwrap().to_bytes().unwrap();
    let (first, again) = (run(None), run(None));
    assert_eq!((&first.chosen, weights(&first)), (&again.chosen, weights(&again)));
    let (next, again) = (run(Some(&first)), run(Some(&again)));
    assert_eq!((&next.chosen, weights(&next)), (&again.chosen, weights(&again)), "from the same parent");
}
