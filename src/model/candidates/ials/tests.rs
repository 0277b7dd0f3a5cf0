//! What the fit minimises, and what somebody gets who asks.

use std::sync::Arc;

use faer::linalg::solvers::Solve;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::super::tests::{dataset, scores_for};
use super::super::{fit, load_fitted};
use super::*;
use crate::model::kernels::padded;
use crate::model::recommender::{Acted, Taste};

/// Users of one of eight tastes, each with 6 to 13 items, mostly of 20 that belong to the taste.
fn shop(users: std::ops::Range<u32>) -> Vec<(u32, u32, f32, i64)> {
    let mut rows = Vec::new();
    for user in users {
        let mut rng = StdRng::seed_from_u64(u64::from(user));
        for _ in 0..rng.random_range(6..14) {
            // The product of two even draws favours the first items of a taste.
            let own = (rng.random_range(0.0..1.0_f64) * rng.random_range(0.0..1.0) * 20.0) as u32;
            let item = if rng.random_range(0..5) == 0 { rng.random_range(0..160) } else { user % 8 * 20 + own };
            rows.push((user, item, 1.0, 0));
        }
    }
    // Every item once more, so that indices are what they are here.
    rows.extend((0..160).map(|item| (0, item, -1.0, 0)));
    rows
}

fn recipe() -> Ials {
    Ials { factors: 20, unobserved: 0.1, regularization: 0.01, iterations: 8, ..Ials::default() }
}

/// The objective of [`Alternation`] in 64 bits.
fn objective(recipe: &Ials, positives: &Positives<'_>, users: &Factors, items: &Factors) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let mut sum = 0.0;
    let mut entries = Entries::default();
    for user in 0..users.rows() {
        let (columns, weights) = positives.by_user.of(user, &mut entries);
        for (&item, &weight) in columns.iter().zip(weights) {
            let score = dot(users.row(user), items.row(item as usize));
            sum += f64::from(weight) * (1.0 - score).powi(2);
            if recipe.objective == Objective::Hu {
                sum += recipe.unobserved * ((1.0 - score).powi(2) - score.powi(2));
            }
        }
        sum += (0..items.rows())
            .map(|item| recipe.unobserved * dot(users.row(user), items.row(item)).powi(2))
            .sum::<f64>();
    }
    let sides: [(&dyn Rows, _, _); 2] =
        [(&positives.by_user, users, items.rows()), (&positives.by_item, items, users.rows())];
    for (rows, side, others) in sides {
        for row in 0..side.rows() {
            let pairs = rows.of(row, &mut entries).0.len() as f64;
            let frequency = match recipe.objective {
                Objective::Rendle => pairs + recipe.unobserved * others as f64,
                Objective::Hu => pairs.max(1.0),
            };
            sum += recipe.regularization * frequency.powf(recipe.nu) * dot(side.row(row), side.row(row));
        }
    }
    sum
}

#[test]
fn every_iteration_lowers_the_objective_on_every_path() {
    let data = dataset(&shop(0..300));
    for (nu, of) in [(0.0, Objective::Rendle), (1.0, Objective::Rendle), (1.0, Objective::Hu)] {
        let recipe = Ials { nu, objective: of, ..recipe() };
        let positives = Positives::new(&data, |weight, middle| recipe.confidence(weight, middle)).unwrap();
        let mut reached = Vec::new();
        for simd in Simd::available() {
            let items = drawn(data.items(), recipe.factors, 1);
            let mut alternation = Alternation::new(&recipe, &positives, simd, items);
            let mut before = f64::INFINITY;
            for _ in 0..6 {
                alternation.step(&Job::quiet(1)).unwrap();
                let now = objective(&recipe, &positives, &alternation.users, &alternation.items);
                assert!(now < before, "{}: {before} then {now}", simd.name());
                before = now;
            }
            reached.push(before);
        }
        let last = reached.last().unwrap();
        assert!(reached.iter().all(|value| (value - last).abs() < 1e-3 * last), "{reached:?}");
    }
}

#[test]
fn what_is_filled_up_stays_zero() {
    let data = dataset(&shop(0..50));
    let recipe = recipe();
    let positives = Positives::new(&data, |_, _| 1.0).unwrap();
    let mut alternation = Alternation::new(&recipe, &positives, Simd::widest(), drawn(data.items(), recipe.factors, 1));
    alternation.step(&Job::quiet(1)).unwrap();
    for row in alternation.items.table().chunks(padded(recipe.factors)) {
        assert!(row[..recipe.factors].iter().any(|&value| value != 0.0) || row.iter().all(|&value| value == 0.0));
        assert!(row[recipe.factors..].iter().all(|&value| value == 0.0));
    }
}

