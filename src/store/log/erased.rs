//! The table of erasures: a row for each erased user, under a keyed hash of the id.
//!
//! The key is made with the folder and lies in the tables beside the rows: lost together, they are lost as one. Folders of
//! format 1 had the ids themselves in this table; they get hashes when this build opens them, and their files are rewritten
//! as for an erasure of just now.

use std::collections::HashMap;
use std::sync::Arc;

use fjall::{OwnedWriteBatch, Readable};
use serde_json::json;

use super::EventLog;
use super::batch::EventBatch;
use super::error::LogError;
use super::record::{Change, LogRecord};
use super::tables::{Tables, number};
use crate::model::erasure::{Erasure, Erasures, HASH_BYTES, Pending, UserHash};
use crate::model::ids::UserId;
use crate::model::manifest::PartitionOffset;

/// The note that holds the key.
const KEY_NOTE: &str = "erasure.key";

/// The key's length, bytes.
const KEY_BYTES: usize = 32;

/// Reads the erasures; `old` where the folder is of format 1, whose rows are written anew.
///
/// # Errors
/// [`LogError::Damaged`] for a row or key that cannot be read, [`LogError::Tables`].
pub fn load(tables: &Tables, old: bool) -> Result<Erasures, LogError> {
    let known = key(tables)?;
    let key = match known {
        Some(key) => key,
        None if !old && !tables.erased.is_empty().map_err(|e| tables.failed(e))? => {
            return Err(tables.bad_row("notes", KEY_NOTE, "it is missing beside erasures"));
        }
        None => make_key(tables)?,
    };
    if old {
        convert(tables, &Erasures::new(&key, HashMap::new()))?;
    }
    let mut table = HashMap::new();
    for guard in tables.erased.iter() {
        let (key, value) = tables.pair(guard)?;
        let row = || hex::encode(&key);
        let hash = key.as_ref().try_into().map(UserHash);
        let hash = hash.map_err(|_| tables.bad_row("erased", &row(), "its key is no hash of a user"))?;
        table.insert(hash, tables.json("erased", row().as_bytes(), &value)?);
    }
    Ok(Erasures::new(&key, table))
}

/// Whether the key can be read.
#[must_use]
pub fn has_key(tables: &Tables) -> bool {
    key(tables).is_ok_and(|key| key.is_some())
}

/// Whether a row is of format 2; those of format 1 are a number alone.
#[must_use]
pub const fn is_hashed(value: &[u8]) -> bool {
    value.len() != size_of::<u64>()
}

fn key(tables: &Tables) -> Result<Option<[u8; KEY_BYTES]>, LogError> {
    let Some(value) = tables.get(&tables.notes, KEY_NOTE.as_bytes())? else { return Ok(None) };
    let text: serde_json::Value = tables.json("notes", KEY_NOTE.as_bytes(), &value)?;
    let bytes = text.get("key").and_then(serde_json::Value::as_str).and_then(|text| hex::decode(text).ok());
    let key = bytes.and_then(|bytes| bytes.try_into().ok());
    key.map(Some).ok_or_else(|| tables.bad_row("notes", KEY_NOTE, "it holds no key"))
}

fn make_key(tables: &Tables) -> Result<[u8; KEY_BYTES], LogError> {
    let key: [u8; KEY_BYTES] = rand::random();
    let mut write = tables.durable();
    write.insert(&tables.notes, KEY_NOTE, json!({ "key": hex::encode(key) }).to_string().into_bytes());
    write.commit()?;
    Ok(key)
}

/// Puts hashes in the place of ids. May be done again after a crash: a row is converted in one write.
fn convert(tables: &Tables, erasures: &Erasures) -> Result<(), LogError> {
    let offsets: Arc<[PartitionOffset]> = tables.offsets()?.into();
    let mut write = tables.durable();
    for guard in tables.db.snapshot().iter(&tables.erased) {
        let (key, value) = tables.pair(guard)?;
        let Some(seq) = number(&value).map(u64::from_le_bytes) else { continue };
        let user = std::str::from_utf8(&key).ok().and_then(|text| UserId::new(text).ok());
        let user = user.ok_or_else(|| tables.bad_row("erased", &hex::encode(&key), "its key is no user"))?;
        let erasure = Erasure { seq, erased_ms: 0, offsets: offsets.clone(), rewritten: false };
        put(tables, &mut write, erasures.hash(&user), &erasure)?;
        write.remove(&tables.erased, key);
    }
    Ok(write.commit()?)
}

