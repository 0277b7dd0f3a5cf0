//! Lists for users and sessions: `GET` and `POST /recommend`, and the same under `/v1`.

use std::sync::Arc;
use std::time::Instant;

use actix_web::{HttpRequest, HttpResponse, web};

use super::body::JsonBytes;
use super::errors::{ApiError, Kind};
use super::openapi::{RecommendPut, Refused, RefusedBody, RefusedVersion};
use super::params::{self, Params};
use super::service::Service;
use crate::model::ids::{UserId, Version};
use crate::model::serving::live::LiveModel;
use crate::model::serving::query::Query;
use crate::model::wire::question::recommend_from_json;
use crate::model::wire::reply::{RecommendationBody, given_of};

/// The parameters of a GET that names the user in its path.
const KNOWN: [&str; 7] = ["n", "exclude", "category", "include_seen", "explain", "version", "next"];

/// Which model is to answer.
enum Answering {
    /// The live one.
    Live,
    /// One that the question names.
    Named(Arc<LiveModel>),
}

/// `GET /recommend`.
#[utoipa::path(get, path = "/recommend", tag = "recommend", params(
        ("user" = Option<String>, Query, description = "For whom; absent: nobody in particular"),
        ("n" = Option<usize>, Query, minimum = 1, maximum = 1000, description = "How many; 10 where absent"),
        ("exclude" = Option<Vec<String>>, Query, description = "Items to leave out; repeatable"),
        ("category" = Option<Vec<String>>, Query, description = "Keeps items of at least one of these; repeatable"),
        ("include_seen" = Option<bool>, Query, description = "Leaves seen items in"),
        ("explain" = Option<bool>, Query, description = "Says why each item is there"),
        ("version" = Option<u64>, Query, description = "Asks this version instead of the live one"),
        ("next" = Option<String>, Query, description = "The `next` of the page before")),
    responses((status = 200, description = "The list", body = RecommendationBody), Refused, RefusedVersion))]
pub async fn get(service: web::Data<Service>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let known: Vec<&str> = std::iter::once("user").chain(KNOWN).collect();
    let params = Params::read(request.query_string(), &known)?;
    let user = params.one("user")?.map(|text| params::id("user", text)).transpose()?;
    answer_get(&service, user, &params).await
}

/// `GET /v1/recommend/{user}`.
#[utoipa::path(get, path = "/v1/recommend/{user}", tag = "recommend", params(
        ("user" = String, Path, description = "For whom"),
        ("n" = Option<usize>, Query, minimum = 1, maximum = 1000, description = "How many; 10 where absent"),
        ("exclude" = Option<Vec<String>>, Query, description = "Items to leave out; repeatable"),
        ("category" = Option<Vec<String>>, Query, description = "Keeps items of at least one of these; repeatable"),
        ("include_seen" = Option<bool>, Query, description = "Leaves seen items in"),
        ("explain" = Option<bool>, Query, description = "Says why each item is there"),
        ("version" = Option<u64>, Query, description = "Asks this version instead of the live one"),
        ("next" = Option<String>, Query, description = "The `next` of the page before")),
    responses((status = 200, description = "The list", body = RecommendationBody), Refused, RefusedVersion))]
pub async fn get_for_user(
    service: web::Data<Service>,
    request: HttpRequest,
    user: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let params = Params::read(request.query_string(), &KNOWN)?;
    answer_get(&service, Some(params::id("user", &user)?), &params).await
}

/// `POST /recommend`.
#[utoipa::path(post, path = "/recommend", tag = "recommend", request_body = RecommendPut, params(
        ("version" = Option<u64>, Query, description = "Asks this version instead of the live one")),
    responses((status = 200, description = "The list", body = RecommendationBody), Refused, RefusedBody, RefusedVersion))]
pub async fn post(
    service: web::Data<Service>,
    request: HttpRequest,
    body: JsonBytes,
) -> Result<HttpResponse, ApiError> {
    let params = Params::read(request.query_string(), &["version"])?;
    answer(&service, recommend_from_json(&body.0)?, params.version()?).await
}

