//! Torn and damaged files: cut or named, and whatever is whole comes back after a repair.

use super::*;
use crate::store::log::{repair, verify};

/// A log of `batches` batches with one event each, closed.
fn filled(dir: &Path, batches: usize) -> Vec<LogRecord> {
    let log = open(dir);
    (0..batches).flat_map(|n| log.append(&batch(vec![event("u", &n.to_string())])).unwrap().records).collect()
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

/// Where in its journal the batch with the text stands.
fn batch_with(dir: &Path, text: &str) -> std::ops::Range<usize> {
    let journal = journal(dir);
    let bytes = std::fs::read(&journal.path).unwrap();
    let at = bytes.windows(text.len()).position(|window| window == text.as_bytes()).unwrap();
    journal.batches.into_iter().find(|batch| batch.contains(&at)).unwrap()
}

/// The log opens only after a repair, which leaves `left` and says that `lost` are missing.
fn opens_after_repair(dir: &Path, left: &[LogRecord], lost: &[(u64, u64)]) {
    assert!(!verify(dir).unwrap().opens());
    refused(dir);
    let report = repair(dir).unwrap();
    assert!(!report.notes.is_empty());
    assert!(report.set_aside.iter().all(|path| path.exists()), "{report:?}");
    assert_eq!(report.missing.iter().map(|gap| (gap.first, gap.last)).collect::<Vec<_>>(), lost);
    let (log, recovery) = EventLog::open(dir, LogOptions::default()).unwrap();
    assert_eq!(replayed(&log, 0), left);
    assert_eq!(recovery.missing, report.missing);
    assert_eq!(recovery.notes().len(), lost.len());
    let next = log.append(&batch(vec![event("new", "1")])).unwrap();
    assert_eq!(next.records.first().map(|record| record.seq), Some(recovery.last_seq + 1));
    drop(log);
    assert!(verify(dir).unwrap().opens());
    assert_eq!(repair(dir).unwrap().missing, []);
    assert_eq!(replayed(&open(dir), 0).len(), left.len() + 1);
}

#[test]
fn a_torn_record_that_nobody_was_promised_is_cut_and_said() {
    let dir = tempfile::tempdir().unwrap();
    let written = filled(dir.path(), 4);
    let journal = journal(dir.path());
    let mut bytes = std::fs::read(&journal.path).unwrap();
    let last = journal.batches.last().cloned().unwrap();
    let torn = bytes[last.clone()][..last.len() - 7].to_vec();
    bytes.truncate(last.end);
    bytes.extend(&torn);
    std::fs::write(&journal.path, bytes).unwrap();
    let found = verify(dir.path()).unwrap();
    assert_eq!((found.findings.len(), found.opens()), (1, true));
    let (log, recovery) = EventLog::open(dir.path(), LogOptions::default()).unwrap();
    assert_eq!(recovery.cut_bytes, torn.len() as u64);
    assert!(recovery.notes()[0].contains("torn last record"), "{:?}", recovery.notes());
    assert_eq!(replayed(&log, 0), written);
    assert!(std::fs::read_dir(dir.path().join("quarantine")).unwrap().next().is_none());
}

#[test]
fn a_torn_record_that_was_acknowledged_stops_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let written = filled(dir.path(), 4);
    let journal = journal(dir.path());
    let last = journal.batches.last().cloned().unwrap();
    let bytes = std::fs::read(&journal.path).unwrap();
    std::fs::write(&journal.path, &bytes[..last.end - 3]).unwrap();
    for _ in 0..2 {
        assert!(matches!(refused(dir.path()), LogError::Missing { first: 4, last: 4, .. }));
    }
    opens_after_repair(dir.path(), &written[..3], &[(4, 4)]);
}

#[test]
fn a_flipped_byte_in_the_last_acknowledged_record_stops_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let written = filled(dir.path(), 4);
    let last = journal(dir.path()).batches.last().cloned().unwrap();
    flip(&journal(dir.path()).path, last.end - 30);
    assert!(
        matches!(refused(dir.path()), LogError::Missing { first: 4, last: 4, hint, .. } if hint.contains("quarantine"))
    );
    opens_after_repair(dir.path(), &written[..3], &[(4, 4)]);
}

