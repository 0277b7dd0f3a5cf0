//! Server-sent events.

use actix_web::HttpResponse;
use actix_web::http::header;
use bytes::Bytes;
use futures_util::Stream;
use serde::Serialize;

/// A comment that keeps a quiet connection open.
pub const KEEP_ALIVE: Bytes = Bytes::from_static(b": still here\n\n");

/// How often a quiet stream says so, in seconds.
pub const KEEP_ALIVE_SECONDS: u64 = 15;

/// One event: its name and its data as one line of JSON.
pub fn event<T: Serialize>(name: &str, data: &T) -> Bytes {
    match serde_json::to_string(data) {
        Ok(json) => Bytes::from(format!("event: {name}\ndata: {json}\n\n")),
        Err(error) => {
            tracing::error!(%error, name, "an event of a stream cannot be written");
            KEEP_ALIVE
        }
    }
}

/// Answers with a stream of events.
pub fn response(events: impl Stream<Item = Result<Bytes, actix_web::Error>> + 'static) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // Some proxies hold an answer back until it is whole unless they are told.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_of_data() {
        let bytes = event("state", &serde_json::json!({"text": "two\nlines"}));
        assert_eq!(&*bytes, b"event: state\ndata: {\"text\":\"two\\nlines\"}\n\n");
    }
}
