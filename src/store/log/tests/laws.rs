//! Any sequence of batches, sealings and restarts gives back exactly the accepted records, in order.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::store::log::codec::tests::any_event;
use crate::store::log::{Change, Outcome};

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<Event>),
    Redeliver,
    Kafka(i64, usize),
    Items(u8, Option<String>),
    Erase(u8),
    Import(Vec<Event>),
    Seal,
    Rewrite,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => proptest::collection::vec(any_event(), 0..6).prop_map(Step::Append),
        1 => Just(Step::Redeliver),
        2 => (0..12_i64, 1..5_usize).prop_map(|(from, count)| Step::Kafka(from, count)),
        1 => (0..4_u8, proptest::option::of("[a-z]{1,3}")).prop_map(|(item, category)| Step::Items(item, category)),
        1 => (0..10_u8).prop_map(Step::Erase),
        1 => proptest::collection::vec(any_event(), 0..5).prop_map(Step::Import),
        2 => Just(Step::Seal),
        1 => Just(Step::Rewrite),
        2 => Just(Step::Reopen),
    ]
}

/// What a replay from the start must give: the latest change of each item and erasure, events not erased.
fn expected(log: &EventLog, written: &[LogRecord]) -> Vec<LogRecord> {
    let mut latest: HashMap<String, u64> = HashMap::new();
    for record in written {
        match &record.change {
            Change::Item { item, .. } => latest.insert(format!("item {item}"), record.seq),
            Change::Erased { user } => latest.insert(format!("user {user}"), record.seq),
            Change::Event { .. } | Change::Forgotten { .. } => None,
        };
    }
    let keep = |record: &&LogRecord| match &record.change {
        Change::Event { event, .. } => latest.get(&format!("user {}", event.user)).is_none_or(|&at| at < record.seq),
        Change::Item { item, .. } => latest[&format!("item {item}")] == record.seq,
        Change::Erased { user } => latest[&format!("user {user}")] == record.seq,
        Change::Forgotten { .. } => true,
    };
    written.iter().filter(keep).map(|record| remembered(log, record)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn a_replay_gives_exactly_what_was_accepted(steps in proptest::collection::vec(step(), 1..14)) {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(dir.path());
        let mut written: Vec<LogRecord> = Vec::new();
        let mut last_events = Vec::new();
        for (round, step) in steps.into_iter().enumerate() {
            match step {
                Step::Append(events) => {
                    last_events.clone_from(&events);
                    written.extend(log.append(&batch(events)).unwrap().records);
                }
                Step::Redeliver => {
                    let again = log.append(&batch(last_events.clone())).unwrap();
                    let known = again.outcomes.iter().zip(&last_events).filter(|(_, event)| event.id.is_some());
                    prop_assert!(known.into_iter().all(|(outcome, _)| *outcome == Outcome::KnownId));
                    written.extend(again.records);
                }
                Step::Kafka(from, count) => {
                    let offsets: Vec<i64> = (from..).take(count).collect();
                    let next = log.offsets().unwrap().first().map_or(0, |offset| offset.next);
                    let appended = log.append(&from_kafka(&offsets)).unwrap();
                    prop_assert_eq!(appended.accepted, offsets.iter().filter(|&&offset| offset >= next).count() as u64);
                    written.extend(appended.records);
                }
                Step::Items(item, category) => {
                    let item = format!("item-{item}");
                    let changed = match &category {
                        Some(category) => change(&item, category),
                        None => ItemChange { item: item.parse().unwrap(), data: None },
                    };
                    written.extend(log.append(&EventBatch { items: vec![changed], ..batch(vec![]) }).unwrap().records);
                }
                Step::Erase(user) => {
                    let erased = vec![format!("u{user}").parse().unwrap()];
                    written.extend(log.append(&EventBatch { erased, ..batch(vec![]) }).unwrap().records);
                }
                Step::Import(events) => {
                    let mut import = log.bulk_import(&format!("file {round}"), NOW).unwrap();
                    let mut seq = written.last().map_or(0, |record| record.seq);
                    for event in events {
                        if import.push(&event).unwrap() {
                            seq += 1;
                            written.push(LogRecord { seq, change: Change::Event { event, arrival_ms: NOW } });
                        }
                    }
                    import.commit(1, true).unwrap();
                }
                Step::Rewrite => {
                    let done = log.rewrite().unwrap();
                    log.note_rewritten(&done).unwrap();
                }
                Step::Seal => {
                    log.seal().unwrap();
                }
                Step::Reopen => {
                    drop(log);
                    let (fresh, recovery) = EventLog::open(dir.path(), LogOptions::default()).unwrap();
                    prop_assert!(recovery.notes().is_empty());
                    log = fresh;
                }
            }
            let all = expected(&log, &written);
            prop_assert_eq!(replayed(&log, 0), all.clone());
            let middle = written.len() as u64 / 2;
            let behind: Vec<LogRecord> = all.into_iter().filter(|record| record.seq > middle).collect();
            prop_assert_eq!(replayed(&log, middle), behind);
            prop_assert_eq!(log.last_seq(), written.len() as u64);
        }
    }
}
