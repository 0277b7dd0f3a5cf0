//! Gorse's items: our item data, with what Gorse keeps beside categories among the attributes.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::wire::{Page, Success, cursor, given, id_of, objects, time_ms, time_text, written};
use crate::actors::messages::ItemChange;
use crate::http::body::{JsonBytes, object};
use crate::http::errors::{ApiError, Kind};
use crate::http::item_body;
use crate::http::openapi::{Refused, RefusedBody, Text};
use crate::http::params::{self, Params};
use crate::http::service::Service;
use crate::model::catalogue::Entry;
use crate::model::ids::ItemId;
use crate::model::item::ItemData;

/// The attributes that are Gorse's.
const ATTRIBUTES: [&str; 3] = ["Labels", "Timestamp", "Comment"];

/// An item that is sent, for the documentation. Other fields are passed over, as Gorse does.
#[derive(utoipa::ToSchema)]
#[serde(rename_all = "PascalCase")]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub struct GorseItemPut {
    /// Which item.
    item_id: Text,
    /// Never recommended while true.
    is_hidden: Option<bool>,
    /// The categories that lists are filtered by; at most 100.
    #[schema(max_items = 100)]
    categories: Option<Vec<Text>>,
    /// When it was made; given back, and nothing else.
    timestamp: Option<String>,
    /// Anything, given back.
    labels: Option<Value>,
    /// Given back.
    comment: Option<String>,
}

/// What changes of an item, for the documentation. What is absent or null stays.
#[derive(utoipa::ToSchema)]
#[serde(rename_all = "PascalCase")]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub struct GorseItemPatch {
    /// Never recommended while true.
    is_hidden: Option<bool>,
    /// The categories that lists are filtered by; at most 100.
    #[schema(max_items = 100)]
    categories: Option<Vec<Text>>,
    /// When it was made.
    timestamp: Option<String>,
    /// Anything.
    labels: Option<Value>,
    /// Anything.
    comment: Option<String>,
}

/// An item as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct GorseItem {
    /// Which item.
    #[schema(value_type = String)]
    pub item_id: ItemId,
    /// Never recommended while true.
    pub is_hidden: bool,
    /// Its categories.
    pub categories: Vec<String>,
    /// As it was set, else when the item was first heard of.
    pub timestamp: String,
    /// As they were set.
    pub labels: Value,
    /// As it was set.
    pub comment: String,
}

/// A page of items.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ItemPage {
    /// What is to be sent for the next page; empty on the last.
    pub cursor: String,
    /// Items in the order of their ids.
    pub items: Vec<GorseItem>,
}

/// `POST /api/item`.
#[utoipa::path(post, path = "/api/item", tag = "gorse", request_body = GorseItemPut,
    responses((status = 200, description = "Its data from the next request on, over what it was", body = Success), Refused, RefusedBody))]
pub async fn post(service: web::Data<Service>, body: JsonBytes) -> Result<HttpResponse, ApiError> {
    put_all(&service, vec![object(&body.0)?]).await
}

/// `POST /api/items`.
#[utoipa::path(post, path = "/api/items", tag = "gorse", request_body = [GorseItemPut],
    responses((status = 200, description = "Their data from the next request on, over what it was", body = Success), Refused, RefusedBody))]
pub async fn post_many(service: web::Data<Service>, body: JsonBytes) -> Result<HttpResponse, ApiError> {
    put_all(&service, objects(&body.0)?).await
}

/// `GET /api/items`.
#[utoipa::path(get, path = "/api/items", tag = "gorse", params(
        ("n" = Option<usize>, Query, minimum = 1, maximum = 1000, description = "How many; 10 where absent"),
        ("cursor" = Option<String>, Query, description = "The `Cursor` of the page before"),
        ("q" = Option<String>, Query, description = "Only items with this in id, categories, labels or comment, in any case")),
    responses((status = 200, description = "A page", body = ItemPage), Refused))]
pub async fn list(service: web::Data<Service>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let params = Params::read(request.query_string(), &["n", "cursor", "q"])?;
    let (n, after) = (params.n()?, given(&params, "cursor")?.unwrap_or_default());
    let sought = given(&params, "q")?.map(str::to_lowercase);
    let catalogue = &service.parts.recommending.catalogue;
    let mut page = Page::new(after, n);
    for entry in catalogue.entries().iter() {
        if !entry.deleted && page.wants(&entry.id) && sought.as_deref().is_none_or(|sought| has(entry, sought)) {
            page.offer(&entry.id);
        }
    }
    let ids = page.into_sorted();
    let items = ids.iter().filter_map(|id| GorseItem::of(catalogue.entry(catalogue.known(id)?)?)).collect();
    Ok(HttpResponse::Ok().json(ItemPage { cursor: cursor(&ids, n), items }))
}

