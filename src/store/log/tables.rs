//! The tables of the log, in fjall: their names and how their rows look.

use std::path::{Path, PathBuf};

use fjall::{Database, Guard, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode, Readable, Snapshot};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::batch::ImportMark;
use super::error::LogError;
use super::{codec, erased, states};
use crate::model::ids::ItemId;
use crate::model::item::ItemData;
use crate::model::manifest::PartitionOffset;
use crate::model::run::RunRecord;

/// The tables, open.
pub struct Tables {
    /// fjall's database.
    pub db: Database,
    /// First seq, big-endian: a batch ([`super::codec`]).
    pub tail: Keyspace,
    /// xxh3 of an event id, 128 bits: arrival, milliseconds of the epoch, little-endian.
    pub ids: Keyspace,
    /// `topic NUL partition`: the next offset, little-endian.
    pub offsets: Keyspace,
    /// Item id: [`ItemRow`] in JSON.
    pub items: Keyspace,
    /// Keyed hash of a user id: the last erasure in JSON ([`super::erased`]).
    pub erased: Keyspace,
    /// Run id: the run's record in JSON.
    pub runs: Keyspace,
    /// SHA-256 of a file: its import mark in JSON.
    pub imports: Keyspace,
    /// What other rooms keep, in JSON.
    pub notes: Keyspace,
    /// Nothing that lasts: what is written here makes fjall begin a new journal ([`super::scrub`]).
    pub filler: Keyspace,
    folder: PathBuf,
}

/// Item data as it is stored; a deleted item keeps its row, so that a replay from the middle tells of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemRow {
    /// The record of the change.
    pub seq: u64,
    /// When it came in, milliseconds of the epoch.
    pub arrival_ms: i64,
    /// What it is; none: deleted.
    pub data: Option<ItemData>,
}

/// The key of an event id in `ids`.
#[must_use]
pub fn id_key(id: &str) -> [u8; 16] {
    xxh3_128(id.as_bytes()).to_be_bytes()
}

/// The key of a partition in `offsets`.
#[must_use]
pub fn offset_key(topic: &str, partition: i32) -> Vec<u8> {
    [topic.as_bytes(), &[0], &partition.to_be_bytes()].concat()
}

/// A number of eight bytes, little-endian.
#[must_use]
pub fn number(value: &[u8]) -> Option<[u8; 8]> {
    value.try_into().ok()
}

impl Tables {
    /// Opens the tables in `folder`, or makes them.
    ///
    /// # Errors
    /// [`LogError::Damaged`] where fjall cannot read its files; [`LogError::Tables`].
    pub fn open(folder: &Path) -> Result<Self, LogError> {
        states::check(folder)?;
        let failed = |e| damage_or_error(folder, e);
        let db = Database::builder(folder)
            .worker_threads(2)
            .max_journaling_size(128 * 1024 * 1024)
            .open()
            .map_err(failed)?;
        let table = |name: &str| db.keyspace(name, KeyspaceCreateOptions::default).map_err(failed);
        Ok(Self {
            tail: table("tail")?,
            ids: table("ids")?,
            offsets: table("offsets")?,
            items: table("items")?,
            erased: table("erased")?,
            runs: table("runs")?,
            imports: table("imports")?,
            notes: table("notes")?,
            filler: table("filler")?,
            folder: folder.to_owned(),
            db,
        })
    }

