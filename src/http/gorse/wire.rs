//! What Gorse's routes have in common: pages, times, spans, the answer to a write.

use std::collections::BTreeSet;
use std::time::Duration;

use actix_web::HttpResponse;
use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::http::body::json;
use crate::http::errors::{ApiError, Kind};
use crate::http::params::Params;
use crate::model::interactions::NO_TIME;
use crate::model::serving::query::MAX_SKIP;

/// What Gorse writes where there is no time.
const ZERO_TIME: &str = "0001-01-01T00:00:00Z";

/// How many rows a write was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Success {
    /// The rows.
    pub row_affected: usize,
}

/// The answer to a write.
pub fn written(row_affected: usize) -> HttpResponse {
    HttpResponse::Ok().json(Success { row_affected })
}

/// The parameter `offset`; 0 where it is absent.
///
/// # Errors
/// 400 beyond [`MAX_SKIP`].
pub fn offset(params: &Params) -> Result<usize, ApiError> {
    let Some(text) = params.one("offset")? else { return Ok(0) };
    let number = text.parse().ok().filter(|&number| number <= MAX_SKIP);
    number.ok_or_else(|| ApiError::field("offset", format!("must be a whole number from 0 to {MAX_SKIP}")))
}

/// Takes the id out of the field `name` of an object that is put.
///
/// # Errors
/// 400 where it is missing or no id.
pub fn id_of<Id: DeserializeOwned>(fields: &mut Map<String, Value>, name: &str) -> Result<Id, ApiError> {
    let id = fields.remove(name).ok_or_else(|| ApiError::field(name, "is missing"))?;
    serde_json::from_value(id).map_err(|error| ApiError::field(name, error))
}

/// The value of a parameter, an empty one being absent.
///
/// # Errors
/// 400 when it is repeated.
pub fn given<'a>(params: &'a Params, name: &str) -> Result<Option<&'a str>, ApiError> {
    Ok(params.one(name)?.filter(|text| !text.is_empty()))
}

/// Reads a body that is a list of JSON objects.
///
/// # Errors
/// 400 naming the element that is none.
pub fn objects(body: &[u8]) -> Result<Vec<Map<String, Value>>, ApiError> {
    let Value::Array(values) = json(body)? else {
        return Err(ApiError::new(Kind::Invalid, "the body must be a JSON array of objects"));
    };
    let object = |(index, value)| match value {
        Value::Object(fields) => Ok(fields),
        _ => Err(ApiError::field(&format!("[{index}]"), "must be an object")),
    };
    values.into_iter().enumerate().map(object).collect()
}

/// Reads a time as Gorse's clients write it: RFC 3339, a date, a date and time without a zone (then UTC); empty or null is
/// none. Milliseconds of the epoch.
///
/// # Errors
/// What it should be.
pub fn time_ms(value: Option<&Value>) -> Result<Option<i64>, String> {
    let text = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.trim(),
        Some(_) => return Err("must be a text, such as 2026-01-31T12:00:00Z".to_owned()),
    };
    if text.is_empty() || text == ZERO_TIME {
        return Ok(None);
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(Some(time.timestamp_millis()));
    }
    let local = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]
        .into_iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0));
    let wrong = || "must be a time, such as 2026-01-31T12:00:00Z or 2026-01-31".to_owned();
    local.map(|time| Some(time.and_utc().timestamp_millis())).ok_or_else(wrong)
}

/// A time as Gorse writes it.
pub fn time_text(ms: i64) -> String {
    let time = if ms == NO_TIME { None } else { DateTime::from_timestamp_millis(ms) };
    time.map_or_else(|| ZERO_TIME.to_owned(), |time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

/// Reads a span as Go writes it: `10m`, `1h30m`, `0h0m0s`, `1.5s`.
pub fn span(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let (mut rest, mut seconds) = (text, 0.0);
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (digits, behind) = rest.split_at(number);
        let unit = behind.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit);
        let scale = match unit {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        seconds += digits.parse::<f64>().ok()? * scale;
        rest = behind;
    }
    if text.is_empty() { None } else { Duration::try_from_secs_f64(seconds).ok() }
}

/// The `n` smallest ids behind `after`: a page of what has no order of its own. An id is copied only where it is among them
/// so far.
pub struct Page<'a, Id> {
    after: &'a str,
    n: usize,
    smallest: BTreeSet<Id>,
}

