//! Taking what was erased out of the log's files, in steps that a crash may come between.

use std::ops::ControlFlow;
use std::sync::Arc;

use fjall::Readable;

use super::EventLog;
use super::codec;
use super::error::LogError;
use super::folder::sync_folder;
use super::list::Segment;
use super::segment::{About, FORMAT, SegmentReader, SegmentWriter, rewritten_name};
use crate::model::erasure::Pending;

impl EventLog {
    /// Takes the bytes of everything that was erased until now out of the log's files, and gives what was waiting: to be
    /// handed to [`EventLog::note_rewritten`] once it is gone from everywhere else too. Appends go on meanwhile. Events that
    /// wait in Kafka, and files in `quarantine/`, are not the log's.
    ///
    /// # Errors
    /// [`LogError`]: what was rewritten by then stays so, the erasures go on waiting.
    pub fn rewrite(&self) -> Result<Pending, LogError> {
        let pending = self.erasures.pending();
        if pending.is_empty() {
            return Ok(pending);
        }
        self.make_writable()?;
        fail::fail_point!("erase.begin");
        self.seal_erased(&pending)?;
        for segment in self.segments() {
            if segment.first < pending.last_seq() {
                self.rewrite_segment(&segment, &pending)?;
            }
        }
        self.scrub()?;
        let aside = self.folder.quarantine();
        if std::fs::read_dir(&aside).is_ok_and(|mut files| files.next().is_some()) {
            tracing::warn!(folder = %aside.display(), "what was set aside here is not rewritten and may hold erased users: delete it");
        }
        Ok(pending)
    }

    /// Seals the tail where it holds what was erased: the segment is written without it.
    fn seal_erased(&self, pending: &Pending) -> Result<(), LogError> {
        let _writer = self.writer.lock();
        let tables = self.tables()?;
        for guard in tables.db.snapshot().iter(&tables.tail) {
            let (key, value) = tables.pair(guard)?;
            let name = || hex::encode(&key);
            let first = codec::first_of(&key).ok_or_else(|| tables.bad_row("tail", &name(), "no number"))?;
            let row = codec::decode(&value).map_err(|why| tables.bad_row("tail", &name(), &why))?;
            if (first..).zip(&row.events).any(|(seq, event)| pending.covers(&event.user, seq)) {
                return self.seal_tail().map(|_| ());
            }
        }
        Ok(())
    }

    /// Replaces a segment by one without what was erased, where it holds any of it.
    fn rewrite_segment(&self, old: &Segment, pending: &Pending) -> Result<(), LogError> {
        let folder = self.folder.segments();
        let reader = SegmentReader::open(&folder, old)?;
        let found = reader.each(&mut |seq, _, event| match pending.covers(&event.user, seq) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })?;
        if found.is_continue() {
            return Ok(());
        }
        let mut writer = SegmentWriter::create(&folder.join("rewriting.tmp"))?;
        let mut failed = None;
        let read = reader.each(&mut |seq, arrival_ms, event| {
            if pending.covers(&event.user, seq) {
                return ControlFlow::Continue(());
            }
            match writer.push(seq, arrival_ms, &event) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        if let Some(error) = failed.filter(|_| read.is_break()) {
            return Err(error);
        }
        let (offsets, import) = (old.offsets.clone(), old.import.clone());
        let about = About { format: FORMAT, first: old.first, last: old.last, offsets, import };
        let new = self.name_segment(writer, rewritten_name(&old.file), &about)?;
        fail::fail_point!("erase.after_segment");
        self.replace_segment(old, &new)?;
        fail::fail_point!("erase.after_list");
        let path = folder.join(&old.file);
        let _alone = self.reading.write();
        std::fs::remove_file(&path).map_err(LogError::io(&path))?;
        sync_folder(&folder)?;
        tracing::info!(old = old.file, new = new.file, left_out = old.rows - new.rows, "a segment was rewritten");
        Ok(())
    }

    /// The moment in which the new file belongs to the log and the old one does not.
    fn replace_segment(&self, old: &Segment, new: &Segment) -> Result<(), LogError> {
        let _writer = self.writer.lock();
        let next = self.list.read().replacing(old, new);
        next.save(&self.folder.list())?;
        *self.list.write() = Arc::new(next);
        Ok(())
    }
}
