//! Events in: `POST /v1/events`, one, an array, or a line each.

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use serde_json::Value;

use super::body::{self, Form};
use super::errors::{ApiError, Kind};
use super::intake::{Intake, Report};
use super::openapi::{EventPut, Refused, RefusedBody};
use super::service::Service;
use crate::actors::errors::IngestError;
use crate::actors::messages::{Applied, EventBatch};
use crate::model::wire::event::event_from_json;

/// `POST /v1/events`.
#[utoipa::path(post, path = "/v1/events", tag = "events",
    request_body(description = "One event, an array of events, or an event a line in NDJSON of up to `server.ndjson_limit` bytes",
        content((EventPut = "application/json"), (EventPut = "application/x-ndjson"))),
    responses((status = 200, description = "All that is accepted is durable, and counts from the next request on", body = Report), Refused, RefusedBody))]
pub async fn post(
    service: web::Data<Service>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let server = &service.parts.settings.server;
    let mut payload = payload.into_inner();
    let form = body::form(request.headers())?;
    let ingest = &service.parts.ingest;
    let submit = async |batch: EventBatch| ingest.submit(batch).await;
    let (clock, meters) = (service.parts.clock.clone(), service.parts.meters.clone());
    let intake = Intake::new(submit, event_from_json, clock, service.parts.settings.ingest.batch, meters);
    let report = match form {
        Form::Json => {
            body::announced(request.headers(), server.body_limit)?;
            take_whole(intake, &body::whole(&mut payload, server.body_limit).await?).await?
        }
        Form::Lines => {
            body::announced(request.headers(), server.ndjson_limit)?;
            take_lines(intake, payload, Limits { body: server.ndjson_limit, line: server.body_limit }).await?
        }
    };
    Ok(HttpResponse::Ok().json(report))
}

/// Bytes of an NDJSON body and of one line of it.
struct Limits {
    body: usize,
    line: usize,
}

/// Takes a body that is one JSON value; lines that were sent as JSON are told by what follows the first.
pub(super) async fn take_whole<S>(mut intake: Intake<S>, body: &[u8]) -> Result<Report, ApiError>
where
    S: AsyncFn(EventBatch) -> Result<Applied, IngestError>,
{
    match serde_json::from_slice(body) {
        Ok(Value::Array(values)) => {
            for value in &values {
                intake.value(value, body.len() / values.len()).await?;
            }
            intake.finish().await
        }
        Ok(value @ Value::Object(_)) => intake.alone(&value).await,
        Ok(_) => Err(ApiError::new(Kind::Invalid, "the body must be an event object, an array of them, or NDJSON")),
        Err(_) if is_lines(body) => {
            for line in body.split(|&byte| byte == b'\n') {
                intake.line(line).await?;
            }
            intake.finish().await
        }
        Err(error) => Err(ApiError::new(Kind::Invalid, format!("the body is not JSON: {error}"))),
    }
}

fn is_lines(body: &[u8]) -> bool {
    let body = body.trim_ascii_start();
    let first = body.split(|&byte| byte == b'\n').next().unwrap_or_default();
    first.len() < body.len() && serde_json::from_slice::<Value>(first).is_ok_and(|value| value.is_object())
}

