//! Gorse's feedback: events, of which one of a type by a user on an item is shown.

use std::collections::{HashMap, HashSet};

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::wire::{Page, Success, cursor, given, objects, time_ms, time_text, written};
use crate::actors::messages::EventBatch;
use crate::http::body::JsonBytes;
use crate::http::errors::{ApiError, Kind};
use crate::http::openapi::{Refused, RefusedBody, Text};
use crate::http::params::{self, Params};
use crate::http::service::Service;
use crate::http::times;
use crate::model::event::Event;
use crate::model::histories::Act;
use crate::model::ids::{ItemId, UserId};
use crate::model::interactions::NO_TIME;
use crate::model::wire::event::event_from_json;

/// Feedback that is sent, for the documentation. Other fields are passed over, as Gorse does.
#[derive(utoipa::ToSchema)]
#[serde(rename_all = "PascalCase")]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub struct FeedbackPut {
    /// What was done.
    feedback_type: Text,
    /// By whom.
    user_id: Text,
    /// On which item.
    item_id: Text,
    /// How much of it; 0 is 1, as clients send it where they mean nothing by it.
    value: Option<f64>,
    /// When: RFC 3339, a date, or a date and time in UTC; absent or empty: its arrival.
    timestamp: Option<String>,
    /// Passed over: events have no comment.
    comment: Option<String>,
    /// The list that led to it, by the header `X-Recommendation-ID`; not Gorse's.
    recommendation_id: Option<String>,
}

/// Feedback as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Feedback {
    /// What was done.
    pub feedback_type: String,
    /// By whom.
    #[schema(value_type = String)]
    pub user_id: UserId,
    /// On which item.
    #[schema(value_type = String)]
    pub item_id: ItemId,
    /// How much of it.
    pub value: f32,
    /// When.
    pub timestamp: String,
    /// Always empty.
    pub comment: &'static str,
}

/// A page of feedback.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct FeedbackPage {
    /// What is to be sent for the next page; empty on the last.
    pub cursor: String,
    /// Users in the order of their ids, each with all that is shown of them.
    pub feedback: Vec<Feedback>,
}

/// What becomes of feedback of the same type by the same user on the same item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// The new one is passed over.
    Stays,
    /// The new one is added and shown, unless time and value are the same.
    Yields,
}

/// `POST /api/feedback`.
#[utoipa::path(post, path = "/api/feedback", tag = "gorse", request_body = [FeedbackPut],
    responses((status = 200, description = "Durable; feedback of a type, user and item that was known is passed over", body = Success), Refused, RefusedBody))]
pub async fn post(service: web::Data<Service>, body: JsonBytes) -> Result<HttpResponse, ApiError> {
    let events = read(&body.0, service.now_ms())?;
    take_in(&service, events, Existing::Stays).await.map(written)
}

/// `PUT /api/feedback`.
#[utoipa::path(put, path = "/api/feedback", tag = "gorse", request_body = [FeedbackPut],
    responses((status = 200, description = "Durable; it is shown instead of what was known of that type, user and item", body = Success), Refused, RefusedBody))]
pub async fn put(service: web::Data<Service>, body: JsonBytes) -> Result<HttpResponse, ApiError> {
    let events = read(&body.0, service.now_ms())?;
    take_in(&service, events, Existing::Yields).await.map(written)
}

/// `GET /api/feedback`.
#[utoipa::path(get, path = "/api/feedback", tag = "gorse", params(
        ("n" = Option<usize>, Query, minimum = 1, maximum = 1000, description = "About how many: a user's feedback is not cut; 10 where absent"),
        ("cursor" = Option<String>, Query, description = "The `Cursor` of the page before")),
    responses((status = 200, description = "A page", body = FeedbackPage), Refused))]
pub async fn list(service: web::Data<Service>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let params = Params::read(request.query_string(), &["n", "cursor"])?;
    let n = params.n()?;
    let mut page = Page::new(given(&params, "cursor")?.unwrap_or_default(), n);
    service.parts.recommending.histories.each(|user, _| page.offer(user));
    let users: Vec<UserId> = page.into_sorted();
    let mut all = Vec::new();
    let mut last = "";
    for user in &users {
        all.extend(of_user(&service, user, None));
        last = user.as_str();
        if all.len() >= n {
            break;
        }
    }
    let more = users.last().is_some_and(|user| user.as_str() != last) || !cursor(&users, n).is_empty();
    let cursor = if more { last.to_owned() } else { String::new() };
    Ok(HttpResponse::Ok().json(FeedbackPage { cursor, feedback: all }))
}

