//! `fold_in -- FILE [FORMAT [ONE_IN [KINDS]]]`: how well users are answered whom a model was not trained on, against the
//! same users trained on, and how long a question takes by the length of the history.
//!
//! One user in `ONE_IN` (8) is a stranger, unless it alone took some item, and so in turn with the others, a fit each time,
//! until everyone was; each user's last item is held out. Strangers' histories teach nobody: the more strangers at a time,
//! the less a model has learnt of what is asked, whoever asks. `own`, the score of one item, is what the user's vector
//! costs; `all` scores the whole catalogue.

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
use ouzel::model::selection::Selection;
use ouzel::model::training::job::Job;
use ouzel::store::import::load_interactions;
use serde_json::json;

/// The personal kinds without a user table.
const KINDS: &str = "ease,item-knn,ials,sequence,blend";
const ONE_IN: u32 = 8;
/// The lengths of the histories that are timed.
const LENGTHS: [usize; 3] = [1, 10, 100];
/// Histories that are timed of each length, and how often each.
const TIMED: usize = 200;
const TURNS: usize = 5;

fn main() -> anyhow::Result<()> {
    let arguments = common::arguments();
    let file = Path::new(arguments.first().context("which file?")?);
    let format = arguments.get(1).map_or("events", String::as_str).parse().map_err(anyhow::Error::msg)?;
    let one_in = arguments.get(2).map_or(Ok(ONE_IN), |text| text.parse())?;
    let kinds = arguments.get(3).map_or(KINDS, String::as_str);
    let (rows, _) = load_interactions(file, &file.display().to_string(), format, &|_, value| value)?;
    let split = leave_last_out(rows);
    let data = Dataset::new(&split.train);
    let folds = (0..one_in).map(|fold| Fold::new(&split, &data, one_in, fold)).collect::<anyhow::Result<Vec<_>>>()?;
    let users: usize = folds.iter().map(|fold| fold.strangers.users()).sum();
    let histories = histories(&folds);
    for spec in specs(kinds, data.items())? {
        let recipe = candidates::recipe(&spec)?;
        let job = Job::new(42, 2, Arc::default(), Arc::new(|_| ()));
        let fit = |data: &Dataset| candidates::fit(recipe.as_ref(), data, None, &job);
        // The sum of the figure over a fold's strangers.
        let judge = |fold: &Fold, model: &dyn Recommender| {
            let figures = fold.strangers.judge(model, &job, &|_| ())?;
            anyhow::Ok(figures.metrics.get("ndcg@10").context("no figure")?.mean * figures.users as f64)
        };
        let everyone = fit(&data)?;
        let (mut trained, mut folded) = (0.0, 0.0);
        for fold in &folds {
            trained += judge(fold, everyone.recommender.as_ref())?;
            folded += judge(fold, fit(&Dataset::new(&fold.without))?.recommender.as_ref())?;
        }
        let mut figures = json!({
            "kind": spec.kind, "users": users, "one in": one_in, "items": data.items(),
            "ndcg@10 trained": trained / users as f64, "folded in": folded / users as f64, "share": folded / trained,
        });
        for (length, histories) in LENGTHS.iter().zip(&histories) {
            let (own, all) = microseconds(everyone.recommender.as_ref(), histories);
            figures[format!("us of {length}")] = json!({ "own": own, "all": all });
        }
        common::tell(&figures)?;
    }
    Ok(())
}

/// A time that some users are strangers.
struct Fold {
    /// What the others did.
    without: Selection,
    /// The strangers are its test users.
    strangers: TestSet,
}

impl Fold {
    /// Strangers are the users `fold`, `fold + one_in` and so on, unless an item would be left without a taker.
    fn new(split: &Split, data: &Dataset, one_in: u32, fold: u32) -> anyhow::Result<Self> {
        let mut takers = vec![0_u32; data.items()];
        data.pairs.iter().for_each(|pair| takers[pair.item as usize] += 1);
        let mut is_stranger = vec![false; split.train.users()];
        for (user, &source) in data.source_users.iter().enumerate().filter(|(_, source)| **source % one_in == fold) {
            let items = || data.of(user).iter().map(|pair| pair.item as usize);
            if items().all(|item| takers[item] > 1) {
                items().for_each(|item| takers[item] -= 1);
                is_stranger[source as usize] = true;
            }
        }
        let users = &split.train.table().users;
        let without = split.train.filtered(|row| !is_stranger[users[row] as usize]);
        let mut of_strangers = split.clone();
        of_strangers.test.retain(|test| is_stranger[test.user as usize]);
        let fold = Self { without, strangers: TestSet::new(&of_strangers) };
        anyhow::ensure!(Dataset::new(&fold.without).item_ids == data.item_ids, "an item is the strangers' alone");
        Ok(fold)
    }
}

/// The settings that each kind begins with.
fn specs(kinds: &str, items: usize) -> anyhow::Result<Vec<RecipeSpec>> {
    Ok(candidates::specs(&CandidateOptions {
        kinds: kinds.split(',').map(str::to_owned).collect(),
        ease_max_items: items,
        ease_lambdas: vec![200.0],
        ..CandidateOptions::default()
    })?)
}

/// Histories of each of the lengths, of several users' items each.
fn histories(folds: &[Fold]) -> Vec<Vec<Vec<Acted>>> {
    let cases = folds.iter().flat_map(|fold| fold.strangers.cases());
    let acts: Vec<Acted> = cases.flat_map(|case| case.history).collect();
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
