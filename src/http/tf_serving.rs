//! TensorFlow Serving's REST face for the model `recommender`: status, metadata and `:predict`.

use std::sync::Arc;
use std::time::Instant;

use actix_web::{HttpResponse, web};
use arc_swap::ArcSwapOption;
use serde_json::{Value, json};

use super::body::JsonBytes;
use super::errors::{ApiError, Kind};
use super::openapi::{Refused, RefusedBody, RefusedVersion};
use super::params;
use super::recommend::named;
use super::service::Service;
use super::tf_tensors::{Asked, Shape, read};
use crate::model::ids::{ItemId, Version};
use crate::model::serving::live::LiveModel;
use crate::model::serving::recommend::Recommending;

/// The only model's name.
const MODEL: &str = "recommender";

/// `GET /v1/models/{name}`.
#[utoipa::path(get, path = "/v1/models/{name}", tag = "tensorflow serving", params(("name" = String, Path, description = "`recommender`")),
    responses((status = 200, description = "The live version's state", body = Object), Refused))]
pub async fn status(service: web::Data<Service>, name: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let live = live(&service, &name)?;
    Ok(status_of(live.version()))
}

/// `GET /v1/models/{name}/versions/{version}`.
#[utoipa::path(get, path = "/v1/models/{name}/versions/{version}", tag = "tensorflow serving",
    params(("name" = String, Path, description = "`recommender`"), ("version" = u64, Path, description = "The version's number")),
    responses((status = 200, description = "The version's state", body = Object), Refused, RefusedVersion))]
pub async fn status_of_version(
    service: web::Data<Service>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let model = version(&service, &path).await?;
    Ok(status_of(model.version()))
}

/// `GET /v1/models/{name}/metadata`.
#[utoipa::path(get, path = "/v1/models/{name}/metadata", tag = "tensorflow serving", params(("name" = String, Path, description = "`recommender`")),
    responses((status = 200, description = "The signature", body = Object), Refused))]
pub async fn metadata(service: web::Data<Service>, name: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let live = live(&service, &name)?;
    Ok(metadata_of(live.version()))
}

/// `GET /v1/models/{name}/versions/{version}/metadata`.
#[utoipa::path(get, path = "/v1/models/{name}/versions/{version}/metadata", tag = "tensorflow serving",
    params(("name" = String, Path, description = "`recommender`"), ("version" = u64, Path, description = "The version's number")),
    responses((status = 200, description = "The signature", body = Object), Refused, RefusedVersion))]
pub async fn metadata_of_version(
    service: web::Data<Service>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let model = version(&service, &path).await?;
    Ok(metadata_of(model.version()))
}

/// `POST /v1/models/{name}:predict`.
#[utoipa::path(post, path = "/v1/models/{name}:predict", tag = "tensorflow serving", params(("name" = String, Path, description = "`recommender`")),
    request_body(content = Object, description = "`inputs` (columns) or `instances` (rows) with `products` and `users`"),
    responses((status = 200, description = "`outputs`, or `predictions` for rows", body = Object), Refused, RefusedBody))]
pub async fn predict(
    service: web::Data<Service>,
    name: web::Path<String>,
    body: JsonBytes,
) -> Result<HttpResponse, ApiError> {
    let model = live(&service, &name)?;
    Ok(answer(&service, model, &read(&body.0)?))
}

/// `POST /v1/models/{name}/versions/{version}:predict`.
#[utoipa::path(post, path = "/v1/models/{name}/versions/{version}:predict", tag = "tensorflow serving",
    params(("name" = String, Path, description = "`recommender`"), ("version" = u64, Path, description = "The version's number")),
    request_body(content = Object, description = "`inputs` (columns) or `instances` (rows) with `products` and `users`"),
    responses((status = 200, description = "`outputs`, or `predictions` for rows", body = Object), Refused, RefusedBody, RefusedVersion))]
pub async fn predict_by_version(
    service: web::Data<Service>,
    path: web::Path<(String, String)>,
    body: JsonBytes,
) -> Result<HttpResponse, ApiError> {
    let model = version(&service, &path).await?;
    Ok(answer(&service, model, &read(&body.0)?))
}

