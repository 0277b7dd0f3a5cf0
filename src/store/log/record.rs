//! What the log gives back: numbered records, and what became of each event of a batch.

use crate::model::erasure::UserHash;
use crate::model::event::Event;
use crate::model::ids::{ItemId, UserId};
use crate::model::item::ItemData;

/// One record of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct LogRecord {
    /// Its number, from 1; later records have greater ones.
    pub seq: u64,
    /// What changed.
    pub change: Change,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Somebody did something.
    Event {
        /// What.
        event: Event,
        /// When it came in, milliseconds of the epoch.
        arrival_ms: i64,
    },
    /// Item data was set or deleted.
    Item {
        /// Of which item.
        item: ItemId,
        /// What it is now; none: deleted.
        data: Option<ItemData>,
        /// When it came in, milliseconds of the epoch.
        arrival_ms: i64,
    },
    /// A user was erased just now: nothing of earlier records counts.
    Erased {
        /// Who.
        user: UserId,
    },
    /// The same, as the log remembers it.
    Forgotten {
        /// What stands for the user.
        user: UserHash,
    },
}

/// What became of one event of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the log under this number.
    Accepted(u64),
    /// An event with its id came in within the window.
    KnownId,
    /// Its place in Kafka had been applied.
    KnownOffset,
    /// Its line of the file had been imported.
    KnownLine,
    /// It is from before its user's erasure, read or imported once more.
    Erased,
}

/// What became of a batch; all of it is durable.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Appended {
    /// The new records, in order, for the histories and the catalogue.
    pub records: Vec<LogRecord>,
    /// Events that were new.
    pub accepted: u64,
    /// Events that were known already.
    pub duplicates: u64,
    /// What became of each event, in the batch's order.
    pub outcomes: Vec<Outcome>,
}
