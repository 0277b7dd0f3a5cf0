//! The body of `/v1/items/{id}`.

use serde::Serialize;
use serde_json::{Map, Value};

use super::body::object;
use super::errors::ApiError;
use super::openapi::Text;
use super::times;
use crate::model::catalogue::Entry;
use crate::model::event::{MAX_LABEL_BYTES, is_label};
use crate::model::ids::ItemId;
use crate::model::item::ItemData;

/// The most categories one item has.
const MAX_CATEGORIES: usize = 100;

/// An item as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct ItemView {
    /// Its id.
    #[schema(value_type = String)]
    pub id: ItemId,
    /// The categories that `category=` filters by.
    pub categories: Vec<String>,
    /// Never recommended while true.
    pub hidden: bool,
    /// Not recommended before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_from: Option<String>,
    /// Not recommended from this time on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_until: Option<String>,
    /// Anything else, as it was set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Value>,
}

/// What `PUT /v1/items/{id}` takes, for the documentation; [`read`] reads it.
#[derive(utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes the body; it is read field by field so that each error names its field")]
pub struct ItemPut {
    /// The categories that `category=` filters by; at most 100.
    #[schema(default = json!([]), max_items = 100)]
    categories: Option<Vec<Text>>,
    /// Never recommended while true.
    #[schema(default = false)]
    hidden: Option<bool>,
    /// Not recommended before this time: RFC 3339, or seconds or milliseconds of the epoch.
    #[schema(format = DateTime)]
    available_from: Option<String>,
    /// Not recommended from this time on.
    #[schema(format = DateTime)]
    available_until: Option<String>,
    /// Anything else, given back as it was set.
    attributes: Option<Value>,
}

impl ItemView {
    /// An item that has this data.
    pub fn new(id: ItemId, data: &ItemData) -> Self {
        Self {
            id,
            categories: data.categories.clone(),
            hidden: data.hidden,
            available_from: data.available_from_ms.and_then(times::rfc3339),
            available_until: data.available_until_ms.and_then(times::rfc3339),
            attributes: data.attributes.clone(),
        }
    }

    /// The catalogue's entry; none where it was deleted.
    pub fn of_entry(entry: Entry) -> Option<Self> {
        (!entry.deleted).then(|| Self::new(entry.id, &entry.data))
    }
}

/// Reads the body of a PUT. What is absent or null is as it is for a new item.
///
/// # Errors
/// 400 naming the field.
pub fn read(body: &[u8]) -> Result<ItemData, ApiError> {
    from_fields(object(body)?)
}

/// Reads the fields of such a body.
///
/// # Errors
/// 400 naming the field.
pub fn from_fields(fields: Map<String, Value>) -> Result<ItemData, ApiError> {
    let mut data = ItemData::default();
    for (name, value) in fields {
        if value.is_null() && NAMES.contains(&name.as_str()) {
            continue;
        }
        match name.as_str() {
            "categories" => data.categories = categories(value)?,
            "hidden" => {
                data.hidden = value.as_bool().ok_or_else(|| ApiError::field("hidden", "must be true or false"))?;
            }
            "available_from" => data.available_from_ms = Some(time("available_from", &value)?),
            "available_until" => data.available_until_ms = Some(time("available_until", &value)?),
            "attributes" => data.attributes = Some(value),
            other => return Err(ApiError::field(other, format!("is not known; known are: {}", NAMES.join(", ")))),
        }
    }
    if let (Some(from), Some(until)) = (data.available_from_ms, data.available_until_ms)
        && until <= from
    {
        return Err(ApiError::field("available_until", "must lie after available_from"));
    }
    Ok(data)
}

const NAMES: [&str; 5] = ["categories", "hidden", "available_from", "available_until", "attributes"];

fn categories(value: Value) -> Result<Vec<String>, ApiError> {
    let Value::Array(values) = value else { return Err(ApiError::field("categories", "must be an array of texts")) };
    if values.len() > MAX_CATEGORIES {
        return Err(ApiError::field("categories", format!("at most {MAX_CATEGORIES}")));
    }
    let text = |(index, value): (usize, Value)| match value {
        Value::String(text) if is_label(&text) => Ok(text),
        _ => {
            let message = format!("must be a text of 1 to {MAX_LABEL_BYTES} bytes");
            Err(ApiError::field(&format!("categories[{index}]"), message))
        }
    };
    values.into_iter().enumerate().map(text).collect()
}

fn time(field: &str, value: &Value) -> Result<i64, ApiError> {
    // A time that RFC 3339 cannot write could not be given back.
    times::to_ms(value).filter(|&ms| times::rfc3339(ms).is_some()).ok_or_else(|| {
        ApiError::field(
            field,
            "must be RFC 3339, such as 2026-01-31T00:00:00Z, or seconds or milliseconds of the epoch",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read_json(body: &Value) -> Result<ItemData, ApiError> {
        read(body.to_string().as_bytes())
    }

    #[test]
    fn what_was_set_is_given_back() {
        let body = json!({"categories": ["a", "b"], "hidden": true, "available_from": 1_767_225_600,
            "available_until": "2026-02-01T00:00:00+00:00", "attributes": {"title": "x"}});
        let data = read_json(&body).unwrap();
        insta::assert_json_snapshot!(ItemView::new("7".parse().unwrap(), &data), @r#"
        {
          "id": "7",
          "categories": [
            "a",
            "b"
          ],
          "hidden": true,
          "available_from": "2026-01-01T00:00:00.000Z",
          "available_until": "2026-02-01T00:00:00.000Z",
          "attributes": {
            "title": "x"
          }
        }
        "#);
        assert_eq!(read(b"{}").unwrap(), ItemData::default());
        assert_eq!(read_json(&json!({"hidden": null})).unwrap(), ItemData::default());
    }

    #[test]
    fn every_bad_field_is_named() {
        let cases = [
            (json!({"category": "a"}), "category"),
            (json!({"categories": "a"}), "categories"),
            (json!({"categories": ["a", ""]}), "categories[1]"),
            (json!({"categories": ["a", 1]}), "categories[1]"),
            (json!({"hidden": "yes"}), "hidden"),
            (json!({"available_from": "soon"}), "available_from"),
            (json!({"available_from": 9_007_199_254_740_991_i64}), "available_from"),
            (json!({"available_from": 200, "available_until": 100}), "available_until"),
        ];
        for (body, field) in cases {
            assert_eq!(read_json(&body).unwrap_err().problem().field.as_deref(), Some(field), "{body}");
        }
        assert!(read(b"[]").is_err() && read(b"{").is_err());
    }
}
