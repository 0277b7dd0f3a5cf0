//! Texts of a certain form. Each function says what is wrong with one, or nothing.

use std::net::IpAddr;

use super::StartAt;
use crate::model::event::MAX_LABEL_BYTES;
use crate::model::serving::experiment::Variant;

/// The scopes of a key.
const SCOPES: [&str; 3] = ["read", "ingest", "admin"];

/// An IP address.
pub(super) fn address(text: &str) -> Option<String> {
    let wrong = text.parse::<IpAddr>().is_err();
    wrong.then(|| format!("must be an IP address such as 127.0.0.1 or 0.0.0.0, not {text:?}"))
}

/// Nothing, or a URL of HTTP.
pub(super) fn url(text: &str) -> Option<String> {
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let fine = text.is_empty() || host.is_some_and(|host| !host.is_empty() && !host.contains(char::is_whitespace));
    (!fine).then(|| format!("must be a URL such as http://host:5500, not {text:?}"))
}

/// Nothing, or `host:port,…`; a port may be left out.
pub(super) fn brokers(text: &str) -> Option<String> {
    if text.is_empty() {
        return None;
    }
    text.split(',').map(str::trim).find_map(|broker| {
        let fine = match broker.rsplit_once(':') {
            // An IPv6 address in brackets without a port ends with the bracket.
            Some(_) if broker.ends_with(']') => true,
            Some((host, port)) => !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0),
            None => !broker.is_empty(),
        };
        (!fine || broker.contains(char::is_whitespace)).then(|| format!("must be host:port,…; {broker:?} is not"))
    })
}

/// The name of a topic, or a part of one.
pub(super) fn topic(text: &str) -> Option<String> {
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let fine = (1..=249).contains(&text.len()) && text.chars().all(letter);
    (!fine).then(|| format!("must be 1 to 249 of the letters a-z, A-Z, 0-9, '.', '_' and '-', not {text:?}"))
}

/// Nothing, or a topic's name.
pub(super) fn topic_or_none(text: &str) -> Option<String> {
    if text.is_empty() { None } else { topic(text) }
}

/// Where a first start begins.
pub(super) fn kafka_start(text: &str) -> Option<String> {
    text.parse::<StartAt>()
        .is_err()
        .then(|| format!("must be earliest, latest, ts=2026-01-31T00:00:00Z or last=7d, not {text:?}"))
}

/// A file, a folder or `s3://bucket/…`.
pub(super) fn place(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let fine = scheme == "s3" && rest.split('/').next().is_some_and(|bucket| !bucket.is_empty());
    (!fine).then(|| format!("must be a path or s3://bucket/…, not {text:?}"))
}

/// An event type, or another name.
pub(super) fn label(text: &str) -> Option<String> {
    (text.len() > MAX_LABEL_BYTES).then(|| format!("has a name of more than {MAX_LABEL_BYTES} bytes"))
}

/// A variant of a test.
pub(super) fn variant(text: &str) -> Option<String> {
    Variant::read(text).err()
}

/// A key with its scopes. What is said never holds the key.
pub(super) fn key(text: &str) -> Option<String> {
    let form = "must be scope:key or scope+scope:key with the scopes read, ingest, admin";
    let Some((scopes, key)) = text.split_once(':') else { return Some(form.to_owned()) };
    if !scopes.split('+').all(|scope| SCOPES.contains(&scope)) {
        return Some(form.to_owned());
    }
    if key.is_empty() || key.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Some("must have a key without spaces behind the colon".to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_takes_what_is_meant_and_refuses_what_is_not() {
        type Form = fn(&str) -> Option<String>;
        let cases: [(Form, &[&str], &[&str]); 7] = [
            (url, &["", "http://h:1", "https://h/x"], &["h:1", "http://", "ftp://h", "http://a b"]),
            (
                brokers,
                &["", "a:9092", "a:1,b:2", "a", "[::1]:9092", "[::1]"],
                &["a:", "a:0", "a:99999", "a:1,,b:2", ":1"],
            ),
            (topic, &["events", "a.b-c_D9"], &["", "a b", "ä"]),
            (topic_or_none, &["", "versions"], &["a b"]),
            (
                kafka_start,
                &["earliest", "latest", "ts=2026-01-31T00:00:00Z", "ts=1700000000000", "last=7d"],
                &["", "first", "ts=yesterday", "last=7", "since=1"],
            ),
            (place, &["", "./data", "/x", "s3://bucket", "s3://bucket/p"], &["s3://", "gs://b", "http://h/x"]),
            (key, &["read:abc", "read+ingest:a:b"], &["abc", "write:abc", "read:", "read:a b", "read+:x"]),
        ];
        for (form, right, wrong) in cases {
            for text in right {
                assert_eq!(form(text), None, "{text:?}");
            }
            for text in wrong {
                assert!(form(text).is_some(), "{text:?}");
            }
        }
    }

    #[test]
    fn what_is_said_of_a_key_does_not_show_it() {
        for text in ["hunter2", "write:hunter2", "read:hunter2 x"] {
            assert!(!key(text).unwrap().contains("hunter2"));
        }
    }
}
