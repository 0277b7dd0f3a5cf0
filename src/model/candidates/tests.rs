//! What holds for every kind, on small data of any shape.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::model::interactions::{Interactions, NO_TIME};
use crate::model::recommender::{Acted, Taste};

/// A dataset of (user, item, weight, time) whose ids are the indices; indices without a gap stay as they are.
pub fn dataset(rows: &[(u32, u32, f32, i64)]) -> Dataset {
    let highest = |column: fn(&(u32, u32, f32, i64)) -> u32| rows.iter().map(column).max().map_or(0, |most| most + 1);
    let mut interactions = Interactions {
        user_ids: Arc::new((0..u64::from(highest(|row| row.0))).map(UserId::from).collect()),
        item_ids: Arc::new((0..u64::from(highest(|row| row.1))).map(ItemId::from).collect()),
        ..Interactions::default()
    };
    for &(user, item, weight, time) in rows {
        interactions.push(user, item, weight, time);
    }
    Dataset::new(interactions)
}

/// The recipe fitted on `data`.
pub fn fitted(recipe: &dyn Recipe, data: &Dataset) -> Fitted {
    fit(recipe, data, None, &Job::quiet(42)).unwrap()
}

/// The scores for a stranger whose history is (item, weight).
pub fn scores_for(recipe: &dyn Recipe, data: &Dataset, history: &[(u32, f32)]) -> Vec<f32> {
    let history: Vec<Acted> = history.iter().map(|&(item, weight)| Acted { item, weight, time_ms: 0 }).collect();
    let mut scores = vec![0.0; data.items()];
    fitted(recipe, data).recommender.score_all(&Taste { user: None, history: &history, now_ms: 0 }, &mut scores);
    scores
}

/// Each kind with settings for a few rows.
pub fn every_kind() -> Vec<RecipeSpec> {
    let spec = |kind: &str, settings| RecipeSpec { kind: kind.to_owned(), settings };
    vec![
        spec("popular", json!({})),
        spec("recent-popular", json!({})),
        spec("decayed-popular", json!({ "half_life_days": 0.001 })),
        spec("item-knn", json!({ "neighbours": 3, "shrinkage": 0.0 })),
        spec("ease", json!({ "lambda": 0.5, "max_items": 100 })),
        spec("ials", json!({ "factors": 5, "iterations": 3, "weight_power": 0.5 })),
        spec("ease", json!({ "lambda": 0.5, "max_items": 100, "half_life_days": 0.5 })),
        spec("neural-cf", json!({ "epochs": 2, "batch": 16, "learning_rate": 0.05, "held_out": 0.2 })),
        sequence(0),
        sequence(2),
        spec(
            "blend",
            json!({ "parts": [
            { "kind": "ease", "settings": { "lambda": 0.5, "max_items": 100, "half_life_days": 0.5 } },
            { "kind": "item-knn", "settings": { "neighbours": 3, "shrinkage": 0.0 } },
        ] }),
        ),
    ]
}

fn sequence(next: usize) -> RecipeSpec {
    let settings = json!({
        "dimensions": 9, "epochs": 2, "batch": 16, "learning_rate": 0.05, "dropout": 0.2, "next": next,
    });
    RecipeSpec { kind: "sequence".to_owned(), settings }
}

/// The answers to every user and to a stranger with the first user's history, as (known, bits of the scores).
fn answers(model: &Fitted, data: &Dataset) -> Vec<(bool, Vec<u32>)> {
    let mut answers = Vec::new();
    for user in 0..=data.users() {
        let pairs = data.dated(user % data.users());
        let history: Vec<Acted> =
            pairs.iter().map(|&(p, time_ms)| Acted { item: p.item, weight: p.weight, time_ms }).collect();
        let row = (user < data.users()).then_some(user as u32);
        let taste = Taste { user: row, history: &history, now_ms: 0 };
        let mut scores = vec![0.0; data.items()];
        let known = model.recommender.score_all(&taste, &mut scores);
        let items: Vec<u32> = (0..data.items() as u32).rev().collect();
        let mut some = vec![0.0; items.len()];
        assert_eq!(model.recommender.score_some(&taste, &items, &mut some), known);
        if known {
            some.reverse();
            assert_eq!(some, scores, "score_some of {}", model.recommender.kind());
        }
        assert!(!known || scores.iter().all(|score| score.is_finite()), "{}: {scores:?}", model.recommender.kind());
        if let Some(summands) = model.recommender.explain(&taste, &items) {
            assert!(known && summands.len() == items.len(), "{}", model.recommender.kind());
            for (score, summands) in scores.iter().rev().zip(summands) {
                let (sum, size) =
                    summands.iter().fold((0.0, 0.0), |(sum, size), of| (sum + of.score, size + of.score.abs()));
                assert!(
                    (score - sum).abs() <= 1e-4 * (1.0 + size),
                    "{}: {score} {summands:?}",
                    model.recommender.kind()
                );
            }
        }
        answers.push((known, scores.iter().map(|score| score.to_bits()).collect()));
    }
    answers
}

