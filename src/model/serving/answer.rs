//! A list, before it takes a wire's form.

use std::sync::Arc;

use serde::Serialize;

use crate::model::ids::{ItemId, UserId, Version};

/// Where an item of a list comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The user's taste.
    Personal,
    /// The session or cart in the question.
    Session,
    /// Alike to the item in the question.
    Similar,
    /// What is taken lately.
    Trending,
    /// What is taken most.
    Popular,
    /// What came last.
    Newest,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Personal, Self::Session, Self::Similar, Self::Trending, Self::Popular, Self::Newest];

    /// The name that answers carry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Personal => "personal",
            Self::Session => "session",
            Self::Similar => "similar",
            Self::Trending => "trending",
            Self::Popular => "popular",
            Self::Newest => "newest",
        }
    }
}

/// One item of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Recommended {
    /// The item.
    pub id: ItemId,
    /// Its score, comparable within one source only.
    pub score: f32,
    /// Where it comes from.
    pub source: Source,
    /// Why it is there, when that was asked.
    pub reason: Option<String>,
    /// What the score is the sum of, the largest first, when that was asked and the kind's score is a sum.
    pub parts: Vec<ScorePart>,
}

/// A summand of a score.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct ScorePart {
    /// The item of the history or session that it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub item: Option<ItemId>,
    /// The part of the model that it comes from, or `the rest` for all summands that are not named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<&'static str>,
    /// What it adds; negative where it speaks against the item.
    pub score: f32,
}

/// Which model answered.
#[derive(Debug, Clone, PartialEq)]
pub struct AnsweredBy {
    /// The version.
    pub version: Version,
    /// The kind's name.
    pub kind: String,
    /// The time of the last event it was fitted on, milliseconds of the epoch.
    pub events_to_ms: Option<i64>,
    /// When it was made, milliseconds of the epoch.
    pub created_ms: i64,
}

/// A finished list.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// For whom.
    pub user: Option<UserId>,
    /// Which model; none before the first version.
    pub model: Option<AnsweredBy>,
    /// The user's variant in a test.
    pub variant: Option<Arc<str>>,
    /// The items, best first, without repeats.
    pub items: Vec<Recommended>,
    /// Whether a next page has more.
    pub more: bool,
}

/// Scores of given items, in the order asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// Which model; none before the first version.
    pub model: Option<AnsweredBy>,
    /// One for each item asked; none where the model knows nothing of the item, or of the user.
    pub scores: Vec<Option<f32>>,
}
