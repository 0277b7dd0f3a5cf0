//! Every kind on data that nobody should send, through choice, gate, lists and explanations: finite figures or a clear
//! refusal, never a NaN, never a panic.

use arc_swap::ArcSwapOption;
use proptest::prelude::*;

use super::tests::every_kind;
use super::*;
use crate::model::catalogue::Catalogue;
use crate::model::evaluation::compare::{EvaluationOptions, evaluate};
use crate::model::evaluation::filters::Filters;
use crate::model::evaluation::metrics::Metric;
use crate::model::evaluation::split::Protocol;
use crate::model::histories::{Act, Histories};
use crate::model::interactions::{Interactions, NO_TIME};
use crate::model::manifest::{CandidateFigures, Manifest};
use crate::model::serving::live::LiveModel;
use crate::model::serving::query::Query;
use crate::model::serving::recommend::{ListRules, Recommending};
use crate::model::training::pipeline::{Plan, train};
use crate::model::training::search::Search;

const NOW: i64 = 1_790_000_000_000;

/// (user, item, weight, time).
type Row = (u32, u32, f32, i64);

fn interactions(rows: &[Row]) -> Interactions {
    let ids = |highest: Option<u32>| 0..highest.map_or(0, |highest| u64::from(highest) + 1);
    let mut interactions = Interactions {
        user_ids: Arc::new(ids(rows.iter().map(|row| row.0).max()).map(UserId::from).collect()),
        item_ids: Arc::new(ids(rows.iter().map(|row| row.1).max()).map(ItemId::from).collect()),
        ..Interactions::default()
    };
    rows.iter().for_each(|&(user, item, weight, time)| interactions.push(user, item, weight, time));
    interactions
}

fn finite(figures: &[CandidateFigures]) {
    for row in figures {
        for (name, figure) in &row.metrics {
            assert!(figure.mean.is_finite() && figure.ci95.is_finite(), "{name} of {}: {figure:?}", row.model);
        }
        assert!(!row.metrics.is_empty() || row.error.is_some() || row.users == 0, "{}: no word", row.model);
        let refused = row.error.as_deref().unwrap_or_default();
        assert!(!refused.contains("not finite"), "{}: {refused}", row.model);
    }
}

/// Evaluates and trains on the rows; what is refused has a reason that can be read.
fn judged(rows: &Interactions) {
    for protocol in [Protocol::LeaveLastOut, Protocol::Temporal] {
        let options = EvaluationOptions {
            protocol,
            filters: Filters::default(),
            test: None,
            negatives: None,
            search: Search { specs: every_kind(), ..Search::default() },
            metric: Metric::Ndcg10,
            lists: None,
        };
        match evaluate(rows.clone(), &options, &Job::quiet(42)) {
            Ok(report) => finite(&report.rows),
            Err(FitError::Unsuited(reason)) => assert!(!reason.is_empty()),
            Err(other) => panic!("{protocol}: {other}"),
        }
        let plan = Plan {
            search: Search { specs: every_kind(), ..Search::default() },
            protocol,
            metric: Metric::Ndcg10,
            margin: 0.0,
            test_users: 0,
            probes: 5,
        };
        match train(rows.clone(), &plan, None, None, &Job::quiet(42)) {
            Ok(outcome) => finite(&outcome.candidates),
            Err(FitError::Unsuited(reason)) => assert!(!reason.is_empty()),
            Err(other) => panic!("{protocol}: {other}"),
        }
    }
}

/// Serves every kind that can be fitted on the rows, and asks it everything.
fn served(rows: &[Row]) {
    let data = Dataset::new(interactions(rows));
    for spec in every_kind() {
        let fitted = match fit(&*recipe(&spec).unwrap(), &data, None, &Job::quiet(42)) {
            Ok(fitted) => fitted,
            Err(FitError::Unsuited(_)) => continue,
            Err(other) => panic!("{}: {other}", spec.kind),
        };
        let shop = shop(rows, spec, fitted);
        let known = shop.catalogue.len();
        let session: Vec<ItemId> = rows.iter().take(3).map(|row| ItemId::from(u64::from(row.1))).collect();
        for user in [None, Some(UserId::from(u64::from(rows[0].0))), Some("nobody".parse().unwrap())] {
            for (items, diversity) in [(vec![], 0.0), (session.clone(), 0.7)] {
                let query = Query {
                    user: user.clone(),
                    items: items.clone(),
                    n: 1000,
                    diversity,
                    explain: true,
                    include_seen: items.is_empty(),
                    ..Query::default()
                };
                let answer = shop.recommend(&query, NOW);
                assert!(answer.items.iter().all(|item| item.score.is_finite()), "{answer:?}");
                assert!(answer.items.iter().flat_map(|item| &item.parts).all(|part| part.score.is_finite()));
                // All that there is, however much more was asked for.
                assert!(answer.items.len() <= known && (!items.is_empty() || answer.items.len() == known));
            }
            let scores = shop.score(user.as_ref(), &session, NOW).scores;
            assert!(scores.into_iter().flatten().all(f32::is_finite));
        }
        let alike = shop.similar(shop.catalogue.known(&session[0]).unwrap(), 1000, &[], NOW);
        assert!(alike.len() == known - 1 && alike.iter().all(|item| item.score.is_finite()));
    }
}

