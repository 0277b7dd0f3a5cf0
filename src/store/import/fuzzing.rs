//! Laws of the readers of files, for the targets in `fuzz/` and the tests; see [`crate::model::fuzzing`].
#![expect(clippy::unwrap_used, reason = "a law that does not hold panics")]

use std::io::Cursor;
use std::path::PathBuf;

use super::{ImportFormat, LineError, Source, Times, read_users};
use crate::model::event::Event;
use crate::model::fuzzing::{Law, NOW};

/// Text in every form, plain and packed.
pub const TEXT: [Law; 6] = [
    ("CSV", |bytes| text(bytes, "events.csv", ImportFormat::Events)),
    ("NDJSON", |bytes| text(bytes, "events.ndjson", ImportFormat::Events)),
    ("baskets", |bytes| text(bytes, "transactions.csv", ImportFormat::Transactions)),
    ("gzip", |bytes| bytes.starts_with(&[0x1f, 0x8b]) && file(bytes)),
    ("zstd", |bytes| bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) && file(bytes)),
    ("users", users),
];

/// Parquet files that others wrote.
pub const PARQUET: Law = ("Parquet events", |bytes| bytes.starts_with(b"PAR1") && file(bytes));

/// A file with these bytes for as long as this lives.
pub struct Scratch(pub PathBuf);

impl Scratch {
    /// Writes the file.
    pub fn new(bytes: &[u8]) -> Self {
        let name = format!("ouzel-fuzz-{}-{:?}", std::process::id(), std::thread::current().id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, bytes).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

/// Rows of a packed file that are looked at: few bytes may unpack to millions, which are read a few thousand at a time.
const MOST: usize = 50_000;

/// All events of a source. Lines come in order, bad ones among them; the bytes they were read from bound how many.
fn events(source: Source, lines: Option<usize>) -> Vec<Event> {
    let (mut events, mut last) = (Vec::new(), 0);
    for read in source.take(MOST) {
        match read {
            Ok((line, event)) => {
                assert!(line >= last, "line {line} after {last}");
                last = line;
                events.push(event);
            }
            Err(LineError::Bad(bad)) => {
                assert!(bad.line > last && !bad.reason.is_empty(), "{bad} after {last}");
                last = bad.line;
            }
            Err(LineError::Failed(_)) => break,
        }
    }
    assert!(lines.is_none_or(|lines| last <= lines as u64), "line {last} of {lines:?}");
    events
}

fn text(bytes: &[u8], name: &str, format: ImportFormat) -> bool {
    let lines = bytes.split(|&byte| byte == b'\n').count();
    let open = |times| Source::from_reader(Box::new(Cursor::new(bytes.to_vec())), name, format, times);
    if let Ok(source) = open(Times::Ordered) {
        events(source, Some(lines));
    }
    let Ok(source) = open(Times::Checked { now_ms: NOW }) else { return false };
    let read = events(source, Some(lines));
    checked(&read);
    written_again(&read);
    !read.is_empty()
}

fn file(bytes: &[u8]) -> bool {
    let scratch = Scratch::new(bytes);
    let open = |times| Source::open(&scratch.0, "events", ImportFormat::Events, times);
    if let Ok(source) = open(Times::Ordered) {
        events(source, None);
    }
    let Ok(source) = open(Times::Checked { now_ms: NOW }) else { return false };
    let read = events(source, None);
    checked(&read);
    !read.is_empty()
}

fn checked(events: &[Event]) {
    events.iter().for_each(|event| event.check(NOW).unwrap());
}

/// Writes events as CSV, every field in quotes, and reads them as the same.
fn written_again(events: &[Event]) {
    let mut file = "user,item,timestamp,weight,type,id,recommendation_id\n".to_owned();
    for event in events {
        let time = event.timestamp_ms.map(|time| time.to_string());
        let label = |label: &Option<std::sync::Arc<str>>| label.as_deref().unwrap_or_default().to_owned();
        let (id, recommendation) = (label(&event.id), label(&event.recommendation_id));
        let fields = [
            event.user.as_str(),
            event.item.as_str(),
            time.as_deref().unwrap_or_default(),
            &event.value.to_string(),
            &event.kind,
            &id,
            &recommendation,
        ];
        // Only NDJSON can have ends of lines in a text: no line of CSV spans two.
        if fields.iter().any(|field| field.contains('\n')) {
            return;
        }
        file.push_str(&fields.map(|field| format!("\"{}\"", field.replace('"', "\"\""))).join(","));
        file.push('\n');
    }
    let times = Times::Checked { now_ms: NOW };
    let source = Source::from_reader(Box::new(Cursor::new(file)), "again.csv", ImportFormat::Events, times).unwrap();
    let again: Vec<Event> = source.map(|read| read.unwrap().1).collect();
    assert_eq!(again, events);
}

fn users(bytes: &[u8]) -> bool {
    let scratch = Scratch::new(bytes);
    read_users(&scratch.0, "users.csv").is_ok_and(|users| !users.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_laws_hold_on_the_committed_files() {
        crate::model::fuzzing::hold_the_corpus("import", &[&TEXT]);
    }
}
