//! A shop made by hand, with models small enough to be worked out on paper.

mod kinds;
mod laws;
mod lists;
mod lookups;
mod prequential;
mod reuse;

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::answer::{Answer, Source};
use super::live::LiveModel;
use super::query::Query;
use super::recommend::{ListRules, Recommending};
use crate::model::artifact::{ArtifactError, Tensors};
use crate::model::catalogue::Catalogue;
use crate::model::histories::{Act, Histories};
use crate::model::ids::{ItemId, ItemIndex, UserId, Version};
use crate::model::item::ItemData;
use crate::model::manifest::{DataRange, Manifest};
use crate::model::recommender::{Fitted, Origin, RecipeSpec, Recommender, Summand, Taste};

pub(super) const NOW: i64 = 1_790_000_000_000;
pub(super) const DAY: i64 = 86_400_000;

/// Models whose scores anybody can work out.
#[derive(Debug, Clone)]
pub(super) enum Toy {
    /// Item to item: what is acted on gives `likeness[acted][item]`, times the weight.
    Alike(Vec<Vec<f32>>),
    /// As [`Toy::Alike`], divided by the number of acts: the parts do not add up.
    Mean(Vec<Vec<f32>>),
    /// One list for everybody, by these scores.
    Everybody(&'static str, Vec<f32>),
    /// A user table: these scores for each row, nothing for anybody else.
    Table(Vec<Vec<f32>>),
}

impl Recommender for Toy {
    fn kind(&self) -> &'static str {
        match self {
            Self::Alike(_) => "alike",
            Self::Mean(_) => "mean",
            Self::Everybody(kind, _) => kind,
            Self::Table(_) => "table",
        }
    }

    fn items(&self) -> usize {
        match self {
            Self::Alike(rows) | Self::Mean(rows) => rows.len(),
            Self::Everybody(_, scores) => scores.len(),
            Self::Table(rows) => rows.first().map_or(0, Vec::len),
        }
    }

    fn score_all(&self, taste: &Taste<'_>, out: &mut [f32]) -> bool {
        match self {
            Self::Everybody(_, scores) => out.copy_from_slice(scores),
            Self::Table(rows) => match taste.user {
                Some(row) => out.copy_from_slice(&rows[row as usize]),
                None => return false,
            },
            Self::Alike(rows) | Self::Mean(rows) => {
                let by = if matches!(self, Self::Mean(_)) { taste.history.len() as f32 } else { 1.0 };
                for act in taste.history {
                    for (score, alike) in out.iter_mut().zip(&rows[act.item as usize]) {
                        *score += act.weight * alike / by;
                    }
                }
                return !taste.history.is_empty();
            }
        }
        true
    }

    fn similar(&self, item: u32, out: &mut [f32]) -> bool {
        let Self::Alike(rows) = self else { return false };
        out.copy_from_slice(&rows[item as usize]);
        true
    }

    fn explain(&self, taste: &Taste<'_>, items: &[u32]) -> Option<Vec<Vec<Summand>>> {
        let Self::Alike(rows) = self else { return None };
        let weight =
            |item: usize| taste.history.iter().filter(move |act| act.item as usize == item).map(|act| act.weight);
        let of_item = |&wanted: &u32| {
            let summand = |(item, row): (usize, &Vec<f32>)| Summand {
                origin: Origin::Item(item as u32),
                score: weight(item).sum::<f32>() * row[wanted as usize],
            };
            rows.iter().enumerate().map(summand).filter(|summand| summand.score != 0.0).collect()
        };
        Some(items.iter().map(of_item).collect())
    }

    fn personal(&self) -> bool {
        !matches!(self, Self::Everybody(..))
    }

    fn save(&self) -> Result<Tensors, ArtifactError> {
        Ok(Tensors::default())
    }
}

pub(super) fn id(name: &str) -> ItemId {
    name.parse().unwrap()
}

