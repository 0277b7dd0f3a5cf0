//! What every kind of model shares: a recipe that fits, and a fitted model that answers.
//!
//! A [`Recipe`] is a kind with its settings. Fitting it on a [`Dataset`] gives a [`Recommender`], which knows items and
//! users by index only; a [`Fitted`] joins it with the ids, and is what is written, loaded, gated and served.
#![expect(clippy::indexing_slicing, reason = "items are dense indices of the model")]

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::artifact::{ArtifactError, Tensors};
use super::dataset::Dataset;
use super::ids::{ItemId, UserId};
use super::kernels::top_n::Offers;
use super::near::Near;
use super::training::job::{FitError, Job};

/// One of a user's actions, with the item as the model knows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Acted {
    /// The item's index in the model.
    pub item: u32,
    /// Type weight times value; negative for a dislike.
    pub weight: f32,
    /// Milliseconds of the epoch, or [`super::interactions::NO_TIME`].
    pub time_ms: i64,
}

/// What a model is asked about: somebody with a past.
#[derive(Debug, Clone, Copy)]
pub struct Taste<'a> {
    /// The user's row in a model with a user table, when that user was trained.
    pub user: Option<u32>,
    /// The user's history or session, oldest first; items that the model does not know are left out.
    pub history: &'a [Acted],
    /// The time of the question, milliseconds of the epoch.
    pub now_ms: i64,
}

/// What a summand of a score comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// An item of the history, by the model's index.
    Item(u32),
    /// A part of the model that is asked for everybody alike, in words that end "because of …".
    Part(&'static str),
}

/// One summand of a score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summand {
    /// Where it comes from.
    pub origin: Origin,
    /// What it adds; negative where it speaks against the item.
    pub score: f32,
}

/// Memory to rank in, used again and again by one thread.
#[derive(Debug, Default)]
pub struct Scratch {
    /// A score for every item.
    pub scores: Vec<f32>,
    /// Scores of a few.
    pub near: Near,
    /// What they add up to, of several parts.
    pub sum: Near,
}

/// A kind of model with its settings: what a run fits and the gate refits.
pub trait Recipe: Send + Sync {
    /// The kind's name, as in `ease`.
    fn kind(&self) -> &'static str;

    /// The settings, as they are written to the manifest; [`super::candidates::recipe`] reads them back.
    fn settings(&self) -> serde_json::Value;

    /// Whether its models have a dense row for each item that [`Recommender::pruned`] can cut.
    fn dense_rows(&self) -> bool {
        false
    }

    /// Fits the model. `parent` is the live model of the same kind, if there is one, for a warm start.
    ///
    /// # Errors
    /// [`FitError`] when cancelled, when a figure is not finite, or when the data does not suit the kind.
    fn fit(&self, data: &Dataset, parent: Option<&Fitted>, job: &Job) -> Result<Box<dyn Recommender>, FitError>;
}

/// A fitted model. Scores are finite; a higher score is a better item; scores of different kinds do not compare.
pub trait Recommender: Send + Sync {
    /// The kind's name, as in `ease`.
    fn kind(&self) -> &'static str;

    /// How many items it knows.
    fn items(&self) -> usize;

    /// How many rows its user table has; 0 for a model without one.
    fn user_rows(&self) -> usize {
        0
    }

    /// Writes a score for every item to `out`, `items()` long. Answers false, with `out` left as it likes, when it knows
    /// too little of the user to say anything personal (the cold-start ladder then answers).
    fn score_all(&self, taste: &Taste<'_>, out: &mut [f32]) -> bool;

    /// Writes the scores of `items` to `out`, in their order; the same scores as [`Self::score_all`] gives.
    fn score_some(&self, taste: &Taste<'_>, items: &[u32], out: &mut [f32]) -> bool {
        let mut all = vec![0.0; self.items()];
        let known = self.score_all(taste, &mut all);
        for (score, &item) in out.iter_mut().zip(items) {
            *score = all[item as usize];
        }
        known
    }

    /// As [`Self::score_all`], but writes to `near` the scores that are not 0 alone, and perhaps some that are. None when
    /// this kind has a score for every item.
    fn score_near(&self, _taste: &Taste<'_>, _near: &mut Near) -> Option<bool> {
        None
    }

    /// Offers the items that may be among the best, each with the score that [`Self::score_all`] gives it. Answers false,
    /// as [`Self::score_all`] does, when it says nothing of the user.
    fn rank(&self, taste: &Taste<'_>, scratch: &mut Scratch, best: &mut dyn Offers) -> bool {
        rank_all(self.items(), |scores| self.score_all(taste, scores), scratch, best)
    }

    /// Writes how alike every item is to `item`; false when the kind has no notion of it.
    fn similar(&self, _item: u32, _out: &mut [f32]) -> bool {
        false
    }

    /// For each of `items`, the summands of the score that [`Self::score_some`] gives it: they add up to it, rounding
    /// aside, and each origin is there once at most. None when the kind's score is no such sum, or when it says nothing
    /// of the user.
    fn explain(&self, _taste: &Taste<'_>, _items: &[u32]) -> Option<Vec<Vec<Summand>>> {
        None
    }

    /// Whether its scores are logarithms of how likely an item is, up to a constant of the user's own (the networks' are),
    /// rather than strengths from 0 on.
    fn logarithmic(&self) -> bool {
        false
    }

    /// Whether its lists are one for everybody (the popularities).
    fn personal(&self) -> bool {
        true
    }

    /// The same model with only the `keep` entries of each row that weigh most; none for one without dense rows.
    fn pruned(&self, _keep: usize) -> Option<Box<dyn Recommender>> {
        None
    }

    /// What is written to the artifact; [`super::candidates::load`] reads it back to a model that answers the same.
    ///
    /// # Errors
    /// [`ArtifactError`] when a tensor cannot be represented.
    fn save(&self) -> Result<Tensors, ArtifactError>;
}

/// Offers every one of `items` items with the score that `score` writes; answers what it does.
pub fn rank_all(
    items: usize,
    score: impl FnOnce(&mut [f32]) -> bool,
    scratch: &mut Scratch,
    best: &mut dyn Offers,
) -> bool {
    let scores = &mut scratch.scores;
    scores.clear();
    scores.resize(items, 0.0);
    let says = score(scores);
    if says {
        best.offer_all(scores);
    }
    says
}

/// A fitted model with the ids its indices stand for.
pub struct Fitted {
    /// The model.
    pub recommender: Box<dyn Recommender>,
    /// The settings of the recipe that made it.
    pub settings: serde_json::Value,
    /// The items by the model's index.
    pub item_ids: Arc<Vec<ItemId>>,
    /// The users by row, for a model with a user table; empty for the others.
    pub user_ids: Arc<Vec<UserId>>,
}

/// Kind and settings: enough to fit the model anew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecipeSpec {
    /// The kind's name.
    pub kind: String,
    /// The kind's settings.
    pub settings: serde_json::Value,
}