/// `GET /api/user/{user}/feedback`.
#[utoipa::path(get, path = "/api/user/{user}/feedback", tag = "gorse", params(("user" = String, Path, description = "The user")),
    responses((status = 200, description = "All feedback of the user", body = [Feedback]), Refused))]
pub async fn of(service: web::Data<Service>, user: web::Path<String>) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(of_user(&service, &params::id("user", &user)?, None)))
}

/// `GET /api/user/{user}/feedback/{type}`.
#[utoipa::path(get, path = "/api/user/{user}/feedback/{type}", tag = "gorse", params(
        ("user" = String, Path, description = "The user"), ("type" = String, Path, description = "What was done")),
    responses((status = 200, description = "The user's feedback of this type", body = [Feedback]), Refused))]
pub async fn of_type(service: web::Data<Service>, path: web::Path<(String, String)>) -> Result<HttpResponse, ApiError> {
    let (user, kind) = path.into_inner();
    Ok(HttpResponse::Ok().json(of_user(&service, &params::id("user", &user)?, Some(&kind))))
}

/// `DELETE /api/feedback/{user}/{item}`.
#[utoipa::path(delete, path = "/api/feedback/{user}/{item}", tag = "gorse", params(
        ("user" = String, Path, description = "The user"), ("item" = String, Path, description = "The item")),
    responses(
        (status = 200, description = "There was none", body = Success),
        (status = 409, description = "Single events are not taken back", body = crate::http::errors::Problem, content_type = "application/problem+json"), Refused))]
pub async fn delete(service: web::Data<Service>, path: web::Path<(String, String)>) -> Result<HttpResponse, ApiError> {
    let (user, item) = (params::id("user", &path.0)?, params::id::<ItemId>("item", &path.1)?);
    if of_user(&service, &user, None).iter().all(|feedback| feedback.item_id != item) {
        return Ok(written(0));
    }
    Err(ApiError::new(
        Kind::Conflict,
        "single events are not taken back: send one of a type whose weight is negative, such as dislike, or erase the user",
    ))
}

/// Reads a list of feedback as events: all of it or none.
///
/// # Errors
/// 400 naming the element and its field.
pub fn read(body: &[u8], now_ms: i64) -> Result<Vec<Event>, ApiError> {
    let event = |(index, fields)| event_of(index, &fields, now_ms);
    objects(body)?.into_iter().enumerate().map(event).collect()
}

/// Gorse's names of an event's fields.
const NAMES: [(&str, &str); 5] = [
    ("user", "UserId"),
    ("item", "ItemId"),
    ("type", "FeedbackType"),
    ("value", "Value"),
    ("recommendation_id", "RecommendationId"),
];

fn event_of(index: usize, fields: &Map<String, Value>, now_ms: i64) -> Result<Event, ApiError> {
    let wrong = |name: &str, message: String| ApiError::field(&format!("[{index}].{name}"), message);
    let mut event = Map::new();
    for (ours, theirs) in NAMES {
        // A text that is empty is what an absent one is in Go, and so is a value of 0.
        let empty = |value: &&Value| value.as_str() == Some("") || (ours == "value" && value.as_f64() == Some(0.0));
        if let Some(value) = fields.get(theirs).filter(|value| !empty(value)) {
            event.insert(ours.to_owned(), value.clone());
        }
    }
    if event.get("type").is_none_or(Value::is_null) {
        return Err(wrong("FeedbackType", "is missing".to_owned()));
    }
    if let Some(time_ms) = time_ms(fields.get("Timestamp")).map_err(|message| wrong("Timestamp", message))? {
        let text =
            times::rfc3339(time_ms).ok_or_else(|| wrong("Timestamp", "lies out of the range of times".into()))?;
        event.insert("timestamp".to_owned(), json!(text));
    }
    event_from_json(&Value::Object(event), now_ms).map_err(|error| {
        let field = error.field.as_deref().unwrap_or_default();
        let theirs = NAMES.iter().find(|(ours, _)| *ours == field).map_or("Timestamp", |(_, theirs)| theirs);
        wrong(theirs, error.message)
    })
}

/// Takes events in; returns how many were sent once all that are new are durable.
///
/// # Errors
/// When a batch was not taken.
pub async fn take_in(service: &Service, events: Vec<Event>, existing: Existing) -> Result<usize, ApiError> {
    let sent = events.len();
    let new = new_of(service, events, existing);
    for batch in new.chunks(service.parts.settings.ingest.batch.max(1)) {
        let batch = EventBatch { events: batch.to_vec(), ..EventBatch::default() };
        let applied = service.parts.ingest.submit(batch).await?;
        if let Some(rejected) = applied.rejected.first() {
            return Err(ApiError::new(Kind::Invalid, rejected.error.clone()));
        }
    }
    Ok(sent)
}

