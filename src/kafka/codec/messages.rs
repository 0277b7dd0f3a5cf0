//! The protobuf messages, as `proto/ouzel.proto` and `proto/recommender.proto` hold them for other languages.

use prost::Message;

/// An event, on `events`.
#[derive(Clone, PartialEq, Message)]
pub struct Event {
    /// Who acted.
    #[prost(string, tag = "1")]
    pub user: String,
    /// On what.
    #[prost(string, tag = "2")]
    pub item: String,
    /// What was done; absent: `purchase`.
    #[prost(string, tag = "3")]
    pub r#type: String,
    /// How much of it; absent, which is 0: 1.
    #[prost(double, tag = "4")]
    pub value: f64,
    /// When, milliseconds of the epoch; absent, which is 0: the record's time.
    #[prost(int64, tag = "5")]
    pub timestamp_ms: i64,
    /// The sender's id of the event; absent: none.
    #[prost(string, tag = "6")]
    pub id: String,
    /// The recommendation that led to it; absent: none.
    #[prost(string, tag = "7")]
    pub recommendation_id: String,
}

/// A request, on `mdata`: the original system's message.
#[derive(Clone, PartialEq, Message)]
pub struct RecommendationRequest {
    /// The products to be scored; none: a list is asked for.
    #[prost(int64, repeated, tag = "1")]
    pub products: Vec<i64>,
    /// For whom.
    #[prost(int64, tag = "2")]
    pub user: i64,
}

/// The score of one product.
#[derive(Clone, PartialEq, Message)]
pub struct Prediction {
    /// The product, 0 where its id is no decimal number.
    #[prost(int64, tag = "1")]
    pub product: i64,
    /// Its score, 0 where the model knows nothing of it.
    #[prost(double, tag = "2")]
    pub prediction: f64,
    /// The product's id as text.
    #[prost(string, tag = "3")]
    pub id: String,
}

/// The answer to a request, on `recommendations`.
#[derive(Clone, PartialEq, Message)]
pub struct RecommendationReply {
    /// `ouzel` and the version's number.
    #[prost(string, tag = "1")]
    pub model: String,
    /// Milliseconds spent.
    #[prost(double, tag = "2")]
    pub execution: f64,
    /// In the order asked; of a list, the best first.
    #[prost(message, repeated, tag = "3")]
    pub products: Vec<Prediction>,
}

/// The announcement of a live version, on `models`: the original system's message.
#[derive(Clone, PartialEq, Message)]
pub struct ModelDescriptor {
    /// Always `recommender`.
    #[prost(string, tag = "1")]
    pub name: String,
    /// For people.
    #[prost(string, tag = "2")]
    pub description: String,
    /// `{base}/v1/models/recommender/versions/{n}:predict`.
    #[prost(string, tag = "3")]
    pub url: String,
}
