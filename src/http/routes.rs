//! Every endpoint, with who may call it.

use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};

use super::auth::Scope;
use super::endpoint::Endpoint;
use super::errors::{ApiError, Kind};
use super::gate::Access::{self, Needs, Open};
use super::{
    dead_letters, docs, events, gorse, health, items, lists, live, metrics, openapi, page, recommend, recommend_bulk,
    runs, schedule, score, state, tf_serving, users, versions,
};

const READ: Access = Needs(Scope::Read);
const INGEST: Access = Needs(Scope::Ingest);
const ADMIN: Access = Needs(Scope::Admin);

/// The endpoints. Where a path is also an instance of another's pattern, it stands before that. A request is held against
/// them in this order, and patterns cost more than paths: what is asked most stands first.
pub fn endpoints() -> Vec<Endpoint> {
    let mut all = answering();
    // Probes come every few seconds, and are paths without a pattern.
    all.extend(looking());
    all.extend(managing());
    all.extend(tensorflow());
    all.extend(gorse());
    all
}

fn answering() -> Vec<Endpoint> {
    vec![
        Endpoint::at("/recommend").get(READ, recommend::get).post(READ, recommend::post).admitted(),
        Endpoint::at("/v1/recommend").post(READ, recommend::post_v1).admitted(),
        // A user may be called bulk.
        Endpoint::at("/v1/recommend/bulk").post(READ, recommend_bulk::post).own_methods_only(),
        Endpoint::at("/v1/score").post(READ, score::post).admitted(),
        Endpoint::at("/v1/events").post(INGEST, events::post).admitted(),
        Endpoint::at("/v1/popular").get(READ, lists::popular).admitted(),
        Endpoint::at("/v1/trending").get(READ, lists::trending).admitted(),
        Endpoint::at("/v1/recommend/{user}").get(READ, recommend::get_for_user).admitted(),
        Endpoint::at("/v1/items/{id}/similar").get(READ, items::similar).admitted(),
        Endpoint::at("/v1/items/{id}")
            .get(READ, items::get)
            .on(Method::PUT, INGEST, items::put)
            .on(Method::DELETE, INGEST, items::delete)
            .admitted(),
        Endpoint::at("/v1/users/{id}").get(ADMIN, users::get).on(Method::DELETE, ADMIN, users::delete).admitted(),
    ]
}

fn managing() -> Vec<Endpoint> {
    vec![
        Endpoint::at("/v1/versions").get(READ, versions::list),
        Endpoint::at("/v1/versions/{version}").get(READ, versions::show),
        Endpoint::at("/v1/versions/{version}/promote").post(ADMIN, versions::promote).by_primary(),
        Endpoint::at("/v1/versions/{version}/download").get(READ, versions::download),
        Endpoint::at("/v1/rollback").post(ADMIN, versions::rollback).by_primary(),
        Endpoint::at("/v1/runs").get(READ, runs::list).post(ADMIN, runs::start).by_primary(),
        Endpoint::at("/v1/runs/{id}").get(READ, runs::show).by_primary(),
        Endpoint::at("/v1/runs/{id}/cancel").post(ADMIN, runs::cancel).by_primary(),
        Endpoint::at("/v1/runs/{id}/events").get(READ, runs::events).by_primary(),
        Endpoint::at("/v1/schedule").get(READ, schedule::get).on(Method::PUT, ADMIN, schedule::put).by_primary(),
        Endpoint::at("/v1/dead-letters").get(ADMIN, dead_letters::list),
        Endpoint::at("/v1/dead-letters/replay").post(ADMIN, dead_letters::replay),
    ]
}

fn tensorflow() -> Vec<Endpoint> {
    vec![
        Endpoint::at("/v1/models/{name}/versions/{version}:predict")
            .post(READ, tf_serving::predict_by_version)
            .admitted(),
        Endpoint::at("/v1/models/{name}/versions/{version}/metadata").get(READ, tf_serving::metadata_of_version),
        Endpoint::at("/v1/models/{name}/versions/{version}").get(READ, tf_serving::status_of_version),
        Endpoint::at("/v1/models/{name}/metadata").get(READ, tf_serving::metadata),
        Endpoint::at("/v1/models/{name}:predict").post(READ, tf_serving::predict).admitted(),
        Endpoint::at("/v1/models/{name}").get(READ, tf_serving::status),
    ]
}

