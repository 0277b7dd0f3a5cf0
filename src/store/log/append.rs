//! Appending: duplicates out, numbers on, one durable write.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;

use fjall::OwnedWriteBatch;

use super::batch::{EventBatch, ImportMark};
use super::error::LogError;
use super::keep::user_key;
use super::record::{Appended, Change, LogRecord, Outcome};
use super::tables::{ItemRow, id_key, number, offset_key};
use super::{EventLog, codec};
use crate::model::erasure::Origin;
use crate::model::event::{Event, ImportedEvent};

impl EventLog {
    /// Writes what is new of a batch in one durable step and says what became of each event. A batch with nothing new but
    /// offsets that lie further moves the offsets; one with nothing new at all writes nothing.
    ///
    /// # Errors
    /// [`LogError::Batch`] for a batch that contradicts itself, [`LogError::Full`] where there is no room; nothing of the
    /// batch is acknowledged then. After [`LogError::Tables`] the next call opens the tables anew, see [`Self::make_writable`].
    pub fn append(&self, batch: &EventBatch) -> Result<Appended, LogError> {
        let writer = self.writer.lock();
        self.make_writable()?;
        let tables = self.tables()?;
        let before = self.last_seq();
        let outcomes = self.judge(batch, before + 1)?;
        let appended = records(batch, outcomes, before + 1, !self.reached(batch)?);
        let last = before + appended.records.len() as u64;
        let mut write = tables.durable();
        let mut erasures = self.forget_offsets(&mut write, &batch.begins)?;
        if last > before {
            self.put_records(&mut write, batch, &appended, last)?;
            erasures.extend(self.put_erasures(&mut write, batch, &appended.records)?);
        }
        self.put_offsets(&mut write, batch)?;
        if let Some(mark) = &batch.import
            && !self.import_mark(&mark.content)?.is_some_and(|known| known.covers(mark))
        {
            self.put_mark(&mut write, mark)?;
        }
        fail::fail_point!("log.before_commit");
        self.commit(write)?;
        fail::fail_point!("log.after_commit");
        for (user, erasure) in erasures {
            self.erasures.put(user, erasure);
        }
        self.last.store(last, Ordering::Release);
        self.tail_events.fetch_add(appended.accepted, Ordering::AcqRel);
        if last > before {
            writer.acknowledge(last);
        }
        Ok(appended)
    }

    /// Whether all of a batch from Kafka was applied before: its item changes and erasures must not count once more, over
    /// what has come since.
    fn reached(&self, batch: &EventBatch) -> Result<bool, LogError> {
        let tables = self.tables()?;
        for at in &batch.offsets {
            if tables.next_offset(&at.topic, at.partition)?.is_none_or(|next| next < at.next) {
                return Ok(false);
            }
        }
        Ok(!batch.offsets.is_empty())
    }

