//! Log records applied to memory, and memory frozen into a snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::messages::Snapshot;
use crate::model::catalogue::Catalogue;
use crate::model::erasure::Erasures;
use crate::model::event::Event;
use crate::model::histories::{Act, Histories, TypeIndex};
use crate::model::ids::UserId;
use crate::model::interactions::{Interactions, NO_TIME};
use crate::model::manifest::{DataRange, PartitionOffset};
use crate::store::log::{Change, LogRecord};

/// The in-memory side of the log.
#[derive(Clone)]
pub struct Memory {
    /// Events by user.
    pub histories: Arc<Histories>,
    /// Items.
    pub catalogue: Arc<Catalogue>,
    /// Weight of each event type.
    pub weights: Arc<BTreeMap<String, f32>>,
    /// Weight of other types.
    pub default_weight: f32,
}

impl Memory {
    /// Applies one record and moves `applied_seq` to it. Answers how many events an erasure took out.
    pub fn apply(&self, record: &LogRecord) -> u64 {
        let erased = match &record.change {
            Change::Event { event, .. } => {
                self.apply_event(event);
                0
            }
            Change::Item { item, data: Some(data), arrival_ms } => {
                self.catalogue.put(item, data.clone(), *arrival_ms);
                0
            }
            Change::Item { item, data: None, .. } => {
                self.catalogue.delete(item);
                0
            }
            Change::Erased { user } => self.erase(user),
            // Read again, events of before are left out, and `forget` took out what memory had of them.
            Change::Forgotten { .. } => 0,
        };
        if record.seq > self.histories.applied_seq() {
            self.histories.set_applied_seq(record.seq);
        }
        erased
    }

    fn apply_event(&self, event: &Event) {
        let Some(kind) = self.kind(&event.kind) else { return };
        let item = self.catalogue.index(&event.item);
        let time = event.timestamp_ms.unwrap_or(NO_TIME);
        self.histories.apply(&event.user, Act::new(item, kind, event.value, time));
        self.catalogue.count(item, self.weight(&event.kind) * event.value, time);
    }

    /// Takes out the users who were erased behind `after`, the last record that memory has.
    pub(super) fn forget(&self, erasures: &Erasures, after: u64) {
        if erasures.last_seq() <= after {
            return;
        }
        let mut erased = Vec::new();
        self.histories.each(|user, _| {
            if erasures.of(user).is_some_and(|erasure| erasure.seq > after) {
                erased.push(user.clone());
            }
        });
        for user in erased {
            self.erase(&user);
        }
    }

    fn erase(&self, user: &UserId) -> u64 {
        let Some(history) = self.histories.erase(user) else { return 0 };
        let weights = self.weights_by_type();
        for act in &history.acts {
            self.catalogue.uncount(act.item(), self.weight_of(&weights, act), act.time_ms());
        }
        history.acts.len() as u64
    }

    /// The number of an event type; none where it is one too many. How many there are was checked before the event was
    /// written, but a log from a process with other types may hold more.
    pub(super) fn kind(&self, name: &str) -> Option<TypeIndex> {
        let index = self.histories.types().index(name);
        index.inspect_err(|_| tracing::error!(kind = name, "an event is left out: too many event types")).ok()
    }

    fn weight(&self, kind: &str) -> f32 {
        self.weights.get(kind).copied().unwrap_or(self.default_weight)
    }

    /// What an act weighs, `weights` being those by type.
    pub(super) fn weight_of(&self, weights: &[f32], act: &Act) -> f32 {
        weights.get(usize::from(act.kind().0)).copied().unwrap_or(self.default_weight) * act.value
    }

    /// The weights by number of the event type.
    pub(super) fn weights_by_type(&self) -> Vec<f32> {
        self.histories.types().names().iter().map(|name| self.weight(name)).collect()
    }

    /// Freezes everything applied so far, users in order of first sight so that equal logs give equal snapshots. Only
    /// where nothing is applied meanwhile, by the ingestor or before it starts, are all users of one moment.
    pub fn snapshot(&self, offsets: Vec<PartitionOffset>) -> Snapshot {
        let weights = self.weights_by_type();
        let mut users = Vec::with_capacity(self.histories.users());
        self.histories.each(|user, history| users.push((history.index, user.clone())));
        users.sort_unstable();
        let item_ids = Arc::new(self.catalogue.entries().iter().map(|entry| entry.id.clone()).collect());
        let user_ids: Arc<Vec<UserId>> = Arc::new(users.into_iter().map(|(_, user)| user).collect());
        let events = usize::try_from(self.histories.events()).unwrap_or(0);
        let mut rows = Interactions::with_room(events, user_ids.clone(), item_ids);
        for (index, user) in (0_u32..).zip(user_ids.iter()) {
            self.histories.with(user, |history| {
                for act in &history.acts {
                    let weight = self.weight_of(&weights, act);
                    if weight != 0.0 {
                        rows.push(index, act.item().0, weight, act.time_ms());
                    }
                }
            });
        }
        let data = self.data_range(&rows, offsets);
        Snapshot { rows: Arc::new(rows), data }
    }

    fn data_range(&self, rows: &Interactions, offsets: Vec<PartitionOffset>) -> DataRange {
        let mut seen = vec![false; rows.item_ids.len()];
        for &item in &rows.items {
            if let Some(seen) = seen.get_mut(item as usize) {
                *seen = true;
            }
        }
        let range = rows.time_range();
        DataRange {
            events: rows.len() as u64,
            users: rows.user_ids.len() as u64,
            items: seen.into_iter().filter(|&seen| seen).count() as u64,
            events_from_ms: range.map(|(from, _)| from),
            events_to_ms: range.map(|(_, to)| to),
            applied_seq: self.histories.applied_seq(),
            offsets,
        }
    }
}
