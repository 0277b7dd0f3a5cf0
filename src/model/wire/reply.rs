//! The bodies of answers.

use serde::Serialize;

use crate::model::ids::{ItemId, UserId};
use crate::model::serving::answer::{Answer, Scores, Source};

/// `{"recommendation_id","user","model","items","execution","next"?}`.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct RecommendationBody {
    /// Encodes the version and a random part; to be sent back with events that the list led to.
    pub recommendation_id: String,
    /// For whom.
    #[schema(value_type = Option<String>)]
    pub user: Option<UserId>,
    /// Which model; null before the first version.
    pub model: Option<ModelBody>,
    /// The list.
    pub items: Vec<ItemBody>,
    /// Milliseconds spent.
    pub execution: f64,
    /// To be sent as `next` for the following page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Which model answered.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ModelBody {
    /// The version's number.
    pub version: u64,
    /// The kind's name.
    pub kind: String,
    /// The time of the last event it was fitted on, RFC 3339.
    pub events_to: Option<String>,
    /// Seconds since the version was made.
    pub age_seconds: f64,
}

/// One item of a list.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ItemBody {
    /// The item.
    #[schema(value_type = String)]
    pub id: ItemId,
    /// Its score.
    pub score: f32,
    /// Where it comes from.
    pub source: Source,
    /// Why it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `{"model":"ouzel 7","execution":0.08,"products":[{"product":"1","prediction":0.18}]}`.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ScoreBody {
    /// `ouzel` and the version's number; `ouzel` alone before the first.
    pub model: String,
    /// Milliseconds spent.
    pub execution: f64,
    /// In the order asked.
    pub products: Vec<PredictionBody>,
}

/// One product's score.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct PredictionBody {
    /// The product.
    #[schema(value_type = String)]
    pub product: ItemId,
    /// Its score; null where the model knows nothing of it.
    pub prediction: Option<f32>,
}

impl RecommendationBody {
    /// The body of an answer made at `now_ms` in `execution_ms`; `page` is how many items the pages up to this one gave.
    #[must_use]
    pub fn new(_answer: Answer, _execution_ms: f64, _now_ms: i64, _page: usize) -> Self {
        todo!()
    }
}

impl ScoreBody {
    /// The body of scores for `products`, made in `execution_ms`.
    #[must_use]
    pub fn new(_products: Vec<ItemId>, _scores: &Scores, _execution_ms: f64) -> Self {
        todo!()
    }
}
