//! Who was erased, and what that takes out: known by a keyed hash of the id, never by the id.
//!
//! An erasure is a record of the log. What came in before it is to be gone everywhere; what comes after it is a stranger's.
//! The hash is an HMAC-SHA256 under a key of the data folder, cut to 128 bits: without the key nobody can try out ids.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;
use ring::hmac;
use serde::{Deserialize, Serialize};

use super::ids::UserId;
use super::manifest::PartitionOffset;

/// The length of a [`UserHash`], bytes.
pub const HASH_BYTES: usize = 16;

/// What stands for an erased user's id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserHash(pub [u8; HASH_BYTES]);

impl fmt::Debug for UserHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The last erasure of one user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// Its record in the log.
    pub seq: u64,
    /// When it came in, milliseconds of the epoch.
    pub erased_ms: i64,
    /// The Kafka offsets that were reached by then: what lies before them is from before it, should it be read again.
    pub offsets: Arc<[PartitionOffset]>,
    /// Whether the files were rewritten since.
    pub rewritten: bool,
}

/// Erasures whose files are not rewritten yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// How many.
    pub count: usize,
    /// When the oldest of them came in, milliseconds of the epoch.
    pub oldest_ms: i64,
}

/// Where an event came from, as far as it tells whether it is from before an erasure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin<'a> {
    /// Sent to the service: it is of now, whatever its time says.
    Sent,
    /// Read from a partition of Kafka, with its time where it has one, milliseconds of the epoch.
    Kafka {
        /// The partition.
        partition: &'a PartitionOffset,
        /// The record's offset.
        offset: i64,
        /// The event's time.
        time_ms: Option<i64>,
    },
    /// Read from a file, with its time where it has one, milliseconds of the epoch.
    File(Option<i64>),
}

/// The erasures of one log, shared by all who must heed them.
pub struct Erasures {
    key: hmac::Key,
    table: RwLock<HashMap<UserHash, Erasure>>,
}

impl fmt::Debug for Erasures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Erasures").field("erased", &self.table.read().len()).finish_non_exhaustive()
    }
}

impl Default for Erasures {
    /// None, and none to come: for what has no log.
    fn default() -> Self {
        Self::new(&[], HashMap::new())
    }
}

impl Erasures {
    /// The erasures of a log whose key is `key`.
    #[must_use]
    pub fn new(key: &[u8], table: HashMap<UserHash, Erasure>) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key), table: RwLock::new(table) }
    }

    /// What stands for a user.
    #[must_use]
    pub fn hash(&self, user: &UserId) -> UserHash {
        let tag = hmac::sign(&self.key, user.as_str().as_bytes());
        UserHash(tag.as_ref().first_chunk().copied().unwrap_or_default())
    }

    /// The last erasure of a user.
    #[must_use]
    pub fn of(&self, user: &UserId) -> Option<Erasure> {
        let table = self.table.read();
        if table.is_empty() { None } else { table.get(&self.hash(user)).cloned() }
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<(UserHash, Erasure)> {
        self.table.read().iter().map(|(&hash, erasure)| (hash, erasure.clone())).collect()
    }

    /// Puts an erasure in the place of the user's last one.
    pub fn put(&self, hash: UserHash, erasure: Erasure) {
        self.table.write().insert(hash, erasure);
    }

    /// The record of the last erasure of anybody; 0 where there is none.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.table.read().values().map(|erasure| erasure.seq).max().unwrap_or(0)
    }

    /// Those whose files are not rewritten yet; none where all are.
    #[must_use]
    pub fn waiting(&self) -> Option<Waiting> {
        let table = self.table.read();
        let waiting = || table.values().filter(|erasure| !erasure.rewritten);
        Some(Waiting { count: waiting().count(), oldest_ms: waiting().map(|erasure| erasure.erased_ms).min()? })
    }

    /// Those whose files are not rewritten yet, to look many events up in.
    #[must_use]
    pub fn pending(self: &Arc<Self>) -> Pending {
        let table = self.table.read();
        let pending = table.iter().filter(|(_, erasure)| !erasure.rewritten);
        Pending { seqs: pending.map(|(&hash, erasure)| (hash, erasure.seq)).collect(), erasures: self.clone() }
    }

    /// Whether what a version learnt of the user is to be forgotten: it was fitted on records up to `applied_seq` and
    /// written at `created_ms`.
    #[must_use]
    pub fn outdates(&self, user: &UserId, applied_seq: u64, created_ms: i64) -> bool {
        self.of(user).is_some_and(|erasure| erasure.seq > applied_seq || erasure.erased_ms >= created_ms)
    }

    /// Whether any erasure came behind the records and the time of a version.
    #[must_use]
    pub fn any_outdates(&self, applied_seq: u64, created_ms: i64) -> bool {
        let table = self.table.read();
        table.values().any(|erasure| erasure.seq > applied_seq || erasure.erased_ms >= created_ms)
    }

    /// Whether an event that comes in now is from before the user's erasure and must not bring it back.
    #[must_use]
    pub fn bars(&self, user: &UserId, origin: Origin<'_>) -> bool {
        match origin {
            Origin::Sent => false,
            Origin::Kafka { partition: at, offset, time_ms } => self.of(user).is_some_and(|erasure| {
                let same = |other: &&PartitionOffset| other.partition == at.partition && other.topic == at.topic;
                match erasure.offsets.iter().find(same) {
                    Some(reached) => offset < reached.next,
                    // Not read then, or made again since: only the event's time tells.
                    None => time_ms.is_some_and(|time| time < erasure.erased_ms),
                }
            }),
            Origin::File(time_ms) => {
                self.of(user).is_some_and(|erasure| time_ms.is_none_or(|time| time < erasure.erased_ms))
            }
        }
    }
}

