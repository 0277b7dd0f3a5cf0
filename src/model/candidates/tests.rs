//! What every kind has to keep: finite figures, the same answers after the file, the same model from the same data.

use proptest::prelude::*;

use super::*;
use crate::model::interactions::{Interactions, NO_TIME};
use crate::model::recommender::{Acted, Taste};

fn rows(events: &[(u8, u8, i8, Option<u16>)]) -> Interactions {
    let mut rows = Interactions {
        user_ids: Arc::new((0..=u64::from(u8::MAX)).map(UserId::from).collect()),
        item_ids: Arc::new((0..=u64::from(u8::MAX)).map(ItemId::from).collect()),
        ..Interactions::default()
    };
    for &(user, item, weight, time) in events {
        rows.push(u32::from(user), u32::from(item), f32::from(weight), time.map_or(NO_TIME, i64::from));
    }
    rows
}

fn fitted(kind: &str, rows: &Interactions) -> Result<Fitted, FitError> {
    let spec = RecipeSpec { kind: kind.to_owned(), settings: serde_json::json!({}) };
    fit(&*recipe(&spec).unwrap(), &Dataset::new(rows), None, &Job::quiet(7))
}

fn scores(fitted: &Fitted, taste: &Taste<'_>) -> Option<Vec<f32>> {
    let mut scores = vec![0.0; fitted.recommender.items()];
    fitted.recommender.score_all(taste, &mut scores).then_some(scores)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn whatever_the_rows_answers_are_finite_and_survive_the_file(
        events in prop::collection::vec((0..6_u8, 0..5_u8, -2..4_i8, prop::option::of(any::<u16>())), 1..40),
        kind in prop::sample::select(KINDS.to_vec()),
    ) {
        let rows = rows(&events);
        let Ok(model) = fitted(kind, &rows) else { return Ok(()) };
        let items = u32::try_from(model.recommender.items()).unwrap();
        let history: Vec<Acted> =
            (0..items).map(|item| Acted { item, weight: if item == 1 { -1.0 } else { 1.0 }, time_ms: 5 }).collect();
        let spec = RecipeSpec { kind: kind.to_owned(), settings: model.settings.clone() };
        let bytes = model.recommender.save().unwrap().to_bytes().unwrap();
        let back = load_fitted(
            &spec,
            Tensors::from_bytes(&bytes).unwrap(),
            model.item_ids.to_vec(),
            model.user_ids.to_vec(),
        ).unwrap();
        for user in [None, Some(0), Some(99)] {
            let taste = Taste { user, history: &history, now_ms: 9 };
            let (ours, theirs) = (scores(&model, &taste), scores(&back, &taste));
            prop_assert_eq!(&ours, &theirs);
            prop_assert!(ours.iter().flatten().all(|score| score.is_finite()));
            if let Some(ours) = ours {
                let all: Vec<u32> = (0..items).collect();
                let mut some = vec![0.0; all.len()];
                prop_assert!(model.recommender.score_some(&taste, &all, &mut some));
                for (a, b) in some.iter().zip(&ours) {
                    prop_assert!((a - b).abs() <= 1e-5 * b.abs().max(1.0), "{} {}", a, b);
                }
            }
        }
        let again = fitted(kind, &rows).unwrap().recommender.save().unwrap().to_bytes().unwrap();
        prop_assert_eq!(bytes, again, "the same rows give the same model");
    }
}

#[test]
fn recent_items_come_first_and_the_others_follow_in_the_order_of_all_time() {
    // Ten pairs: item 0 has most users, item 2 the latest.
    let events: Vec<_> = (0..9_u8)
        .map(|n| (n, if n < 6 { 0 } else { 1 }, 1, Some(u16::from(n))))
        .chain([(9, 2, 1, Some(100))])
        .collect();
    let model = fitted("recent-popular", &rows(&events)).unwrap();
    let list = scores(&model, &Taste { user: None, history: &[], now_ms: 0 }).unwrap();
    assert!(list[2] > list[0] && list[0] > list[1], "{list:?}");
}

#[test]
fn ease_follows_what_was_taken_together_and_flees_what_is_disliked() {
    let events: Vec<_> = (0..40_u8).flat_map(|user| [(user, user % 2 * 2, 1, None), (user, user % 2 * 2 + 1, 1, None)]).collect();
    let model = fitted("ease", &rows(&events)).unwrap();
    let ask = |weight| {
        let history = [Acted { item: 0, weight, time_ms: 0 }];
        scores(&model, &Taste { user: None, history: &history, now_ms: 0 }).unwrap()
    };
    assert!(ask(1.0)[1] > ask(1.0)[3]);
    assert!(ask(-1.0)[1] < ask(-1.0)[3]);
}

#[test]
fn a_recipe_refuses_what_it_does_not_know() {
    let spec = |kind: &str, settings| RecipeSpec { kind: kind.to_owned(), settings };
    assert!(matches!(recipe(&spec("magic", serde_json::json!({}))), Err(ArtifactError::Kind(_))));
    let misspelt = recipe(&spec("ease", serde_json::json!({"lamda": 3})));
    assert!(misspelt.is_err_and(|error| error.to_string().contains("lamda")));
}
