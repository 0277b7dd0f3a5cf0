//! What is acknowledged is there again; what is known is not taken twice.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::*;
use crate::model::run::{RunRecord, RunStatus, Trigger};
use crate::store::log::batch::ImportMark;
use crate::store::log::{Change, Outcome};

#[test]
fn what_was_appended_is_there_after_a_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let mut written = log.append(&batch(vec![event("a", "1"), event("b", "2")])).unwrap().records;
    let second = EventBatch {
        items: vec![change("1", "shoes")],
        erased: vec!["a".parse().unwrap()],
        offsets: vec![reached(9)],
        ..batch(vec![event("c", "1")])
    };
    written.extend(log.append(&second).unwrap().records);
    assert_eq!(written.iter().map(|record| record.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    drop(log);

    let (log, recovery) = EventLog::open(dir.path(), LogOptions::default()).unwrap();
    assert_eq!((log.last_seq(), recovery.tail_events, recovery.notes()), (5, 3, vec![]));
    assert_eq!(log.offsets().unwrap(), [reached(9)]);
    // The event of the erased user is left out, all else is as it was given.
    assert_eq!(replayed(&log, 0), written[1..]);
    assert_eq!(replayed(&log, 3), written[3..]);
    assert_eq!(replayed(&log, 5), []);
}

#[test]
fn a_killed_process_leaves_everything_acknowledged() {
    let (dir, copies) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = open(dir.path());
    let mut written = Vec::new();
    for round in 0..12 {
        written.extend(log.append(&batch(vec![event("u", &round.to_string()), event("v", "1")])).unwrap().records);
        if round % 5 == 4 {
            log.seal().unwrap().unwrap();
        }
        let left = copies.path().join(round.to_string());
        copy(dir.path(), &left);
        assert_eq!(replayed(&open(&left), 0), written, "after round {round}");
    }
}

#[test]
fn known_ids_are_dropped_within_the_window_only() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let one = log.append(&batch(vec![with_id("u", "1", "x"), with_id("u", "2", "y"), with_id("u", "3", "x")])).unwrap();
    assert_eq!(one.outcomes, [Outcome::Accepted(1), Outcome::Accepted(2), Outcome::KnownId]);
    drop(log);
    let log = open(dir.path());
    let again = log.append(&batch(vec![with_id("u", "1", "x"), event("u", "9")])).unwrap();
    assert_eq!((again.accepted, again.duplicates, again.outcomes[1]), (1, 1, Outcome::Accepted(3)));

    let later = NOW + LogOptions::default().dedup_window_ms;
    let late = EventBatch { arrival_ms: later, ..batch(vec![with_id("u", "1", "x")]) };
    assert_eq!(log.append(&late).unwrap().accepted, 1);
    assert_eq!(log.purge_ids(later).unwrap(), 1, "y is forgotten, x came in anew");
    assert_eq!(log.append(&late).unwrap().duplicates, 1);
}

#[test]
fn records_below_the_stored_offset_are_dropped_and_offsets_never_go_back() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let first = log.append(&from_kafka(&[5, 6, 6, 8, 5])).unwrap();
    assert_eq!((first.accepted, first.outcomes[4]), (4, Outcome::KnownOffset), "a record of two events is taken whole");
    let again = log.append(&from_kafka(&[5, 6])).unwrap();
    assert_eq!((again.accepted, again.records.len()), (0, 0));
    assert_eq!(log.offsets().unwrap(), [reached(9)]);
    assert_eq!(log.append(&from_kafka(&[8, 9])).unwrap().outcomes, [Outcome::KnownOffset, Outcome::Accepted(5)]);
    log.append(&EventBatch { offsets: vec![reached(20)], ..EventBatch::default() }).unwrap();
    drop(log);
    assert_eq!(open(dir.path()).offsets().unwrap(), [reached(20)]);
}

