//! Strangers are answered as well as users that were trained on, and every event counts at once.

use std::collections::HashMap;

use super::tests::every_kind;
use super::*;
use crate::model::evaluation::metrics::{HeldOut, ndcg};
use crate::model::evaluation::split::{Split, leave_last_out};
use crate::model::evaluation::top::top_n;
use crate::model::interactions::{Interactions, Interner};
use crate::model::recommender::{Acted, Taste};
use crate::model::selection::Selection;

/// Kinds that answer whom they were trained on, and leave others to the ladder.
const TRAINED_ONLY: [&str; 1] = ["neural-cf"];

/// Every how manyth user is a stranger.
const STRANGERS: u32 = 8;

/// 4,800 users of eight tastes, ten items each of eighty, oldest first, with some items that everybody takes.
fn shop() -> Interactions {
    let (mut rows, mut users, mut items) = (Interactions::default(), Interner::default(), Interner::default());
    let mut state = 99_u64;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for user in 0..4_800_u64 {
        let index = users.index(&UserId::from(user));
        for place in 0..10_i64 {
            // Not by the users' number alone, by which strangers are told.
            let own = draw(10).min(draw(10)) * 8 + user / 8 % 8;
            let item = if draw(4) == 0 { draw(80) } else { own };
            rows.push(index, items.index(&ItemId::from(item)), 1.0, place * 86_400_000 + user as i64);
        }
    }
    rows.user_ids = Arc::new(users.into_ids());
    rows.item_ids = Arc::new(items.into_ids());
    rows
}

/// NDCG@10 over the strangers of the split, with their histories, whether the model was trained on them or not.
fn of_strangers(model: &Fitted, split: &Split) -> f64 {
    let item_at: HashMap<&ItemId, u32> = model.item_ids.iter().zip(0..).collect();
    let row_of: HashMap<&UserId, u32> = model.user_ids.iter().zip(0..).collect();
    let id_order = crate::model::dataset::string_order(&model.item_ids);
    let (train, rows) = (split.train.table(), split.train.rows());
    let mut histories: HashMap<u32, Vec<Acted>> = HashMap::new();
    for row in rows.filter(|&row| train.users[row].is_multiple_of(STRANGERS)) {
        let Some(&item) = item_at.get(&train.item_ids[train.items[row] as usize]) else { continue };
        let acted = Acted { item, weight: train.weights[row], time_ms: train.times[row] };
        histories.entry(train.users[row]).or_default().push(acted);
    }
    let now_ms = split.train.time_range().map_or(0, |(_, last)| last);
    let (mut scores, mut list) = (vec![0.0; model.item_ids.len()], Vec::new());
    let (mut sum, mut users) = (0.0, 0);
    for test in split.test.iter().filter(|test| test.user.is_multiple_of(STRANGERS)) {
        let history = histories.get_mut(&test.user).unwrap();
        history.sort_by_key(|act| act.time_ms);
        let user = row_of.get(&train.user_ids[test.user as usize]).copied();
        let known = model.recommender.score_all(&Taste { user, history, now_ms }, &mut scores);
        assert!(known, "{} says nothing of a user with a history", model.recommender.kind());
        let mut seen = vec![false; scores.len()];
        history.iter().for_each(|act| seen[act.item as usize] = true);
        top_n(&scores, &id_order, &seen, 10, &mut list);
        let wanted: Vec<u32> =
            test.items.iter().filter_map(|&item| item_at.get(&train.item_ids[item as usize]).copied()).collect();
        sum += ndcg(&list, &HeldOut::new(wanted.clone(), test.items.len() - wanted.len()), 10);
        users += 1;
    }
    sum / f64::from(users)
}

/// NDCG@10 of strangers when the kind was trained on them, and when it was not.
pub(super) fn trained_and_folded_in(recipe: &dyn Recipe, split: &Split) -> (f64, f64) {
    let train = &split.train;
    let without = train.filtered(|row| !train.table().users[row].is_multiple_of(STRANGERS));
    let of = |rows: &Selection| of_strangers(&fit(recipe, &Dataset::new(rows), None, &Job::quiet(42)).unwrap(), split);
    (of(train), of(&without))
}

/// The personal kinds that answer strangers.
fn folding_kinds() -> impl Iterator<Item = RecipeSpec> {
    every_kind().into_iter().filter(|spec| !TRAINED_ONLY.contains(&spec.kind.as_str()))
}

#[test]
fn a_stranger_is_answered_as_well_as_a_trained_user() {
    let split = leave_last_out(shop());
    let ndcg_of = |spec: &RecipeSpec| trained_and_folded_in(&*recipe(spec).unwrap(), &split);
    let popular = ndcg_of(&RecipeSpec { kind: "popular".to_owned(), settings: serde_json::json!({}) }).0;
    let data = Dataset::new(&split.train);
    for spec in folding_kinds() {
        if !fit(&*recipe(&spec).unwrap(), &data, None, &Job::quiet(42)).unwrap().recommender.personal() {
            continue;
        }
        let (trained, folded) = ndcg_of(&spec);
        println!("{}: {trained:.4} trained, {folded:.4} folded in, {popular:.4} by popularity", spec.kind);
        assert!(trained > 1.5 * popular, "{}: {trained} is not worth folding in", spec.kind);
        assert!(folded >= 0.97 * trained, "{}: {folded} folded in, {trained} trained", spec.kind);
    }
}

#[test]
fn each_event_changes_the_scores_of_the_next_question() {
    let data = Dataset::new(shop());
    for spec in folding_kinds() {
        let model = fit(&*recipe(&spec).unwrap(), &data, None, &Job::quiet(42)).unwrap().recommender;
        if !model.personal() {
            continue;
        }
        let last = data.last_ms;
        // A stranger's first events, then those of a user who was trained on.
        for known in [Vec::new(), data.dated(0)] {
            let mut history: Vec<Acted> =
                known.iter().map(|&(pair, time_ms)| Acted { item: pair.item, weight: 1.0, time_ms }).collect();
            let mut before: Option<Vec<f32>> = None;
            let new = (0..data.items() as u32).filter(|&item| known.iter().all(|(pair, _)| pair.item != item));
            for item in new.step_by(7).take(5) {
                history.push(Acted { item, weight: 1.0, time_ms: last });
                let mut scores = vec![0.0; data.items()];
                let taste = Taste { user: None, history: &history, now_ms: last };
                assert!(model.score_all(&taste, &mut scores), "{} after {} events", spec.kind, history.len());
                assert_ne!(before.as_ref(), Some(&scores), "{} after {} events", spec.kind, history.len());
                before = Some(scores);
            }
        }
    }
}
