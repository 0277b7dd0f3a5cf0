//! A crude check on the original system's own input: is what a kind learns worth anything?

use std::time::Instant;

use serde_json::json;

use super::fold_in_tests::trained_and_folded_in;
use super::*;
use crate::model::evaluation::split::leave_last_out;
use crate::model::interactions::{Interactions, Interner, NO_TIME};
use crate::model::real_files::real_file;
use crate::model::recommender::{Acted, Taste};

/// The purchases of `transactions.csv`, or nothing, said, where the file is missing.
fn transactions() -> Option<Interactions> {
    let text = std::fs::read_to_string(real_file("seed-transactions/transactions.csv")?).unwrap();
    let (mut rows, mut users, mut items) = (Interactions::default(), Interner::default(), Interner::default());
    for line in text.lines().skip(1) {
        let (user, products) = line.split_once(',').unwrap();
        let user = users.index(&user.parse::<UserId>().unwrap());
        for item in products.split('|') {
            rows.push(user, items.index(&item.parse::<ItemId>().unwrap()), 1.0, NO_TIME);
        }
    }
    rows.user_ids = Arc::new(users.into_ids());
    rows.item_ids = Arc::new(items.into_ids());
    Some(rows)
}

/// HR@10 over every eighth user with three items or more, whose last item is left out of `train`.
fn hit_rate(model: &Fitted, train: &Dataset, tests: &[(usize, u32)]) -> f64 {
    let mut scores = vec![0.0; train.items()];
    let hits = tests.iter().filter(|&&(user, wanted)| {
        let history: Vec<Acted> =
            train.dated(user).iter().map(|&(p, time_ms)| Acted { item: p.item, weight: p.weight, time_ms }).collect();
        let taste = Taste { user: Some(user as u32), history: &history, now_ms: 0 };
        if !model.recommender.score_all(&taste, &mut scores) {
            return false;
        }
        for acted in &history {
            scores[acted.item as usize] = f32::NEG_INFINITY;
        }
        scores.iter().filter(|&&score| score >= scores[wanted as usize]).count() <= 10
    });
    hits.count() as f64 / tests.len() as f64
}

#[test]
fn taste_beats_popularity_on_the_original_input() {
    let Some(rows) = transactions() else { return };
    let all = Dataset::new(rows.clone());
    assert_eq!((all.users(), all.items(), all.pairs.len()), (24_429, 300, 133_585));
    let last_of = |user: usize| all.of(user).last().filter(|_| user.is_multiple_of(8) && all.of(user).len() >= 3);
    let left_out: Vec<Option<u32>> = (0..all.users()).map(|user| last_of(user).map(|pair| pair.item)).collect();
    let train = Dataset::new(rows.filtered(|row| left_out[rows.users[row] as usize] != Some(rows.items[row])));
    let tests: Vec<(usize, u32)> =
        left_out.iter().enumerate().filter_map(|(user, item)| Some((user, (*item)?))).collect();
    assert!(tests.len() > 1_000 && train.item_ids == all.item_ids && train.user_ids == all.user_ids);
    let rate = |kind: &str, settings| {
        let recipe = recipe(&RecipeSpec { kind: kind.into(), settings }).unwrap();
        let began = Instant::now();
        let job = Job::new(42, 1, Arc::default(), Arc::new(|report| println!("{report:?}")));
        let model = fit(&*recipe, &train, None, &job).unwrap();
        let seconds = began.elapsed().as_secs_f64();
        let rate = hit_rate(&model, &train, &tests);
        println!("{kind} {}: HR@10 {rate:.3}, fitted in {seconds:.2} s", model.settings);
        rate
    };
    let popular = rate("popular", json!({}));
    let ease = rate("ease", json!({ "lambda": 200.0, "max_items": 300 }));
    let knn = rate("item-knn", json!({ "neighbours": 50, "shrinkage": 20.0 }));
    let neural = json!({ "epochs": 3, "batch": 1024, "learning_rate": 0.001, "held_out": 0.1 });
    assert!(rate("neural-cf", neural) < ease);
    assert!(ease > popular * 1.3 && knn > popular * 1.2, "popular {popular}, item-knn {knn}, ease {ease}");
}

#[test]
fn strangers_on_the_original_input_are_answered_as_well_as_trained_users() {
    let Some(rows) = transactions() else { return };
    let split = leave_last_out(rows);
    for (kind, settings) in [
        ("ease", json!({ "lambda": 200.0, "max_items": 300 })),
        ("item-knn", json!({ "neighbours": 50, "shrinkage": 20.0 })),
    ] {
        let recipe = recipe(&RecipeSpec { kind: kind.into(), settings }).unwrap();
        let (trained, folded) = trained_and_folded_in(&*recipe, &split);
        println!("{kind}: NDCG@10 {trained:.4} trained, {folded:.4} folded in");
        assert!(trained > 0.1 && folded >= 0.97 * trained, "{kind}: {folded} folded in, {trained} trained");
    }
}