/// The mean NDCG@10 of `users`, whose last item of their taste is left out of the history.
fn ndcg(model: &Fitted, users: std::ops::Range<u32>) -> f64 {
    let mut sum = 0.0;
    let count = users.len() as f64;
    for user in users {
        let (wanted, history) = asked(user);
        let mut scores = vec![0.0; model.recommender.items()];
        assert!(model.recommender.score_all(&Taste { user: None, history: &history, now_ms: 0 }, &mut scores));
        for acted in &history {
            scores[acted.item as usize] = f32::NEG_INFINITY;
        }
        let wanted = scores[wanted as usize];
        let rank = scores.iter().filter(|&&score| score > wanted).count();
        sum += if rank < 10 { 1.0 / (rank as f64 + 2.0).log2() } else { 0.0 };
    }
    sum / count
}

/// A user's last item and the history without it.
fn asked(user: u32) -> (u32, Vec<Acted>) {
    let rows: Vec<u32> = shop(user..user + 1).iter().filter(|row| row.2 > 0.0).map(|row| row.1).collect();
    let wanted = *rows.last().unwrap();
    let history = rows.iter().filter(|&&item| item != wanted);
    (wanted, history.map(|&item| Acted { item, weight: 1.0, time_ms: 0 }).collect())
}

/// The rows of [`shop`] without the item that [`asked`] asks for.
fn without_asked(users: std::ops::Range<u32>) -> Vec<(u32, u32, f32, i64)> {
    let mut rows = shop(users);
    rows.retain(|row| row.2 < 0.0 || row.1 != asked(row.0).0);
    rows
}

#[test]
fn who_was_never_trained_is_folded_in_as_well() {
    let (all, some) = (dataset(&without_asked(0..1_200)), dataset(&without_asked(0..900)));
    let job = Job::quiet(42);
    let (all, some) = (fit(&recipe(), &all, None, &job).unwrap(), fit(&recipe(), &some, None, &job).unwrap());
    let (trained, folded) = (ndcg(&all, 900..1_200), ndcg(&some, 900..1_200));
    assert!(trained > 0.2 && folded >= 0.97 * trained, "trained {trained}, folded in {folded}");
}

#[test]
fn likes_pull_their_kind_up_and_dislikes_push_it_down() {
    let data = dataset(&shop(0..400));
    let mean = |scores: &[f32], taste: usize| scores[taste * 20..][..10].iter().sum::<f32>() / 10.0;
    let liked = scores_for(&recipe(), &data, &[(0, 1.0), (1, 1.0), (2, 1.0)]);
    assert!((1..8).all(|other| mean(&liked, 0) > 2.0 * mean(&liked, other)), "{liked:?}");
    let torn = scores_for(&recipe(), &data, &[(0, 1.0), (1, 1.0), (2, 1.0), (20, -1.0), (21, -1.0)]);
    assert!(mean(&torn, 1) < mean(&liked, 1) && mean(&torn, 1) < 0.0, "{torn:?}");

    let model = fit(&recipe(), &data, None, &Job::quiet(1)).unwrap();
    let mut scores = vec![7.0; data.items()];
    for history in [&[][..], &[(3, -1.0)], &[(3, 1.0), (3, -1.0)], &[(9_999, 1.0)]] {
        let history: Vec<Acted> = history.iter().map(|&(item, weight)| Acted { item, weight, time_ms: 0 }).collect();
        let taste = Taste { user: None, history: &history, now_ms: 0 };
        assert!(!model.recommender.score_all(&taste, &mut scores), "nothing liked: {history:?}");
    }
}

#[test]
fn alike_is_who_is_taken_by_the_same() {
    let model = fit(&recipe(), &dataset(&shop(0..400)), None, &Job::quiet(1)).unwrap();
    let mut alike = vec![0.0; 160];
    assert!(model.recommender.similar(40, &mut alike));
    assert!((alike[40] - 1.0).abs() < 1e-5 && alike.iter().all(|score| score.abs() < 1.001));
    let mut best: Vec<usize> = (0..160).filter(|&item| item != 40).collect();
    best.sort_by(|&a, &b| alike[b].total_cmp(&alike[a]));
    assert!(best[..5].iter().all(|item| (40..60).contains(item)), "{best:?}");
}

