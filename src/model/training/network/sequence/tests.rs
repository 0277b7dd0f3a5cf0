//! Both forms of the network agree, and it learns.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::encoder::{Encoder, cube};
use super::rows::Sequences;
use super::steps::places;
use super::weights::strength;
use super::*;
use crate::model::candidates::tests::dataset;
use crate::model::dataset::Dataset;
use crate::model::interactions::NO_TIME;
use crate::model::kernels::Simd;
use crate::model::training::job::{FitError, Job};
use crate::model::training::network::device;
use crate::model::training::network::net::numbers;

fn settings(order: Order) -> SequenceSettings {
    SequenceSettings { dimensions: 16, epochs: 40, batch: 32, learning_rate: 0.02, dropout: 0.1, order, history: 20 }
}

/// Users who go around a circle of `items` from a place of their own, a step a day.
fn circle(users: u32, items: u32, timed: bool) -> Dataset {
    let step = |user: u32, k: u32| {
        let time = if timed { i64::from(k) * 86_400_000 } else { NO_TIME };
        (user, (user * 7 + k) % items, 1.0, time)
    };
    let rows: Vec<_> = (0..users).flat_map(|user| (0..8).map(move |k| step(user, k))).collect();
    dataset(&rows)
}

/// The best item for somebody who did these, a day each.
fn best(weights: &Weights, items: &[u32]) -> u32 {
    let step = |(day, &item): (i64, &u32)| Step { item, weight: 1.0, time_ms: day * 86_400_000 };
    let user = weights.encode(&(0..).zip(items).map(step).collect::<Vec<_>>());
    let score = |item: &u32| weights.score(Simd::widest(), &user, *item);
    (0..weights.items() as u32)
        .filter(|item| !items.contains(item))
        .max_by(|a, b| score(a).total_cmp(&score(b)))
        .unwrap()
}

#[test]
fn what_is_served_computes_what_was_trained() {
    let data = circle(40, 20, true);
    let mut weights = train(&data, &settings(Order::Next(2)), None, &Job::quiet(5)).unwrap();
    let mut rng = StdRng::seed_from_u64(2);
    let mut random = |values: &mut Vec<f32>| values.iter_mut().for_each(|value| *value = rng.random_range(-0.5..0.5));
    for part in [&mut weights.outer, &mut weights.inner_bias, &mut weights.strengths] {
        random(part);
    }
    let histories = [
        vec![(0, 1.0, NO_TIME), (3, -2.0, 5), (4, 1.0, 7_000_000), (9, 30.0, 90_000_000)],
        vec![(7, 1.0, 3)],
        vec![(7, -1.0, 3), (8, 0.1, 3)],
    ];
    let (width, longest) = (weights.dimensions, 4);
    let [mut embeddings, mut strengths, mut signs] = [width, HEADS, HEADS].map(|rows| vec![0.0; 3 * longest * rows]);
    let mut expected = Vec::new();
    for (row, history) in histories.iter().enumerate() {
        let steps: Vec<Step> = history.iter().map(|&(item, weight, time_ms)| Step { item, weight, time_ms }).collect();
        for (at, (step, places)) in steps.iter().zip(places(&steps, weights.typical)).enumerate() {
            embeddings[(row * longest + at) * width..][..width]
                .copy_from_slice(&weights.inputs[step.item as usize * width..][..width]);
            for head in 0..HEADS {
                strengths[(row * HEADS + head) * longest + at] = strength(&weights.strengths, places, head);
                signs[(row * HEADS + head) * longest + at] = step.weight.signum();
            }
        }
        expected.extend(weights.encode(&steps));
    }
    let device = device::plain();
    let users = Encoder::new(&weights, &device).forward(
        cube(embeddings, [3, longest, width], &device),
        cube(strengths, [3, HEADS, longest], &device),
        cube(signs, [3, HEADS, longest], &device),
    );
    let mut written = weights.clone();
    Encoder::new(&weights, &device).write(&mut written).unwrap();
    assert_eq!(written, weights);
    for (found, expected) in numbers(users).unwrap().iter().zip(&expected) {
        assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
    }
}

