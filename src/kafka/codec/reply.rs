//! Records of the reply topic.

use std::sync::Arc;

use prost::Message;

use super::messages::{Prediction, RecommendationReply};
use super::{Format, Request};
use crate::kafka::producer::OutRecord;
use crate::model::ids::{ItemId, UserId};
use crate::model::wire::reply::{RecommendationBody, ScoreBody};

/// The body of a reply.
#[derive(Debug, Clone)]
pub enum ReplyBody {
    /// A list.
    List(RecommendationBody),
    /// Scores of what was asked for.
    Scores(ScoreBody),
}

/// A reply's bytes in the format of its request. In protobuf a list is scores of its items, best first.
///
/// # Errors
/// [`serde_json::Error`] when a body cannot be written as JSON.
pub fn encode_reply(body: &ReplyBody, format: Format) -> Result<Vec<u8>, serde_json::Error> {
    match (format, body) {
        (Format::Json, ReplyBody::List(list)) => serde_json::to_vec(list),
        (Format::Json, ReplyBody::Scores(scores)) => serde_json::to_vec(scores),
        (Format::Protobuf, ReplyBody::List(list)) => {
            let model =
                list.model.as_ref().map_or_else(|| "ouzel".to_owned(), |model| format!("ouzel {}", model.version));
            let products = list.items.iter().map(|item| prediction(&item.id, Some(item.score))).collect();
            Ok(RecommendationReply { model, execution: list.execution, products }.encode_to_vec())
        }
        (Format::Protobuf, ReplyBody::Scores(scores)) => {
            let products =
                scores.products.iter().map(|scored| prediction(&scored.product, scored.prediction)).collect();
            let reply = RecommendationReply { model: scores.model.clone(), execution: scores.execution, products };
            Ok(reply.encode_to_vec())
        }
    }
}

/// The record of a reply: key is the user, headers are `content-type`, `correlation-id`, once there is a version
/// `model-version`, and of a list `recommendation-id`, which the protobuf message has no room for.
///
/// # Errors
/// [`serde_json::Error`] when a body cannot be written as JSON.
pub fn reply_record(
    topic: &Arc<str>,
    request: &Request,
    body: &ReplyBody,
    version: Option<u64>,
) -> Result<OutRecord, serde_json::Error> {
    let mut headers = vec![
        ("content-type".to_owned(), request.format.content_type().as_bytes().to_vec()),
        ("correlation-id".to_owned(), request.correlation_id.clone()),
    ];
    headers.extend(version.map(|version| ("model-version".to_owned(), version.to_string().into_bytes())));
    if let ReplyBody::List(list) = body {
        headers.push(("recommendation-id".to_owned(), list.recommendation_id.clone().into_bytes()));
    }
    Ok(OutRecord {
        topic: Arc::clone(topic),
        key: request.user().map(|user: &UserId| user.as_str().as_bytes().to_vec()),
        payload: Some(encode_reply(body, request.format)?),
        headers,
    })
}

fn prediction(id: &ItemId, score: Option<f32>) -> Prediction {
    Prediction { product: number(id.as_str()), prediction: f64::from(score.unwrap_or(0.0)), id: id.to_string() }
}

/// The id as a number where it is a decimal one that 64 bits hold, else 0.
fn number(id: &str) -> i64 {
    if id.starts_with('+') { 0 } else { id.parse().unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use insta::assert_json_snapshot;
    use serde_json::Value;

    use super::*;
    use crate::model::serving::answer::Source;
    use crate::model::serving::query::Query;
    use crate::model::wire::question::Question;
    use crate::model::wire::reply::{ItemBody, ModelBody, PredictionBody};

    fn scores() -> ReplyBody {
        let scored = |id: &str, prediction| PredictionBody { product: ItemId::new(id).unwrap(), prediction };
        let products = vec![scored("17", Some(0.5)), scored("mug", None), scored("-4", Some(-1.5))];
        ReplyBody::Scores(ScoreBody { model: "ouzel 7".to_owned(), execution: 0.25, products })
    }

    fn list() -> ReplyBody {
        let item = |id: u64, score| ItemBody {
            id: ItemId::from(id),
            score,
            source: Source::Popular,
            reason: None,
            parts: vec![],
        };
        let model = ModelBody { version: 3, kind: "ease".to_owned(), events_to: None, age_seconds: 1.0 };
        ReplyBody::List(RecommendationBody {
            recommendation_id: "r".to_owned(),
            user: Some(UserId::from(25_u64)),
            model: Some(model),
            variant: None,
            items: vec![item(9, 2.0), item(4, 1.0)],
            execution: 0.5,
            next: None,
        })
    }

    fn request(format: Format) -> Request {
        let question = Question::Recommend(Query { user: Some(UserId::from(25_u64)), n: 10, ..Query::default() });
        Request { question, format, correlation_id: b"mdata/0/5".to_vec() }
    }

    #[test]
    fn a_protobuf_reply_has_numbers_where_ids_are_numbers() {
        let reply = RecommendationReply::decode(&*encode_reply(&scores(), Format::Protobuf).unwrap()).unwrap();
        assert_eq!((reply.model.as_str(), reply.execution), ("ouzel 7", 0.25));
        let products: Vec<_> = reply.products.iter().map(|p| (p.product, p.prediction, p.id.as_str())).collect();
        assert_eq!(products, [(17, 0.5, "17"), (0, 0.0, "mug"), (-4, -1.5, "-4")]);
        let reply = RecommendationReply::decode(&*encode_reply(&list(), Format::Protobuf).unwrap()).unwrap();
        assert_eq!(reply.model, "ouzel 3");
        assert_eq!(reply.products.iter().map(|p| (p.product, p.prediction)).collect::<Vec<_>>(), [(9, 2.0), (4, 1.0)]);
        assert_eq!((number("99999999999999999999"), number("+5"), number("5.0"), number("007")), (0, 0, 0, 7));
    }

    #[test]
    fn a_json_reply_is_the_body_that_http_gives() {
        let body: Value = serde_json::from_slice(&encode_reply(&scores(), Format::Json).unwrap()).unwrap();
        assert_json_snapshot!(body, @r#"
        {
          "execution": 0.25,
          "model": "ouzel 7",
          "products": [
            {
              "prediction": 0.5,
              "product": "17"
            },
            {
              "prediction": null,
              "product": "mug"
            },
            {
              "prediction": -1.5,
              "product": "-4"
            }
          ]
        }
        "#);
    }

    #[test]
    fn a_reply_says_whose_it_is_and_who_made_it() {
        let reply = reply_record(&Arc::from("recommendations"), &request(Format::Json), &list(), Some(3)).unwrap();
        assert_eq!((&*reply.topic, reply.key.as_deref()), ("recommendations", Some(b"25".as_slice())));
        let headers: Vec<_> =
            reply.headers.iter().map(|(name, value)| (name.as_str(), str::from_utf8(value).unwrap())).collect();
        let expected = [
            ("content-type", "application/json"),
            ("correlation-id", "mdata/0/5"),
            ("model-version", "3"),
            ("recommendation-id", "r"),
        ];
        assert_eq!(headers, expected);
        let early = reply_record(&Arc::from("r"), &request(Format::Protobuf), &scores(), None).unwrap();
        assert_eq!(early.headers.len(), 2);
        assert_eq!(early.headers[0].1, b"application/x-protobuf");
    }
}