#[test]
fn imported_lines_are_taken_once() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let lines = |lines_done, complete| EventBatch {
        import: Some(ImportMark { content: "abc".into(), lines_done, complete }),
        ..batch(vec![event("u", "1")])
    };
    assert_eq!(log.append(&lines(10, false)).unwrap().accepted, 1);
    assert_eq!(log.append(&lines(10, false)).unwrap().outcomes, [Outcome::KnownLine]);
    assert_eq!(log.append(&lines(12, true)).unwrap().accepted, 1);
    assert_eq!(log.append(&lines(14, false)).unwrap().duplicates, 1);
    assert!(log.import_mark("abc").unwrap().unwrap().complete);
    assert_eq!(log.import_mark("other").unwrap(), None);
}

#[test]
fn a_contradictory_batch_is_refused_whole() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let short = EventBatch { positions: Vec::new(), ..from_kafka(&[1, 2]) };
    log.append(&short).unwrap();
    let uneven = EventBatch { positions: vec![Position { partition: 0, offset: 5 }], ..from_kafka(&[5, 6]) };
    assert!(matches!(log.append(&uneven), Err(LogError::Batch(_))));
    let unknown = EventBatch { positions: vec![Position { partition: 1, offset: 5 }], ..from_kafka(&[5]) };
    assert!(matches!(log.append(&unknown), Err(LogError::Batch(_))));
    assert_eq!(log.last_seq(), 2);
}

#[test]
fn a_second_opening_of_the_folder_fails_clearly() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let error = refused(dir.path());
    assert!(matches!(error, LogError::Locked { .. }), "{error}");
    assert!(error.to_string().contains("--url"), "{error}");
    drop(log);
    open(dir.path());
}

#[test]
fn a_panic_of_a_reader_leaves_the_log_usable() {
    let dir = tempfile::tempdir().unwrap();
    let log = Arc::new(open(dir.path()));
    log.append(&batch(vec![event("u", "1")])).unwrap();
    let shared = log.clone();
    let panicked = std::thread::spawn(move || shared.replay(0, &mut |_| panic!("in the middle"))).join();
    assert!(panicked.is_err());
    assert_eq!(log.append(&batch(vec![event("u", "2")])).unwrap().outcomes, [Outcome::Accepted(2)]);
    assert_eq!(replayed(&log, 0).len(), 2);
}

#[test]
fn a_replay_stops_where_it_is_told_and_goes_on_from_there() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    log.append(&batch((0..10).map(|n| event("u", &n.to_string())).collect())).unwrap();
    log.seal().unwrap();
    log.append(&batch((10..20).map(|n| event("u", &n.to_string())).collect())).unwrap();
    for stop in [4, 15] {
        let reached = log.replay(0, &mut |record| {
            if record.seq == stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(reached.unwrap(), stop);
        assert_eq!(replayed(&log, stop).first().map(|record| record.seq), Some(stop + 1));
    }
}

#[test]
fn sealing_moves_the_events_and_keeps_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = EventLog::open(dir.path(), LogOptions { seal_events: 3, ..LogOptions::default() }).unwrap();
    assert_eq!(log.seal().unwrap(), None);
    let items = vec![change("i", "shoes"), ItemChange { item: "gone".parse().unwrap(), data: None }];
    log.append(&EventBatch { items, ..from_kafka(&[0, 1]) }).unwrap();
    assert!(!log.seal_due());
    log.append(&EventBatch { erased: vec!["u".parse().unwrap()], ..batch(vec![event("v", "1")]) }).unwrap();
    assert!(log.seal_due());
    let before = replayed(&log, 0);
    let segment = log.seal().unwrap().unwrap();
    assert_eq!((segment.first, segment.last, segment.rows), (1, 6, 1), "events of the erased user stay behind");
    assert_eq!((segment.offsets.as_slice(), log.tail_events(), log.seal_due()), ([reached(2)].as_slice(), 0, false));
    assert_eq!(replayed(&log, 0), before);
    assert!(matches!(&before[0].change, Change::Item { data: Some(_), .. }) && before[0].seq == 3);
    assert_eq!(log.item_data().unwrap().map(|(item, _)| item.to_string()).collect::<Vec<_>>(), ["i"]);

    log.append(&EventBatch { items: vec![change("j", "hats")], ..EventBatch::default() }).unwrap();
    assert_eq!(log.seal().unwrap().unwrap().rows, 0);
    drop(log);
    let log = open(dir.path());
    assert_eq!((log.last_seq(), log.segments().len(), replayed(&log, 0).len()), (7, 2, before.len() + 1));
}