/// Takes lines as they come.
async fn take_lines<S, P>(mut intake: Intake<S>, mut payload: P, limits: Limits) -> Result<Report, ApiError>
where
    S: AsyncFn(EventBatch) -> Result<Applied, IngestError>,
    P: Stream<Item = Result<Bytes, actix_web::error::PayloadError>> + Unpin,
{
    let (mut rest, mut searched, mut total) = (BytesMut::new(), 0, 0);
    loop {
        let part = match body::next_part(&mut payload).await {
            Ok(Some(part)) => part,
            Ok(None) => break,
            Err(error) => return Err(intake.broken_off(error).await),
        };
        total += part.len();
        if total > limits.body {
            return Err(intake.broken_off(ApiError::too_large(limits.body)).await);
        }
        rest.extend_from_slice(&part);
        while let Some(end) = rest.get(searched..).and_then(|new| new.iter().position(|&byte| byte == b'\n')) {
            let line = rest.split_to(searched + end + 1);
            searched = 0;
            intake.line(&line).await?;
        }
        searched = rest.len();
        if rest.len() > limits.line {
            let error =
                ApiError::new(Kind::TooLarge, format!("a line is longer than the limit of {} bytes", limits.line));
            return Err(intake.broken_off(error).await);
        }
    }
    intake.line(&rest).await?;
    if total == 0 {
        return Err(ApiError::new(Kind::Invalid, "the body is empty: send an event a line"));
    }
    intake.finish().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::clock::Clock;
    use crate::model::event::Event;
    use crate::model::wire::BodyError;
    use futures_util::stream;
    use std::sync::Arc;

    /// Reads an object with the number `n`; 13 lies in the future.
    fn read(value: &Value, _arrival_ms: i64) -> Result<Event, BodyError> {
        let wrong =
            |field: &str, code| BodyError { field: Some(field.to_owned()), code, message: "is wrong".to_owned() };
        let item = value.get("n").and_then(Value::as_u64).ok_or_else(|| wrong("n", "missing"))?;
        if item == 13 {
            return Err(wrong("timestamp", "timestamp_in_future"));
        }
        let user = "u".parse().unwrap();
        let kind = "view".into();
        Ok(Event { user, item: item.into(), kind, value: 1.0, timestamp_ms: None, id: None, recommendation_id: None })
    }

    async fn submit(batch: EventBatch) -> Result<Applied, IngestError> {
        Ok(Applied { accepted: batch.events.len() as u64, ..Applied::default() })
    }

    async fn whole(body: &str) -> Result<Report, ApiError> {
        take_whole(Intake::new(submit, read, Clock::held(0), 10, Arc::default()), body.as_bytes()).await
    }

    #[actix_web::test]
    async fn one_event_an_array_and_lines_are_told_apart() {
        for (body, accepted, rejected) in [
            ("{\n \"n\": 1\n}", 1, 0),
            ("[{\"n\":1},{\"m\":1},{\"n\":2}]", 2, 1),
            ("[]", 0, 0),
            ("{\"n\":1}\n{\"n\":2}\n", 2, 0),
            ("{\"n\":13}", 0, 1),
            ("[7]", 0, 1),
        ] {
            let report = whole(body).await.unwrap();
            assert_eq!((report.accepted, report.rejected.len()), (accepted, rejected), "{body}");
        }
        for body in ["", "7", "nonsense", "{\"n\":1", "{\"n\":1} {\"n\":2}"] {
            assert_eq!(whole(body).await.unwrap_err().kind(), Kind::Invalid, "{body}");
        }
        let problem = whole("{\"m\":1}").await.unwrap_err().problem();
        assert_eq!(
            (problem.status, problem.field.as_deref(), problem.detail.as_str()),
            (400, Some("n"), "n: is wrong")
        );
    }

    #[actix_web::test]
    async fn lines_are_found_wherever_the_parts_are_cut() {
        let body = "{\"n\":1}\n\n{\"n\":2}\r\n{\"m\":3}\n{\"n\":4}";
        for size in 1..body.len() {
            let parts = body.as_bytes().chunks(size).map(|part| Ok(Bytes::copy_from_slice(part)));
            let intake = Intake::new(submit, read, Clock::held(0), 2, Arc::default());
            let report = take_lines(intake, stream::iter(parts), Limits { body: 1000, line: 100 }).await.unwrap();
            assert_eq!((report.accepted, report.rejected[0].index), (3, 2), "parts of {size}");
        }
    }

    #[actix_web::test]
    async fn a_body_or_line_over_its_limit_is_cut_off_and_said() {
        for limits in [Limits { body: 20, line: 100 }, Limits { body: 1000, line: 15 }] {
            let parts = ["{\"n\":1}\n", "{\"n\":2, \"much\":\"much\"", "}"].map(|part| Ok(Bytes::from(part)));
            let intake = Intake::new(submit, read, Clock::held(0), 10, Arc::default());
            let problem = take_lines(intake, stream::iter(parts), limits).await.unwrap_err().problem();
            assert_eq!((problem.status, problem.extras["accepted"].as_u64()), (413, Some(1)));
        }
    }
}