fn gorse() -> Vec<Endpoint> {
    vec![
        Endpoint::at("/api/recommend/{user}/{category}").get(READ, gorse::lists::recommend_in_category).admitted(),
        // The client for Python writes a slash where it has no category.
        Endpoint::at("/api/recommend/{user}").get(READ, gorse::lists::recommend).admitted().or_slash(),
        Endpoint::at("/api/session/recommend").post(READ, gorse::lists::session).admitted().or_slash(),
        Endpoint::at("/api/item/{id}/neighbors").get(READ, gorse::lists::neighbors).admitted().or_slash(),
        Endpoint::at("/api/feedback")
            .post(INGEST, gorse::feedback::post)
            .on(Method::PUT, INGEST, gorse::feedback::put)
            .get(ADMIN, gorse::feedback::list)
            .admitted(),
        Endpoint::at("/api/feedback/{user}/{item}").on(Method::DELETE, ADMIN, gorse::feedback::delete).admitted(),
        Endpoint::at("/api/item").post(INGEST, gorse::items::post).admitted(),
        Endpoint::at("/api/items").post(INGEST, gorse::items::post_many).get(READ, gorse::items::list).admitted(),
        Endpoint::at("/api/item/{id}")
            .get(READ, gorse::items::get)
            .on(Method::PATCH, INGEST, gorse::items::patch)
            .on(Method::DELETE, INGEST, gorse::items::delete)
            .admitted(),
        // What is said of users is kept by one process.
        Endpoint::at("/api/user").post(INGEST, gorse::users::post).admitted().by_primary(),
        Endpoint::at("/api/users")
            .post(INGEST, gorse::users::post_many)
            .get(ADMIN, gorse::users::list)
            .admitted()
            .by_primary(),
        Endpoint::at("/api/user/{user}/feedback").get(ADMIN, gorse::feedback::of).admitted(),
        Endpoint::at("/api/user/{user}/feedback/{type}").get(ADMIN, gorse::feedback::of_type).admitted(),
        Endpoint::at("/api/user/{user}")
            .get(ADMIN, gorse::users::get)
            .on(Method::PATCH, INGEST, gorse::users::patch)
            .on(Method::DELETE, ADMIN, gorse::users::delete)
            .admitted()
            .by_primary(),
    ]
}

fn looking() -> Vec<Endpoint> {
    vec![
        Endpoint::at("/").get(Open, page::index),
        Endpoint::at("/page/{file}").get(Open, page::file),
        Endpoint::at("/health/live").get(Open, health::live),
        Endpoint::at("/health/ready").get(Open, health::ready),
        Endpoint::at("/state").get(READ, state::get),
        Endpoint::at("/v1/live").get(READ, live::get),
        Endpoint::at("/metrics").get(READ, metrics::metrics),
        Endpoint::at("/openapi.json").get(READ, openapi::get),
        Endpoint::at("/docs").get(READ, docs::page),
    ]
}

/// Adds every endpoint to an application, and the answer to all other paths.
pub fn configure(config: &mut ServiceConfig) {
    config
        .app_data(web::PathConfig::default().error_handler(|error, _| {
            ApiError::new(Kind::Invalid, format!("the path cannot be read: {error}")).into()
        }));
    for endpoint in endpoints() {
        config.service(endpoint);
    }
    config.default_service(web::to(|request: actix_web::HttpRequest| async move {
        let detail = format!("there is no route {}; /docs lists them", request.path());
        Err::<&'static str, _>(ApiError::new(Kind::NotFound, detail))
    }));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_document_lists_every_route_and_no_other() {
        let registered: BTreeSet<(String, String)> = endpoints()
            .iter()
            .flat_map(|endpoint| {
                let plan = endpoint.plan();
                plan.methods.iter().map(|(method, _)| (plan.path.to_owned(), method.as_str().to_lowercase()))
            })
            .collect();
        let document = serde_json::to_value(openapi::document()).unwrap();
        let documented: BTreeSet<(String, String)> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, operations)| {
                operations.as_object().unwrap().keys().map(|method| (path.clone(), method.clone()))
            })
            .collect();
        assert_eq!(registered, documented);
        assert_eq!(registered.len(), 66);
    }

    #[test]
    fn only_probes_and_the_page_are_open_and_only_they_may_be() {
        let open: Vec<&str> = endpoints()
            .iter()
            .filter(|endpoint| endpoint.plan().methods.iter().any(|&(_, access)| access == Open))
            .map(|endpoint| endpoint.plan().path)
            .collect();
        assert_eq!(open, ["/", "/page/{file}", "/health/live", "/health/ready"]);
    }
}
