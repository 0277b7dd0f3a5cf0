//! The OpenAPI document, at `/openapi.json` and from `ouzel openapi`.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr};
use utoipa::{IntoResponses, Modify, OpenApi as _};

use super::errors::{Kind, PROBLEM_JSON, Problem};
use super::{
    dead_letters, docs, events, gorse, health, items, lists, live, metrics, page, recommend, recommend_bulk, runs,
    schedule, score, state, tf_serving, users, versions,
};

/// An id in a list, or a category: a text of 1 to 256 bytes. An id may also be an integer, which means its decimal form.
#[derive(utoipa::ToSchema)]
#[schema(min_length = 1, max_length = 256)]
#[expect(dead_code, reason = "describes a text that the wire reads")]
pub struct Text(String);

/// The body of `POST /recommend`, for the documentation.
#[derive(utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes a body that the wire reads field by field")]
pub struct RecommendPut {
    /// For whom; a text of 1 to 256 bytes or an integer.
    #[schema(min_length = 1, max_length = 256)]
    user: Option<String>,
    /// A session or cart, oldest first.
    #[schema(max_items = 10_000)]
    items: Option<Vec<Text>>,
    /// How many; 10 where absent.
    #[schema(minimum = 1, maximum = 1000)]
    n: Option<usize>,
    /// Ranks only these.
    #[schema(max_items = 10_000)]
    candidates: Option<Vec<Text>>,
    /// Leaves these out.
    #[schema(max_items = 10_000)]
    exclude: Option<Vec<Text>>,
    /// Keeps only items of at least one of these.
    #[schema(max_items = 10_000)]
    categories: Option<Vec<Text>>,
    /// 0 (relevance alone) to 1.
    #[schema(minimum = 0, maximum = 1)]
    diversity: Option<f32>,
    /// Leaves seen items in.
    include_seen: Option<bool>,
    /// Says why each item is there.
    explain: Option<bool>,
    /// The `next` of the page before.
    next: Option<String>,
}

/// The body of `POST /v1/score`, for the documentation.
#[derive(utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes a body that the wire reads field by field")]
pub struct ScorePut {
    /// For whom; a text of 1 to 256 bytes or an integer.
    #[schema(min_length = 1, max_length = 256)]
    user: Option<String>,
    /// The products.
    #[schema(min_items = 1, max_items = 10_000)]
    products: Vec<Text>,
}

/// One event, for the documentation.
#[derive(utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes a body that the wire reads field by field")]
pub struct EventPut {
    /// Who acted; a text of 1 to 256 bytes or an integer.
    #[schema(min_length = 1, max_length = 256)]
    user: String,
    /// On what; a text of 1 to 256 bytes or an integer.
    #[schema(min_length = 1, max_length = 256)]
    item: String,
    /// What was done.
    #[schema(default = "purchase", min_length = 1, max_length = 256)]
    r#type: Option<String>,
    /// How much of it.
    #[schema(default = 1.0)]
    value: Option<f64>,
    /// When: RFC 3339, or seconds (below 10^11) or milliseconds of the epoch; absent: its arrival.
    #[schema(format = DateTime)]
    timestamp: Option<String>,
    /// By which a second sending is known.
    #[schema(min_length = 1, max_length = 256)]
    id: Option<String>,
    /// The recommendation that led to it.
    #[schema(min_length = 1, max_length = 256)]
    recommendation_id: Option<String>,
}

/// How a route that needs a key may refuse a request.
pub struct Refused;

impl IntoResponses for Refused {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mut all = RefusedOpen::responses();
        all.extend(problems(&[
            Kind::Invalid,
            Kind::Unauthorized,
            Kind::Forbidden,
            Kind::NotFound,
            Kind::TooMany,
            Kind::Unavailable,
        ]));
        all
    }
}

/// How a route that reads a body may refuse it, beside [`Refused`].
pub struct RefusedBody;

impl IntoResponses for RefusedBody {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[Kind::Timeout, Kind::TooLarge, Kind::Unsupported])
    }
}

/// How a route that asks a version other than the live one may refuse, beside [`Refused`]: the version is damaged.
pub struct RefusedVersion;

impl IntoResponses for RefusedVersion {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[Kind::Conflict])
    }
}

