//! `fold_in -- FILE [FORMAT]`: how well users are answered whom a model was not trained on, against the same users trained
//! on, and how long a question takes by the length of the history.
//!
//! Every eighth user of the file is a stranger, unless it alone took some item; each user's last item is held out.
//! `own`, the score of one item, is what the user's vector costs; `all` scores the whole catalogue.

#![expect(clippy::indexing_slicing, reason = "users and items are dense indices of the dataset")]

mod common;

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use ouzel::model::candidates::{self, CandidateOptions};
use ouzel::model::dataset::Dataset;
use ouzel::model::evaluation::ranking::TestSet;
use ouzel::model::evaluation::split::{Split, leave_last_out};
use ouzel::model::recommender::{Acted, RecipeSpec, Recommender, Taste};
use ouzel::model::training::job::Job;
use ouzel::store::import::load_interactions;
use serde_json::json;

/// The personal kinds without a user table.
const KINDS: [&str; 5] = ["ease", "item-knn", "ials", "sequence", "blend"];
const STRANGERS: u32 = 8;
/// The lengths of the histories that are timed.
const LENGTHS: [usize; 3] = [1, 10, 100];
/// Histories that are timed of each length, and how often each.
const TIMED: usize = 200;
const TURNS: usize = 5;

fn main() -> anyhow::Result<()> {
    let arguments = common::arguments();
    let file = Path::new(arguments.first().context("which file?")?);
    let format = arguments.get(1).map_or("events", String::as_str).parse().map_err(anyhow::Error::msg)?;
    let (rows, _) = load_interactions(file, &file.display().to_string(), format, &|_, value| value)?;
    let mut split = leave_last_out(rows);
    let strangers = strangers(&split);
    split.test.retain(|test| strangers.get(test.user as usize).is_some_and(|&stranger| stranger));
    let set = TestSet::new(&split);
    let users = &split.train.table().users;
    let stranger = |row: usize| users.get(row).and_then(|&user| strangers.get(user as usize)).copied();
    let without = Dataset::new(split.train.filtered(|row| stranger(row) == Some(false)));
    anyhow::ensure!(without.item_ids == set.data.item_ids, "an item is the strangers' alone");
    let histories = histories(&set);
    for spec in specs(set.data.items())? {
        let recipe = candidates::recipe(&spec)?;
        let job = Job::new(42, 2, Arc::default(), Arc::new(|_| ()));
        let fit = |data: &Dataset| {
            let model = candidates::fit(recipe.as_ref(), data, None, &job)?;
            let figures = set.judge(model.recommender.as_ref(), &job, &|_| ())?;
            anyhow::Ok((model, figures.metrics.get("ndcg@10").context("no figure")?.mean))
        };
        let (_, trained) = fit(&set.data)?;
        let (model, folded) = fit(&without)?;
        let mut figures = json!({
            "kind": spec.kind, "users": set.users(), "items": set.data.items(),
            "ndcg@10 trained": trained, "folded in": folded, "share": folded / trained,
        });
        for (length, histories) in LENGTHS.iter().zip(&histories) {
            let (own, all) = microseconds(model.recommender.as_ref(), histories);
            figures[format!("us of {length}")] = json!({ "own": own, "all": all });
        }
        common::tell(&figures)?;
    }
    Ok(())
}

/// By user: every eighth, unless an item would be left without a taker.
fn strangers(split: &Split) -> Vec<bool> {
    let train = &split.train;
    let mut takers = vec![0_u32; train.table().item_ids.len()];
    let data = Dataset::new(train);
    let items_of = |user: usize| data.of(user).iter().map(|pair| pair.item as usize);
    for user in 0..data.users() {
        items_of(user).for_each(|item| takers[item] += 1);
    }
    let mut strangers = vec![false; train.users()];
    for (user, &source) in data.source_users.iter().enumerate().filter(|(_, source)| source.is_multiple_of(STRANGERS)) {
        if items_of(user).all(|item| takers[item] > 1) {
            items_of(user).for_each(|item| takers[item] -= 1);
            strangers[source as usize] = true;
        }
    }
    strangers
}

/// The settings that each kind begins with.
fn specs(items: usize) -> anyhow::Result<Vec<RecipeSpec>> {
    Ok(candidates::specs(&CandidateOptions {
        kinds: KINDS.map(str::to_owned).to_vec(),
        ease_max_items: items,
        ease_lambdas: vec![200.0],
        ..CandidateOptions::default()
    })?)
}

/// Histories of each of the lengths, of several users' items each.
fn histories(set: &TestSet) -> Vec<Vec<Vec<Acted>>> {
    let acts: Vec<Acted> = set.cases().flat_map(|case| case.history).collect();
    let of_length = |length: usize| acts.chunks_exact(length).take(TIMED).map(<[Acted]>::to_vec).collect();
    LENGTHS.map(of_length).to_vec()
}

/// The median times of a question: for one item, and for all.
fn microseconds(model: &dyn Recommender, histories: &[Vec<Acted>]) -> (f64, f64) {
    let mut scores = vec![0.0; model.items()];
    let (mut own, mut all) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        for history in histories {
            let now_ms = history.iter().map(|act| act.time_ms).max().unwrap_or(0);
            let taste = Taste { user: None, history, now_ms };
            let began = Instant::now();
            black_box(model.score_some(black_box(&taste), &[0], &mut scores[..1]));
            own.push(began.elapsed().as_secs_f64() * 1e6);
            let began = Instant::now();
            black_box(model.score_all(black_box(&taste), &mut scores));
            all.push(began.elapsed().as_secs_f64() * 1e6);
        }
    }
    (common::median(own), common::median(all))
}
