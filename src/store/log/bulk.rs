//! Importing in bulk: a file's events straight into segments, with a mark of how far it is.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use parking_lot::MutexGuard;

use super::batch::ImportMark;
use super::error::LogError;
use super::list::Segment;
use super::segment::SegmentWriter;
use super::tables::id_key;
use super::{EventLog, Writer};
use crate::model::erasure::Origin;
use crate::model::event::{Event, ImportedEvent};

/// The segment being written, in the segments' folder.
const IMPORTING: &str = "import.tmp";

/// An import under way: events go in by [`BulkImport::push`] and belong to the log from [`BulkImport::commit`] on. Dropped
/// without a commit, what was pushed since the last one is gone. Appends wait until it is dropped.
pub struct BulkImport<'a> {
    log: &'a EventLog,
    writer: MutexGuard<'a, Writer>,
    content: String,
    arrival_ms: i64,
    open: Option<Open>,
}

/// The segment that is being written.
struct Open {
    segment: SegmentWriter,
    first: u64,
    next: u64,
    ids: Vec<([u8; 16], i64)>,
    in_segment: HashSet<[u8; 16]>,
}

impl EventLog {
    /// Begins to import the file whose SHA-256 is `content`, behind its [`EventLog::import_mark`]. The tail is sealed
    /// first, so that the segments stay in order.
    ///
    /// # Errors
    /// As [`EventLog::seal`].
    pub fn bulk_import(&self, content: &str, arrival_ms: i64) -> Result<BulkImport<'_>, LogError> {
        let writer = self.writer.lock();
        self.seal_tail()?;
        Ok(BulkImport { log: self, writer, content: content.to_owned(), arrival_ms, open: None })
    }
}

impl BulkImport<'_> {
    /// Adds an event, unless its id came in within the window or it is from before its user's erasure: then false.
    ///
    /// # Errors
    /// [`LogError::Segment`] (a full disk), [`LogError::Io`] or a failed look-up of the id.
    pub fn push(&mut self, event: &Event) -> Result<bool, LogError> {
        let open = match &mut self.open {
            Some(open) => open,
            none => {
                let first = self.log.last_seq() + 1;
                let segment = SegmentWriter::create(&self.log.folder.segments().join(IMPORTING))?;
                none.insert(Open { segment, first, next: first, ids: Vec::new(), in_segment: HashSet::new() })
            }
        };
        if self.log.erasures.bars(&event.user, Origin::File(event.timestamp_ms)) {
            return Ok(false);
        }
        if let Some(id) = event.id.as_deref() {
            if self.log.known_id(id, self.arrival_ms, &mut open.in_segment)? {
                return Ok(false);
            }
            open.ids.push((id_key(id), self.arrival_ms));
        }
        open.segment.push(open.next, self.arrival_ms, event).map_err(|error| self.log.plainly(error))?;
        open.next += 1;
        Ok(true)
    }

    /// Whether the event of the file's line was sent to the service within the window.
    ///
    /// # Errors
    /// A failed look-up of the id.
    pub fn was_sent(&self, line: u64, place: usize) -> Result<bool, LogError> {
        let id = ImportedEvent { content: &self.content, line, place }.id();
        self.log.known_id(&id, self.arrival_ms, &mut HashSet::new())
    }

    /// Events pushed since the last commit.
    #[must_use]
    pub fn pending(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| open.next - open.first)
    }

    /// Makes what was pushed part of the log, as one segment, with the mark that the file is in it up to `lines_done`.
    ///
    /// # Errors
    /// [`LogError::Io`], [`LogError::Segment`] or [`LogError::Tables`].
    pub fn commit(&mut self, lines_done: u64, complete: bool) -> Result<Option<Segment>, LogError> {
        self.log.make_writable()?;
        let mark = ImportMark { content: self.content.clone(), lines_done, complete };
        let Some(open) = self.open.take().filter(|open| open.next > open.first) else {
            self.log.put_import(&mark, &[])?;
            return Ok(None);
        };
        let last = open.next - 1;
        let written = self.log.finish_segment(open.segment, open.first, last, Some(mark.clone()));
        let segment = written.map_err(|error| self.log.plainly(error))?;
        self.log.list_segment(segment.clone()).map_err(|error| self.log.plainly(error))?;
        self.log.last.store(last, Ordering::Release);
        self.writer.acknowledge(last);
        self.log.put_import(&mark, &open.ids)?;
        Ok(Some(segment))
    }
}

impl Drop for BulkImport<'_> {
    fn drop(&mut self) {
        // Half of a segment would only take up room; the next start removes it where this does not.
        std::fs::remove_file(self.log.folder.segments().join(IMPORTING)).ok();
    }
}
