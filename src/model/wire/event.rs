//! The event body: `{"user","item","type"?,"value"?,"timestamp"?,"id"?,"recommendation_id"?}`.

use super::BodyError;
use crate::model::event::Event;

/// Reads one event object. An absent time is `arrival_ms`; times are RFC 3339 or epoch seconds or milliseconds.
///
/// # Errors
/// [`BodyError`] naming the field: no object, unknown field, missing or ill-typed value, what [`Event::check`] refuses.
pub fn event_from_json(_value: &serde_json::Value, _arrival_ms: i64) -> Result<Event, BodyError> {
    todo!()
}
