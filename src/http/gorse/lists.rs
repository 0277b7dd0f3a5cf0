//! Lists in Gorse's form: `/api/recommend/{user}`, `/api/session/recommend`, `/api/item/{id}/neighbors`.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::feedback::{self, FeedbackPut};
use super::wire::{given, offset, span};
use super::write_back;
use crate::http::body::JsonBytes;
use crate::http::errors::ApiError;
use crate::http::openapi::{Refused, RefusedBody};
use crate::http::params::{self, Params};
use crate::http::recommend::ask_live;
use crate::http::service::Service;
use crate::model::ids::{ItemId, UserId};
use crate::model::serving::answer::Recommended;
use crate::model::serving::query::Query;
use crate::model::wire::question::MAX_LIST;
use crate::model::wire::reply::RecommendationBody;

/// The header by which a client asks for scores.
const API_VERSION: &str = "x-api-version";

/// The header that carries the list's id, to be sent back as `RecommendationId` of feedback.
const RECOMMENDATION_ID: &str = "x-recommendation-id";

const KNOWN: [&str; 5] = ["n", "offset", "category", "write-back-type", "write-back-delay"];

/// An item with its score.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Scored {
    /// The item.
    #[schema(value_type = String)]
    pub id: ItemId,
    /// Its score, comparable within one list only.
    pub score: f32,
}

/// One element of a list: an id, or with `X-API-Version: 2` an id with its score.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum Element {
    /// The id alone.
    #[schema(value_type = String)]
    Id(ItemId),
    /// With its score.
    Scored(Scored),
}

/// `GET /api/recommend/{user}`.
#[utoipa::path(get, path = "/api/recommend/{user}", tag = "gorse", params(
        ("user" = String, Path, description = "For whom"),
        ("category" = Option<Vec<String>>, Query, description = "Keeps items of at least one of these; repeatable"),
        ("n" = Option<usize>, Query, minimum = 1, maximum = 1000, description = "How many; 10 where absent"),
        ("offset" = Option<usize>, Query, maximum = 100_000, description = "How many of the list's first are left out"),
        ("write-back-type" = Option<String>, Query, description = "Takes the list in as feedback of this type; needs the scope `ingest` too"),
        ("write-back-delay" = Option<String>, Query, description = "How much later, such as `10m`"),
        ("X-API-Version" = Option<String>, Header, description = "`2` asks for scores")),
    responses((status = 200, description = "Ids, or with `X-API-Version: 2` ids with scores", body = [Element]), Refused))]
pub async fn recommend(
    service: web::Data<Service>,
    request: HttpRequest,
    user: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let params = Params::read(request.query_string(), &KNOWN)?;
    let categories = params.categories()?;
    answer(&service, &request, &params, params::id("user", &user)?, categories).await
}

/// `GET /api/recommend/{user}/{category}`.
#[utoipa::path(get, path = "/api/recommend/{user}/{category}", tag = "gorse", params(
        ("user" = String, Path, description = "For whom"),
        ("category" = String, Path, description = "Keeps items of this category"),
        ("n" = Option<usize>, Query, minimum = 1, maximum = 1000, description = "How many; 10 where absent"),
        ("offset" = Option<usize>, Query, maximum = 100_000, description = "How many of the list's first are left out"),
        ("write-back-type" = Option<String>, Query, description = "Takes the list in as feedback of this type; needs the scope `ingest` too"),
        ("write-back-delay" = Option<String>, Query, description = "How much later, such as `10m`"),
        ("X-API-Version" = Option<String>, Header, description = "`2` asks for scores")),
    responses((status = 200, description = "Ids, or with `X-API-Version: 2` ids with scores", body = [Element]), Refused))]
pub async fn recommend_in_category(
    service: web::Data<Service>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let params = Params::read(request.query_string(), &["n", "offset", "write-back-type", "write-back-delay"])?;
    let (user, category) = path.into_inner();
    answer(&service, &request, &params, params::id("user", &user)?, vec![category]).await
}

/// `POST /api/session/recommend`.
#[utoipa::path(post, path = "/api/session/recommend", tag = "gorse",
    request_body(content = [FeedbackPut], description = "What was done in the session; kept nowhere"),
    params(
        ("n" = Option<usize>, Query, minimum = 1, maximum = 1000, description = "How many; 10 where absent"),
        ("offset" = Option<usize>, Query, maximum = 100_000, description = "How many of the list's first are left out")),
    responses((status = 200, description = "Ids with scores", body = [Scored]), Refused, RefusedBody))]
