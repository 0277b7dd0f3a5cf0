//! Records that could not be read or applied: `/v1/dead-letters`.

use actix_web::{HttpRequest, HttpResponse, web};

use super::errors::ApiError;
use super::openapi::Refused;
use super::params::Params;
use super::ports::{DeadLetterFilter, DeadLetterPage, Replayed};
use super::service::Service;

/// Dead letters listed or sent again where no limit was asked for, and at most.
const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 100_000;

/// `GET /v1/dead-letters`.
#[utoipa::path(get, path = "/v1/dead-letters", tag = "service", params(
        ("limit" = Option<usize>, Query, minimum = 1, maximum = 100_000, description = "How many; 100 where absent"),
        ("topic" = Option<String>, Query, description = "Only records that came from this topic"),
        ("partition" = Option<i32>, Query, minimum = 0, description = "Only records that came from this partition"),
        ("reason" = Option<String>, Query, description = "Only those whose reason holds this text, in any case"),
        ("waiting" = Option<bool>, Query, description = "Only those that were not sent back"),
        ("next" = Option<String>, Query, description = "As the page before gave it")),
    responses((status = 200, description = "Dead letters, newest first; none without Kafka", body = DeadLetterPage), (status = 409, description = "Kafka refuses it", body = super::errors::Problem, content_type = "application/problem+json"), Refused))]
pub async fn list(service: web::Data<Service>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let params = Params::read(request.query_string(), &["limit", "topic", "partition", "reason", "waiting", "next"])?;
    let text = |name| params.one(name).map(|value| value.map(str::to_owned));
    let partition = params.one("partition")?.map(|text| text.parse().ok().filter(|&partition: &i32| partition >= 0));
    let partition = match partition {
        Some(None) => return Err(ApiError::field("partition", "must be a whole number from 0")),
        Some(partition) => partition,
        None => None,
    };
    let filter = DeadLetterFilter {
        topic: text("topic")?,
        partition,
        reason: text("reason")?,
        waiting: params.flag("waiting")?,
    };
    let (limit, next) = (params.number("limit", MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT), text("next")?);
    let page = match &service.parts.dead_letters {
        Some(port) => port.list(filter, limit, next).await?,
        None => DeadLetterPage::default(),
    };
    Ok(HttpResponse::Ok().json(page))
}

/// `POST /v1/dead-letters/replay`.
#[utoipa::path(post, path = "/v1/dead-letters/replay", tag = "service", params(
        ("topic" = Option<String>, Query, description = "Only records that came from this topic"),
        ("limit" = Option<usize>, Query, minimum = 1, maximum = 100_000, description = "At most as many; all where absent"),
        ("dry_run" = Option<bool>, Query, description = "Only say what would become of them")),
    responses((status = 200, description = "How many were sent to the topic they came from", body = Replayed), (status = 409, description = "Kafka refuses it", body = super::errors::Problem, content_type = "application/problem+json"), Refused))]
pub async fn replay(service: web::Data<Service>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let params = Params::read(request.query_string(), &["topic", "limit", "dry_run"])?;
    let (topic, limit) = (params.one("topic")?.map(str::to_owned), params.number("limit", MAX_LIMIT)?);
    let replayed = match &service.parts.dead_letters {
        Some(port) if params.flag("dry_run")? => port.check(topic, limit.unwrap_or(usize::MAX)).await?,
        Some(port) => port.replay(topic, limit.unwrap_or(usize::MAX)).await?,
        None => Replayed::default(),
    };
    Ok(HttpResponse::Ok().json(replayed))
}