#[test]
fn a_journal_cut_at_a_record_stops_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let written = filled(dir.path(), 4);
    let second_last = journal(dir.path()).batches.into_iter().rev().nth(1).unwrap();
    let path = journal(dir.path()).path;
    std::fs::File::options().write(true).open(path).unwrap().set_len(second_last.start as u64).unwrap();
    opens_after_repair(dir.path(), &written[..2], &[(3, 4)]);
}

#[test]
fn a_damaged_record_with_whole_ones_behind_it_costs_only_itself() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let written: Vec<LogRecord> = ["first", "second", "third"]
        .iter()
        .flat_map(|item| log.append(&batch(vec![event("u", item)])).unwrap().records)
        .collect();
    drop(log);
    let second = batch_with(dir.path(), "second");
    let path = journal(dir.path()).path;
    flip(&path, second.start + 40);
    let before = std::fs::read(&path).unwrap();
    let error = refused(dir.path());
    assert!(matches!(&error, LogError::Damaged { file, .. } if *file == path), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before, "nothing is cut before somebody decides");
    opens_after_repair(dir.path(), &[written[0].clone(), written[2].clone()], &[(2, 2)]);
}

#[test]
fn a_row_with_a_wrong_checksum_is_named_and_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let written: Vec<LogRecord> =
        (0..3).flat_map(|n| log.append(&batch(vec![event("u", &n.to_string())])).unwrap().records).collect();
    let key = 2_u64.to_be_bytes();
    let mut row = log.tables().unwrap().tail.get(key).unwrap().unwrap().to_vec();
    row[12] ^= 1;
    log.tables().unwrap().tail.insert(key, row).unwrap();
    drop(log);
    let error = refused(dir.path()).to_string();
    assert!(error.contains("table tail, row 2: its checksum is wrong"), "{error}");
    opens_after_repair(dir.path(), &[written[0].clone(), written[2].clone()], &[(2, 2)]);
}

/// Two segments of two events each, and a tail.
fn sealed(dir: &Path) -> Vec<LogRecord> {
    let log = open(dir);
    let mut written = Vec::new();
    for round in 0..3 {
        let events = vec![event("u", &format!("{round}-a")), event("v", &format!("{round}-b"))];
        written.extend(log.append(&batch(events)).unwrap().records);
        if round < 2 {
            log.seal().unwrap();
        }
    }
    written
}

fn first_segment(dir: &Path) -> std::path::PathBuf {
    dir.join("segments").join(super::super::segment::file_name(1, 2))
}

#[test]
fn a_missing_cut_or_changed_segment_is_named_and_set_aside() {
    let damages: [fn(&Path); 4] = [
        |file| std::fs::remove_file(file).unwrap(),
        |file| {
            let length = std::fs::metadata(file).unwrap().len();
            std::fs::File::options().write(true).open(file).unwrap().set_len(length - 1).unwrap();
        },
        |file| flip(file, std::fs::read(file).unwrap().len() - 5),
        |file| flip(file, 30),
    ];
    for damage in damages {
        let dir = tempfile::tempdir().unwrap();
        let written = sealed(dir.path());
        damage(&first_segment(dir.path()));
        let error = refused(dir.path());
        assert!(matches!(&error, LogError::Damaged { file, .. } if *file == first_segment(dir.path())), "{error}");
        opens_after_repair(dir.path(), &written[2..], &[(1, 2)]);
    }
}

#[test]
fn a_lost_or_damaged_list_is_made_anew_of_the_segments() {
    for lost in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let written = sealed(dir.path());
        let list = dir.path().join("segments.json");
        if lost {
            std::fs::remove_file(&list).unwrap();
            assert!(matches!(refused(dir.path()), LogError::Missing { first: 1, last: 4, .. }));
        } else {
            flip(&list, 60);
            assert!(matches!(refused(dir.path()), LogError::Damaged { .. }));
        }
        assert!(first_segment(dir.path()).exists(), "a refused start deletes nothing");
        opens_after_repair(dir.path(), &written, &[]);
    }
}

