//! How values of a service's answers are shown in tables.

use chrono::DateTime;
use serde_json::Value;

/// A dash where there is nothing, texts as they are, the rest as JSON.
pub(super) fn plain(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Milliseconds of the epoch as a time in UTC.
pub(super) fn time(value: Option<&Value>) -> String {
    let time = value.and_then(Value::as_i64).and_then(DateTime::from_timestamp_millis);
    time.map_or_else(|| "-".to_owned(), |time| time.format("%Y-%m-%d %H:%M:%SZ").to_string())
}

/// Milliseconds between two times of the epoch, in seconds.
pub(super) fn seconds(from: Option<&Value>, to: Option<&Value>) -> String {
    match (from.and_then(Value::as_i64), to.and_then(Value::as_i64)) {
        (Some(from), Some(to)) => format!("{:.1}", (to - from) as f64 / 1000.0),
        _ => "-".to_owned(),
    }
}

/// A figure to three places; it may be a number or an object with a `mean`.
pub(super) fn figure(value: Option<&Value>) -> String {
    let number = value.and_then(|value| value.as_f64().or_else(|| value.get("mean")?.as_f64()));
    number.map_or_else(|| "-".to_owned(), |number| format!("{number:.3}"))
}

/// The elements of the list that `body` holds under `name`.
pub(super) fn list<'a>(body: &'a Value, name: &str) -> Option<&'a [Value]> {
    body.get(name).and_then(Value::as_array).map(Vec::as_slice)
}