#[test]
fn a_warm_start_is_as_good_in_fewer_iterations() {
    let parent = fit(&recipe(), &dataset(&without_asked(0..1_000)), None, &Job::quiet(1)).unwrap();
    let now = dataset(&without_asked(0..1_100));
    let few = Ials { iterations: 3, warm_iterations: 3, ..recipe() };
    let warm = ndcg(&fit(&few, &now, Some(&parent), &Job::quiet(1)).unwrap(), 0..1_100);
    let cold = ndcg(&fit(&recipe(), &now, None, &Job::quiet(1)).unwrap(), 0..1_100);
    let hasty = ndcg(&fit(&few, &now, None, &Job::quiet(1)).unwrap(), 0..1_100);
    assert!(warm > 0.98 * cold && warm > hasty, "warm {warm}, cold {cold}, as few from nothing {hasty}");

    // The parent's items are found by id, whatever their indices; one with other factors is no parent.
    let mut table = drawn(now.items(), 20, 1);
    let ids: Vec<_> = now.item_ids.iter().rev().cloned().collect();
    assert_eq!(training::inherit(&mut table, 20, &ids, &parent).unwrap(), 160);
    let saved = parent.recommender.save().unwrap().take_f32("items", &[160, 20]).unwrap();
    assert_eq!(table[..20], saved[159 * 20..]);
    assert_eq!(training::inherit(&mut drawn(160, 8, 1), 8, &ids, &parent).unwrap(), 0);
}

#[test]
fn threads_do_not_change_a_bit() {
    let data = dataset(&shop(0..300));
    let with = |threads| {
        let job = Job::new(42, threads, Arc::default(), Arc::new(|_| ()));
        fit(&recipe(), &data, None, &job).unwrap().recommender.save().unwrap().to_bytes().unwrap()
    };
    assert_eq!(with(1), with(2));
}

#[test]
fn more_weight_is_more_confidence_within_bounds() {
    let recipe = Ials { weight_power: 0.5, ..recipe() };
    assert_eq!([1.0, 4.0, -16.0, 1e30, 1e-30].map(|w| recipe.confidence(w, 4.0)), [0.5, 1.0, 2.0, 8.0, 0.125]);
    assert_eq!([0.0, 1.0, f32::INFINITY].map(|w| Ials::default().confidence(w, 4.0)), [1.0; 3]);
}

#[test]
fn a_hundred_thousand_different_items_of_one_user_are_finite() {
    let mut rows: Vec<(u32, u32, f32, i64)> = (0..100_000).map(|item| (0, item, 1.0, 0)).collect();
    rows.extend((0..50).map(|item| (1, item, 1.0, 0)));
    let data = dataset(&rows);
    let recipe = Ials { factors: 8, iterations: 2, ..recipe() };
    let history: Vec<(u32, f32)> = (0..100_000).map(|item| (item, 1.0)).collect();
    let scores = scores_for(&recipe, &data, &history);
    assert!(scores.iter().all(|score| score.is_finite()) && scores[0] > 0.5, "{}", scores[0]);
}

#[test]
fn settings_and_files_out_of_range_are_refused() {
    let spec = |settings| RecipeSpec { kind: KIND.into(), settings };
    let said = |settings| super::super::recipe(&spec(settings)).err().map(|error| error.to_string());
    insta::assert_snapshot!(said(serde_json::json!({ "factors": 0 })).unwrap(), @"settings of kind ials: factors must be from 1 to 1024");
    insta::assert_snapshot!(said(serde_json::json!({ "unobserved": 0.0 })).unwrap(), @"settings of kind ials: unobserved must be from 0.000001 to 1000000");
    insta::assert_snapshot!(said(serde_json::json!({ "nu": 1.5 })).unwrap(), @"settings of kind ials: nu must be from 0 to 1");
    assert!(said(serde_json::json!({ "alpha": 1 })).is_some() && said(serde_json::json!({})).is_none());

    let model = fit(&recipe(), &dataset(&shop(0..20)), None, &Job::quiet(1)).unwrap();
    let read = |factors: usize, middle: f32| {
        let tensors = model.recommender.save().unwrap().with_f32("middle", &[1], vec![middle]);
        let spec = spec(serde_json::json!({ "factors": factors }));
        load_fitted(&spec, tensors, model.item_ids.clone(), Arc::default()).is_ok()
    };
    assert!(read(20, 1.0) && !read(21, 1.0) && !read(20, 0.0));
}

