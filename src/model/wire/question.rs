//! The bodies of `POST /recommend` and `POST /v1/score`.

use super::BodyError;
use crate::model::ids::{ItemId, UserId};
use crate::model::serving::query::Query;

/// The most items, candidates, exclusions, categories or products that one question may hold.
pub const MAX_LIST: usize = 10_000;

/// The original's question: what is each of these products worth to this user.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreQuery {
    /// For whom.
    pub user: Option<UserId>,
    /// The products, 1 to [`MAX_LIST`].
    pub products: Vec<ItemId>,
}

/// Either question, as the request topic takes both.
#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    /// A list is asked for.
    Recommend(Query),
    /// Scores are asked for.
    Score(ScoreQuery),
}

/// Reads a body of `POST /recommend`.
///
/// # Errors
/// [`BodyError`] naming the field.
pub fn recommend_from_json(_body: &[u8]) -> Result<Query, BodyError> {
    todo!()
}

/// Reads a body of `POST /v1/score`.
///
/// # Errors
/// [`BodyError`] naming the field.
pub fn score_from_json(_body: &[u8]) -> Result<ScoreQuery, BodyError> {
    todo!()
}

/// Reads either body: one with `products` asks for scores.
///
/// # Errors
/// [`BodyError`] naming the field.
pub fn question_from_json(_body: &[u8]) -> Result<Question, BodyError> {
    todo!()
}
