//! Files into a log: once, resumed, strict.

use std::fmt::Write;
use std::ops::ControlFlow;

use super::*;
use crate::model::event::{Event, ImportedEvent};
use crate::store::import::{ImportError, ImportOptions, ImportReport, content_hash, import};
use crate::store::log::batch::EventBatch;
use crate::store::log::{Change, EventLog, LogOptions};

fn log(dir: &Path) -> EventLog {
    EventLog::open(dir, LogOptions::default()).unwrap().0
}

fn run(log: &EventLog, path: &Path, options: ImportOptions) -> Result<ImportReport, ImportError> {
    import(log, path, "file", ImportFormat::Events, options, &|_| {})
}

fn items(log: &EventLog) -> Vec<String> {
    let mut items = Vec::new();
    log.replay(0, &mut |record| {
        if let Change::Event { event, .. } = record.change {
            items.push(event.item.to_string());
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    items
}

fn lines(from: usize, to: usize) -> String {
    (from..to).fold("user,item\n".to_owned(), |mut text, n| {
        writeln!(text, "u{},{n}", n % 7).unwrap();
        text
    })
}

fn numbers(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|n| n.to_string()).collect()
}

#[test]
fn a_file_is_brought_in_once_in_segments() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let path = file(dir.path(), "e.csv", lines(0, 250));
    let options = ImportOptions { segment_events: 100, ..ImportOptions::new(NOW) };
    let opened = log(&data);
    let last = std::cell::Cell::default();
    let report =
        import(&opened, &path, "e.csv", ImportFormat::Events, options, &|progress| last.set(progress)).unwrap();
    assert_eq!((report.rows, report.accepted, report.duplicates, report.complete), (250, 250, 0, true));
    assert_eq!((last.get().rows, last.get().bytes_read), (250, std::fs::metadata(&path).unwrap().len()));
    assert_eq!(opened.segments().iter().map(|s| s.rows).collect::<Vec<_>>(), [100, 100, 50]);
    drop(opened);
    let opened = log(&data);
    let again = run(&opened, &path, options).unwrap();
    assert_eq!((again.rows, again.accepted, again.duplicates, again.complete), (250, 0, 250, true));
    assert_eq!((opened.last_seq(), items(&opened)), (250, numbers(0, 250)));
}

#[test]
fn an_import_killed_midway_goes_on_behind_its_last_segment() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let path = file(dir.path(), "e.csv", lines(0, 250));
    let content = crate::store::import::content_hash(&path, "e.csv").unwrap();
    let opened = log(&data);
    {
        // What an import does up to a kill: one segment committed, another begun.
        let mut bulk = opened.bulk_import(&content, NOW).unwrap();
        for (line, event) in read(open(&path, ImportFormat::Events)).0.into_iter().take(150) {
            bulk.push(&event).unwrap();
            if line == 101 {
                bulk.commit(line, false).unwrap();
            }
        }
        assert_eq!(bulk.pending(), 50);
    }
    drop(opened);
    let opened = log(&data);
    let report = run(&opened, &path, ImportOptions::new(NOW)).unwrap();
    assert_eq!((report.rows, report.accepted, report.duplicates), (250, 150, 100));
    assert_eq!(items(&opened), numbers(0, 250));
}

#[test]
fn lines_with_an_id_are_known_by_it_in_other_files_too() {
    let dir = tempfile::tempdir().unwrap();
    let opened = log(&dir.path().join("data"));
    let one = file(dir.path(), "1.csv", "user,item,id\nu,a,x\nu,b,y\nu,c,x\nu,d,\n");
    let two = file(dir.path(), "2.csv", "user,item,id\nu,e,y\nu,f,z\nu,g,\n");
    assert_eq!(run(&opened, &one, ImportOptions::new(NOW)).unwrap().accepted, 3);
    assert_eq!(run(&opened, &two, ImportOptions::new(NOW)).unwrap().duplicates, 1);
    assert_eq!(items(&opened), ["a", "b", "d", "f", "g"]);
}

#[test]
fn bad_lines_are_counted_and_the_first_hundred_named() {
    let dir = tempfile::tempdir().unwrap();
    let opened = log(&dir.path().join("data"));
    let path = file(dir.path(), "e.csv", format!("{}{}u,last\n", lines(0, 5), ",bad\n".repeat(120)));
    let report = run(&opened, &path, ImportOptions::new(NOW)).unwrap();
    assert_eq!((report.accepted, report.bad_lines, report.bad.len(), report.complete), (6, 120, 100, true));
    assert_eq!(report.bad[0].to_string(), "line 7: user: an id must not be empty");
    assert_eq!(items(&opened).last().map(String::as_str), Some("last"));
}

#[test]
fn a_strict_import_stops_at_the_first_bad_line_without_its_batch() {
    let dir = tempfile::tempdir().unwrap();
    let opened = log(&dir.path().join("data"));
    let path = file(dir.path(), "e.csv", format!("{},bad\nu,last\n", lines(0, 15)));
    let strict = ImportOptions { strict: true, segment_events: 10, now_ms: NOW };
    let error = run(&opened, &path, strict).unwrap_err();
    assert_eq!(
        error.to_string(),
        "file: line 17: user: an id must not be empty; 10 events of the lines before are in the log, none of the batch with this line"
    );
    assert_eq!(items(&opened), numbers(0, 10));
    let freely = run(&opened, &path, ImportOptions::new(NOW)).unwrap();
    assert_eq!((freely.accepted, freely.duplicates, freely.bad_lines), (6, 10, 1));
}

#[test]
fn what_was_in_the_tail_stays_before_an_import() {
    let dir = tempfile::tempdir().unwrap();
    let opened = log(&dir.path().join("data"));
    let (events, _) = read(open(&file(dir.path(), "0.csv", lines(500, 503)), ImportFormat::Events));
    let tail = crate::store::log::batch::EventBatch {
        events: events.into_iter().map(|(_, event)| event).collect(),
        arrival_ms: NOW,
        ..Default::default()
    };
    opened.append(&tail).unwrap();
    run(&opened, &file(dir.path(), "e.csv", lines(0, 3)), ImportOptions::new(NOW)).unwrap();
    opened.append(&tail).unwrap();
    assert_eq!(items(&opened), [numbers(500, 503), numbers(0, 3), numbers(500, 503)].concat());
}

#[test]
fn a_file_is_known_whichever_way_it_comes_a_second_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), "e.csv", lines(0, 10));
    let content = content_hash(&path, "e.csv").unwrap();
    let sent = |n: usize| Event {
        user: "u".parse().unwrap(),
        item: n.to_string().parse().unwrap(),
        kind: "purchase".into(),
        value: 1.0,
        timestamp_ms: None,
        id: Some(ImportedEvent { content: &content, line: n as u64 + 2, place: 0 }.id().into()),
        recommendation_id: None,
    };
    let send = |log: &EventLog, numbers: std::ops::Range<usize>| {
        let batch = EventBatch { events: numbers.map(sent).collect(), arrival_ms: NOW, ..EventBatch::default() };
        let appended = log.append(&batch).unwrap();
        (appended.accepted, appended.duplicates)
    };
    let opened = log(&dir.path().join("data"));
    assert_eq!(send(&opened, 0..4), (4, 0));
    let report = run(&opened, &path, ImportOptions::new(NOW)).unwrap();
    assert_eq!((report.accepted, report.duplicates), (6, 4), "what was sent is known to the import");
    assert_eq!(send(&opened, 2..10), (0, 8), "what was imported is known when it is sent");
    assert_eq!(items(&opened), numbers(0, 10));
}
