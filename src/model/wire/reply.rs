//! The bodies of answers.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat};
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

use super::BodyError;
use super::recommendation_id::RecommendationId;
use crate::model::ids::{ItemId, UserId};
use crate::model::serving::answer::{Answer, AnsweredBy, Recommended, ScorePart, Scores, Source};
use crate::model::serving::query::MAX_SKIP;

/// `{"recommendation_id","user","model","items","execution","next"?}`.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct RecommendationBody {
    /// Encodes the version and which of its lists it is; to be sent back with events that the list led to.
    pub recommendation_id: String,
    /// For whom.
    #[schema(value_type = Option<String>)]
    pub user: Option<UserId>,
    /// Which model; null before the first version.
    pub model: Option<ModelBody>,
    /// The user's variant, in a test that deals users.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub variant: Option<Arc<str>>,
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
    /// What the score is the sum of, the largest first; absent where it was not asked for or is no sum.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<ScorePart>,
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
    /// The body of an answer called `id` and made at `now_ms` in `execution_ms`; `page` is how many items the pages up to
    /// this one gave.
    #[must_use]
    pub fn new(answer: Answer, id: &RecommendationId, execution_ms: f64, now_ms: i64, page: usize) -> Self {
        Self {
            recommendation_id: id.to_string(),
            variant: answer.variant,
            user: answer.user,
            model: answer.model.map(|model| ModelBody::new(model, now_ms)),
            items: answer.items.into_iter().map(ItemBody::from).collect(),
            execution: rounded(execution_ms),
            next: (answer.more && page <= MAX_SKIP).then(|| next_token(page)),
        }
    }
}

impl ModelBody {
    /// The model as it is at `now_ms`.
    #[must_use]
    pub fn new(model: AnsweredBy, now_ms: i64) -> Self {
        Self {
            version: model.version.0,
            kind: model.kind,
            events_to: model.events_to_ms.and_then(rfc3339),
            age_seconds: now_ms.saturating_sub(model.created_ms).max(0) as f64 / 1000.0,
        }
    }
}

impl From<Recommended> for ItemBody {
    fn from(item: Recommended) -> Self {
        Self { id: item.id, score: item.score, source: item.source, reason: item.reason, parts: item.parts }
    }
}

impl ScoreBody {
    /// The body of scores for `products`, made in `execution_ms`.
    #[must_use]
    pub fn new(products: Vec<ItemId>, scores: &Scores, execution_ms: f64) -> Self {
        let model = scores.model.as_ref().map_or_else(|| "ouzel".to_owned(), |by| format!("ouzel {}", by.version));
        let predictions = scores.scores.iter().copied().chain(std::iter::repeat(None));
        let products =
            products.into_iter().zip(predictions).map(|(product, prediction)| PredictionBody { product, prediction });
        Self { model, execution: rounded(execution_ms), products: products.collect() }
    }
}

/// The token of the page after the first `given` items.
#[must_use]
pub fn next_token(given: usize) -> String {
    format!("{given:x}-{:04x}", check_digits(given))
}

/// How many items the pages before the one that `next` names gave.
///
/// # Errors
/// [`BodyError`] at `next` where it is no token of [`next_token`].
pub fn given_of(next: &str) -> Result<usize, BodyError> {
    let read = || {
        let (given, check) = next.split_once('-')?;
        let given = usize::from_str_radix(given, 16).ok().filter(|&given| (1..=MAX_SKIP).contains(&given))?;
        // Also refuses other spellings of the same number.
        (next_token(given) == next && is_hex(check, 4)).then_some(given)
    };
    read().ok_or_else(|| BodyError::at("next", "bad_next", "must be the next of the answer before, as it was given"))
}