/// `GET /api/item/{id}`.
#[utoipa::path(get, path = "/api/item/{id}", tag = "gorse", params(("id" = String, Path, description = "The item")),
    responses((status = 200, description = "The item", body = GorseItem), Refused))]
pub async fn get(service: web::Data<Service>, id: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let entry = entry(&service, &params::id("id", &id)?);
    Ok(HttpResponse::Ok().json(entry.and_then(GorseItem::of).ok_or_else(|| unknown(&id))?))
}

/// `PATCH /api/item/{id}`.
#[utoipa::path(patch, path = "/api/item/{id}", tag = "gorse", params(("id" = String, Path, description = "The item")),
    request_body = GorseItemPatch,
    responses((status = 200, description = "Changed from the next request on", body = Success), Refused, RefusedBody))]
pub async fn patch(
    service: web::Data<Service>,
    id: web::Path<String>,
    body: JsonBytes,
) -> Result<HttpResponse, ApiError> {
    let (item, fields) = (params::id("id", &id)?, object(&body.0)?);
    let entry = entry(&service, &item).filter(|entry| !entry.deleted).ok_or_else(|| unknown(&id))?;
    let data = laid_over(&entry.data, fields)?;
    service.parts.ingest.change_items(vec![ItemChange { item, data: Some(data) }]).await?;
    Ok(written(1))
}

/// `DELETE /api/item/{id}`.
#[utoipa::path(delete, path = "/api/item/{id}", tag = "gorse", params(("id" = String, Path, description = "The item")),
    responses((status = 200, description = "It is in no list from the next request on, until it is put again", body = Success), Refused))]
pub async fn delete(service: web::Data<Service>, id: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let item = params::id("id", &id)?;
    if entry(&service, &item).is_none_or(|entry| entry.deleted) {
        return Ok(written(0));
    }
    service.parts.ingest.change_items(vec![ItemChange { item, data: None }]).await?;
    Ok(written(1))
}

async fn put_all(service: &Service, bodies: Vec<Map<String, Value>>) -> Result<HttpResponse, ApiError> {
    let changes: Vec<ItemChange> = bodies.into_iter().map(change).collect::<Result<_, _>>()?;
    let rows = changes.len();
    for part in changes.chunks(service.parts.settings.ingest.batch.max(1)) {
        service.parts.ingest.change_items(part.to_vec()).await?;
    }
    Ok(written(rows))
}

fn change(mut fields: Map<String, Value>) -> Result<ItemChange, ApiError> {
    Ok(ItemChange { item: id_of(&mut fields, "ItemId")?, data: Some(laid_over(&ItemData::default(), fields)?) })
}

/// An item's data with what Gorse's fields say of it; what they do not say stays.
fn laid_over(data: &ItemData, mut fields: Map<String, Value>) -> Result<ItemData, ApiError> {
    let mut ours = Map::new();
    for (name, theirs) in [("hidden", "IsHidden"), ("categories", "Categories")] {
        ours.extend(fields.remove(theirs).map(|value| (name.to_owned(), value)));
    }
    let told = |name: &str| ours.get(name).is_some_and(|value| !value.is_null());
    let (hidden, categories) = (told("hidden"), told("categories"));
    let read = item_body::from_fields(ours)?;
    let time = time_ms(fields.get("Timestamp")).map_err(|message| ApiError::field("Timestamp", message))?;
    fields.insert("Timestamp".to_owned(), json!(time.map(time_text)));
    if fields.get("Comment").is_some_and(|comment| !comment.is_null() && !comment.is_string()) {
        return Err(ApiError::field("Comment", "must be a text"));
    }
    let mut attributes = match &data.attributes {
        Some(Value::Object(attributes)) => attributes.clone(),
        Some(other) => Map::from_iter([("Labels".to_owned(), other.clone())]),
        None => Map::new(),
    };
    for name in ATTRIBUTES {
        attributes.extend(fields.remove(name).filter(|value| !value.is_null()).map(|value| (name.to_owned(), value)));
    }
    Ok(ItemData {
        hidden: if hidden { read.hidden } else { data.hidden },
        categories: if categories { read.categories } else { data.categories.clone() },
        attributes: (!attributes.is_empty()).then_some(Value::Object(attributes)),
        ..data.clone()
    })
}

