//! Files of every form, good and bad, read and brought into a log.

mod forms;
mod into_log;
mod parquet_files;
mod real;

use std::path::{Path, PathBuf};

use super::{BadLine, ImportFormat, LineError, Source, Times};
use crate::model::event::Event;

const NOW: i64 = 1_700_000_000_000;

/// Writes a file and gives its path.
fn file(dir: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn open(path: &Path, format: ImportFormat) -> Source {
    let name = path.file_name().unwrap().to_str().unwrap();
    Source::open(path, name, format, Times::Checked { now_ms: NOW }).unwrap()
}

/// The events with their lines, and the bad lines.
fn read(source: Source) -> (Vec<(u64, Event)>, Vec<BadLine>) {
    let (mut events, mut bad) = (Vec::new(), Vec::new());
    for line in source {
        match line {
            Ok(event) => events.push(event),
            Err(LineError::Bad(line)) => bad.push(line),
            Err(LineError::Failed(error)) => panic!("{error}"),
        }
    }
    (events, bad)
}

/// An event in one line, for comparisons.
fn shown(events: &[(u64, Event)]) -> Vec<String> {
    let show = |(line, event): &(u64, Event)| {
        let Event { user, item, kind, value, timestamp_ms, id, recommendation_id } = event;
        format!("{line}: {user} {kind} {item} {value} {timestamp_ms:?} {id:?} {recommendation_id:?}")
    };
    events.iter().map(show).collect()
}