/// Erasures that are heeded while events are read.
#[derive(Debug, Clone)]
pub struct Pending {
    seqs: HashMap<UserHash, u64>,
    erasures: Arc<Erasures>,
}

impl Pending {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.seqs.is_empty()
    }

    /// The record of the last of them; 0 where there is none.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.seqs.values().copied().max().unwrap_or(0)
    }

    /// The users with the record of each erasure.
    pub fn each(&self) -> impl Iterator<Item = (UserHash, u64)> + '_ {
        self.seqs.iter().map(|(&hash, &seq)| (hash, seq))
    }

    /// Whether the user's record `seq` is from before an erasure.
    #[must_use]
    pub fn covers(&self, user: &UserId, seq: u64) -> bool {
        !self.seqs.is_empty() && self.seqs.get(&self.erasures.hash(user)).is_some_and(|&erased_at| seq < erased_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str) -> UserId {
        id.parse().unwrap()
    }

    fn erasure(seq: u64, rewritten: bool) -> Erasure {
        let at = PartitionOffset { topic: "events".into(), partition: 1, next: 40 };
        Erasure { seq, erased_ms: 1000, offsets: Arc::from([at]), rewritten }
    }

    #[test]
    fn a_hash_depends_on_id_and_key() {
        let (one, other) = (Erasures::new(&[1; 32], HashMap::new()), Erasures::new(&[2; 32], HashMap::new()));
        assert_eq!(one.hash(&user("u")), one.hash(&user("u")));
        assert_ne!(one.hash(&user("u")), one.hash(&user("v")));
        assert_ne!(one.hash(&user("u")), other.hash(&user("u")));
    }

    #[test]
    fn what_came_before_is_covered_until_it_is_rewritten() {
        let erasures = Arc::new(Erasures::new(&[1; 32], HashMap::new()));
        assert!(erasures.waiting().is_none() && !erasures.pending().covers(&user("u"), 1));
        erasures.put(erasures.hash(&user("u")), erasure(9, false));
        assert_eq!(erasures.waiting(), Some(Waiting { count: 1, oldest_ms: 1000 }));
        let pending = erasures.pending();
        assert!(pending.covers(&user("u"), 8) && !pending.covers(&user("u"), 10) && !pending.covers(&user("v"), 8));
        erasures.put(erasures.hash(&user("u")), erasure(9, true));
        assert!(erasures.waiting().is_none() && erasures.pending().is_empty());
    }

    #[test]
    fn replays_are_told_from_what_is_new() {
        let erasures = Erasures::new(&[1; 32], HashMap::new());
        erasures.put(erasures.hash(&user("u")), erasure(9, true));
        let bars = |origin: Origin<'_>| erasures.bars(&user("u"), origin);
        let read = |number, offset, time_ms| {
            let partition = PartitionOffset { topic: "events".into(), partition: number, next: 90 };
            erasures.bars(&user("u"), Origin::Kafka { partition: &partition, offset, time_ms })
        };
        assert!(read(1, 39, Some(2000)) && !read(1, 40, Some(500)));
        assert!(read(2, 40, Some(999)) && !read(2, 1, Some(1000)) && !read(2, 1, None));
        assert!(bars(Origin::File(Some(999))) && bars(Origin::File(None)) && !bars(Origin::File(Some(1000))));
        assert!(!bars(Origin::Sent) && !erasures.bars(&user("v"), Origin::File(None)));
    }

    #[test]
    fn a_version_is_outdated_by_record_or_by_time() {
        let erasures = Erasures::new(&[1; 32], HashMap::new());
        erasures.put(erasures.hash(&user("u")), erasure(9, true));
        assert!(erasures.outdates(&user("u"), 8, 2000) && erasures.outdates(&user("u"), 20, 1000));
        assert!(!erasures.outdates(&user("u"), 9, 2000) && !erasures.outdates(&user("v"), 0, 0));
        assert!(erasures.any_outdates(8, 2000) && !erasures.any_outdates(9, 2000));
    }
}
