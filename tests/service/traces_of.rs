//! Where a text stands in the files of a data folder and of an artifact store, as they are and unpacked.
#![allow(dead_code, reason = "each test target uses its own part of it")]

use std::fs::{read, read_dir};
use std::path::{Path, PathBuf};

use ouzel::store::artifacts::Artifacts;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::{Value, json};

/// Trains the original's network on a small shop, whatever it is worth: it has a table of users.
pub const SMALL_SHOP: [(&str, &str); 5] = [
    ("OUZEL__STORAGE__SEAL_EVENTS", "150"),
    ("OUZEL__SCHEDULE__ON_START", "false"),
    ("OUZEL__TRAINING__CANDIDATES", "neural-cf"),
    ("OUZEL__TRAINING__TRIALS", "1"),
    ("OUZEL__GATE__MARGIN", "1"),
];

/// Events of thirty users on fifteen items, from number `from` to `to`; every thirtieth is of `somebody`.
pub fn events(from: u64, to: u64, somebody: &str) -> Value {
    (from..to)
        .map(|n| {
            let user = n % 30;
            let name = if user == 7 { somebody.to_owned() } else { format!("user-{user}") };
            let item = (user % 3 * 5 + n / 30 * (1 + user / 3 % 4)) % 15;
            let time = 1_750_000_000 + n * 60;
            json!({ "id": format!("{name}/{n}"), "user": name, "item": format!("item-{item}"), "timestamp": time })
        })
        .collect()
}

/// The files below `folder` in which `text` stands.
pub fn files_with(folder: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, text));
        } else if holds(&read(&path).unwrap(), text) {
            found.push(path);
        }
    }
    found
}

/// The artifacts in which `text` stands.
pub async fn artifacts_with(place: &Artifacts, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let (versions, aside) = (place.list("versions").await.unwrap(), place.list("quarantine").await.unwrap());
    for path in versions.into_iter().chain(aside).chain(["live.json".to_owned()]) {
        if place.get(&path).await.unwrap().is_some_and(|bytes| holds(&bytes, text)) {
            found.push(path);
        }
    }
    found
}

/// Whether a file's bytes hold a text, as they are or, of a segment, in its rows.
fn holds(bytes: &[u8], text: &str) -> bool {
    let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    let (first, rest) = text.as_bytes().split_first().unwrap();
    let mut places = bytes[..used].iter().enumerate().filter(|(_, byte)| *byte == first);
    if places.any(|(at, _)| bytes[at + 1..].starts_with(rest)) {
        return true;
    }
    if !bytes.starts_with(b"PAR1") {
        return false;
    }
    let segment = SerializedFileReader::new(bytes::Bytes::copy_from_slice(bytes)).unwrap();
    segment.get_row_iter(None).unwrap().any(|row| row.unwrap().to_string().contains(text))
}