#[test]
fn what_comes_next_is_learnt_from_the_order() {
    let data = circle(300, 30, true);
    let weights = train(&data, &settings(Order::Next(1)), None, &Job::quiet(1)).unwrap();
    let right = (0..30_u32).filter(|&from| {
        let history = [0, 1, 2].map(|k| (from + k) % 30);
        best(&weights, &history) == (from + 3) % 30
    });
    assert!(right.count() >= 27);
    // Backwards, the latest is the lowest of the three, and what follows it is there already: the order was read.
    let backwards = (0..30_u32).filter(|&from| best(&weights, &[2, 1, 0].map(|k| (from + k) % 30)) != (from + 3) % 30);
    assert!(backwards.count() >= 3, "a history and its reverse are one to it");
}

#[test]
fn neighbours_are_learnt_without_times_and_twice_alike() {
    let data = circle(300, 30, false);
    let learn = |seed, epochs| {
        let settings = SequenceSettings { epochs, ..settings(Order::Next(1)) };
        train(&data, &settings, None, &Job::quiet(seed)).unwrap()
    };
    let weights = learn(1, 20);
    let near = (0..30_u32).filter(|&from| {
        let found = best(&weights, &[0, 1, 2].map(|k| (from + k) % 30));
        (found + 30 - from) % 30 <= 6 || (from + 30 - found) % 30 <= 4
    });
    assert!(near.count() >= 27);
    assert_eq!(learn(1, 1), learn(1, 1));
    assert_ne!(learn(2, 1), learn(1, 1));
}

#[test]
fn a_catalogue_beyond_the_full_softmax_is_learnt_from_drawn_items() {
    let items = 2 * softmax::FULL_SOFTMAX as u32;
    let mut rows: Vec<(u32, u32, f32, i64)> = (0..items).map(|item| (100_000, item, 1.0, 0)).collect();
    rows.extend((0..400_u32).flat_map(|user| (0..6).map(move |k| (user, (user % 2) * 6 + k, 1.0, NO_TIME))));
    let settings = SequenceSettings { epochs: 6, ..settings(Order::Any) };
    let weights = train(&dataset(&rows), &settings, None, &Job::quiet(1)).unwrap();
    assert_eq!(weights.items(), items as usize);
    for group in 0..2_u32 {
        let found = best(&weights, &[0, 1, 2].map(|k| group * 6 + k));
        assert_eq!(found / 6, group, "{found}");
    }
}

#[test]
fn a_pair_is_known_as_it_was_at_the_cut() {
    let data = dataset(&[
        (0, 0, 1.0, 10),
        (0, 1, 1.0, 20),
        (0, 0, 1.0, 25),
        (0, 2, -1.0, 30),
        (0, 3, 1.0, 40),
        (0, 1, 1.0, 50),
        (0, 4, 0.0, 60),
    ]);
    let sequences = Sequences::new(&data, Order::Next(5), 2);
    let mut rng = StdRng::seed_from_u64(1);
    let mut cuts = Vec::new();
    for _ in 0..20 {
        for row in sequences.epoch(4, &mut rng).concat() {
            let (steps, next) = sequences.read(row, &mut rng);
            cuts.push((steps.iter().map(|step| (step.item, step.time_ms)).collect::<Vec<_>>(), next));
        }
    }
    cuts.sort();
    cuts.dedup();
    let expected = [(vec![(0, 10)], vec![1, 3]), (vec![(0, 25), (2, 30)], vec![3]), (vec![(1, 20), (0, 25)], vec![3])];
    assert_eq!(cuts, expected, "the last, disliked item is never foretold, the one of weight 0 is not there");
    assert_eq!(sequences.takers(), [1, 1, 0, 1, 0]);
}

#[test]
fn it_stops_when_cancelled_and_refuses_what_teaches_nothing() {
    let cancelled = Job::new(1, 1, Arc::new(AtomicBool::new(true)), Arc::new(|_| ()));
    let data = circle(4, 5, true);
    assert!(matches!(train(&data, &settings(Order::Any), None, &cancelled), Err(FitError::Cancelled)));
    for rows in [&[(0, 0, 1.0, 5), (1, 1, 1.0, 5)][..], &[(0, 0, -1.0, 5), (0, 1, -1.0, 6)], &[(0, 0, 1.0, 5)]] {
        let refused = train(&dataset(rows), &settings(Order::Any), None, &Job::quiet(1));
        assert!(matches!(refused, Err(FitError::Unsuited(_))), "{rows:?}");
    }
}
