//! What followed the lists: how many were given by each version and variant, and which events came back with their ids.
//!
//! Counts are kept by version and variant, a bounded number of them, and outlive the process by a note that the ingestor
//! writes now and then. Where an item of a list came from is remembered for the latest lists only, and not over a restart.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::given_lists::{GivenLists, Place};
use crate::model::event::Event;
use crate::model::wire::recommendation_id::RecommendationId;

/// Versions with variants that are counted at once; the one that was given longest ago makes room.
const ROWS: usize = 24;

/// Event types of one row that are counted by name.
const TYPES: usize = 32;

/// What stands for all other types.
const OTHER: &str = "other";

/// Sources of an event's item: those of lists, then an item that was not in the list, then a list that is forgotten.
const UNLISTED: &str = "unlisted";
const FORGOTTEN: &str = "forgotten";

/// Everything that is counted.
pub struct Online {
    process: u32,
    counts: Mutex<Counts>,
    changed: AtomicBool,
}

/// What is counted with each list, behind one lock.
struct Counts {
    rows: Rows,
    given: GivenLists,
}

#[derive(Debug, Default)]
struct Rows {
    rows: Vec<Row>,
    /// Counts up with each list.
    clock: u64,
}

/// One version with one variant.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Row {
    version: u64,
    variant: Option<Arc<str>>,
    lists: u64,
    /// Items given, by source.
    items: BTreeMap<Arc<str>, u64>,
    /// Events by type, then by source.
    events: BTreeMap<Arc<str>, BTreeMap<Arc<str>, u64>>,
    #[serde(skip)]
    used: u64,
}

/// What outlives the process.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    process: u32,
    rows: Vec<Row>,
}

/// One version with one variant, as `/state` shows it.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct OnlineView {
    /// The version; null for lists that no version made.
    pub version: Option<u64>,
    /// The variant; null outside a test.
    pub variant: Option<String>,
    /// Lists given.
    pub lists: u64,
    /// Items given, by source.
    pub items: BTreeMap<String, u64>,
    /// Events that came with a list's id, by type.
    pub events: BTreeMap<String, FollowedView>,
}

/// The events of one type that followed lists.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct FollowedView {
    /// How many.
    pub count: u64,
    /// How many a list.
    pub per_list: f64,
    /// By the source of their item in the list; `unlisted` where it was not in it, `forgotten` where the list is.
    pub sources: BTreeMap<String, u64>,
}

impl Online {
    /// Nothing counted yet; of the latest `remembered` lists of ten the sources are known.
    #[must_use]
    pub fn new(remembered: usize) -> Self {
        Self {
            process: RecommendationId::draw_process(),
            counts: Mutex::new(Counts { rows: Rows::default(), given: GivenLists::new(remembered) }),
            changed: AtomicBool::new(false),
        }
    }

    /// Goes on where the process of before ended, by its note.
    ///
    /// # Errors
    /// What is wrong with the note; then it begins anew.
    pub fn restore(&mut self, note: serde_json::Value) -> Result<(), serde_json::Error> {
        let Note { process, mut rows } = serde_json::from_value(note)?;
        rows.truncate(ROWS);
        self.process = process;
        self.counts.get_mut().rows = Rows { rows, clock: 0 };
        Ok(())
    }

    /// What is to be kept, where something was counted since this was asked last.
    #[must_use]
    pub fn note(&self) -> Option<serde_json::Value> {
        if !self.changed.swap(false, Ordering::AcqRel) {
            return None;
        }
        let rows = self.counts.lock().rows.rows.clone();
        serde_json::to_value(Note { process: self.process, rows }).ok()
    }