#[test]
fn a_score_is_what_the_history_gave() {
    let data = dataset(&shop(0..200));
    let model = fit(&recipe(), &data, None, &Job::quiet(1)).unwrap();
    let (wanted, history) = asked(3);
    let taste = Taste { user: None, history: &history, now_ms: 0 };
    let mut scores = vec![0.0; 2];
    assert!(model.recommender.score_some(&taste, &[wanted, 0], &mut scores));
    let summands = model.recommender.explain(&taste, &[wanted, 0]).unwrap();
    let mut scaled = Vec::new();
    for (summands, score) in summands.iter().zip(&scores) {
        assert!((1..=history.len()).contains(&summands.len()));
        let sum: f32 = summands.iter().map(|part| part.score).sum();
        assert!((sum - score).abs() < 1e-5, "{score} {summands:?}");
        scaled.push(summands.iter().map(|part| part.score).fold(0.0, f32::max));
    }
    assert!(scaled[0] > 0.0, "something of the history speaks for what is wanted");
    assert_eq!(model.recommender.explain(&Taste { user: None, history: &[], now_ms: 0 }, &[0]), None);
}

/// A user's scores in 64 bits as Spark computes them: `x = (YᵀY + Σ α r y yᵀ + λ n)⁻¹ Σ (1 + α r) y` over what was taken.
fn as_spark_does(items: &[Vec<f64>], taken: &[(u32, f32)], alpha: f64, reg_param: f64) -> Vec<f64> {
    let width = items[0].len();
    let mut matrix = faer::Mat::<f64>::identity(width, width) * faer::Scale(reg_param * taken.len() as f64);
    let mut right = faer::Mat::<f64>::zeros(width, 1);
    let mut add = |y: &[f64], weight: f64, pull: f64| {
        for a in 0..width {
            right[(a, 0)] += pull * y[a];
            (0..width).for_each(|b| matrix[(a, b)] += weight * y[a] * y[b]);
        }
    };
    items.iter().for_each(|y| add(y, 1.0, 0.0));
    for &(item, rating) in taken {
        add(&items[item as usize], alpha * f64::from(rating), 1.0 + alpha * f64::from(rating));
    }
    let user = matrix.partial_piv_lu().solve(&right);
    items.iter().map(|y| (0..width).map(|at| y[at] * user[(at, 0)]).sum()).collect()
}

#[test]
fn by_the_objective_of_hu_a_user_is_folded_in_as_spark_does() {
    let (items, factors) = (300, 10);
    let drawn = drawn(items, factors, 3);
    let table: Vec<f32> = drawn.chunks_exact(padded(factors)).flat_map(|row| row[..factors].to_vec()).collect();
    let exactly: Vec<Vec<f64>> =
        table.chunks_exact(factors).map(|row| row.iter().map(|&value| f64::from(value)).collect()).collect();
    for (alpha, reg_param, weight_power) in [(1.0, 0.1, 0.0), (40.0, 0.02, 0.0), (0.5, 1.0, 1.0), (8.0, 0.3, 0.5)] {
        let recipe = Ials {
            factors,
            objective: Objective::Hu,
            unobserved: 1.0 / alpha,
            regularization: reg_param / alpha,
            weight_power,
            ..Ials::default()
        };
        let tensors = Tensors::default().with_f32("items", &[items, factors], table.clone());
        let spec = RecipeSpec { kind: KIND.into(), settings: recipe.settings() };
        let model = load(&spec, tensors.with_f32("middle", &[1], vec![1.0])).unwrap();
        for count in [1, 4, 120] {
            let history: Vec<Acted> =
                (0..count).map(|n| Acted { item: n * 2 + 1, weight: 0.25 * (n % 5 + 1) as f32, time_ms: 0 }).collect();
            let rating = |weight: f32| weight.powf(weight_power as f32).clamp(0.125, 8.0);
            let taken: Vec<(u32, f32)> = history.iter().map(|acted| (acted.item, rating(acted.weight))).collect();
            let wanted = as_spark_does(&exactly, &taken, alpha, reg_param);
            let most = wanted.iter().fold(0.0_f64, |most, score| most.max(score.abs()));
            let (taste, mut scores) = (Taste { user: None, history: &history, now_ms: 0 }, vec![0.0; items]);
            assert!(model.score_all(&taste, &mut scores));
            for (score, wanted) in scores.iter().zip(&wanted) {
                assert!(
                    (f64::from(*score) - wanted).abs() < 1e-3 * most,
                    "{alpha} {count}: {score} {wanted} of {most}"
                );
            }
            let summands = model.explain(&taste, &[0, 1]).unwrap();
            let sum: f32 = summands[1].iter().map(|part| part.score).sum();
            assert!((f64::from(sum) - wanted[1]).abs() < 1e-3 * most, "{sum} {}", wanted[1]);
        }
    }
}