/// How any route may refuse a request, also one that is open to anybody.
pub struct RefusedOpen;

impl IntoResponses for RefusedOpen {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[Kind::UrlTooLong, Kind::HeadersTooLarge, Kind::Internal])
    }
}

/// A problem document for each status. No catch-all: a status that is not listed is one that nobody expects.
fn problems(kinds: &[Kind]) -> BTreeMap<String, RefOr<Response>> {
    let of_kind = |kind: &Kind| {
        let (status, _, title) = kind.parts();
        let problem = Content::new(Some(RefOr::Ref(Ref::from_schema_name("Problem"))));
        let response = ResponseBuilder::new().description(title).content(PROBLEM_JSON, problem).build();
        (status.as_str().to_owned(), RefOr::T(response))
    };
    kinds.iter().map(of_kind).collect()
}

struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        components.add_security_scheme("key", SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-API-Key"))));
    }
}

/// Names operations by method and path: handlers of different themes share names.
struct Names;

impl Modify for Names {
    fn modify(&self, document: &mut OpenApi) {
        for (path, item) in &mut document.paths.paths {
            let words: Vec<&str> =
                path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
            let path = if words.is_empty() { "index".to_owned() } else { words.join("_") };
            let operations = [
                ("get", &mut item.get),
                ("put", &mut item.put),
                ("post", &mut item.post),
                ("patch", &mut item.patch),
                ("delete", &mut item.delete),
            ];
            for (method, operation) in operations {
                if let Some(operation) = operation {
                    operation.operation_id = Some(format!("{method}_{path}"));
                }
            }
        }
    }
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Ouzel", description = "A streaming recommender. Errors are problem documents (RFC 9457); every answer carries `X-Request-ID`."),
    modifiers(&Keys, &Names),
    security((), ("bearer" = []), ("key" = [])),
    components(schemas(Problem)),
    paths(
        recommend::get, recommend::get_for_user, recommend::post, recommend::post_v1, recommend_bulk::post, score::post,
        items::get, items::put, items::delete, items::similar, lists::popular, lists::trending, events::post, users::get,
        users::delete, versions::list, versions::show, versions::promote, versions::rollback, versions::download,
        runs::list, runs::start, runs::show, runs::cancel, runs::events, schedule::get, schedule::put, live::get,
        state::get, dead_letters::list, dead_letters::replay, health::live, health::ready, metrics::metrics,
        tf_serving::status, tf_serving::status_of_version, tf_serving::metadata, tf_serving::metadata_of_version,
        tf_serving::predict, tf_serving::predict_by_version,
        gorse::lists::recommend, gorse::lists::recommend_in_category, gorse::lists::session, gorse::lists::neighbors,
        gorse::feedback::post, gorse::feedback::put, gorse::feedback::list, gorse::feedback::delete, gorse::feedback::of,
        gorse::feedback::of_type, gorse::items::post, gorse::items::post_many, gorse::items::list, gorse::items::get,
        gorse::items::patch, gorse::items::delete, gorse::users::post, gorse::users::post_many, gorse::users::list,
        gorse::users::get, gorse::users::patch, gorse::users::delete, get, docs::page, page::index, page::file,
    )
)]
struct Document;

/// The document.
#[must_use]
pub fn document() -> OpenApi {
    Document::openapi()
}

/// `GET /openapi.json`.
#[utoipa::path(get, path = "/openapi.json", tag = "service",
    responses((status = 200, description = "This document", body = Object), Refused))]
pub async fn get() -> HttpResponse {
    HttpResponse::Ok().json(document())
}
#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_operation_has_a_name_of_its_own_and_every_reference_a_target() {
        let document = serde_json::to_value(document()).unwrap();
        let operations: Vec<&serde_json::Value> = document["paths"]
            .as_object()
            .unwrap()
            .values()
            .flat_map(|item| item.as_object().unwrap().values())
            .collect();
        let names: BTreeSet<&str> = operations.iter().map(|o| o["operationId"].as_str().unwrap()).collect();
        assert_eq!(names.len(), operations.len());
        assert!(names.contains("get_v1_recommend_user") && names.contains("post_v1_models_name_predict"), "{names:?}");
        let text = document.to_string();
        for target in text.split("\"#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(document["components"]["schemas"].get(target).is_some(), "{target}");
        }
    }
}
