//! What was erased is gone from the files, and does not come back.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::store::log::{Outcome, folder, verify};

/// An id that nothing else looks like.
const GONE: &str = "somebody-who-wants-to-be-forgotten";

/// The files below `folder` in which `needle` stands, as they are or in the events of a segment.
fn found(folder: &Path, needle: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(self::found(&path, needle));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        let mut holds = bytes[..used].windows(needle.len()).any(|part| part == needle.as_bytes());
        if path.extension().is_some_and(|ext| ext == "parquet") {
            let reader = crate::store::log::segment::SegmentReader::open_unlisted(&path).unwrap();
            let read = reader.each(&mut |_, _, event| {
                holds |= format!("{event:?}").contains(needle);
                ControlFlow::Continue(())
            });
            assert!(read.unwrap().is_continue());
        }
        if holds {
            found.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
    }
    found
}

fn erase(log: &EventLog, user: &str) {
    log.append(&EventBatch { erased: vec![user.parse().unwrap()], ..batch(vec![]) }).unwrap();
}

fn rewrite(log: &EventLog) {
    let done = log.rewrite().unwrap();
    log.note_rewritten(&done).unwrap();
}

#[test]
fn what_was_erased_is_in_no_file_any_more() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    log.append(&batch(vec![event(GONE, "1"), event("v", "2"), with_id(GONE, "3", &format!("{GONE}/3"))])).unwrap();
    log.seal().unwrap().unwrap();
    log.append(&batch(vec![event("v", "4")])).unwrap();
    log.seal().unwrap().unwrap();
    let mut import = log.bulk_import("a file", NOW).unwrap();
    assert!(import.push(&event(GONE, "5")).unwrap() && import.push(&event("w", "6")).unwrap());
    import.commit(2, true).unwrap();
    drop(import);
    log.append(&batch(vec![event("v", "7"), event(GONE, "8"), event("w", "9")])).unwrap();
    let before = found(dir.path(), GONE);
    assert!(before.iter().any(|file| file.ends_with(".jnl")), "{before:?}");
    assert!(before.iter().filter(|file| file.ends_with(".parquet")).count() == 2, "{before:?}");

    erase(&log, GONE);
    log.append(&batch(vec![event("w", "10")])).unwrap();
    let replay = replayed(&log, 0);
    assert_eq!(log.erasures().waiting().unwrap().count, 1);
    rewrite(&log);
    assert_eq!(log.erasures().waiting(), None);
    assert_eq!(found(dir.path(), GONE), Vec::<String>::new());
    assert_eq!(replayed(&log, 0), replay);
    let rows: Vec<u64> = log.segments().iter().map(|segment| segment.rows).collect();
    assert_eq!(rows, [1, 1, 1, 3], "the tail was sealed without them");
    assert!(log.segments()[1].file.ends_with("4.parquet"), "a segment without them is left as it was");
    drop(log);

    let report = verify(dir.path()).unwrap();
    assert_eq!((report.findings, report.events), (vec![], 6));
    let (log, recovery) = EventLog::open(dir.path(), LogOptions::default()).unwrap();
    assert_eq!(recovery.notes(), Vec::<String>::new());
    assert_eq!(replayed(&log, 0), replay);
    assert_eq!(log.erasures().waiting(), None);
}

#[test]
fn a_user_who_came_back_stays() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    log.append(&batch(vec![event("u", "before")])).unwrap();
    erase(&log, "u");
    log.append(&batch(vec![event("u", "after")])).unwrap();
    rewrite(&log);
    assert!(found(dir.path(), "before").is_empty());
    erase(&log, "nobody");
    rewrite(&log);
    let items: Vec<String> = replayed(&log, 0)
        .into_iter()
        .filter_map(|record| match record.change {
            Change::Event { event, .. } => Some(event.item.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(items, ["after"]);
}

#[test]
fn replays_and_old_files_bring_nothing_back() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    log.append(&from_kafka(&[0, 1, 2])).unwrap();
    log.append(&EventBatch { erased: vec!["u".parse().unwrap()], arrival_ms: NOW + 1, ..batch(vec![]) }).unwrap();
    let again = log.append(&from_kafka(&[1, 2, 3])).unwrap();
    assert_eq!(again.outcomes, [Outcome::KnownOffset, Outcome::KnownOffset, Outcome::Accepted(5)]);
    // The topic was made again and is read from its beginning: the events tell by their time.
    log.append(&EventBatch { begins: vec![reached(0)], ..EventBatch::default() }).unwrap();
    let mut again = from_kafka(&[0, 1]);
    again.events[1].timestamp_ms = Some(NOW + 1);
    assert_eq!(log.append(&again).unwrap().outcomes, [Outcome::Erased, Outcome::Accepted(6)]);

    let line = |time| Event { timestamp_ms: time, ..event("u", "old") };
    let mut import = log.bulk_import("a file", NOW).unwrap();
    assert!(!import.push(&line(Some(NOW))).unwrap() && !import.push(&line(None)).unwrap());
    assert!(import.push(&line(Some(NOW + 1))).unwrap() && import.push(&event("v", "old")).unwrap());
    import.commit(3, true).unwrap();
    drop(import);
    let sent = Event { id: Some(Arc::from("import:ab:1:0")), ..line(Some(NOW - 1)) };
    assert_eq!(
        log.append(&batch(vec![sent, line(Some(NOW - 1))])).unwrap().outcomes,
        [Outcome::Erased, Outcome::Accepted(9)]
    );
}

/// A folder of format 1 named the erased users; opened, it names none, and its files are rewritten.
#[test]
fn a_folder_of_format_1_is_brought_to_this_one() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    log.append(&batch(vec![event(GONE, "1"), event("v", "2")])).unwrap();
    log.append(&EventBatch { items: vec![change("i", "shoes")], ..EventBatch::default() }).unwrap();
    log.tables().unwrap().erased.insert(GONE, 3_u64.to_le_bytes()).unwrap();
    log.tables().unwrap().notes.remove("erasure.key").unwrap();
    drop(log);
    std::fs::write(dir.path().join("FORMAT"), "1\n").unwrap();
    assert_eq!(verify(dir.path()).unwrap().findings, []);

    let log = open(dir.path());
    assert_eq!(std::fs::read_to_string(dir.path().join("FORMAT")).unwrap(), format!("{}\n", folder::FORMAT));
    assert_eq!(
        log.erasures().of(&GONE.parse().unwrap()).map(|erasure| (erasure.seq, erasure.rewritten)),
        Some((3, false))
    );
    assert_eq!(replayed(&log, 0).len(), 3);
    rewrite(&log);
    assert_eq!(found(dir.path(), GONE), Vec::<String>::new());
}

#[test]
fn a_lost_key_is_named_and_a_repair_lets_the_erasures_go() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    log.append(&batch(vec![event("u", "1"), event("v", "2")])).unwrap();
    erase(&log, "u");
    rewrite(&log);
    log.tables().unwrap().notes.remove("erasure.key").unwrap();
    drop(log);
    assert!(refused(dir.path()).to_string().contains("erasure.key"));
    let report = crate::store::log::repair(dir.path()).unwrap();
    assert!(report.notes.iter().any(|note| note.contains("erase again")), "{:?}", report.notes);
    let log = open(dir.path());
    assert_eq!(replayed(&log, 0).len(), 1, "what was rewritten is gone all the same");
    assert_eq!(log.erasures().last_seq(), 0);
}
