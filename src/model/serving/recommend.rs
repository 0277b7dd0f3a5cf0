//! The path of a question.

use super::answer::{Answer, Recommended, Scores, Source};
use super::live::LiveModel;
use super::query::Query;
use crate::model::catalogue::Catalogue;
use crate::model::histories::Histories;
use crate::model::ids::{ItemId, ItemIndex, UserId};

/// What shapes lists beside the question, from the settings.
#[derive(Debug, Clone, Default)]
pub struct ListRules {
    /// Event types after which an item counts as seen.
    pub seen_types: Vec<String>,
    /// Weight of each event type.
    pub weights: std::collections::HashMap<String, f32>,
    /// Weight of other types.
    pub default_weight: f32,
    /// The latest events of a history that are looked at.
    pub history: usize,
    /// How often the ladder is computed anew, milliseconds.
    pub generation_ms: i64,
}

/// Everything that answers are made of, shared by HTTP and Kafka; reading it waits on nobody.
pub struct Recommending {
    /// The histories.
    pub histories: std::sync::Arc<Histories>,
    /// The catalogue.
    pub catalogue: std::sync::Arc<Catalogue>,
    /// The live model; the serving actor alone stores into it.
    pub live: std::sync::Arc<arc_swap::ArcSwapOption<LiveModel>>,
    /// The rules.
    pub rules: ListRules,
}

impl Recommending {
    /// Answers a question with the live model.
    #[must_use]
    pub fn recommend(&self, _query: &Query, _now_ms: i64) -> Answer {
        todo!()
    }

    /// Answers a question with `model` instead of the live one.
    #[must_use]
    pub fn recommend_with(&self, _model: Option<&LiveModel>, _query: &Query, _now_ms: i64) -> Answer {
        todo!()
    }

    /// Scores given items for a user, whatever was seen.
    #[must_use]
    pub fn score(&self, _user: Option<&UserId>, _items: &[ItemId], _now_ms: i64) -> Scores {
        todo!()
    }

    /// The items most alike to `item`, best first, it left out; trending ones where the model knows nothing of it.
    #[must_use]
    pub fn similar(&self, _item: ItemIndex, _n: usize, _categories: &[String], _now_ms: i64) -> Vec<Recommended> {
        todo!()
    }

    /// The first of one rung of the ladder: `Trending`, `Popular` or `Newest`.
    #[must_use]
    pub fn rung(&self, _rung: Source, _n: usize, _categories: &[String], _now_ms: i64) -> Vec<Recommended> {
        todo!()
    }
}