/// `POST /v1/recommend`.
#[utoipa::path(post, path = "/v1/recommend", tag = "recommend", request_body = RecommendPut, params(
        ("version" = Option<u64>, Query, description = "Asks this version instead of the live one")),
    responses((status = 200, description = "The list", body = RecommendationBody), Refused, RefusedBody, RefusedVersion))]
pub async fn post_v1(
    service: web::Data<Service>,
    request: HttpRequest,
    body: JsonBytes,
) -> Result<HttpResponse, ApiError> {
    post(service, request, body).await
}

async fn answer_get(service: &Service, user: Option<UserId>, params: &Params) -> Result<HttpResponse, ApiError> {
    answer(service, query(user, params)?, params.version()?).await
}

/// The question of a GET.
fn query(user: Option<UserId>, params: &Params) -> Result<Query, ApiError> {
    let exclude = params.many("exclude")?;
    Ok(Query {
        user,
        n: params.n()?,
        exclude: exclude.into_iter().map(|text| params::id("exclude", text)).collect::<Result<_, _>>()?,
        categories: params.categories()?,
        include_seen: params.flag("include_seen")?,
        explain: params.flag("explain")?,
        skip: params.one("next")?.map_or(Ok(0), given_of)?,
        ..Query::default()
    })
}

async fn answer(service: &Service, query: Query, version: Option<Version>) -> Result<HttpResponse, ApiError> {
    let answering = match version {
        None => Answering::Live,
        Some(version) => Answering::Named(named(service, version).await?),
    };
    Ok(HttpResponse::Ok().json(ask(service, &query, &answering)))
}

/// The body of the answer to a question.
fn ask(service: &Service, query: &Query, answering: &Answering) -> RecommendationBody {
    let started = Instant::now();
    let now_ms = service.now_ms();
    let recommending = &service.parts.recommending;
    let answer = match answering {
        Answering::Live => recommending.recommend(query, now_ms),
        Answering::Named(model) => recommending.recommend_with(Some(model), query, now_ms),
    };
    let id = recommending.online.given(&answer);
    let given = query.skip.saturating_add(answer.items.len());
    let elapsed = started.elapsed();
    service.answered(elapsed);
    RecommendationBody::new(answer, &id, elapsed.as_secs_f64() * 1e3, now_ms, given)
}

/// The body of the live version's answer to a question.
pub fn ask_live(service: &Service, query: &Query) -> RecommendationBody {
    ask(service, query, &Answering::Live)
}

/// A version, live or loaded for the question.
///
/// # Errors
/// 404 where there is no such version.
pub async fn named(service: &Service, version: Version) -> Result<Arc<LiveModel>, ApiError> {
    if let Some(live) = service.live().filter(|live| live.version() == version) {
        return Ok(live);
    }
    match &service.parts.loader {
        Some(loader) => Ok(loader.load(version).await?),
        None => {
            Err(ApiError::new(Kind::NotFound, format!("version {version} is not live and others are not loaded here")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Query, ApiError> {
        query("u".parse().ok(), &Params::read(text, &KNOWN)?)
    }

    #[test]
    fn a_get_asks_what_a_body_would() {
        let query = read("n=3&exclude=1&exclude=b&category=c&include_seen=true&explain=1").unwrap();
        let wanted = Query {
            user: "u".parse().ok(),
            n: 3,
            exclude: vec!["1".parse().unwrap(), "b".parse().unwrap()],
            categories: vec!["c".to_owned()],
            include_seen: true,
            explain: true,
            ..Query::default()
        };
        assert_eq!(query, wanted);
        assert_eq!(read("").unwrap().n, 10);
    }

    #[test]
    fn a_bad_parameter_is_named() {
        for (text, field) in
            [("n=0", "n"), ("exclude=", "exclude"), ("include_seen=maybe", "include_seen"), ("user=u", "user")]
        {
            assert_eq!(read(text).unwrap_err().problem().field.as_deref(), Some(field), "{text}");
        }
    }
}
