//! What is known of an item beside the events on it.

use serde::{Deserialize, Serialize};

/// The item data that `PUT /v1/items/{id}` sets. Times are milliseconds of the epoch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ItemData {
    /// The categories that `category=` filters by.
    #[serde(default)]
    pub categories: Vec<String>,
    /// Never recommended while true.
    #[serde(default)]
    pub hidden: bool,
    /// Not recommended before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_from_ms: Option<i64>,
    /// Not recommended from this time on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_until_ms: Option<i64>,
    /// Anything else, given back as it was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<serde_json::Value>,
}

impl ItemData {
    /// About how many bytes it holds beside its own size.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let categories: usize = self.categories.iter().map(|name| name.len() + size_of::<String>()).sum();
        categories + self.attributes.as_ref().map_or(0, json_bytes)
    }

    /// Whether the item may be recommended at `now_ms`: not hidden, and inside its window.
    #[must_use]
    pub fn available(&self, now_ms: i64) -> bool {
        !self.hidden
            && self.available_from_ms.is_none_or(|from| from <= now_ms)
            && self.available_until_ms.is_none_or(|until| now_ms < until)
    }
}

/// About how many bytes a JSON value holds beside its own size.
fn json_bytes(value: &serde_json::Value) -> usize {
    use serde_json::Value;
    let whole = |value: &Value| size_of::<Value>() + json_bytes(value);
    match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(whole).sum(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| size_of::<String>() + name.len() + whole(value)).sum()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}
