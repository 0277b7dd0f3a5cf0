//! Item data, and what is alike: `/v1/items/{id}` and `/v1/items/{id}/similar`.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::body::JsonBytes;
use super::errors::{ApiError, Kind};
use super::item_body::{self, ItemPut, ItemView};
use super::lists::{self, Listed};
use super::openapi::{Refused, RefusedBody};
use super::params::{self, Params};
use super::service::Service;
use crate::actors::messages::ItemChange;
use crate::model::catalogue::Entry;
use crate::model::ids::{ItemId, ItemIndex};

/// `GET /v1/items/{id}`.
#[utoipa::path(get, path = "/v1/items/{id}", tag = "items", params(("id" = String, Path, description = "The item")),
    responses((status = 200, description = "Its data", body = ItemView), Refused))]
pub async fn get(service: web::Data<Service>, id: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let (_, entry) = known(&service, &params::id("id", &id)?)?;
    let view = ItemView::of_entry(entry).ok_or_else(|| unknown(&id))?;
    Ok(HttpResponse::Ok().json(view))
}

/// `PUT /v1/items/{id}`.
#[utoipa::path(put, path = "/v1/items/{id}", tag = "items", params(("id" = String, Path, description = "The item")),
    request_body = ItemPut,
    responses((status = 200, description = "Its data from the next request on", body = ItemView), Refused, RefusedBody))]
pub async fn put(
    service: web::Data<Service>,
    id: web::Path<String>,
    body: JsonBytes,
) -> Result<HttpResponse, ApiError> {
    let item: ItemId = params::id("id", &id)?;
    let data = item_body::read(&body.0)?;
    let view = ItemView::new(item.clone(), &data);
    service.parts.ingest.change_items(vec![ItemChange { item, data: Some(data) }]).await?;
    Ok(HttpResponse::Ok().json(view))
}

/// `DELETE /v1/items/{id}`.
#[utoipa::path(delete, path = "/v1/items/{id}", tag = "items", params(("id" = String, Path, description = "The item")),
    responses((status = 200, description = "It is in no list from the next request on, until it is put again", body = Object, example = json!({"id": "7", "deleted": true})), Refused))]
pub async fn delete(service: web::Data<Service>, id: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let item: ItemId = params::id("id", &id)?;
    let (_, entry) = known(&service, &item)?;
    if entry.deleted {
        return Err(unknown(&id));
    }
    service.parts.ingest.change_items(vec![ItemChange { item, data: None }]).await?;
    Ok(HttpResponse::Ok().json(json!({"id": &*id, "deleted": true})))
}

/// `GET /v1/items/{id}/similar`.
#[utoipa::path(get, path = "/v1/items/{id}/similar", tag = "recommend", params(
        ("id" = String, Path, description = "The item"),
        ("n" = Option<usize>, Query, minimum = 1, maximum = 1000, description = "How many; 10 where absent"),
        ("category" = Option<Vec<String>>, Query, description = "Keeps items of at least one of these; repeatable")),
    responses((status = 200, description = "What is most alike, itself left out", body = [Listed]), Refused))]
pub async fn similar(
    service: web::Data<Service>,
    request: HttpRequest,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let params = Params::read(request.query_string(), &["n", "category"])?;
    let (n, categories) = (params.n()?, params.categories()?);
    let (index, _) = known(&service, &params::id("id", &id)?)?;
    Ok(lists::body(service.parts.recommending.similar(index, n, &categories, service.now_ms())))
}

fn known(service: &Service, id: &ItemId) -> Result<(ItemIndex, Entry), ApiError> {
    let catalogue = &service.parts.recommending.catalogue;
    let index = catalogue.known(id).ok_or_else(|| unknown(id.as_str()))?;
    catalogue.entry(index).map(|entry| (index, entry)).ok_or_else(|| unknown(id.as_str()))
}

fn unknown(id: &str) -> ApiError {
    ApiError::new(Kind::NotFound, format!("there is no item {id}"))
}
