//! The blend, whole: what it learns, that it explains itself, and that odd data leaves it finite or refused.

use proptest::prelude::*;
use serde_json::json;

use super::super::tests::dataset;
use super::super::{fit, load, recipe};
use super::*;
use crate::model::interactions::NO_TIME;
use crate::model::recommender::{Acted, Origin, Taste};

const DAY: i64 = 86_400_000;

fn spec(settings: serde_json::Value) -> RecipeSpec {
    RecipeSpec { kind: KIND.to_owned(), settings }
}

fn neighbours() -> RecipeSpec {
    let settings = json!({ "neighbours": 50, "shrinkage": 0.0, "half_life_days": 30.0 });
    spec(json!({ "parts": [{ "kind": "item-knn", "settings": settings }] }))
}

fn fitted(data: &Dataset) -> Fitted {
    fit(&*recipe(&neighbours()).unwrap(), data, None, &Job::quiet(1)).unwrap()
}

/// Two groups of users, each with 20 items of its own. Both buy what is new: an item sells for ten days, then the next.
fn fashion() -> Vec<(u32, u32, f32, i64)> {
    let mut rows = Vec::new();
    for day in 0..200_u32 {
        for sale in 0..6_u32 {
            let user = (day * 7 + sale * 11) % 60;
            let within = if sale == 0 { (day * 3) % 20 } else { day / 10 };
            rows.push((user, (user % 2) * 20 + within, 1.0, i64::from(day) * DAY + i64::from(sale)));
        }
    }
    rows
}

fn acted(item: u32, weight: f32) -> Acted {
    Acted { item, weight, time_ms: 200 * DAY }
}

#[test]
fn taste_and_what_sells_lately_are_joined() {
    let data = dataset(&fashion());
    let model = fitted(&data);
    let history = [acted(2, 1.0), acted(4, 1.0)];
    let mut scores = vec![0.0; 40];
    let taste = Taste { user: None, history: &history, now_ms: 200 * DAY };
    assert!(model.recommender.score_all(&taste, &mut scores));
    let best = |of: std::ops::Range<usize>| of.max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap();
    assert!(best(0..40) < 20, "the group's own items: {scores:?}");
    assert!(scores[19] > scores[10] && scores[39] > scores[30], "the last of both groups sell better: {scores:?}");
    // What nothing is known of is left to the ladder, the trends stand ready.
    let nobody = Taste { user: None, history: &[], now_ms: 0 };
    assert!(!model.recommender.score_all(&nobody, &mut scores));
    assert!(scores.iter().all(|score| score.is_finite()) && scores[19] > scores[10], "{scores:?}");
}

#[test]
fn a_dislike_pushes_away_what_is_like_it() {
    let model = fitted(&dataset(&fashion()));
    let ask = |history: &[Acted]| {
        let mut scores = vec![0.0; 40];
        model.recommender.score_all(&Taste { user: None, history, now_ms: 200 * DAY }, &mut scores);
        scores
    };
    let (liked, mixed) = (ask(&[acted(2, 1.0)]), ask(&[acted(2, 1.0), acted(24, -1.0)]));
    assert!(mixed[25] < liked[25] && mixed[5] == liked[5], "{liked:?} {mixed:?}");
}

#[test]
fn contributions_add_up_to_the_score() {
    let model = fitted(&dataset(&fashion()));
    let history = [acted(2, 1.0), acted(24, -1.0), Acted { item: 4, weight: 0.5, time_ms: 150 * DAY }];
    let taste = Taste { user: None, history: &history, now_ms: 200 * DAY };
    let mut scores = vec![0.0; 40];
    model.recommender.score_all(&taste, &mut scores);
    let all: Vec<u32> = (0..40).collect();
    let mut items = 0;
    for ((item, score), made) in scores.iter().enumerate().zip(model.recommender.explain(&taste, &all).unwrap()) {
        let sum: f32 = made.iter().map(|summand| summand.score).sum();
        assert!((sum - score).abs() < 1e-4 * score.abs().max(1.0), "item {item}: {made:?} for {score}");
        items += made.iter().filter(|summand| matches!(summand.origin, Origin::Item(2 | 4 | 24))).count();
        for name in ["what sells lately", "what sells most"] {
            assert_eq!(made.iter().filter(|summand| summand.origin == Origin::Part(name)).count(), 1);
        }
    }
    assert!(items > 40, "the history's items are named");
    let nobody = Taste { user: None, history: &[], now_ms: 0 };
    assert_eq!(model.recommender.explain(&nobody, &all), None);
}