    /// What becomes of each event, the first new one getting the number `next`.
    fn judge(&self, batch: &EventBatch, next: u64) -> Result<Vec<Outcome>, LogError> {
        let positions = batch.positions.len();
        if positions != 0 && positions != batch.events.len() {
            return Err(LogError::Batch(format!("it has {positions} positions for {} events", batch.events.len())));
        }
        if let Some(mark) = &batch.import
            && self.import_mark(&mark.content)?.is_some_and(|known| known.covers(mark))
        {
            return Ok(vec![Outcome::KnownLine; batch.events.len()]);
        }
        let mut reached: HashMap<usize, i64> = HashMap::new();
        let mut ids = HashSet::new();
        let mut imported = HashMap::new();
        let mut next = next;
        let mut outcomes = Vec::with_capacity(batch.events.len());
        for (place, event) in batch.events.iter().enumerate() {
            let known = self.known_offset(batch, place, &mut reached)?;
            let outcome = if known {
                Outcome::KnownOffset
            } else if self.erasures.bars(&event.user, origin(batch, place, event)) {
                Outcome::Erased
            } else if self.known_line(event, &mut imported)? {
                Outcome::KnownLine
            } else if event.id.as_deref().map_or(Ok(false), |id| self.known_id(id, batch.arrival_ms, &mut ids))? {
                Outcome::KnownId
            } else {
                next += 1;
                Outcome::Accepted(next - 1)
            };
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    /// Whether the event's place in Kafka was applied before, in an earlier batch or in this one.
    fn known_offset(
        &self,
        batch: &EventBatch,
        place: usize,
        reached: &mut HashMap<usize, i64>,
    ) -> Result<bool, LogError> {
        let Some(position) = batch.positions.get(place) else { return Ok(false) };
        let next = if let Some(&next) = reached.get(&position.partition) {
            next
        } else {
            let given = batch.offsets.get(position.partition).ok_or_else(|| {
                LogError::Batch(format!("event {place} is of partition {}, which has no offset", position.partition))
            })?;
            self.tables()?.next_offset(&given.topic, given.partition)?.unwrap_or(i64::MIN)
        };
        // One record may hold several events, which then share its offset.
        reached.insert(position.partition, next.max(position.offset));
        Ok(position.offset < next)
    }

    /// Whether the event is of a line of a file that was imported on this machine.
    fn known_line<'a>(
        &self,
        event: &'a Event,
        marks: &mut HashMap<&'a str, Option<ImportMark>>,
    ) -> Result<bool, LogError> {
        let Some(imported) = event.id.as_deref().and_then(ImportedEvent::from_id) else { return Ok(false) };
        if !marks.contains_key(imported.content) {
            marks.insert(imported.content, self.import_mark(imported.content)?);
        }
        Ok(marks.get(imported.content).is_some_and(|mark| mark.as_ref().is_some_and(|m| m.covers_line(imported.line))))
    }

    /// Whether an event with this id came in within the window, or earlier in this batch.
    pub(super) fn known_id(&self, id: &str, now_ms: i64, batch: &mut HashSet<[u8; 16]>) -> Result<bool, LogError> {
        let tables = self.tables()?;
        let key = id_key(id);
        if !batch.insert(key) {
            return Ok(true);
        }
        let Some(value) = tables.get(&tables.ids, &key)? else { return Ok(false) };
        let arrival = number(&value).map(i64::from_le_bytes);
        let arrival = arrival.ok_or_else(|| tables.bad_row("ids", &hex::encode(key), "no time"))?;
        Ok(arrival.saturating_add(self.options.dedup_window_ms) > now_ms)
    }

    fn put_records(
        &self,
        write: &mut OwnedWriteBatch,
        batch: &EventBatch,
        appended: &Appended,
        last: u64,
    ) -> Result<(), LogError> {
        let tables = self.tables()?;
        let first = last + 1 - appended.records.len() as u64;
        let row = codec::encode(last, batch.arrival_ms, events(appended)).map_err(LogError::Batch)?;
        write.insert(&tables.tail, codec::key(first), row);
        let mut sent = HashSet::new();
        for id in events(appended).filter_map(|event| event.id.as_deref()) {
            write.insert(&tables.ids, id_key(id), batch.arrival_ms.to_le_bytes());
            sent.extend(ImportedEvent::from_id(id).map(|imported| imported.content));
        }
        for content in sent {
            self.note_sent(write, content)?;
        }
        for LogRecord { seq, change } in &appended.records {
            match change {
                Change::Item { item, data, arrival_ms } => {
                    let row = ItemRow { seq: *seq, arrival_ms: *arrival_ms, data: data.clone() };
                    let json = serde_json::to_vec(&row).map_err(|e| LogError::Batch(e.to_string()))?;
                    write.insert(&tables.items, item.as_str(), json);
                }
                // Erasures have rows of their own. A removal names the user, until it is rewritten: none without need.
                Change::Erased { user } => {
                    if self.user_note(user)?.is_some() {
                        write.remove(&tables.notes, user_key(user));
                    }
                }
                // The batch's row holds the events.
                Change::Event { .. } | Change::Forgotten { .. } => {}
            }
        }
        Ok(())
    }

    /// Leaves a mark of no line, so that an import of the same file on this machine looks for what was sent of it.
    fn note_sent(&self, write: &mut OwnedWriteBatch, content: &str) -> Result<(), LogError> {
        if self.import_mark(content)?.is_some() {
            return Ok(());
        }
        let mark = ImportMark { content: content.to_owned(), ..ImportMark::default() };
        self.put_mark(write, &mark)
    }

    /// Writes how far a file is in the log.
    pub(super) fn put_mark(&self, write: &mut OwnedWriteBatch, mark: &ImportMark) -> Result<(), LogError> {
        let tables = self.tables()?;
        let json = serde_json::to_vec(mark).map_err(|e| LogError::Batch(e.to_string()))?;
        write.insert(&tables.imports, mark.content.as_bytes(), json);
        Ok(())
    }

    fn put_offsets(&self, write: &mut OwnedWriteBatch, batch: &EventBatch) -> Result<(), LogError> {
        let tables = self.tables()?;
        for begin in &batch.begins {
            let key = offset_key(&begin.topic, begin.partition);
            write.insert(&tables.offsets, key, begin.next.to_le_bytes());
        }
        for offset in &batch.offsets {
            if tables.next_offset(&offset.topic, offset.partition)?.is_none_or(|known| known < offset.next) {
                let key = offset_key(&offset.topic, offset.partition);
                write.insert(&tables.offsets, key, offset.next.to_le_bytes());
            }
        }
        Ok(())
    }
}

fn events(appended: &Appended) -> impl Iterator<Item = &Event> {
    appended.records.iter().filter_map(|record| match &record.change {
        Change::Event { event, .. } => Some(event),
        Change::Item { .. } | Change::Erased { .. } | Change::Forgotten { .. } => None,
    })
}

/// Where an event of a batch came from.
fn origin<'a>(batch: &'a EventBatch, place: usize, event: &Event) -> Origin<'a> {
    let position = batch.positions.get(place);
    if let Some((partition, offset)) = position.and_then(|p| Some((batch.offsets.get(p.partition)?, p.offset))) {
        return Origin::Kafka { partition, offset, time_ms: event.timestamp_ms };
    }
    let imported = || event.id.as_deref().and_then(ImportedEvent::from_id).is_some();
    if batch.import.is_some() || imported() { Origin::File(event.timestamp_ms) } else { Origin::Sent }
}

/// The batch's new records in order: events, and, where `changes` are wanted, item changes and erasures.
fn records(batch: &EventBatch, outcomes: Vec<Outcome>, first: u64, changes: bool) -> Appended {
    let arrival_ms = batch.arrival_ms;
    let known = |outcome: &&Outcome| !matches!(outcome, Outcome::Accepted(_));
    let duplicates = outcomes.iter().filter(known).count() as u64;
    let accepted = outcomes.len() as u64 - duplicates;
    let new = batch.events.iter().zip(&outcomes).filter(|(_, outcome)| matches!(outcome, Outcome::Accepted(_)));
    let events = new.map(|(event, _)| Change::Event { event: event.clone(), arrival_ms });
    let items = batch.items.iter().map(|change| Change::Item {
        item: change.item.clone(),
        data: change.data.clone(),
        arrival_ms,
    });
    let erased = batch.erased.iter().map(|user| Change::Erased { user: user.clone() });
    let changes = events.chain(items.chain(erased).filter(|_| changes));
    let records = (first..).zip(changes).map(|(seq, change)| LogRecord { seq, change }).collect();
    Appended { records, accepted, duplicates, outcomes }
}
