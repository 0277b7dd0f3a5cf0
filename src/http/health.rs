//! Probes: `/health/live` and `/health/ready`. They need no key and show names only.

use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::errors::{ApiError, Kind};
use super::openapi::RefusedOpen;
use super::service::Service;

/// Whether it can answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ReadyView {
    /// True.
    pub ready: bool,
    /// Parts that are missing while the rest answers.
    pub degraded: Vec<&'static str>,
}

/// `GET /health/live`.
#[utoipa::path(get, path = "/health/live", tag = "service",
    responses((status = 200, description = "The process answers", body = Object, example = json!({"live": true})), RefusedOpen))]
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body("{\"live\":true}")
}

/// `GET /health/ready`.
#[utoipa::path(get, path = "/health/ready", tag = "service",
    responses((status = 200, description = "Questions are answered", body = ReadyView),
              (status = 503, description = "Not yet, or not any more", body = super::errors::Problem, content_type = "application/problem+json"), RefusedOpen))]
pub async fn ready(service: web::Data<Service>) -> HttpResponse {
    let report = service.parts.readiness.report();
    match report.blocked {
        None => HttpResponse::Ok().json(ReadyView { ready: true, degraded: report.degraded }),
        Some(reason) => {
            let error = ApiError::new(Kind::Unavailable, reason).with("ready", false).with("degraded", report.degraded);
            HttpResponse::from_error(error)
        }
    }
}
