//! Times on the wire: RFC 3339 out, RFC 3339 or a number of the epoch in.

use chrono::{DateTime, SecondsFormat};
use serde_json::Value;

use crate::model::event::epoch_to_ms;

/// RFC 3339 in UTC with milliseconds; none where the year has no four digits.
pub fn rfc3339(ms: i64) -> Option<String> {
    let time = DateTime::from_timestamp_millis(ms)?;
    let text = time.to_rfc3339_opts(SecondsFormat::Millis, true);
    (text.len() == "2026-01-01T00:00:00.000Z".len()).then_some(text)
}

/// Reads RFC 3339, or a number of seconds or milliseconds of the epoch.
pub fn to_ms(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_millis()),
        Value::Number(number) => number.as_i64().map(epoch_to_ms),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_are_read_in_all_three_forms() {
        let wanted = Some(1_767_225_600_000);
        for form in [
            json!("2026-01-01T00:00:00Z"),
            json!("2026-01-01T01:00:00+01:00"),
            json!(1_767_225_600),
            json!(1_767_225_600_000_i64),
        ] {
            assert_eq!(to_ms(&form), wanted, "{form}");
        }
        assert_eq!(to_ms(&json!("yesterday")), None);
        assert_eq!(to_ms(&json!(1.5)), None);
        assert_eq!(rfc3339(1_767_225_600_000).as_deref(), Some("2026-01-01T00:00:00.000Z"));
        assert_eq!(rfc3339(i64::MAX), None);
    }
}