/// Adds a row to a write.
fn put(tables: &Tables, write: &mut OwnedWriteBatch, hash: UserHash, erasure: &Erasure) -> Result<(), LogError> {
    let json = serde_json::to_vec(erasure).map_err(|e| LogError::Batch(e.to_string()))?;
    write.insert(&tables.erased, hash.0, json);
    Ok(())
}

/// Whether a row is what the table should hold, in either format.
///
/// # Errors
/// What is wrong with it.
pub fn check_row(key: &[u8], value: &[u8]) -> Result<(), String> {
    if !is_hashed(value) {
        return std::str::from_utf8(key).map(|_| ()).map_err(|_| "its key is no text".to_owned());
    }
    if key.len() != HASH_BYTES {
        return Err("its key is no hash of a user".to_owned());
    }
    serde_json::from_slice::<Erasure>(value).map(|_| ()).map_err(|e| e.to_string())
}

impl EventLog {
    /// Who was erased.
    #[must_use]
    pub const fn erasures(&self) -> &Arc<Erasures> {
        &self.erasures
    }

    /// Adds the rows of a batch's erasures to its write; they count once it is committed.
    pub(super) fn put_erasures(
        &self,
        write: &mut OwnedWriteBatch,
        batch: &EventBatch,
        records: &[LogRecord],
    ) -> Result<Vec<(UserHash, Erasure)>, LogError> {
        let tables = self.tables()?;
        let mut rows = Vec::new();
        let mut offsets = None;
        for LogRecord { seq, change } in records {
            let Change::Erased { user } = change else { continue };
            let offsets = match &offsets {
                Some(offsets) => Arc::clone(offsets),
                None => offsets.insert(self.offsets_with(batch)?).clone(),
            };
            let erasure = Erasure { seq: *seq, erased_ms: batch.arrival_ms, offsets, rewritten: false };
            let hash = self.erasures.hash(user);
            put(&tables, write, hash, &erasure)?;
            rows.push((hash, erasure));
        }
        Ok(rows)
    }

    /// The offsets that are reached with a batch.
    fn offsets_with(&self, batch: &EventBatch) -> Result<Arc<[PartitionOffset]>, LogError> {
        let mut offsets = self.tables()?.offsets()?;
        for at in &batch.offsets {
            match offsets.iter_mut().find(|known| known.partition == at.partition && known.topic == at.topic) {
                Some(known) => known.next = known.next.max(at.next),
                None => offsets.push(at.clone()),
            }
        }
        Ok(offsets.into())
    }

    /// Adds to a write that partitions begin anew: the offsets that erasures remember of them mean nothing any more.
    pub(super) fn forget_offsets(
        &self,
        write: &mut OwnedWriteBatch,
        begins: &[PartitionOffset],
    ) -> Result<Vec<(UserHash, Erasure)>, LogError> {
        // Nearly every batch: then the erasures need not be gone through.
        if begins.is_empty() {
            return Ok(Vec::new());
        }
        let anew = |at: &PartitionOffset| {
            begins.iter().any(|b| b.partition == at.partition && b.topic == at.topic && b.next < at.next)
        };
        let tables = self.tables()?;
        let mut rows = Vec::new();
        for (hash, erasure) in self.erasures.all() {
            if !erasure.offsets.iter().any(anew) {
                continue;
            }
            let offsets = erasure.offsets.iter().filter(|at| !anew(at)).cloned().collect();
            let erasure = Erasure { offsets, ..erasure };
            put(&tables, write, hash, &erasure)?;
            rows.push((hash, erasure));
        }
        Ok(rows)
    }

    /// Notes that the files were rewritten for these erasures; those that came again since still wait.
    ///
    /// # Errors
    /// [`LogError::Tables`].
    pub fn note_rewritten(&self, done: &Pending) -> Result<(), LogError> {
        let _writer = self.writer.lock();
        let done: HashMap<UserHash, u64> = done.each().collect();
        let tables = self.tables()?;
        let mut write = tables.durable();
        let mut rows = Vec::new();
        for (hash, erasure) in self.erasures.all() {
            if done.get(&hash) == Some(&erasure.seq) {
                let erasure = Erasure { rewritten: true, ..erasure };
                put(&tables, &mut write, hash, &erasure)?;
                rows.push((hash, erasure));
            }
        }
        fail::fail_point!("erase.before_note");
        self.commit(write)?;
        for (hash, erasure) in rows {
            self.erasures.put(hash, erasure);
        }
        Ok(())
    }
}
