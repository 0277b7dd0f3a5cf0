//! The original's question, `POST /v1/score`: what is each of these products worth to this user.

use std::time::Instant;

use actix_web::{HttpRequest, HttpResponse, web};

use super::body::JsonBytes;
use super::errors::ApiError;
use super::openapi::{Refused, RefusedBody, ScorePut};
use super::params::Params;
use super::service::Service;
use crate::model::wire::question::score_from_json;
use crate::model::wire::reply::ScoreBody;

/// `POST /v1/score`.
#[utoipa::path(post, path = "/v1/score", tag = "recommend", request_body = ScorePut,
    responses((status = 200, description = "The scores, in the order asked", body = ScoreBody), Refused, RefusedBody))]
pub async fn post(
    service: web::Data<Service>,
    request: HttpRequest,
    body: JsonBytes,
) -> Result<HttpResponse, ApiError> {
    Params::read(request.query_string(), &[])?;
    let question = score_from_json(&body.0)?;
    let started = Instant::now();
    let scores = service.parts.recommending.score(question.user.as_ref(), &question.products, service.now_ms());
    let elapsed = started.elapsed();
    service.answered(elapsed);
    Ok(HttpResponse::Ok().json(ScoreBody::new(question.products, &scores, elapsed.as_secs_f64() * 1e3)))
}
