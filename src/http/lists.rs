//! The lists that are the same for everybody: `/v1/popular` and `/v1/trending`. And the form of such lists.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::errors::ApiError;
use super::openapi::Refused;
use super::params::Params;
use super::service::Service;
use crate::model::ids::ItemId;
use crate::model::serving::answer::{Recommended, Source};

/// One item of such a list.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Listed {
    /// The item.
    #[schema(value_type = String)]
    pub id: ItemId,
    /// Its score, comparable within one source only.
    pub score: f32,
    /// Where it comes from.
    pub source: Source,
}

impl From<Recommended> for Listed {
    fn from(item: Recommended) -> Self {
        Self { id: item.id, score: item.score, source: item.source }
    }
}

/// The body of such a list.
pub fn body(items: Vec<Recommended>) -> HttpResponse {
    HttpResponse::Ok().json(items.into_iter().map(Listed::from).collect::<Vec<_>>())
}

/// `GET /v1/popular`.
#[utoipa::path(get, path = "/v1/popular", tag = "recommend", params(
        ("n" = Option<usize>, Query, minimum = 1, maximum = 1000, description = "How many; 10 where absent"),
        ("category" = Option<Vec<String>>, Query, description = "Keeps items of at least one of these; repeatable")),
    responses((status = 200, description = "What is taken most", body = [Listed]), Refused))]
pub async fn popular(service: web::Data<Service>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    rung(&service, &request, Source::Popular)
}

/// `GET /v1/trending`.
#[utoipa::path(get, path = "/v1/trending", tag = "recommend", params(
        ("n" = Option<usize>, Query, minimum = 1, maximum = 1000, description = "How many; 10 where absent"),
        ("category" = Option<Vec<String>>, Query, description = "Keeps items of at least one of these; repeatable")),
    responses((status = 200, description = "What is taken lately", body = [Listed]), Refused))]
pub async fn trending(service: web::Data<Service>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    rung(&service, &request, Source::Trending)
}

fn rung(service: &Service, request: &HttpRequest, source: Source) -> Result<HttpResponse, ApiError> {
    let params = Params::read(request.query_string(), &["n", "category"])?;
    let items = service.parts.recommending.rung(source, params.n()?, &params.categories()?, service.now_ms());
    Ok(body(items))
}