/// A shop in which the rows have happened and the model answers.
fn shop(rows: &[Row], recipe: RecipeSpec, fitted: Fitted) -> Recommending {
    let catalogue = Arc::new(Catalogue::new(86_400_000));
    let histories = Arc::new(Histories::default());
    let kind = histories.types().index("purchase").unwrap();
    for &(user, item, weight, time) in rows {
        let item = catalogue.index(&ItemId::from(u64::from(item)));
        histories.apply(&UserId::from(u64::from(user)), Act::new(item, kind, weight, time));
        catalogue.count(item, weight, time);
    }
    let manifest = Manifest::by_hand(1, recipe, NOW);
    let live = LiveModel::bind(Arc::new(manifest), fitted, &catalogue);
    let rules = ListRules {
        seen_types: vec!["purchase".to_owned()],
        default_weight: 1.0,
        history: 500,
        generation_ms: 60_000,
        ..ListRules::default()
    };
    Recommending::new(histories, catalogue, Arc::new(ArcSwapOption::new(Some(Arc::new(live)))), rules)
}

fn holds(rows: &[Row]) {
    judged(&interactions(rows));
    served(rows);
}

#[test]
fn the_smallest_shops_are_served() {
    holds(&[(0, 0, 1.0, NOW)]);
    holds(&[(0, 0, 1.0, NOW), (0, 1, 1.0, NOW)]);
    holds(&[(0, 0, 1.0, NOW), (1, 0, 1.0, NOW + 1)]);
}

#[test]
fn all_the_same_item_and_a_catalogue_of_one_are_served() {
    holds(&(0..30).map(|user| (user, 0, 1.0, i64::from(user))).collect::<Vec<_>>());
    holds(&(0..30).map(|time| (0, 0, 1.0, i64::from(time))).collect::<Vec<_>>());
}

#[test]
fn a_single_time_or_none_is_served() {
    for time in [NO_TIME, 0, NOW] {
        holds(&(0..90).map(|row| (row % 15, row * row % 11, 1.0, time)).collect::<Vec<_>>());
    }
}

#[test]
fn weights_of_zero_or_below_are_served_or_refused() {
    for weight in [0.0, -1.0, -1e30, f32::MIN_POSITIVE] {
        holds(&(0..90).map(|row| (row % 15, row * row % 11, weight, i64::from(row))).collect::<Vec<_>>());
        let mixed = |row: u32| if row.is_multiple_of(3) { weight } else { 1.0 };
        holds(&(0..90).map(|row| (row % 15, row * row % 11, mixed(row), i64::from(row))).collect::<Vec<_>>());
    }
}

#[test]
fn a_user_with_a_hundred_thousand_events_is_judged_and_served() {
    let mut rows: Vec<Row> = (0..100_000).map(|row| (0, row * 7 % 60, 1.0, i64::from(row))).collect();
    rows.extend(
        (1..30).flat_map(|user| (0..4).map(move |n| (user, (user * 5 + n * 11) % 60, 1.0, i64::from(user * n)))),
    );
    holds(&rows);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn anything_is_judged_and_served_or_refused(
        rows in prop::collection::vec(
            (0..20_u32, 0..12_u32, prop::sample::select(vec![1.0_f32, 3.0, 0.0, -1.0, -1e30, 1e30, 1e-38]),
             prop::sample::select(vec![NO_TIME, 0, 1, 86_400_000, NOW, NOW - 1, NOW + 86_400_000])),
            1..120,
        ),
    ) {
        holds(&rows);
    }
}
