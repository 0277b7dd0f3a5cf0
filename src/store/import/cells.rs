//! What stands in a field: texts and numbers as the files write them.

use std::borrow::Cow;
use std::sync::Arc;

use crate::model::event::{Event, PURCHASE, epoch_to_ms};
use crate::model::ids::{ItemId, UserId};

use super::source::Times;

/// Below this a number is no second of the epoch that anybody means (March 1973), but a count: kept as it is.
const SMALL: u64 = 100_000_000;

/// Splits a CSV line. A field may stand in quotes, a quote in it doubled.
pub fn split(line: &str) -> Result<Vec<Cow<'_, str>>, String> {
    if !line.contains('"') {
        return Ok(line.split(',').map(Cow::Borrowed).collect());
    }
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let (field, behind) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_field(quoted)?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                let (field, behind) = rest.split_at(end);
                (Cow::Borrowed(field), behind)
            }
        };
        fields.push(field);
        match behind.strip_prefix(',') {
            Some(next) => rest = next,
            None if behind.is_empty() => return Ok(fields),
            None => return Err("there is text behind a closing quote".into()),
        }
    }
}

fn quoted_field(quoted: &str) -> Result<(Cow<'_, str>, &str), String> {
    let mut from = 0;
    loop {
        let place = quoted.get(from..).and_then(|rest| rest.find('"')).ok_or("a quote is not closed")? + from;
        let (field, behind) = quoted.split_at(place);
        let behind = behind.get(1..).unwrap_or_default();
        if !behind.starts_with('"') {
            let field = if from == 0 { Cow::Borrowed(field) } else { Cow::Owned(field.replace("\"\"", "\"")) };
            return Ok((field, behind));
        }
        from = place + 2;
    }
}

/// The names in a header, without spaces and in lower case.
pub fn header(line: &str) -> Result<Vec<String>, String> {
    Ok(split(line)?.iter().map(|name| name.trim().to_ascii_lowercase()).collect())
}

/// A user's id.
pub fn user(text: &str) -> Result<UserId, String> {
    UserId::new(text).map_err(|e| format!("user: {e}"))
}

/// An item's id.
pub fn item(text: &str) -> Result<ItemId, String> {
    ItemId::new(text).map_err(|e| format!("item: {e}"))
}

/// A time as a number: seconds or milliseconds of the epoch, or, where only the order counts, anything small as it is.
pub fn time_of_int(number: i64, times: Times) -> i64 {
    match times {
        Times::Ordered if number.unsigned_abs() < SMALL => number,
        _ => epoch_to_ms(number),
    }
}

/// A time as a number that may have a fraction.
pub fn time_of_float(number: f64, times: Times) -> Result<i64, String> {
    if !number.is_finite() || number.abs() >= 9e15 {
        return Err(format!("timestamp: {number} is no time"));
    }
    if number.fract() == 0.0 {
        return Ok(time_of_int(number as i64, times));
    }
    if times == Times::Ordered && number.abs() < SMALL as f64 {
        return Err(format!("timestamp: {number} is no integer"));
    }
    Ok(if number.abs() < 1e11 { (number * 1000.0).round() as i64 } else { number.round() as i64 })
}

/// A time as text: a number, or RFC 3339; empty for none.
pub fn time_of_text(text: &str, times: Times) -> Result<Option<i64>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if let Ok(number) = text.parse::<i64>() {
        return Ok(Some(time_of_int(number, times)));
    }
    if let Ok(number) = text.parse::<f64>() {
        return time_of_float(number, times).map(Some);
    }
    match chrono::DateTime::parse_from_rfc3339(text) {
        Ok(time) => Ok(Some(time.timestamp_millis())),
        Err(_) => Err(format!("timestamp: {text:?} is neither RFC 3339 nor a number of the epoch")),
    }
}

/// A weight as text; empty means 1.
pub fn value_of_text(text: &str) -> Result<f32, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(1.0);
    }
    text.parse::<f32>().map_err(|_| format!("weight: {text:?} is no number"))
}

/// The event type, shared with the line before where it is the same; empty means a purchase.
pub fn kind(text: &str, last: &mut Arc<str>) -> Arc<str> {
    let text = if text.is_empty() { PURCHASE } else { text };
    if &**last != text {
        *last = Arc::from(text);
    }
    last.clone()
}

/// Checks the whole event as the log wants it; where only the order of times counts, they may be any.
pub fn checked(mut event: Event, times: Times) -> Result<Event, String> {
    let (time, now_ms) = match times {
        Times::Checked { now_ms } => (event.timestamp_ms, now_ms),
        Times::Ordered => (event.timestamp_ms.take(), 0),
    };
    event.check(now_ms).map_err(|e| e.to_string())?;
    event.timestamp_ms = time;
    Ok(event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_in_quotes_are_read() {
        assert_eq!(split(r#"a,"b,""c""",,d"#).unwrap(), ["a", "b,\"c\"", "", "d"]);
        assert_eq!(split(r#""","#).unwrap(), ["", ""]);
        assert!(split(r#"a,"b"#).is_err());
        assert!(split(r#""a"b,c"#).is_err());
    }

    #[test]
    fn times_are_read_in_every_form() {
        let checked = Times::Checked { now_ms: 0 };
        assert_eq!(time_of_text(" 1291191960 ", checked), Ok(Some(1_291_191_960_000)));
        assert_eq!(time_of_text("1291191960123", checked), Ok(Some(1_291_191_960_123)));
        assert_eq!(time_of_text("1291191960.5", checked), Ok(Some(1_291_191_960_500)));
        assert_eq!(time_of_text("2010-12-01T08:26:00Z", checked), Ok(Some(1_291_191_960_000)));
        assert_eq!(time_of_text("", checked), Ok(None));
        assert_eq!(time_of_text("17", Times::Ordered), Ok(Some(17)));
        for times in [checked, Times::Ordered] {
            assert_eq!(time_of_text("-9223372036854775808", times), Ok(Some(i64::MIN)));
        }
        assert!(time_of_text("yesterday", checked).is_err());
        assert!(time_of_text("nan", checked).is_err());
    }

    proptest! {
        #[test]
        fn split_gives_back_what_was_joined(fields in proptest::collection::vec("[a,\"é ]{0,5}", 1..5)) {
            let line: Vec<String> = fields.iter().map(|f| format!("\"{}\"", f.replace('"', "\"\""))).collect();
            let line = line.join(",");
            prop_assert_eq!(split(&line).unwrap(), fields);
        }

        #[test]
        fn no_line_makes_it_panic(line in any::<String>()) {
            let fields = split(&line);
            prop_assert!(fields.is_err() || !fields.unwrap().is_empty());
        }

        #[test]
        fn ordered_times_keep_their_order(a in 0_i64..99_999_999_999, b in 0_i64..99_999_999_999) {
            prop_assert_eq!(a.cmp(&b), time_of_int(a, Times::Ordered).cmp(&time_of_int(b, Times::Ordered)));
        }
    }
}
