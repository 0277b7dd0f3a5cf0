//! The real files, brought in.

use std::collections::HashSet;

use super::*;
use crate::model::real_files::real_file;
use crate::store::import::{ImportOptions, import, load_interactions, read_users};
use crate::store::log::{Change, EventLog, LogOptions};

#[test]
fn the_originals_transactions_are_brought_in_whole() {
    let dir = tempfile::tempdir().unwrap();
    let Some(path) = real_file("seed-transactions/transactions.csv") else { return };
    let (log, _) = EventLog::open(dir.path(), LogOptions::default()).unwrap();
    let options = ImportOptions::new(NOW);
    let report = import(&log, &path, "transactions.csv", ImportFormat::Transactions, options, &|_| {}).unwrap();
    assert_eq!((report.accepted, report.bad_lines), (211_478, 0));
    let (mut users, mut items, mut last) = (HashSet::new(), HashSet::new(), 0);
    log.replay(0, &mut |record| {
        assert_eq!(record.seq, last + 1);
        last = record.seq;
        if let Change::Event { event, .. } = record.change {
            assert_eq!((event.timestamp_ms, event.value), (None, 1.0));
            users.insert(event.user);
            items.insert(event.item);
        }
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!((last, users.len(), items.len()), (211_478, 24_429, 300));
    let again = import(&log, &path, "transactions.csv", ImportFormat::Transactions, options, &|_| {}).unwrap();
    assert_eq!((again.accepted, again.duplicates, log.last_seq()), (0, 211_478, 211_478));
}

#[test]
fn the_real_events_are_read_whole() {
    let weight = |_: &str, value: f32| value;
    for (file, rows, users, items) in [
        ("online-retail-2011/interactions.csv.gz", 396_337, 4_334, 3_659),
        ("ml-latest-small/interactions.csv.gz", 100_836, 610, 9_724),
    ] {
        let Some(path) = real_file(file) else { continue };
        let (read, bad) = load_interactions(&path, file, ImportFormat::Events, &weight).unwrap();
        assert_eq!(
            (read.len(), read.user_ids.len(), read.item_ids.len(), bad.len()),
            (rows, users, items, 0),
            "{file}"
        );
        assert!(read.time_range().is_some_and(|(from, to)| from < to));
    }
}

#[test]
fn the_originals_users_are_read() {
    let Some(path) = real_file("seed-transactions/users.csv") else { return };
    assert_eq!(read_users(&path, "users.csv").unwrap().len(), 1000);
}
