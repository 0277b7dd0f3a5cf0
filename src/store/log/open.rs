//! Opening: look first, touch nothing until everything is clear.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use fjall::Readable;
use parking_lot::{Mutex, RwLock};

use super::batch::ImportMark;
use super::error::LogError;
use super::folder::{FORMAT, Folder, aside, sync_folder};
use super::journal::{self, Journal};
use super::list::{Gap, SegmentList};
use super::mark::{self, Mark, Marked};
use super::room::Room;
use super::tables::{Tables, id_key};
use super::{EventLog, LogOptions, Writer, codec, erased, segment};

/// What was found and done when the log was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// The last record.
    pub last_seq: u64,
    /// Sealed segments.
    pub segments: usize,
    /// Events in the tail.
    pub tail_events: u64,
    /// Bytes of a torn last record, never acknowledged, that were cut.
    pub cut_bytes: u64,
    /// Segment files that belonged to no finished sealing and were deleted.
    pub deleted: Vec<String>,
    /// Rows of the tail that a sealed segment covers and that were removed.
    pub covered_rows: usize,
    /// Whether the high-water mark could not be read, so that a loss at the end would not be noticed this time.
    pub mark_unreadable: bool,
    /// Records that are lost and whose loss was accepted by a repair.
    pub missing: Vec<Gap>,
}

impl Recovery {
    /// A sentence for each thing that somebody should know; empty after a clean stop.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.cut_bytes > 0 {
            notes.push(format!("a torn last record of {} bytes, never acknowledged, was cut", self.cut_bytes));
        }
        if !self.deleted.is_empty() {
            notes.push(format!("unfinished segment files were deleted: {}", self.deleted.join(", ")));
        }
        if self.covered_rows > 0 {
            notes.push(format!("{} rows that a segment covers were removed from the tail", self.covered_rows));
        }
        if self.mark_unreadable {
            notes.push("the high-water mark `acknowledged` could not be read and was written anew".to_owned());
        }
        for Gap { first, last, reason } in &self.missing {
            notes.push(format!("records {first} to {last} are missing, accepted by a repair: {reason}"));
        }
        notes
    }
}

/// One row of the tail, without its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TailSpan {
    pub first: u64,
    pub last: u64,
    pub events: u64,
}

pub(super) fn open(folder: &Folder, options: LogOptions) -> Result<(EventLog, Recovery), LogError> {
    let lock = folder.lock()?;
    let format = folder.check_format()?;
    let list = SegmentList::load(&folder.list())?;
    for sealed in &list.segments {
        segment::check_sum(&folder.segments(), sealed)?;
    }
    let journals = journal::read_all(&folder.tables())?;
    if let Some((file, reason)) = journal::damage(&journals) {
        return Err(LogError::Damaged { file, reason });
    }
    let torn = cut_torn(folder, &journals)?;
    let tables = Tables::open(&folder.tables())?;
    let rows = tail_spans(&tables)?;
    let (covered, tail): (Vec<TailSpan>, Vec<TailSpan>) = rows.into_iter().partition(|r| r.last <= list.sealed_to());
    let marked = mark::read(&folder.mark())?;
    let last = check_coverage(folder, &list, &tail, marked, &torn)?;

    // From here on everything acknowledged is known to be there.
    let deleted = delete_unlisted(folder, &list)?;
    fail::fail_point!("log.opening");
    let mut write = tables.durable();
    for row in &covered {
        write.remove(&tables.tail, codec::key(row.first));
    }
    write.commit()?;
    for (kept, _) in &torn {
        std::fs::remove_file(kept).map_err(LogError::io(kept))?;
    }
    let erasures = Arc::new(erased::load(&tables, format == 1)?);
    if format != FORMAT {
        fail::fail_point!("log.before_format");
        folder.write_format()?;
    }
    let mark = Mark::open(&folder.mark())?;
    mark.set(last)?;
    let recovery = Recovery {
        last_seq: last,
        segments: list.segments.len(),
        tail_events: tail.iter().map(|row| row.events).sum(),
        cut_bytes: torn.iter().map(|(_, bytes)| bytes).sum(),
        deleted,
        covered_rows: covered.len(),
        // A log with records has been acknowledging: an empty mark is a lost one.
        mark_unreadable: marked == Marked::Unreadable || (marked == Marked::Nothing && last > 0),
        missing: list.gaps.clone(),
    };
    let log = EventLog {
        tables: RwLock::new(Some(Arc::new(tables))),
        healing: Mutex::new(()),
        room: Room::new(options.min_free),
        writer: Mutex::new(Writer { mark }),
        list: RwLock::new(Arc::new(list)),
        last: AtomicU64::new(last),
        tail_events: AtomicU64::new(recovery.tail_events),
        options,
        erasures,
        reading: RwLock::new(()),
        folder: folder.clone(),
        _lock: lock,
    };
    log.finish_imports()?;
    for note in recovery.notes() {
        tracing::warn!(folder = %folder.root().display(), "{note}");
    }
    Ok((log, recovery))
}