/// Fits every kind, checks what it answers and that what it saves answers the same; says which kinds refused.
fn all_kinds_hold(data: &Dataset) -> Vec<String> {
    let mut refused = Vec::new();
    for spec in every_kind() {
        let recipe = recipe(&spec).unwrap();
        let model = match fit(&*recipe, data, None, &Job::quiet(42)) {
            Ok(model) => model,
            Err(FitError::Unsuited(_)) => {
                refused.push(spec.kind);
                continue;
            }
            Err(other) => panic!("{}: {other}", spec.kind),
        };
        let tensors = model.recommender.save().unwrap();
        let bytes = tensors.to_bytes().unwrap();
        let again = fit(&*recipe, data, None, &Job::quiet(42)).unwrap().recommender.save().unwrap();
        assert_eq!(again.to_bytes().unwrap(), bytes, "{} does not repeat itself", spec.kind);
        let read = Tensors::from_bytes(&bytes).unwrap();
        let loaded = load_fitted(&spec, read, model.item_ids.clone(), model.user_ids.clone()).unwrap();
        assert_eq!(loaded.recommender.kind(), spec.kind);
        assert_eq!(answers(&loaded, data), answers(&model, data), "{}", spec.kind);
        let mut similar = vec![0.0; data.items()];
        for item in 0..data.items() as u32 {
            model.recommender.similar(item, &mut similar);
            assert!(similar.iter().all(|score| score.is_finite()), "{}: {similar:?}", spec.kind);
        }
    }
    refused
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_small_data_gives_finite_answers_that_survive_the_file(
        rows in prop::collection::vec(
            (0..6_u32, 0..7_u32, prop::sample::select(vec![1.0_f32, 2.5, 0.0, -1.0, 1e30, 1e-30]),
             prop::sample::select(vec![NO_TIME, 0, 1, 86_400_000, -5, i64::MAX])),
            1..40,
        ),
    ) {
        all_kinds_hold(&dataset(&rows));
    }
}

#[test]
fn the_smallest_data_is_fitted_or_refused() {
    // One item after another is the least that a sequence can be learnt from, and a blend needs something to hold out.
    let refused = ["sequence", "sequence", "blend"];
    assert_eq!(all_kinds_hold(&dataset(&[(0, 0, 1.0, 5)])), refused, "one user, one item");
    assert_eq!(all_kinds_hold(&dataset(&[(0, 0, 1.0, 5), (1, 0, 1.0, 5), (2, 0, 3.0, 5)])), refused, "one item");
    let dislikes = dataset(&[(0, 0, -1.0, 5), (1, 1, 0.0, 5)]);
    let refused = ["ials", "neural-cf", "sequence", "sequence", "blend"];
    assert_eq!(all_kinds_hold(&dislikes), refused, "nothing but dislikes");
    let empty = dataset(&[]);
    for spec in every_kind() {
        let refused = fit(&*recipe(&spec).unwrap(), &empty, None, &Job::quiet(1)).err().unwrap();
        assert!(matches!(refused, FitError::Unsuited(_)), "{}", spec.kind);
    }
}

#[test]
fn a_user_with_a_hundred_thousand_events_is_fitted() {
    let mut rows: Vec<(u32, u32, f32, i64)> = (0..100_000).map(|k| (0, k % 90, 1.0, i64::from(k))).collect();
    rows.extend((1..20).map(|user| (user, user % 7, 1.0, i64::from(user))));
    rows.extend((1..20).map(|user| (user, 7 + user % 5, 1.0, i64::from(user) + 30)));
    assert!(all_kinds_hold(&dataset(&rows)).is_empty());
}

#[test]
fn the_same_threads_give_the_same_weights() {
    let rows: Vec<(u32, u32, f32, i64)> =
        (0..300_u32).flat_map(|user| (0..6_u32).map(move |k| (user, (user * 5 + k * k) % 70, 1.0, 0))).collect();
    let data = dataset(&rows);
    // Batches as large as this are divided between the threads.
    let sharded = json!({ "epochs": 2, "batch": 600, "learning_rate": 0.05, "held_out": 0.2 });
    let sharded = RecipeSpec { kind: "neural-cf".to_owned(), settings: sharded };
    for spec in every_kind().into_iter().chain([sharded]) {
        let recipe = recipe(&spec).unwrap();
        let with = |threads| {
            let job = Job::new(42, threads, Arc::default(), Arc::new(|_| ()));
            fit(&*recipe, &data, None, &job).unwrap().recommender.save().unwrap().to_bytes().unwrap()
        };
        assert_eq!(with(2), with(2), "{}", spec.kind);
    }
}

#[test]
fn ids_must_fit_the_model() {
    let rows: Vec<(u32, u32, f32, i64)> =
        (0..24).flat_map(|user| [(user, user % 3, 1.0, 0), (user, (user + 1) % 3, 1.0, 0)]).collect();
    let data = dataset(&rows);
    for spec in every_kind() {
        let model = fit(&*recipe(&spec).unwrap(), &data, None, &Job::quiet(1)).unwrap();
        assert_eq!(model.user_ids.len(), if spec.kind == "neural-cf" { 24 } else { 0 });
        let tensors = model.recommender.save().unwrap();
        let short = Arc::new(model.item_ids[..1].to_vec());
        assert!(load_fitted(&spec, tensors.clone(), short, model.user_ids.clone()).is_err(), "{}", spec.kind);
        let strangers = Arc::new(vec![UserId::from(1_u64); 5]);
        assert!(load_fitted(&spec, tensors, model.item_ids.clone(), strangers).is_err(), "{}", spec.kind);
        assert!(load(&spec, Tensors::default()).is_err(), "{}", spec.kind);
    }
}