#[test]
fn data_without_times_has_no_trend_but_popularity() {
    let rows: Vec<_> = fashion().into_iter().map(|(user, item, weight, _)| (user, item, weight, NO_TIME)).collect();
    let model = fitted(&dataset(&rows));
    let tensors = model.recommender.save().unwrap();
    assert_eq!(tensors.shape("trends").unwrap(), [1, 40]);
    assert_eq!(tensors.shape("half_lives_days").unwrap(), [0]);
    let loaded = load(&neighbours(), tensors.clone()).unwrap();
    assert_eq!(loaded.save().unwrap(), tensors);
    let timed = fitted(&dataset(&fashion())).recommender.save().unwrap();
    assert!(timed.shape("trends").unwrap()[0] > 1);
}

#[test]
fn what_cannot_be_a_part_is_refused() {
    let said = |parts: serde_json::Value| recipe(&spec(json!({ "parts": parts }))).err().unwrap().to_string();
    insta::assert_snapshot!(said(json!([])), @"settings of kind blend: parts must be from 1 to 4");
    insta::assert_snapshot!(said(json!([neighbours()])), @"settings of kind blend: a blend is no part of a blend");
    insta::assert_snapshot!(said(json!([{ "kind": "easy", "settings": {} }])), @"settings of kind blend: unknown kind of model easy; the kinds are popular, recent-popular, decayed-popular, item-knn, ease, ials, neural-cf, sequence, blend");
    let popular = spec(json!({ "parts": [{ "kind": "popular", "settings": {} }] }));
    let refused = fit(&*recipe(&popular).unwrap(), &dataset(&fashion()), None, &Job::quiet(1)).err().unwrap();
    insta::assert_snapshot!(refused, @"popular says nothing of a history and is no part of a blend");
    let mut tensors = fitted(&dataset(&fashion())).recommender.save().unwrap();
    tensors.0.remove("part0.starts");
    assert!(load(&neighbours(), tensors).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn odd_data_gives_finite_scores_or_a_refusal(
        items in 1..6_u32,
        users in 1..30_u32,
        rows in prop::collection::vec(
            (0..30_u32, 0..6_u32, prop::sample::select(vec![1.0_f32, 0.0, -1.0, 1e30, f32::MIN_POSITIVE]),
             prop::sample::select(vec![NO_TIME, 5, 5, 5, i64::MAX, -DAY, DAY])),
            20..120,
        ),
        protocol in prop::sample::select(vec!["auto", "temporal", "leave-last-out"]),
    ) {
        let within = |(user, item, weight, time): (u32, u32, f32, i64)| (user % users, item % items, weight, time);
        let rows: Vec<(u32, u32, f32, i64)> = rows.into_iter().map(within).collect();
        let data = dataset(&rows);
        let mut spec = neighbours();
        spec.settings["protocol"] = json!(protocol);
        match fit(&*recipe(&spec).unwrap(), &data, None, &Job::quiet(1)) {
            Err(FitError::Unsuited(_)) => {}
            Err(other) => panic!("{other}"),
            Ok(model) => {
                let history: Vec<Acted> =
                    data.dated(0).iter().map(|&(p, time_ms)| Acted { item: p.item, weight: p.weight, time_ms }).collect();
                let mut scores = vec![0.0; data.items()];
                model.recommender.score_all(&Taste { user: None, history: &history, now_ms: 5 }, &mut scores);
                prop_assert!(scores.iter().all(|score| score.is_finite()), "{scores:?}");
            }
        }
    }
}
