//! The log through its public face; the steps of sealing one by one where a crash comes between.

mod damage;
mod durability;
mod erasure;
mod laws;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use super::batch::{EventBatch, ItemChange, Position};
use super::{Change, EventLog, LogError, LogOptions, LogRecord};
use crate::model::event::{Event, PURCHASE};
use crate::model::item::ItemData;
use crate::model::manifest::PartitionOffset;

const NOW: i64 = 1_700_000_000_000;

fn open(dir: &Path) -> EventLog {
    EventLog::open(dir, LogOptions::default()).unwrap().0
}

fn event(user: &str, item: &str) -> Event {
    Event {
        user: user.parse().unwrap(),
        item: item.parse().unwrap(),
        kind: Arc::from(PURCHASE),
        value: 1.0,
        timestamp_ms: Some(NOW),
        id: None,
        recommendation_id: None,
    }
}

fn with_id(user: &str, item: &str, id: &str) -> Event {
    Event { id: Some(Arc::from(id)), ..event(user, item) }
}

fn batch(events: Vec<Event>) -> EventBatch {
    EventBatch { events, arrival_ms: NOW, ..EventBatch::default() }
}

fn from_kafka(offsets: &[i64]) -> EventBatch {
    EventBatch {
        positions: offsets.iter().map(|&offset| Position { partition: 0, offset }).collect(),
        offsets: vec![reached(offsets.iter().max().map_or(0, |last| last + 1))],
        ..batch(offsets.iter().map(|offset| event("u", &format!("at-{offset}"))).collect())
    }
}

fn reached(next: i64) -> PartitionOffset {
    PartitionOffset { topic: "events".into(), partition: 3, next }
}

fn change(item: &str, category: &str) -> ItemChange {
    let data = ItemData { categories: vec![category.to_owned()], ..ItemData::default() };
    ItemChange { item: item.parse().unwrap(), data: Some(data) }
}

/// A record as the log gives it back: of an erased user it knows no more than a hash.
fn remembered(log: &EventLog, record: &LogRecord) -> LogRecord {
    match &record.change {
        Change::Erased { user } => {
            LogRecord { seq: record.seq, change: Change::Forgotten { user: log.erasures().hash(user) } }
        }
        _ => record.clone(),
    }
}

fn replayed(log: &EventLog, after: u64) -> Vec<LogRecord> {
    let mut records = Vec::new();
    log.replay(after, &mut |record| {
        records.push(record);
        ControlFlow::Continue(())
    })
    .unwrap();
    records
}

/// A copy of the folder as it is now: what a killed process leaves behind.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The only journal of a small log.
fn journal(dir: &Path) -> super::journal::Journal {
    super::journal::read_all(&dir.join("tables")).unwrap().pop().unwrap()
}

fn refused(dir: &Path) -> LogError {
    EventLog::open(dir, LogOptions::default()).unwrap_err()
}
