//! The small tables beside the events: item data, imports, runs, notes.

use std::collections::BTreeMap;
use std::ops::Bound;

use fjall::Readable;
use serde_json::{Map, Value};

use super::EventLog;
use super::batch::ImportMark;
use super::error::LogError;
use super::tables::number;
use crate::model::ids::{ItemId, UserId};
use crate::model::item::ItemData;
use crate::model::run::RunRecord;

/// What the notes on users begin with; the user's id follows.
const USER: &str = "user/";

/// Ids removed by one write when they are forgotten.
const FORGET_AT_ONCE: usize = 50_000;

impl EventLog {
    /// The data of every item that has some.
    ///
    /// # Errors
    /// [`LogError::Damaged`] or [`LogError::Tables`].
    pub fn item_data(&self) -> Result<impl Iterator<Item = (ItemId, ItemData)> + use<>, LogError> {
        let rows = self.tables.item_rows(&self.tables.db.snapshot())?;
        Ok(rows.into_iter().filter_map(|(item, row)| Some((item, row.data?))))
    }

    /// How far the file whose SHA-256 is `content` is in the log.
    ///
    /// # Errors
    /// [`LogError::Damaged`] or [`LogError::Tables`].
    pub fn import_mark(&self, content: &str) -> Result<Option<ImportMark>, LogError> {
        let value = self.tables.get(&self.tables.imports, content.as_bytes())?;
        value.map(|value| self.tables.json("imports", content.as_bytes(), &value)).transpose()
    }

    /// Forgets the event ids that came in before the window that ends at `now_ms`; gives how many.
    ///
    /// # Errors
    /// [`LogError::Damaged`] or [`LogError::Tables`].
    pub fn purge_ids(&self, now_ms: i64) -> Result<u64, LogError> {
        let oldest = now_ms.saturating_sub(self.options.dedup_window_ms);
        let mut forgotten = 0;
        let mut write = self.tables.buffered();
        for guard in self.tables.db.snapshot().iter(&self.tables.ids) {
            let (key, value) = self.tables.pair(guard)?;
            let arrival = number(&value).map(i64::from_le_bytes);
            let arrival = arrival.ok_or_else(|| self.tables.bad_row("ids", &hex::encode(&key), "no time"))?;
            if arrival > oldest {
                continue;
            }
            write.remove(&self.tables.ids, key);
            forgotten += 1;
            if write.len() >= FORGET_AT_ONCE {
                std::mem::replace(&mut write, self.tables.buffered()).commit()?;
            }
        }
        write.commit()?;
        Ok(forgotten)
    }

    /// Writes a run's record over the one before; one that waits or is over is on the disk when this returns.
    ///
    /// # Errors
    /// [`LogError::Tables`].
    pub fn put_run(&self, run: &RunRecord) -> Result<(), LogError> {
        let json = serde_json::to_vec(run).map_err(|e| LogError::Batch(format!("run {}: {e}", run.id)))?;
        let durable = run.status.is_over() || run.started_ms.is_none();
        let mut write = if durable { self.tables.durable() } else { self.tables.buffered() };
        write.insert(&self.tables.runs, run.id.as_bytes(), json);
        Ok(write.commit()?)
    }

    /// The latest runs, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`LogError::Damaged`] or [`LogError::Tables`].
    pub fn runs(&self, limit: usize) -> Result<Vec<RunRecord>, LogError> {
        let newest = self.tables.runs.iter().rev().take(limit);
        newest
            .map(|guard| {
                let (key, value) = self.tables.pair(guard)?;
                self.tables.json("runs", &key, &value)
            })
            .collect()
    }

    /// One run.
    ///
    /// # Errors
    /// [`LogError::Damaged`] or [`LogError::Tables`].
    pub fn run(&self, id: &str) -> Result<Option<RunRecord>, LogError> {
        let value = self.tables.get(&self.tables.runs, id.as_bytes())?;
        value.map(|value| self.tables.json("runs", id.as_bytes(), &value)).transpose()
    }

    /// Keeps a value under a name, such as the schedule; on the disk when this returns.
    ///
    /// # Errors
    /// [`LogError::Tables`].
    pub fn put_note(&self, key: &str, value: &Value) -> Result<(), LogError> {
        let mut write = self.tables.durable();
        write.insert(&self.tables.notes, key.as_bytes(), value.to_string().into_bytes());
        Ok(write.commit()?)
    }

    /// The value kept under a name.
    ///
    /// # Errors
    /// [`LogError::Damaged`] or [`LogError::Tables`].
    pub fn note(&self, key: &str) -> Result<Option<Value>, LogError> {
        let value = self.tables.get(&self.tables.notes, key.as_bytes())?;
        value.map(|value| self.tables.json("notes", key.as_bytes(), &value)).transpose()
    }
    /// Keeps what was said of users over what was; on the disk when this returns.
    ///
    /// # Errors
    /// [`LogError::Tables`].
    pub fn put_user_notes(&self, notes: &[(UserId, Map<String, Value>)]) -> Result<(), LogError> {
        let mut write = self.tables.durable();
        for (user, note) in notes {
            let json = serde_json::to_vec(note).map_err(|e| LogError::Batch(format!("user {user}: {e}")))?;
            write.insert(&self.tables.notes, user_key(user), json);
        }
        Ok(write.commit()?)
    }

    /// What was said of a user; gone once the user is erased.
    ///
    /// # Errors
    /// [`LogError::Damaged`] or [`LogError::Tables`].
    pub fn user_note(&self, user: &UserId) -> Result<Option<Map<String, Value>>, LogError> {
        let key = user_key(user);
        let value = self.tables.get(&self.tables.notes, key.as_bytes())?;
        value.map(|value| self.tables.json("notes", key.as_bytes(), &value)).transpose()
    }

    /// What was said of the `n` users next behind `after`, by id.
    ///
    /// # Errors
    /// [`LogError::Damaged`] or [`LogError::Tables`].
    pub fn user_notes(&self, after: &str, n: usize) -> Result<BTreeMap<UserId, Map<String, Value>>, LogError> {
        let from = format!("{USER}{after}");
        let behind = (Bound::Excluded(from.as_bytes()), Bound::Unbounded);
        let mut notes = BTreeMap::new();
        for guard in self.tables.notes.range::<&[u8], _>(behind).take(n) {
            let (key, value) = self.tables.pair(guard)?;
            let user = std::str::from_utf8(&key).ok().and_then(|key| UserId::new(key.strip_prefix(USER)?).ok());
            let Some(user) = user else { break };
            notes.insert(user, self.tables.json("notes", &key, &value)?);
        }
        Ok(notes)
    }
}

/// The key of a user's note.
pub(super) fn user_key(user: &UserId) -> String {
    format!("{USER}{user}")
}