    /// fjall's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// All tables that hold something, with their names.
    #[must_use]
    pub fn all(&self) -> [(&'static str, &Keyspace); 8] {
        [
            ("tail", &self.tail),
            ("ids", &self.ids),
            ("offsets", &self.offsets),
            ("items", &self.items),
            ("erased", &self.erased),
            ("runs", &self.runs),
            ("imports", &self.imports),
            ("notes", &self.notes),
        ]
    }

    /// A batch whose commit returns once it is on the disk.
    #[must_use]
    pub fn durable(&self) -> OwnedWriteBatch {
        self.db.batch().durability(Some(PersistMode::SyncAll))
    }

    /// A batch that a killed process does not lose, but a power cut may.
    #[must_use]
    pub fn buffered(&self) -> OwnedWriteBatch {
        self.db.batch().durability(Some(PersistMode::Buffer))
    }

    /// The error that a failed read means.
    pub fn failed(&self, error: fjall::Error) -> LogError {
        damage_or_error(&self.folder, error)
    }

    /// Damage of a row.
    pub fn bad_row(&self, table: &str, row: &str, reason: &str) -> LogError {
        LogError::damaged(&self.folder, format!("table {table}, row {row}: {reason}"))
    }

    /// Key and value of a row that an iteration gave.
    ///
    /// # Errors
    /// [`LogError::Damaged`] or [`LogError::Tables`].
    pub fn pair(&self, guard: Guard) -> Result<(fjall::UserKey, fjall::UserValue), LogError> {
        guard.into_inner().map_err(|e| self.failed(e))
    }

    /// A row's value.
    ///
    /// # Errors
    /// [`LogError::Damaged`] or [`LogError::Tables`].
    pub fn get(&self, table: &Keyspace, key: &[u8]) -> Result<Option<fjall::UserValue>, LogError> {
        table.get(key).map_err(|e| self.failed(e))
    }

    /// Reads a JSON row.
    ///
    /// # Errors
    /// [`LogError::Damaged`] or [`LogError::Tables`].
    pub fn json<T: DeserializeOwned>(&self, table: &str, key: &[u8], value: &[u8]) -> Result<T, LogError> {
        serde_json::from_slice(value).map_err(|e| self.bad_row(table, &String::from_utf8_lossy(key), &e.to_string()))
    }

    /// The next offset of a partition, if one is stored.
    ///
    /// # Errors
    /// [`LogError::Damaged`] or [`LogError::Tables`].
    pub fn next_offset(&self, topic: &str, partition: i32) -> Result<Option<i64>, LogError> {
        let key = offset_key(topic, partition);
        let Some(value) = self.get(&self.offsets, &key)? else { return Ok(None) };
        let bytes = number(&value).ok_or_else(|| self.bad_row("offsets", topic, "no number of eight bytes"))?;
        Ok(Some(i64::from_le_bytes(bytes)))
    }

    /// Every stored offset, by topic and partition.
    ///
    /// # Errors
    /// [`LogError::Damaged`] or [`LogError::Tables`].
    pub fn offsets(&self) -> Result<Vec<PartitionOffset>, LogError> {
        let mut offsets = Vec::new();
        for guard in self.offsets.iter() {
            let (key, value) = self.pair(guard)?;
            let read = || {
                let (name, partition) = key.split_last_chunk::<4>()?;
                let topic = std::str::from_utf8(name.split_last()?.1).ok()?.to_owned();
                let next = i64::from_le_bytes(number(&value)?);
                Some(PartitionOffset { topic, partition: i32::from_be_bytes(*partition), next })
            };
            let row = String::from_utf8_lossy(&key);
            offsets.push(read().ok_or_else(|| self.bad_row("offsets", &row, "no offset of a partition"))?);
        }
        offsets.sort();
        Ok(offsets)
    }

    /// Every item's row in `snapshot`.
    ///
    /// # Errors
    /// [`LogError::Damaged`] or [`LogError::Tables`].
    pub fn item_rows(&self, snapshot: &Snapshot) -> Result<Vec<(ItemId, ItemRow)>, LogError> {
        snapshot
            .iter(&self.items)
            .map(|guard| {
                let (key, value) = self.pair(guard)?;
                let id = text(&key).and_then(|text| ItemId::new(text).ok());
                let id = id.ok_or_else(|| self.bad_row("items", &String::from_utf8_lossy(&key), "no item id"))?;
                let row = self.json("items", &key, &value)?;
                Ok((id, row))
            })
            .collect()
    }
}

fn text(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key).ok()
}

/// What fjall cannot read is damage; what it cannot do just now is an error.
fn damage_or_error(folder: &Path, error: fjall::Error) -> LogError {
    use std::io::ErrorKind;
    match error {
        fjall::Error::Io(e)
            if !matches!(e.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof | ErrorKind::InvalidData) =>
        {
            LogError::Tables(fjall::Error::Io(e))
        }
        e @ (fjall::Error::Poisoned | fjall::Error::Locked | fjall::Error::KeyspaceDeleted) => LogError::Tables(e),
        e => LogError::damaged(folder, format!("the tables cannot be read ({e})")),
    }
}

/// Whether a row is what its table should hold.
///
/// # Errors
/// What is wrong with it.
pub fn check_row(table: &str, key: &[u8], value: &[u8]) -> Result<(), String> {
    let id_text = || text(key).filter(|text| !text.is_empty()).map(|_| ()).ok_or("its key is no text".to_owned());
    let json = |read: Result<(), serde_json::Error>| read.map_err(|e| e.to_string());
    match table {
        "tail" => {
            codec::first_of(key).ok_or("its key is no number")?;
            codec::decode(value).map(|_| ())
        }
        "ids" if key.len() == 16 && value.len() == 8 => Ok(()),
        "offsets" if key.len() > 5 && value.len() == 8 => Ok(()),
        "erased" => erased::check_row(key, value),
        "items" => id_text().and_then(|()| json(serde_json::from_slice::<ItemRow>(value).map(|_| ()))),
        "runs" => json(serde_json::from_slice::<RunRecord>(value).map(|_| ())),
        "imports" => json(serde_json::from_slice::<ImportMark>(value).map(|_| ())),
        "notes" => json(serde_json::from_slice::<serde_json::Value>(value).map(|_| ())),
        _ => Err("key or value has another length than the table's rows".to_owned()),
    }
}