/// Cuts the torn end of each journal, the bytes kept aside until it is clear that nobody was promised them.
fn cut_torn(folder: &Folder, journals: &[Journal]) -> Result<Vec<(PathBuf, u64)>, LogError> {
    let mut kept = Vec::new();
    for journal in journals.iter().filter(|journal| !journal.torn.is_empty()) {
        let bytes = std::fs::read(&journal.path).map_err(LogError::io(&journal.path))?;
        let torn = bytes.get(journal.torn.clone()).unwrap_or_default();
        let name = journal.path.file_name().and_then(|name| name.to_str()).unwrap_or("journal");
        let copy = aside(folder, &format!("{name}-from-{}", journal.torn.start))?;
        super::folder::write_whole(&copy, torn)?;
        let file = std::fs::File::options().write(true).open(&journal.path).map_err(LogError::io(&journal.path))?;
        let length = journal.torn.start as u64;
        file.set_len(length).and_then(|()| file.sync_all()).map_err(LogError::io(&journal.path))?;
        kept.push((copy, torn.len() as u64));
    }
    Ok(kept)
}

/// Every row of the tail, each with its checksum checked.
pub(super) fn tail_spans(tables: &Tables) -> Result<Vec<TailSpan>, LogError> {
    let mut spans = Vec::new();
    for guard in tables.db.snapshot().iter(&tables.tail) {
        let (key, value) = tables.pair(guard)?;
        let name = hex::encode(&key);
        let first = codec::first_of(&key).ok_or_else(|| tables.bad_row("tail", &name, "its key is no number"))?;
        let head = codec::head(&value).map_err(|reason| tables.bad_row("tail", &first.to_string(), &reason))?;
        if head.last < first || head.last - first + 1 < head.events {
            return Err(tables.bad_row("tail", &first.to_string(), "it says that it ends before it begins"));
        }
        spans.push(TailSpan { first, last: head.last, events: head.events });
    }
    Ok(spans)
}

/// The last record, if none that was acknowledged is missing.
fn check_coverage(
    folder: &Folder,
    list: &SegmentList,
    tail: &[TailSpan],
    marked: Marked,
    torn: &[(PathBuf, u64)],
) -> Result<u64, LogError> {
    let ranges: Vec<(u64, u64)> = tail.iter().map(|row| (row.first, row.last)).collect();
    list.coverage(&ranges, marked.seq()).map_err(|(first, last)| {
        let hint = torn
            .iter()
            .map(|(kept, bytes)| format!(", {bytes} bytes that could not be read were kept as {}", kept.display()));
        LogError::Missing { folder: folder.root().to_owned(), first, last, hint: hint.collect() }
    })
}

/// Deletes files in the segments' folder that the list does not name.
fn delete_unlisted(folder: &Folder, list: &SegmentList) -> Result<Vec<String>, LogError> {
    let segments = folder.segments();
    std::fs::create_dir_all(&segments).map_err(LogError::io(&segments))?;
    let listed: HashSet<&str> = list.segments.iter().map(|segment| segment.file.as_str()).collect();
    let mut deleted = Vec::new();
    for entry in std::fs::read_dir(&segments).map_err(LogError::io(&segments))? {
        let path = entry.map_err(LogError::io(&segments))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_file() && !listed.contains(name) {
            deleted.push(name.to_owned());
            std::fs::remove_file(&path).map_err(LogError::io(&path))?;
        }
    }
    sync_folder(&segments)?;
    deleted.sort();
    Ok(deleted)
}

impl EventLog {
    /// Takes the marks and event ids of listed import segments into the tables, where a crash came between.
    fn finish_imports(&self) -> Result<(), LogError> {
        let list = self.list.read().clone();
        for sealed in &list.segments {
            let Some(mark) = &sealed.import else { continue };
            if self.import_mark(&mark.content)?.is_some_and(|known| known.covers(mark)) {
                continue;
            }
            let mut ids = Vec::new();
            let reader = segment::SegmentReader::open(&self.folder.segments(), sealed)?;
            let flow = reader.each(&mut |_, arrival_ms, event| {
                ids.extend(event.id.map(|id| (id_key(&id), arrival_ms)));
                std::ops::ControlFlow::Continue(())
            })?;
            debug_assert!(flow.is_continue());
            self.put_import(mark, &ids)?;
        }
        Ok(())
    }

    /// Writes the mark of an import and the ids that came with it.
    pub(super) fn put_import(&self, mark: &ImportMark, ids: &[([u8; 16], i64)]) -> Result<(), LogError> {
        self.make_writable()?;
        let tables = self.tables()?;
        let mut write = tables.durable();
        for (id, arrival_ms) in ids {
            write.insert(&tables.ids, *id, arrival_ms.to_le_bytes());
        }
        self.put_mark(&mut write, mark)?;
        self.commit(write)
    }
}

impl Writer {
    /// Moves the high-water mark. What was written is durable without it, so a failure is only said.
    pub(super) fn acknowledge(&self, last: u64) {
        if let Err(error) = self.mark.set(last) {
            tracing::warn!(%error, "the high-water mark of the log cannot be written");
        }
    }
}