#[test]
fn lost_tables_leave_the_segments_and_the_offsets_reached_with_them() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    log.append(&from_kafka(&[0, 1, 2])).unwrap();
    log.seal().unwrap();
    log.append(&from_kafka(&[3])).unwrap();
    let written = replayed(&log, 0);
    drop(log);
    std::fs::write(dir.path().join("tables/keyspaces/0/current"), b"nonsense").unwrap();
    assert!(matches!(refused(dir.path()), LogError::Damaged { .. }));
    opens_after_repair(dir.path(), &written[..3], &[(4, 4)]);
    assert_eq!(open(dir.path()).offsets().unwrap(), [reached(3)]);
}

#[test]
fn a_changed_sequence_number_of_fjall_stops_the_start_and_costs_only_its_record() {
    // The third record's number as the fourth's or above, below the second's, beyond all that is known.
    for (byte, number) in [(5, 0xff), (5, 0), (12, 0x80)] {
        let dir = tempfile::tempdir().unwrap();
        let written = filled(dir.path(), 4);
        let path = journal(dir.path()).path;
        let third = journal(dir.path()).batches.into_iter().rev().nth(1).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[third.start + byte] = number;
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(refused(dir.path()), LogError::Damaged { file, .. } if file == path));
        opens_after_repair(dir.path(), &[&written[..2], &written[3..]].concat(), &[(3, 3)]);
    }
}

#[test]
fn a_damaged_version_of_the_tables_costs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let written = filled(dir.path(), 4);
    std::fs::write(dir.path().join("tables/version"), b"FJ").unwrap();
    assert!(matches!(refused(dir.path()), LogError::Damaged { .. }));
    opens_after_repair(dir.path(), &written, &[]);
}

/// Small logs live in their journal alone; what fjall writes of larger ones has sums by the block.
#[test]
fn a_changed_bit_in_a_table_on_disk_is_named_and_nothing_is_made_up() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let records = (0..50).map(|n| with_id("u", &format!("item-{n}"), &n.to_string()));
    let written: Vec<LogRecord> = records.flat_map(|event| log.append(&batch(vec![event])).unwrap().records).collect();
    log.tables().unwrap().tail.rotate_memtable_and_wait().unwrap();
    log.tables().unwrap().ids.rotate_memtable_and_wait().unwrap();
    drop(log);
    let mut found = 0;
    for table in [1, 2] {
        let folder = format!("tables/keyspaces/{table}/tables");
        for file in std::fs::read_dir(dir.path().join(&folder)).unwrap().map(|entry| entry.unwrap().file_name()) {
            for part in 0..12 {
                let copied = tempfile::tempdir().unwrap();
                copy(dir.path(), copied.path());
                let file = copied.path().join(&folder).join(&file);
                flip(&file, std::fs::read(&file).unwrap().len() * part / 12);
                let known = EventLog::open(copied.path(), LogOptions::default()).and_then(|(log, _)| {
                    assert_eq!(replayed(&log, 0), written, "part {part} of {}", file.display());
                    log.append(&batch((0..50).map(|n| with_id("u", "1", &n.to_string())).collect()))
                });
                match known {
                    Ok(known) => assert_eq!(known.duplicates, 50, "part {part} of {}", file.display()),
                    Err(LogError::Damaged { .. }) => found += 1,
                    Err(other) => panic!("{other}"),
                }
            }
        }
    }
    assert!(found >= 12, "most of a table's bytes are data: {found}");
}

#[test]
fn the_folder_of_a_later_build_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 1);
    std::fs::write(dir.path().join("FORMAT"), "7\n").unwrap();
    assert!(matches!(refused(dir.path()), LogError::Format { found, .. } if found == "7"));
    assert!(matches!(repair(dir.path()), Err(LogError::Format { .. })));
}

#[test]
fn a_whole_log_is_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let written = sealed(dir.path());
    let found = verify(dir.path()).unwrap();
    assert_eq!((found.findings.len(), found.segments, found.events, found.last_seq), (0, 2, 6, 6));
    let report = repair(dir.path()).unwrap();
    assert_eq!((report.set_aside.len(), report.missing.len()), (0, 0));
    assert_eq!(replayed(&open(dir.path()), 0), written);
}