pub async fn session(
    service: web::Data<Service>,
    request: HttpRequest,
    body: JsonBytes,
) -> Result<HttpResponse, ApiError> {
    let params = Params::read(request.query_string(), &["n", "offset"])?;
    let mut acts = feedback::read(&body.0, service.now_ms())?;
    if acts.len() > MAX_LIST {
        return Err(ApiError::field("body", format!("at most {MAX_LIST} elements")));
    }
    acts.sort_by_key(|act| act.timestamp_ms);
    let rules = &service.parts.recommending.rules;
    let weight = |kind: &str| rules.weights.get(kind).copied().unwrap_or(rules.default_weight);
    let (items, exclude): (Vec<_>, Vec<_>) = acts.into_iter().partition(|act| weight(&act.kind) * act.value > 0.0);
    let query = Query {
        items: items.into_iter().map(|act| act.item).collect(),
        exclude: exclude.into_iter().map(|act| act.item).collect(),
        n: params.n()?,
        skip: offset(&params)?,
        ..Query::default()
    };
    Ok(list(&ask_live(&service, &query), true))
}

/// `GET /api/item/{id}/neighbors`.
#[utoipa::path(get, path = "/api/item/{id}/neighbors", tag = "gorse", params(
        ("id" = String, Path, description = "The item"),
        ("n" = Option<usize>, Query, minimum = 1, maximum = 1000, description = "How many; 10 where absent"),
        ("offset" = Option<usize>, Query, maximum = 1000, description = "How many of the list's first are left out; with `n` at most 1000")),
    responses((status = 200, description = "What is most alike, with scores; empty for an unknown item", body = [Scored]), Refused))]
pub async fn neighbors(
    service: web::Data<Service>,
    request: HttpRequest,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let params = Params::read(request.query_string(), &["n", "offset"])?;
    let (n, offset) = (params.n()?, offset(&params)?);
    let recommending = &service.parts.recommending;
    let index = recommending.catalogue.known(&params::id("id", &id)?);
    let similar = index.map(|index| recommending.similar(index, n.saturating_add(offset), &[], service.now_ms()));
    let scored = |item: Recommended| Scored { id: item.id, score: item.score };
    let page: Vec<Scored> = similar.into_iter().flatten().skip(offset).take(n).map(scored).collect();
    Ok(HttpResponse::Ok().json(page))
}

async fn answer(
    service: &web::Data<Service>,
    request: &HttpRequest,
    params: &Params,
    user: UserId,
    categories: Vec<String>,
) -> Result<HttpResponse, ApiError> {
    let write_back = write_back::asked(service, request, given(params, "write-back-type")?, delay(params)?)?;
    let query =
        Query { user: Some(user.clone()), n: params.n()?, skip: offset(params)?, categories, ..Query::default() };
    let body = ask_live(service, &query);
    if let Some(write_back) = write_back {
        let items = body.items.iter().map(|item| item.id.clone()).collect();
        write_back.take_in(service, &user, items).await?;
    }
    let scores = request.headers().get(API_VERSION).is_some_and(|value| value.as_bytes() == b"2");
    Ok(list(&body, scores))
}

fn delay(params: &Params) -> Result<std::time::Duration, ApiError> {
    let text = given(params, "write-back-delay")?.unwrap_or("0");
    let wrong = || {
        let most = write_back::LONGEST.as_secs() / 3600;
        ApiError::field("write-back-delay", format!("must be a span such as 10m or 1h30m, at most {most}h"))
    };
    span(text).filter(|&span| span <= write_back::LONGEST).ok_or_else(wrong)
}

fn list(body: &RecommendationBody, scores: bool) -> HttpResponse {
    let element = |id: &ItemId, score| match scores {
        true => Element::Scored(Scored { id: id.clone(), score }),
        false => Element::Id(id.clone()),
    };
    let elements: Vec<Element> = body.items.iter().map(|item| element(&item.id, item.score)).collect();
    HttpResponse::Ok().insert_header((RECOMMENDATION_ID, body.recommendation_id.as_str())).json(elements)
}