pub(super) fn ids(names: &[&str]) -> Vec<ItemId> {
    names.iter().map(|name| id(name)).collect()
}

pub(super) fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

/// A question for the user `name`, ten items long.
pub(super) fn asks(name: &str) -> Query {
    Query { user: Some(user(name)), n: 10, ..Query::default() }
}

pub(super) struct Shop(pub(super) Recommending);

impl Shop {
    pub(super) fn new() -> Self {
        let weights = [("purchase", 1.0), ("view", 0.5), ("dislike", -1.0)];
        let rules = ListRules {
            seen_types: vec!["purchase".to_owned()],
            weights: weights.map(|(name, weight)| (name.to_owned(), weight)).into(),
            default_weight: 1.0,
            history: 5,
            generation_ms: 60_000,
            prequential: 0.0,
            reuse: true,
        };
        let catalogue = Arc::new(Catalogue::new(3 * DAY));
        Self(Recommending::new(Arc::default(), catalogue, Arc::new(ArcSwapOption::empty()), rules))
    }

    pub(super) fn histories(&self) -> &Histories {
        &self.0.histories
    }

    pub(super) fn catalogue(&self) -> &Catalogue {
        &self.0.catalogue
    }

    pub(super) fn index(&self, item: &str) -> ItemIndex {
        self.catalogue().index(&id(item))
    }

    /// What the ingestor does with an event.
    pub(super) fn event(&self, user: &str, kind: &str, item: &str, time_ms: i64) {
        let (item, types) = (self.index(item), self.histories().types());
        let act = Act::new(item, types.index(kind).unwrap(), 1.0, time_ms);
        let weight = self.0.rules.weights.get(kind).copied().unwrap_or(self.0.rules.default_weight);
        self.histories().apply(&user.parse().unwrap(), act);
        self.catalogue().count(item, weight, time_ms);
    }

    pub(super) fn put(&self, item: &str, data: ItemData) {
        self.catalogue().put(&id(item), data, NOW - DAY);
    }

    pub(super) fn bound(&self, version: u64, toy: Toy, items: &[&str], users: &[&str]) -> Arc<LiveModel> {
        let recipe = RecipeSpec { kind: toy.kind().to_owned(), settings: serde_json::Value::Null };
        let manifest = Manifest {
            data: DataRange { events_to_ms: Some(NOW - DAY), ..DataRange::default() },
            ..Manifest::by_hand(version, recipe, NOW - 1000)
        };
        let fitted = Fitted {
            recommender: Box::new(toy),
            settings: serde_json::Value::Null,
            item_ids: Arc::new(ids(items)),
            user_ids: Arc::new(users.iter().map(|name| user(name)).collect()),
        };
        Arc::new(LiveModel::bind(Arc::new(manifest), fitted, self.catalogue()))
    }

    pub(super) fn goes_live(&self, toy: Toy, items: &[&str], users: &[&str]) {
        self.0.live.store(Some(self.bound(7, toy, items, users)));
    }

    pub(super) fn list(&self, query: &Query) -> Vec<(String, Source)> {
        pairs(&self.0.recommend(query, NOW))
    }

    /// The ids alone, joined by spaces.
    pub(super) fn line(&self, query: &Query) -> String {
        self.list(query).into_iter().map(|(id, _)| id).collect::<Vec<_>>().join(" ")
    }
}

pub(super) fn pairs(answer: &Answer) -> Vec<(String, Source)> {
    answer.items.iter().map(|item| (item.id.to_string(), item.source)).collect()
}

/// Four items: `a` is like `b` and a little like `c`, `b` like `c`; `d` is like none.
pub(super) fn alike() -> Vec<Vec<f32>> {
    vec![vec![0.0, 0.9, 0.3, 0.0], vec![0.9, 0.0, 0.8, 0.0], vec![0.3, 0.8, 0.0, 0.0], vec![0.0; 4]]
}
