//! Sealing: the tail into a Parquet segment, in steps that a crash may come between.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use fjall::Readable;

use super::EventLog;
use super::batch::ImportMark;
use super::codec;
use super::error::LogError;
use super::folder::sync_folder;
use super::list::Segment;
use super::segment::{About, SegmentWriter, file_name};
use crate::model::ids::UserId;

/// The segment being written, in the segments' folder.
const SEALING: &str = "sealing.tmp";

impl EventLog {
    /// Seals the tail into a segment; none where the tail is empty. Appends wait meanwhile.
    ///
    /// # Errors
    /// [`LogError::Full`], [`LogError::Io`], [`LogError::Segment`] or [`LogError::Tables`]: the tail is as it was.
    pub fn seal(&self) -> Result<Option<Segment>, LogError> {
        let _writer = self.writer.lock();
        self.seal_tail()
    }

    /// Seals the tail; the caller holds the writer.
    pub(super) fn seal_tail(&self) -> Result<Option<Segment>, LogError> {
        self.make_writable()?;
        let written = self.write_tail().inspect_err(|_| {
            // A half of a segment would only take up room.
            std::fs::remove_file(self.folder.segments().join(SEALING)).ok();
        });
        let Some(segment) = written? else {
            // All of it is in segments already, and could not be dropped then.
            self.drop_tail(self.list.read().sealed_to())?;
            return Ok(None);
        };
        self.list_segment(segment.clone())?;
        self.drop_tail(segment.last)?;
        Ok(Some(segment))
    }

    /// First step: the tail's events in a file that no list names yet. Events of erased users stay behind.
    pub(super) fn write_tail(&self) -> Result<Option<Segment>, LogError> {
        let tables = self.tables()?;
        let snapshot = tables.db.snapshot();
        let erased: HashMap<UserId, u64> = tables.erased_users(&snapshot)?.into_iter().collect();
        let sealed_to = self.list.read().sealed_to();
        let beside = self.folder.segments().join(SEALING);
        let mut open: Option<(u64, SegmentWriter)> = None;
        let mut last = 0;
        for guard in snapshot.iter(&tables.tail) {
            let (key, value) = tables.pair(guard)?;
            let first = codec::first_of(&key).ok_or_else(|| tables.bad_row("tail", "?", "its key is no number"))?;
            let row = codec::decode(&value).map_err(|why| tables.bad_row("tail", &first.to_string(), &why))?;
            if row.last <= sealed_to {
                continue;
            }
            if open.is_none() {
                open = Some((first, SegmentWriter::create(&beside)?));
            }
            let Some((_, writer)) = open.as_mut() else { continue };
            for (seq, event) in (first..).zip(&row.events) {
                if erased.get(&event.user).is_none_or(|&erased_at| erased_at < seq) {
                    writer.push(seq, row.arrival_ms, event)?;
                }
            }
            last = row.last;
        }
        let Some((first, writer)) = open else { return Ok(None) };
        self.finish_segment(writer, first, last, None).map(Some)
    }

    /// Finishes a segment's file under its name; nothing names it yet.
    pub(super) fn finish_segment(
        &self,
        writer: SegmentWriter,
        first: u64,
        last: u64,
        import: Option<ImportMark>,
    ) -> Result<Segment, LogError> {
        let tables = self.tables()?;
        let offsets = tables.offsets()?;
        let about = About { first, last, offsets, import };
        let from = writer.path().to_owned();
        let written = writer.finish(&about)?;
        fail::fail_point!("segment.after_sync");
        let folder = self.folder.segments();
        let file = file_name(first, last);
        let to = folder.join(&file);
        std::fs::rename(&from, &to).map_err(LogError::io(&to))?;
        sync_folder(&folder)?;
        Ok(Segment {
            file,
            first,
            last,
            rows: written.rows,
            bytes: written.bytes,
            sha256: written.sha256,
            xxh3: written.xxh3,
            offsets: about.offsets,
            import: about.import,
        })
    }

    /// Second step: the segment belongs to the log.
    pub(super) fn list_segment(&self, segment: Segment) -> Result<(), LogError> {
        let next = self.list.read().with(segment);
        fail::fail_point!("segment.before_list");
        next.save(&self.folder.list())?;
        fail::fail_point!("segment.after_list");
        *self.list.write() = Arc::new(next);
        Ok(())
    }

    /// Third step: the rows that segments cover leave the tail. No sync: the next start removes what is still there.
    pub(super) fn drop_tail(&self, sealed_to: u64) -> Result<(), LogError> {
        let tables = self.tables()?;
        let mut write = tables.buffered();
        for guard in tables.db.snapshot().range(&tables.tail, ..=codec::key(sealed_to)) {
            let (key, _) = tables.pair(guard)?;
            write.remove(&tables.tail, key);
        }
        self.commit(write)?;
        fail::fail_point!("segment.after_drop");
        self.tail_events.store(0, Ordering::Release);
        Ok(())
    }
}