impl GorseItem {
    /// The catalogue's entry; none where it was deleted. Attributes that are none of Gorse's are its labels.
    fn of(entry: Entry) -> Option<Self> {
        if entry.deleted {
            return None;
        }
        let attribute = |name: &str| entry.data.attributes.as_ref().and_then(|attributes| attributes.get(name));
        let text = |name: &str| attribute(name).and_then(Value::as_str).map(str::to_owned);
        let gorse = ATTRIBUTES.iter().any(|name| attribute(name).is_some());
        let labels = if gorse { attribute("Labels") } else { entry.data.attributes.as_ref() };
        Some(Self {
            is_hidden: entry.data.hidden,
            categories: entry.data.categories.clone(),
            timestamp: text("Timestamp").unwrap_or_else(|| time_text(entry.first_ms)),
            labels: labels.cloned().unwrap_or_default(),
            comment: text("Comment").unwrap_or_default(),
            item_id: entry.id,
        })
    }
}

fn entry(service: &Service, item: &ItemId) -> Option<Entry> {
    let catalogue = &service.parts.recommending.catalogue;
    catalogue.entry(catalogue.known(item)?)
}

/// Whether an item's id, categories or attributes have `sought`, which is in lower case, in them.
fn has(entry: &Entry, sought: &str) -> bool {
    let within = |text: &str| text.to_lowercase().contains(sought);
    within(entry.id.as_str())
        || entry.data.categories.iter().any(|category| within(category))
        || entry.data.attributes.as_ref().is_some_and(|attributes| has_text(attributes, &within))
}

fn has_text(value: &Value, within: &impl Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => within(text),
        Value::Array(values) => values.iter().any(|value| has_text(value, within)),
        Value::Object(fields) => fields.values().any(|value| has_text(value, within)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn unknown(id: &str) -> ApiError {
    ApiError::new(Kind::NotFound, format!("there is no item {id}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::catalogue::Catalogue;

    fn fields(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    fn shown(data: ItemData) -> Value {
        let catalogue = Catalogue::new(1000);
        let id: ItemId = "vue".parse().unwrap();
        catalogue.put(&id, data, 0);
        let entry = catalogue.entry(catalogue.known(&id).unwrap()).unwrap();
        serde_json::to_value(GorseItem::of(entry).unwrap()).unwrap()
    }

    #[test]
    fn what_was_sent_is_given_back_and_a_patch_leaves_the_rest() {
        let sent = json!({"ItemId": "vue", "IsHidden": true, "Labels": {"language": "js"}, "Categories": ["framework"],
            "Timestamp": "2022-02-24T00:00:00Z", "Comment": "Vue"});
        let data = change(fields(sent.clone())).unwrap().data.unwrap();
        assert_eq!(shown(data.clone()), sent);
        let patch = json!({"IsHidden": false, "Categories": null, "Labels": ["a"], "Timestamp": null});
        let patched = laid_over(&data, fields(patch)).unwrap();
        let mut wanted = sent;
        (wanted["IsHidden"], wanted["Labels"]) = (json!(false), json!(["a"]));
        assert_eq!(shown(patched), wanted);
    }

    #[test]
    fn attributes_of_another_make_are_labels() {
        let data = ItemData { attributes: Some(json!({"title": "Vue"})), ..ItemData::default() };
        assert_eq!(shown(data)["Labels"], json!({"title": "Vue"}));
        let bare = shown(ItemData::default());
        assert_eq!((&bare["Labels"], &bare["Timestamp"]), (&Value::Null, &json!("1970-01-01T00:00:00Z")));
    }

    #[test]
    fn a_bad_field_is_named() {
        for (sent, field) in [
            (json!({"IsHidden": true}), "ItemId"),
            (json!({"ItemId": ""}), "ItemId"),
            (json!({"ItemId": "i", "IsHidden": "no"}), "hidden"),
            (json!({"ItemId": "i", "Categories": [1]}), "categories[0]"),
            (json!({"ItemId": "i", "Timestamp": "soon"}), "Timestamp"),
            (json!({"ItemId": "i", "Comment": 7}), "Comment"),
        ] {
            assert_eq!(change(fields(sent)).unwrap_err().problem().field.as_deref(), Some(field));
        }
    }
}