impl<'a, Id: Ord + Clone + AsRef<str>> Page<'a, Id> {
    /// An empty page of at most `n` ids behind `after`.
    pub const fn new(after: &'a str, n: usize) -> Self {
        Self { after, n, smallest: BTreeSet::new() }
    }

    /// Whether an id belongs on the page, as far as was looked.
    pub fn wants(&self, id: &Id) -> bool {
        let full = self.smallest.len() >= self.n;
        id.as_ref() > self.after && !(full && self.smallest.last().is_none_or(|largest| id >= largest))
    }

    /// Takes an id in where it belongs on the page; one that is there already stays there once.
    pub fn offer(&mut self, id: &Id) {
        if self.wants(id) && self.smallest.insert(id.clone()) && self.smallest.len() > self.n {
            self.smallest.pop_last();
        }
    }

    /// The ids in order.
    pub fn into_sorted(self) -> Vec<Id> {
        self.smallest.into_iter().collect()
    }
}

/// The cursor of the page behind this one: its last id where it is full, else empty.
pub fn cursor<Id: AsRef<str>>(page: &[Id], n: usize) -> String {
    page.last().filter(|_| page.len() >= n).map(|id| id.as_ref().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::ItemId;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn times_are_read_as_clients_write_them() {
        let noon = Some(1_769_860_800_000);
        for text in ["2026-01-31T12:00:00Z", "2026-01-31T14:00:00+02:00", "2026-01-31T12:00:00", "2026-01-31 12:00"] {
            assert_eq!(time_ms(Some(&json!(text))), Ok(noon), "{text}");
        }
        assert_eq!(time_ms(Some(&json!("2026-01-31"))), Ok(Some(1_769_817_600_000)));
        assert_eq!(time_ms(Some(&json!("2010-01-01T01:01:01.000001"))), Ok(Some(1_262_307_661_000)));
        for none in [None, Some(json!(null)), Some(json!("")), Some(json!(ZERO_TIME))] {
            assert_eq!(time_ms(none.as_ref()), Ok(None));
        }
        assert!(time_ms(Some(&json!("yesterday"))).is_err() && time_ms(Some(&json!(7))).is_err());
        assert_eq!(time_text(1_769_860_800_000), "2026-01-31T12:00:00Z");
        assert_eq!(time_text(NO_TIME), ZERO_TIME);
    }

    #[test]
    fn spans_are_read_as_go_writes_them() {
        for (text, ms) in
            [("10m", 600_000), ("1h30m", 5_400_000), ("0h0m0s", 0), ("1.5s", 1500), ("0", 0), ("20ms", 20)]
        {
            assert_eq!(span(text), Some(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "10", "m", "-1s", "1d", "1.2.3s", "s1"] {
            assert_eq!(span(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn pages_give_every_id_once_in_order(ids in prop::collection::hash_set("[a-d]{1,3}", 0..60), n in 1_usize..9) {
            let ids: Vec<ItemId> = ids.iter().map(|id| id.parse().unwrap()).collect();
            let (mut after, mut seen) = (String::new(), Vec::new());
            loop {
                let mut filling = Page::new(&after, n);
                ids.iter().chain(&ids).for_each(|id| filling.offer(id));
                let page = filling.into_sorted();
                prop_assert!(page.len() <= n);
                after = cursor(&page, n);
                seen.extend(page);
                if after.is_empty() {
                    break;
                }
            }
            let mut all = ids;
            all.sort();
            prop_assert_eq!(seen, all);
        }
    }
}
