//! What is handed to the log to be written as one.

use serde::{Deserialize, Serialize};

use crate::model::event::Event;
use crate::model::ids::{ItemId, UserId};
use crate::model::item::ItemData;
use crate::model::manifest::PartitionOffset;

/// Events, item changes and erasures with where they came from, to be written and applied as one.
///
/// They get their sequence numbers in this order: events, item changes, erasures.
#[derive(Debug, Clone, Default)]
pub struct EventBatch {
    /// The events, in order, each checked by [`Event::check`].
    pub events: Vec<Event>,
    /// Where each event stood in Kafka, as many as events; empty for events that came otherwise.
    pub positions: Vec<Position>,
    /// The offsets that are reached once this batch is durable, dead letters counted in.
    pub offsets: Vec<PartitionOffset>,
    /// Partitions that begin anew, whatever is remembered of them; to be given alone, ahead of their records.
    pub begins: Vec<PartitionOffset>,
    /// Changes of item data, in order.
    pub items: Vec<ItemChange>,
    /// Users of whom nothing is to be kept.
    pub erased: Vec<UserId>,
    /// When the batch came in, milliseconds of the epoch.
    pub arrival_ms: i64,
    /// Set when the events were read from a file: how far the file is in the log once this batch is durable.
    pub import: Option<ImportMark>,
}

/// A record's place in Kafka.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Index into [`EventBatch::offsets`].
    pub partition: usize,
    /// The record's offset.
    pub offset: i64,
}

/// A change of item data.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemChange {
    /// Of which item.
    pub item: ItemId,
    /// What it is now; none: deleted.
    pub data: Option<ItemData>,
}

/// How far one file is in the log. A reader begins behind the mark that the log has for the file, so that a batch's lines
/// are either all behind the mark or all new.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportMark {
    /// The SHA-256 of the file's bytes, in hexadecimal.
    pub content: String,
    /// The last line whose events are in the log, from 1, the header counted in.
    pub lines_done: u64,
    /// Whether the file is in the log to its end.
    pub complete: bool,
}

impl ImportMark {
    /// Whether the events of a line are in the log.
    #[must_use]
    pub const fn covers_line(&self, line: u64) -> bool {
        self.complete || line <= self.lines_done
    }

    /// Whether this mark says that everything up to `other` is in the log.
    #[must_use]
    pub const fn covers(&self, other: &Self) -> bool {
        self.complete || (!other.complete && self.lines_done >= other.lines_done)
    }
}