#[test]
fn a_crash_between_the_steps_of_sealing_loses_and_doubles_nothing() {
    let (dir, copies) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = open(dir.path());
    log.append(&batch(vec![event("a", "1"), with_id("b", "2", "id")])).unwrap();
    let written = replayed(&log, 0);

    let segment = log.write_tail().unwrap().unwrap();
    let unlisted = copies.path().join("unlisted");
    copy(dir.path(), &unlisted);
    log.list_segment(segment.clone()).unwrap();
    let listed = copies.path().join("listed");
    copy(dir.path(), &listed);
    assert_eq!(replayed(&log, 0), written, "before the tail is dropped");

    let (left, recovery) = EventLog::open(&unlisted, LogOptions::default()).unwrap();
    assert_eq!((replayed(&left, 0), recovery.deleted), (written.clone(), vec![segment.file]));
    let (left, recovery) = EventLog::open(&listed, LogOptions::default()).unwrap();
    assert_eq!((replayed(&left, 0), recovery.covered_rows, left.tail_events()), (written, 1, 0));
    assert_eq!(left.append(&batch(vec![event("c", "3")])).unwrap().outcomes, [Outcome::Accepted(3)]);
}

#[test]
fn a_crash_behind_an_imported_segment_keeps_its_mark_and_ids() {
    let (dir, copies) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = open(dir.path());
    log.append(&batch(vec![event("a", "1")])).unwrap();
    let mut import = log.bulk_import("file", NOW).unwrap();
    assert!(import.push(&with_id("b", "1", "x")).unwrap());
    assert!(!import.push(&with_id("b", "1", "x")).unwrap());
    assert!(import.push(&event("b", "2")).unwrap());
    let uncommitted = copies.path().join("uncommitted");
    copy(dir.path(), &uncommitted);
    assert_eq!(open(&uncommitted).last_seq(), 1);
    import.commit(3, false).unwrap();
    import.push(&event("b", "3")).unwrap();
    drop(import);
    assert_eq!((log.last_seq(), log.segments().len()), (3, 2));
    // As if the process had died between the list and the tables.
    let mut write = log.tables.durable();
    write.remove(&log.tables.imports, "file");
    write.remove(&log.tables.ids, crate::store::log::tables::id_key("x"));
    write.commit().unwrap();
    drop(log);
    let log = open(dir.path());
    assert_eq!(log.import_mark("file").unwrap().unwrap().lines_done, 3);
    assert_eq!(log.append(&batch(vec![with_id("b", "1", "x")])).unwrap().duplicates, 1);
    assert_eq!(replayed(&log, 0).len(), 3);
}

#[test]
fn runs_and_notes_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let run = |id: &str, status| RunRecord {
        id: id.to_owned(),
        status,
        trigger: Trigger::Manual,
        reason: None,
        queued_ms: NOW,
        started_ms: Some(NOW),
        finished_ms: None,
        version: None,
        steps: Vec::new(),
        candidates: Vec::new(),
        gate: None,
        error: None,
    };
    for id in ["r1", "r2", "r3"] {
        log.put_run(&run(id, RunStatus::Running)).unwrap();
    }
    log.put_run(&run("r2", RunStatus::Failed)).unwrap();
    log.put_note("schedule", &serde_json::json!({"cron": "0 3 * * *"})).unwrap();
    drop(log);
    let log = open(dir.path());
    let ids = |limit| log.runs(limit).unwrap().into_iter().map(|run| run.id).collect::<Vec<_>>();
    assert_eq!((ids(2), ids(9)), (vec!["r3".to_owned(), "r2".into()], vec!["r3".to_owned(), "r2".into(), "r1".into()]));
    assert_eq!(log.run("r2").unwrap().unwrap().status, RunStatus::Failed);
    assert_eq!((log.run("r9").unwrap(), log.note("none").unwrap()), (None, None));
    assert_eq!(log.note("schedule").unwrap().unwrap()["cron"], "0 3 * * *");
}