    /// Counts an answered list and gives it its id.
    pub fn given(&self, answer: &Answer) -> RecommendationId {
        let version = answer.model.as_ref().map_or(0, |model| model.version.0);
        let variant = answer.variant.clone();
        let number = {
            let Counts { rows, given } = &mut *self.counts.lock();
            rows.clock += 1;
            let clock = rows.clock;
            let row = rows.of_list(version, variant.as_ref());
            row.used = clock;
            row.lists += 1;
            // A list is of one source mostly.
            for of_source in answer.items.chunk_by(|one, next| one.source == next.source) {
                if let Some(first) = of_source.first() {
                    count(&mut row.items, first.source.name(), of_source.len() as u64);
                }
            }
            given.keep(&answer.items)
        };
        self.changed.store(true, Ordering::Release);
        RecommendationId { version, process: self.process, number, variant }
    }

    /// Counts a new event where it came with the id of a list that this process gave.
    pub fn happened(&self, event: &Event) {
        let id = event.recommendation_id.as_deref().and_then(|id| id.parse::<RecommendationId>().ok());
        let Some(id) = id.filter(|id| id.process == self.process) else { return };
        let mut counts = self.counts.lock();
        let source = match counts.given.find(id.number, &event.item) {
            Place::From(source) => source.name(),
            Place::Unlisted => UNLISTED,
            Place::Forgotten => FORGOTTEN,
        };
        // An id that was made up makes no row.
        let Some(row) = counts.rows.find(id.version, id.variant.as_ref()) else { return };
        let known = row.events.len() < TYPES || row.events.contains_key(&event.kind);
        let kind = if known { event.kind.clone() } else { Arc::from(OTHER) };
        count(row.events.entry(kind).or_default(), source, 1);
        drop(counts);
        self.changed.store(true, Ordering::Release);
    }

    /// All that was counted: the newest version first, in it by variant.
    #[must_use]
    pub fn view(&self) -> Vec<OnlineView> {
        let mut rows = self.counts.lock().rows.rows.clone();
        rows.sort_by(|a, b| b.version.cmp(&a.version).then_with(|| a.variant.cmp(&b.variant)));
        rows.into_iter().map(Row::view).collect()
    }
}

impl Rows {
    fn find(&mut self, version: u64, variant: Option<&Arc<str>>) -> Option<&mut Row> {
        self.rows.iter_mut().find(|row| row.version == version && row.variant.as_ref() == variant)
    }

    fn of_list(&mut self, version: u64, variant: Option<&Arc<str>>) -> &mut Row {
        let known = self.rows.iter().position(|row| row.version == version && row.variant.as_ref() == variant);
        let place = known.unwrap_or_else(|| {
            if self.rows.len() >= ROWS
                && let Some((oldest, _)) = self.rows.iter().enumerate().min_by_key(|(_, row)| row.used)
            {
                self.rows.swap_remove(oldest);
            }
            self.rows.push(Row { version, variant: variant.cloned(), ..Row::default() });
            self.rows.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "the place was found or made just now")]
        &mut self.rows[place]
    }
}

impl Row {
    fn view(self) -> OnlineView {
        let named =
            |counts: BTreeMap<Arc<str>, u64>| counts.into_iter().map(|(name, n)| (name.to_string(), n)).collect();
        let lists = self.lists;
        let followed = |sources: BTreeMap<Arc<str>, u64>| {
            let count = sources.values().sum();
            let per_list = if lists == 0 { 0.0 } else { count as f64 / lists as f64 };
            FollowedView { count, per_list, sources: named(sources) }
        };
        OnlineView {
            version: (self.version > 0).then_some(self.version),
            variant: self.variant.map(|variant| variant.to_string()),
            lists,
            items: named(self.items),
            events: self.events.into_iter().map(|(kind, sources)| (kind.to_string(), followed(sources))).collect(),
        }
    }
}

fn count(counts: &mut BTreeMap<Arc<str>, u64>, name: &str, more: u64) {
    match counts.get_mut(name) {
        Some(count) => *count += more,
        None => {
            counts.insert(Arc::from(name), more);
        }
    }
}

#[cfg(test)]
#[path = "tests/online.rs"]
mod tests;
