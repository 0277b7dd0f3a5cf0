//! The bodies that HTTP and Kafka share.

use serde_json::{Map, Value, json};

use super::{Law, NOW};
use crate::model::ids::ItemId;
use crate::model::serving::query::{MAX_N, MAX_SKIP, Query};
use crate::model::wire::event::{event_from_slice, events_from_slice};
use crate::model::wire::question::{
    MAX_LIST, Question, ScoreQuery, question_from_json, recommend_from_json, score_from_json,
};
use crate::model::wire::reply::next_token;

/// Events and questions in JSON.
pub const BODIES: [Law; 3] = [("events", events), ("recommend", recommend), ("score", score)];

fn events(bytes: &[u8]) -> bool {
    let alone = event_from_slice(bytes, NOW);
    let Ok(read) = events_from_slice(bytes, NOW) else {
        assert!(alone.is_err(), "an event alone is a body of events");
        return false;
    };
    read.iter().flatten().for_each(|event| event.check(NOW).unwrap());
    if let Ok(event) = alone {
        assert_eq!(read, [Ok(event)]);
    }
    read.iter().any(Result::is_ok)
}

fn recommend(bytes: &[u8]) -> bool {
    let Ok(query) = recommend_from_json(bytes) else { return false };
    assert!((1..=MAX_N).contains(&query.n) && query.skip <= MAX_SKIP && (0.0..=1.0).contains(&query.diversity));
    let candidates = query.candidates.as_ref().map_or(0, Vec::len);
    let lengths = [query.items.len(), candidates, query.exclude.len(), query.categories.len()];
    assert!(lengths.iter().all(|&length| length <= MAX_LIST));
    assert_eq!(recommend_from_json(&serde_json::to_vec(&body(&query)).unwrap()), Ok(query));
    true
}

fn score(bytes: &[u8]) -> bool {
    let read = score_from_json(bytes);
    match question_from_json(bytes) {
        Ok(Question::Score(asked)) => assert_eq!(read, Ok(asked), "both readers read the same"),
        Ok(Question::Recommend(asked)) => assert_eq!(recommend_from_json(bytes), Ok(asked)),
        Err(_) => assert!(read.is_err() && recommend_from_json(bytes).is_err()),
    }
    let Ok(ScoreQuery { user, products }) = read else { return false };
    assert!((1..=MAX_LIST).contains(&products.len()));
    let again = serde_json::to_vec(&json!({ "user": user, "products": products })).unwrap();
    assert_eq!(score_from_json(&again), Ok(ScoreQuery { user, products }));
    true
}

/// A question as a body.
fn body(query: &Query) -> Value {
    let Query { user, items, n, candidates, exclude, categories, include_seen, explain, diversity, skip } = query;
    let mut body = Map::new();
    let list = |ids: &Vec<ItemId>| json!(ids);
    body.insert("user".to_owned(), json!(user));
    body.insert("items".to_owned(), list(items));
    body.insert("n".to_owned(), json!(n));
    body.insert("candidates".to_owned(), candidates.as_ref().map_or(Value::Null, list));
    body.insert("exclude".to_owned(), list(exclude));
    body.insert("categories".to_owned(), json!(categories));
    body.insert("include_seen".to_owned(), json!(include_seen));
    body.insert("explain".to_owned(), json!(explain));
    body.insert("diversity".to_owned(), json!(diversity));
    body.insert("next".to_owned(), if *skip == 0 { Value::Null } else { json!(next_token(*skip)) });
    Value::Object(body)
}