fn check_name(name: &str) -> Result<(), ApiError> {
    if name == MODEL {
        Ok(())
    } else {
        Err(ApiError::new(Kind::NotFound, format!("there is no model {name}, only {MODEL}")))
    }
}

fn live(service: &Service, name: &str) -> Result<Arc<LiveModel>, ApiError> {
    check_name(name)?;
    service.live().ok_or_else(|| ApiError::new(Kind::NotFound, format!("model {MODEL} has no version yet")))
}

async fn version(service: &Service, path: &(String, String)) -> Result<Arc<LiveModel>, ApiError> {
    check_name(&path.0)?;
    named(service, params::version(&path.1)?).await
}

fn answer(service: &Service, model: Arc<LiveModel>, asked: &Asked) -> HttpResponse {
    let started = Instant::now();
    let version = model.version();
    let shared = &service.parts.recommending;
    // The version is held for the whole question, whatever is swapped meanwhile.
    let held = Arc::new(ArcSwapOption::from(Some(model)));
    let recommending =
        Recommending::new(shared.histories.clone(), shared.catalogue.clone(), held, shared.rules.clone());
    let recommending = recommending.heeding(shared.erasures.clone());
    let mut scores = vec![0.0; asked.rows];
    for (user, places) in &asked.by_user {
        let items: Vec<ItemId> = places.iter().map(|(_, item)| item.clone()).collect();
        let found = recommending.score(Some(user), &items, service.now_ms()).scores;
        for (&(place, _), score) in places.iter().zip(found) {
            if let Some(slot) = scores.get_mut(place) {
                // A number's place cannot be left empty here: what the model does not know is worth nothing.
                *slot = score.unwrap_or(0.0);
            }
        }
    }
    service.answered(started.elapsed());
    HttpResponse::Ok().json(outputs(asked.shape, &scores, version))
}

fn outputs(shape: Shape, scores: &[f32], version: Version) -> Value {
    let column: Vec<[f32; 1]> = scores.iter().map(|&score| [score]).collect();
    match shape {
        Shape::Columns => json!({"outputs": {"model-version": [version.to_string()], "recommendations": column}}),
        Shape::Rows => json!({"predictions": column}),
    }
}

fn status_of(version: Version) -> HttpResponse {
    let status = json!({"error_code": "OK", "error_message": ""});
    HttpResponse::Ok().json(json!({
        "model_version_status": [{"version": version.to_string(), "state": "AVAILABLE", "status": status}]
    }))
}

fn metadata_of(version: Version) -> HttpResponse {
    let tensor = |name: &str, dtype: &str, dims: &[&str]| {
        let dim: Vec<Value> = dims.iter().map(|size| json!({"size": size, "name": ""})).collect();
        json!({"dtype": dtype, "name": format!("{name}:0"), "tensor_shape": {"dim": dim, "unknown_rank": false}})
    };
    let signature = json!({
        "inputs": {
            "products": tensor("products", "DT_INT64", &["-1", "1"]),
            "users": tensor("users", "DT_INT64", &["-1", "1"]),
        },
        "outputs": {
            "model-version": tensor("model-version", "DT_STRING", &["1"]),
            "recommendations": tensor("recommendations", "DT_FLOAT", &["-1", "1"]),
        },
        "method_name": "tensorflow/serving/predict",
    });
    HttpResponse::Ok().json(json!({
        "model_spec": {"name": MODEL, "signature_name": "", "version": version.to_string()},
        "metadata": {"signature_def": {"signature_def": {"serving_default": signature}}},
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_take_the_form_of_the_question() {
        let columns = outputs(Shape::Columns, &[0.25, 0.5], Version(7));
        insta::assert_snapshot!(columns, @r#"{"outputs":{"model-version":["7"],"recommendations":[[0.25],[0.5]]}}"#);
        insta::assert_snapshot!(outputs(Shape::Rows, &[0.25], Version(7)), @r#"{"predictions":[[0.25]]}"#);
    }

    #[test]
    fn only_one_model_has_a_name() {
        assert!(check_name("recommender").is_ok());
        assert_eq!(check_name("half_plus_two").unwrap_err().kind(), Kind::NotFound);
    }
}