/// Tells a token that was cut or made up from one that was given.
fn check_digits(given: usize) -> u16 {
    (xxh3_64(&(given as u64).to_le_bytes()) & 0xffff) as u16
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn rfc3339(ms: i64) -> Option<String> {
    DateTime::from_timestamp_millis(ms).map(|time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

/// Milliseconds to the microsecond, without the digits that a clock does not measure.
fn rounded(ms: f64) -> f64 {
    (ms * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::Version;
    use proptest::prelude::*;

    fn by(version: u64) -> AnsweredBy {
        let events_to_ms = Some(1_769_860_800_000);
        AnsweredBy { version: Version(version), kind: "ease".to_owned(), events_to_ms, created_ms: 1_769_860_860_000 }
    }

    #[test]
    fn the_body_of_a_list() {
        let items = vec![
            Recommended {
                id: "a".parse().unwrap(),
                score: 0.18,
                source: Source::Personal,
                reason: None,
                parts: vec![],
            },
            Recommended {
                id: "7".parse().unwrap(),
                score: 3.0,
                source: Source::Trending,
                reason: Some("taken often lately".to_owned()),
                parts: vec![],
            },
        ];
        let (user, variant) = (Some("25".parse().unwrap()), Some(Arc::from("new")));
        let id = RecommendationId { version: 7, process: 0xabc, number: 0xdef, variant: variant.clone() };
        let answer = Answer { user, model: Some(by(7)), variant, items, more: true };
        let body = RecommendationBody::new(answer, &id, 0.08, 1_769_860_861_500, 2);
        insta::assert_json_snapshot!(body, @r#"
        {
          "recommendation_id": "7-000abc0000000def-new",
          "user": "25",
          "model": {
            "version": 7,
            "kind": "ease",
            "events_to": "2026-01-31T12:00:00Z",
            "age_seconds": 1.5
          },
          "variant": "new",
          "items": [
            {
              "id": "a",
              "score": 0.18,
              "source": "personal"
            },
            {
              "id": "7",
              "score": 3.0,
              "source": "trending",
              "reason": "taken often lately"
            }
          ],
          "execution": 0.08,
          "next": "2-e243"
        }
        "#);
    }

    #[test]
    fn the_body_of_a_list_before_the_first_version() {
        let id = RecommendationId { version: 0, process: 1, number: 2, variant: None };
        let answer = Answer { user: None, model: None, variant: None, items: vec![], more: false };
        let body = RecommendationBody::new(answer, &id, 0.5, 0, 0);
        insta::assert_json_snapshot!(body, @r#"
        {
          "recommendation_id": "0-0000010000000002",
          "user": null,
          "model": null,
          "items": [],
          "execution": 0.5
        }
        "#);
    }

    #[test]
    fn the_body_of_scores() {
        let scores = Scores { model: Some(by(7)), scores: vec![Some(0.18), None] };
        let products: Vec<ItemId> = vec!["1".parse().unwrap(), "2".parse().unwrap()];
        insta::assert_json_snapshot!(ScoreBody::new(products.clone(), &scores, 0.08), @r#"
        {
          "model": "ouzel 7",
          "execution": 0.08,
          "products": [
            {
              "product": "1",
              "prediction": 0.18
            },
            {
              "product": "2",
              "prediction": null
            }
          ]
        }
        "#);
        let none = Scores { model: None, scores: vec![None, None] };
        let body = ScoreBody::new(products, &none, 0.08);
        assert_eq!((body.model.as_str(), body.products.len()), ("ouzel", 2));
    }

    #[test]
    fn tokens_that_are_not_ours_are_told_apart() {
        for token in ["", "a", "a-", "-0000", "0-0000", "00a-0000", "a-0000", "fffffffff-0000", "é-é"] {
            assert_eq!(given_of(token).unwrap_err().field.as_deref(), Some("next"), "{token}");
        }
    }

    proptest! {
        #[test]
        fn a_token_gives_back_the_count(given in 1..=MAX_SKIP) {
            prop_assert_eq!(given_of(&next_token(given)), Ok(given));
        }
    }
}