/// The events that are to be added. Feedback that another request sends at the same moment is not seen here.
fn new_of(service: &Service, events: Vec<Event>, existing: Existing) -> Vec<Event> {
    let recommending = &service.parts.recommending;
    let (histories, catalogue) = (&recommending.histories, &recommending.catalogue);
    let mut here = HashSet::new();
    let known = |event: &Event| {
        let (Some(kind), Some(item)) = (histories.types().known(&event.kind), catalogue.known(&event.item)) else {
            return false;
        };
        let time_ms = event.timestamp_ms.unwrap_or(NO_TIME);
        #[expect(clippy::float_cmp, reason = "the same feedback carries the same number")]
        let same = |act: &Act| existing == Existing::Stays || (act.time_ms() == time_ms && act.value == event.value);
        let found = |acts: &[Act]| acts.iter().any(|act| act.item() == item && act.kind() == kind && same(act));
        histories.with(&event.user, |history| found(&history.acts)).unwrap_or(false)
    };
    let mut first = |event: &Event| {
        existing == Existing::Yields || here.insert((event.user.clone(), event.item.clone(), event.kind.clone()))
    };
    events.into_iter().filter(|event| !known(event) && first(event)).collect()
}

/// What is shown of a user: the last event of each type on each item.
fn of_user(service: &Service, user: &UserId, kind: Option<&str>) -> Vec<Feedback> {
    let recommending = &service.parts.recommending;
    let types = recommending.histories.types();
    let wanted = kind.map(|kind| types.known(kind));
    let acts = recommending.histories.with(user, |history| {
        let (mut shown, mut places) = (Vec::<Act>::new(), HashMap::new());
        for act in history.acts.iter().filter(|act| wanted.is_none_or(|wanted| wanted == Some(act.kind()))) {
            let place = *places.entry((act.kind(), act.item())).or_insert(shown.len());
            match shown.get_mut(place) {
                Some(before) => *before = *act,
                None => shown.push(*act),
            }
        }
        shown
    });
    let names = types.names();
    let entries = recommending.catalogue.entries();
    let feedback = |act: Act| {
        Some(Feedback {
            feedback_type: names.get(usize::from(act.kind().0))?.to_string(),
            user_id: user.clone(),
            item_id: entries.get(act.item().at())?.id.clone(),
            value: act.value,
            timestamp: time_text(act.time_ms()),
            comment: "",
        })
    };
    acts.into_iter().flatten().filter_map(feedback).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_790_000_000_000;

    fn read_json(value: &Value) -> Result<Vec<Event>, ApiError> {
        read(value.to_string().as_bytes(), NOW)
    }

    #[test]
    fn feedback_is_an_event() {
        let sent = json!([{"FeedbackType": "star", "UserId": "bob", "ItemId": 7, "Timestamp": "2022-02-24", "Value": 0,
            "Comment": "nice", "RecommendationId": "7-x"}]);
        let event = read_json(&sent).unwrap().remove(0);
        assert_eq!((event.user.as_str(), event.item.as_str(), &*event.kind), ("bob", "7", "star"));
        assert_eq!((event.value, event.timestamp_ms), (1.0, Some(1_645_660_800_000)));
        assert_eq!(event.recommendation_id.as_deref(), Some("7-x"));
        let bare = json!([{"FeedbackType": "read", "UserId": "b", "ItemId": "i", "Timestamp": "", "Value": 4.5}]);
        let event = read_json(&bare).unwrap().remove(0);
        assert_eq!((event.value, event.timestamp_ms), (4.5, Some(NOW)));
    }

    #[test]
    fn a_bad_element_is_named_and_nothing_is_taken() {
        let good = json!({"FeedbackType": "star", "UserId": "b", "ItemId": "i"});
        for (change, field) in [
            (json!({"UserId": ""}), "[1].UserId"),
            (json!({"ItemId": null}), "[1].ItemId"),
            (json!({"FeedbackType": ""}), "[1].FeedbackType"),
            (json!({"FeedbackType": 3}), "[1].FeedbackType"),
            (json!({"Value": "much"}), "[1].Value"),
            (json!({"Timestamp": "soon"}), "[1].Timestamp"),
            (json!({"Timestamp": "1970-01-01"}), "[1].Timestamp"),
        ] {
            let mut bad = good.clone();
            bad.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            assert_eq!(read_json(&json!([good, bad])).unwrap_err().problem().field.as_deref(), Some(field));
        }
        assert!(read(b"{}", NOW).is_err() && read(b"[1]", NOW).is_err() && read(b"[", NOW).is_err());
    }
}
