//! Records that could not be read or applied: `/v1/dead-letters`.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::errors::ApiError;
use super::openapi::Refused;
use super::params::Params;
use super::ports::{DeadLetter, Replayed};
use super::service::Service;

/// Dead letters listed or sent again where no limit was asked for, and at most.
const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 100_000;

/// The dead letters.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct DeadLettersView {
    /// Newest first.
    pub dead_letters: Vec<DeadLetter>,
}

/// `GET /v1/dead-letters`.
#[utoipa::path(get, path = "/v1/dead-letters", tag = "service", params(("limit" = Option<usize>, Query, minimum = 1, maximum = 100_000, description = "How many; 100 where absent")),
    responses((status = 200, description = "The latest, newest first; none without Kafka", body = DeadLettersView), (status = 409, description = "Kafka refuses it", body = super::errors::Problem, content_type = "application/problem+json"), Refused))]
pub async fn list(service: web::Data<Service>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let limit = Params::read(request.query_string(), &["limit"])?.number("limit", MAX_LIMIT)?;
    let dead_letters = match &service.parts.dead_letters {
        Some(port) => port.list(limit.unwrap_or(DEFAULT_LIMIT)).await?,
        None => Vec::new(),
    };
    Ok(HttpResponse::Ok().json(DeadLettersView { dead_letters }))
}

/// `POST /v1/dead-letters/replay`.
#[utoipa::path(post, path = "/v1/dead-letters/replay", tag = "service", params(
        ("topic" = Option<String>, Query, description = "Only records that came from this topic"),
        ("limit" = Option<usize>, Query, minimum = 1, maximum = 100_000, description = "At most as many; all where absent")),
    responses((status = 200, description = "How many were sent to the topic they came from", body = Replayed), (status = 409, description = "Kafka refuses it", body = super::errors::Problem, content_type = "application/problem+json"), Refused))]
pub async fn replay(service: web::Data<Service>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let params = Params::read(request.query_string(), &["topic", "limit"])?;
    let (topic, limit) = (params.one("topic")?.map(str::to_owned), params.number("limit", MAX_LIMIT)?);
    let replayed = match &service.parts.dead_letters {
        Some(port) => port.replay(topic, limit.unwrap_or(usize::MAX)).await?,
        None => Replayed::default(),
    };
    Ok(HttpResponse::Ok().json(replayed))
}
