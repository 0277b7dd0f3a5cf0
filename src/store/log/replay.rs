//! Reading the log from any record on.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use fjall::{Readable, Snapshot};

use super::EventLog;
use super::codec;
use super::error::LogError;
use super::list::SegmentList;
use super::record::{Change, LogRecord};
use super::segment::SegmentReader;
use crate::model::erasure::Pending;
use crate::model::event::Event;

/// Rows that go from the thread that decodes segments to the one that applies them, in one go.
const ROWS: usize = 4096;

/// How many such parts may wait.
const PARTS: usize = 4;

/// Rows of a segment: the record's number, when it came in, the event.
struct Part {
    rows: Vec<(u64, i64, Event)>,
    /// Up to which record all are given.
    reached: u64,
}

impl EventLog {
    /// Gives every record with a number above `after`, in order, until `apply` breaks; returns the last record that was
    /// given or passed over. Of an item or an erased user only the last change is a record; events of a user who is erased
    /// by a later record are left out. What is appended meanwhile may be missing.
    ///
    /// # Errors
    /// [`LogError::Damaged`] naming the file, [`LogError::Io`] or [`LogError::Tables`].
    pub fn replay(&self, after: u64, apply: &mut dyn FnMut(LogRecord) -> ControlFlow<()>) -> Result<u64, LogError> {
        // What it reads is not taken away from under it.
        let _reading = self.reading.read();
        let tables = self.tables()?;
        let (list, snapshot) = self.frozen()?;
        let mut replay = Replay::new(self, &snapshot, after, apply)?;
        if self.segments_ahead(&list, after, &mut replay)?.is_break() {
            return Ok(replay.reached);
        }
        for guard in snapshot.iter(&tables.tail) {
            let (key, value) = tables.pair(guard)?;
            let name = || hex::encode(&key);
            let first = codec::first_of(&key).ok_or_else(|| tables.bad_row("tail", &name(), "no number"))?;
            let head = codec::head(&value).map_err(|why| tables.bad_row("tail", &name(), &why))?;
            if head.last <= list.sealed_to().max(after) {
                continue;
            }
            let row = codec::decode(&value).map_err(|why| tables.bad_row("tail", &name(), &why))?;
            for (seq, event) in (first..).zip(row.events) {
                if replay.event(seq, row.arrival_ms, event).is_break() {
                    return Ok(replay.reached);
                }
            }
            replay.reached = replay.reached.max(row.last);
        }
        if replay.changes_before(u64::MAX).is_continue() {
            let gaps = list.gaps.last().map_or(0, |gap| gap.last);
            replay.reached = replay.reached.max(gaps);
        }
        Ok(replay.reached)
    }

    /// Gives the rows of the segments; a thread of its own decodes them ahead, which takes half of the time.
    fn segments_ahead(
        &self,
        list: &SegmentList,
        after: u64,
        replay: &mut Replay<'_>,
    ) -> Result<ControlFlow<()>, LogError> {
        let (send, parts) = sync_channel(PARTS);
        std::thread::scope(|scope| {
            let decoder = scope.spawn(move || self.decode(list, after, &send));
            for part in parts {
                for (seq, arrival_ms, event) in part.rows {
                    if replay.event(seq, arrival_ms, event).is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                replay.reached = replay.reached.max(part.reached);
            }
            let decoded = decoder.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            decoded.map(ControlFlow::Continue)
        })
    }

    /// Sends the rows of the segments until all are sent or nobody wants them.
    fn decode(&self, list: &SegmentList, after: u64, parts: &SyncSender<Part>) -> Result<(), LogError> {
        for segment in list.segments.iter().filter(|segment| segment.last > after) {
            let reader = SegmentReader::open(&self.folder.segments(), segment)?;
            let mut rows = Vec::with_capacity(ROWS);
            let flow = reader.each(&mut |seq, arrival_ms, event| {
                rows.push((seq, arrival_ms, event));
                if rows.len() < ROWS {
                    return ControlFlow::Continue(());
                }
                let rows = std::mem::replace(&mut rows, Vec::with_capacity(ROWS));
                match parts.send(Part { rows, reached: 0 }) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                }
            })?;
            if flow.is_break() || parts.send(Part { rows, reached: segment.last }).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// The list and the tables as they stood at one moment: a sealing between the two looks would lose the tail.
    fn frozen(&self) -> Result<(Arc<SegmentList>, Snapshot), LogError> {
        let tables = self.tables()?;
        loop {
            let list = self.list.read().clone();
            let snapshot = tables.db.snapshot();
            if Arc::ptr_eq(&list, &self.list.read()) {
                return Ok((list, snapshot));
            }
        }
    }
}

/// One replay: events come in order, and item changes and erasures are put between them.
struct Replay<'a> {
    after: u64,
    /// Item changes and erasures above `after`, the latest first.
    changes: Vec<LogRecord>,
    /// Of whom earlier events may still be in the files.
    erased: Pending,
    apply: &'a mut dyn FnMut(LogRecord) -> ControlFlow<()>,
    reached: u64,
}

impl<'a> Replay<'a> {
    fn new(
        log: &EventLog,
        snapshot: &Snapshot,
        after: u64,
        apply: &'a mut dyn FnMut(LogRecord) -> ControlFlow<()>,
    ) -> Result<Self, LogError> {
        let tables = log.tables()?;
        let items = tables.item_rows(snapshot)?.into_iter().map(|(item, row)| LogRecord {
            seq: row.seq,
            change: Change::Item { item, data: row.data, arrival_ms: row.arrival_ms },
        });
        let erasures = log.erasures.all().into_iter();
        let erasures =
            erasures.map(|(user, erasure)| LogRecord { seq: erasure.seq, change: Change::Forgotten { user } });
        let mut changes: Vec<LogRecord> = items.chain(erasures).filter(|change| change.seq > after).collect();
        changes.sort_by_key(|change| std::cmp::Reverse(change.seq));
        Ok(Self { after, changes, erased: log.erasures.pending(), apply, reached: after })
    }

    fn event(&mut self, seq: u64, arrival_ms: i64, event: Event) -> ControlFlow<()> {
        if seq <= self.after {
            return ControlFlow::Continue(());
        }
        self.changes_before(seq)?;
        self.reached = seq;
        if self.erased.covers(&event.user, seq) {
            return ControlFlow::Continue(());
        }
        (self.apply)(LogRecord { seq, change: Change::Event { event, arrival_ms } })
    }

    /// Gives the item changes and erasures below `seq`.
    fn changes_before(&mut self, seq: u64) -> ControlFlow<()> {
        while let Some(change) = self.changes.pop_if(|change| change.seq < seq) {
            self.reached = self.reached.max(change.seq);
            (self.apply)(change)?;
        }
        ControlFlow::Continue(())
    }
}
