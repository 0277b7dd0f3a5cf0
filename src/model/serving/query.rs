//! A question, checked.

use std::hash::{Hash, Hasher};

use crate::model::ids::{ItemId, UserId};

/// The longest list.
pub const MAX_N: usize = 1000;

/// The length of a list where none is asked for.
pub const DEFAULT_N: usize = 10;

/// The most items that earlier pages may have given; the list ends with the page that passes it.
pub const MAX_SKIP: usize = 100_000;

/// What `/recommend` and the request topic ask, whatever the wire.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Query {
    /// For whom.
    pub user: Option<UserId>,
    /// A session or cart, oldest first.
    pub items: Vec<ItemId>,
    /// How many, 1 to [`MAX_N`].
    pub n: usize,
    /// Ranks only these.
    pub candidates: Option<Vec<ItemId>>,
    /// Leaves these out.
    pub exclude: Vec<ItemId>,
    /// Keeps only items of at least one of these categories; none means all.
    pub categories: Vec<String>,
    /// Leaves seen items in.
    pub include_seen: bool,
    /// Says why each item is there.
    pub explain: bool,
    /// 0 (relevance alone) to 1.
    pub diversity: f32,
    /// How many of the list's first items were given on the pages before.
    pub skip: usize,
}

/// Diversity is a number from 0 to 1, never NaN.
impl Eq for Query {}

impl Hash for Query {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Every field is named, so that a new one is not forgotten.
        let Self { user, items, n, candidates, exclude, categories, include_seen, explain, diversity, skip } = self;
        (user, items, n, candidates, exclude, categories, include_seen, explain, skip).hash(state);
        // Equal numbers hash alike: -0.0 equals 0.0.
        (diversity + 0.0).to_bits().hash(state);
    }
}
