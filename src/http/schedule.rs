//! When runs start by themselves: `/v1/schedule`.

use actix_web::{HttpResponse, web};
use serde_json::{Map, Value};

use super::body::JsonBytes;
use super::errors::{ApiError, Kind};
use super::openapi::{Refused, RefusedBody};
use super::service::Service;
use crate::actors::messages::ScheduleState;

/// The fields that a PUT may hold.
pub const FIELDS: [&str; 5] = ["cron", "interval_seconds", "every_events", "drift", "paused"];

/// `GET /v1/schedule`.
#[utoipa::path(get, path = "/v1/schedule", tag = "runs",
    responses((status = 200, description = "The schedule", body = ScheduleState), Refused))]
pub async fn get(service: web::Data<Service>) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(service.parts.trainer.schedule().await?))
}

/// `PUT /v1/schedule`.
#[utoipa::path(put, path = "/v1/schedule", tag = "runs", request_body(content = ScheduleState, description = "What is absent stays as it is, so that `{\"paused\":true}` pauses; `next_ms` is not read"),
    responses((status = 200, description = "The schedule from now on", body = ScheduleState), Refused, RefusedBody))]
pub async fn put(service: web::Data<Service>, body: JsonBytes) -> Result<HttpResponse, ApiError> {
    let fields = read(&body.0)?;
    let wanted = laid_over(&service.parts.trainer.schedule().await?, fields)?;
    Ok(HttpResponse::Ok().json(service.parts.trainer.set_schedule(wanted).await?))
}

fn read(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    let mut fields: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|error| ApiError::new(Kind::Invalid, format!("the body is no JSON object: {error}")))?;
    // What GET gave may be sent back as it is.
    fields.remove("next_ms");
    for (name, value) in &fields {
        if !FIELDS.contains(&name.as_str()) {
            return Err(ApiError::field(name, format!("is not known; known are: {}", FIELDS.join(", "))));
        }
        let alone = Value::Object(Map::from_iter([(name.clone(), value.clone())]));
        serde_json::from_value::<ScheduleState>(alone).map_err(|error| ApiError::field(name, error))?;
    }
    Ok(fields)
}

fn laid_over(current: &ScheduleState, fields: Map<String, Value>) -> Result<ScheduleState, ApiError> {
    let Ok(Value::Object(mut all)) = serde_json::to_value(current) else { return Err(ApiError::internal()) };
    all.remove("next_ms");
    all.extend(fields);
    serde_json::from_value(Value::Object(all)).map_err(|error| ApiError::new(Kind::Invalid, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_absent_stays() {
        let current = ScheduleState { cron: "0 3 * * *".to_owned(), next_ms: Some(5), ..ScheduleState::default() };
        let paused = laid_over(&current, read(b"{\"paused\":true,\"next_ms\":5}").unwrap()).unwrap();
        assert_eq!(paused, ScheduleState { paused: true, next_ms: None, ..current });
    }

    #[test]
    fn a_bad_field_is_named() {
        for (body, field) in
            [("{\"crom\":\"\"}", "crom"), ("{\"every_events\":-1}", "every_events"), ("{\"paused\":1}", "paused")]
        {
            assert_eq!(read(body.as_bytes()).unwrap_err().problem().field.as_deref(), Some(field), "{body}");
        }
        assert!(read(b"[]").is_err());
    }
}
