//! The log read into memory: events are gathered by user first, so that a history is looked up once for many of them.

#![expect(clippy::indexing_slicing, reason = "places in vectors made just before")]

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::ingest_memory::Memory;
use crate::model::event::Event;
use crate::model::histories::{Act, TypeIndex};
use crate::model::ids::{ItemId, ItemIndex, UserId};
use crate::model::interactions::{NO_TIME, grouped};
use crate::store::log::{Change, EventLog, LogError, LogRecord};

/// Events gathered before they go to the histories, some 40 MB of them.
const GATHERED: usize = 1 << 20;

/// Events counted before those who read the catalogue are let in.
const COUNTED: usize = 1 << 12;

impl Memory {
    /// Brings memory up to the log, from the last record applied on.
    ///
    /// # Errors
    /// [`LogError`]; what came before the damage is then applied.
    pub fn catch_up(&self, log: &EventLog) -> Result<(), LogError> {
        self.forget(log.erasures(), self.histories.applied_seq());
        let mut replaying = Replaying::new(self);
        let read = log.replay(self.histories.applied_seq(), &mut |record| {
            replaying.apply(record);
            ControlFlow::Continue(())
        });
        replaying.flush();
        read.map(|_| ())
    }
}

/// What was read and is not yet in the histories.
struct Replaying<'a> {
    memory: &'a Memory,
    /// By user: its place in `names`.
    users: HashMap<UserId, u32, RandomState>,
    /// In order of first sight.
    names: Vec<UserId>,
    /// Whose the acts are.
    users_of: Vec<u32>,
    acts: Vec<Act>,
    items: HashMap<ItemId, ItemIndex, RandomState>,
    /// The type of the last event and its number.
    kind: Option<(Arc<str>, TypeIndex)>,
    /// The last record.
    seq: u64,
}

impl<'a> Replaying<'a> {
    fn new(memory: &'a Memory) -> Self {
        let (users, items) = (HashMap::default(), HashMap::default());
        Self { memory, users, names: Vec::new(), users_of: Vec::new(), acts: Vec::new(), items, kind: None, seq: 0 }
    }

    fn apply(&mut self, record: LogRecord) {
        if let Change::Event { event, .. } = record.change {
            self.gather(event);
            self.seq = record.seq;
            if self.acts.len() >= GATHERED {
                self.flush();
            }
        } else {
            // What came before it: an erasure takes it out, and the last record applied must not run ahead of it.
            self.flush();
            self.memory.apply(&record);
        }
    }

    fn gather(&mut self, event: Event) {
        let Some(kind) = self.kind(&event.kind) else { return };
        let catalogue = &self.memory.catalogue;
        let item = *self.items.entry(event.item).or_insert_with_key(|item| catalogue.index(item));
        let time = event.timestamp_ms.unwrap_or(NO_TIME);
        let names = &mut self.names;
        let user = *self.users.entry(event.user).or_insert_with_key(|user| {
            names.push(user.clone());
            (names.len() - 1) as u32
        });
        self.users_of.push(user);
        self.acts.push(Act::new(item, kind, event.value, time));
    }

    /// A type's number; none where it is one too many.
    fn kind(&mut self, name: &Arc<str>) -> Option<TypeIndex> {
        // Neighbours in the log are mostly of one type.
        if let Some((_, kind)) = self.kind.as_ref().filter(|(last, _)| last == name) {
            return Some(*kind);
        }
        let kind = self.memory.kind(name)?;
        self.kind = Some((name.clone(), kind));
        Some(kind)
    }

    /// Gives all to the histories, each user's in order, and counts it.
    fn flush(&mut self) {
        if self.seq == 0 {
            return;
        }
        let weights = self.memory.weights_by_type();
        for acts in self.acts.chunks(COUNTED) {
            let weight = |act: &Act| self.memory.weight_of(&weights, act);
            self.memory.catalogue.count_all(acts.iter().map(|act| (act.item(), weight(act), act.time_ms())));
        }
        let (starts, places) = grouped(&self.users_of, self.names.len());
        let mut own = Vec::new();
        for (name, bounds) in self.names.iter().zip(starts.windows(2)) {
            own.clear();
            own.extend(places[bounds[0]..bounds[1]].iter().map(|&at| self.acts[at as usize]));
            self.memory.histories.extend(name, &own);
        }
        if self.seq > self.memory.histories.applied_seq() {
            self.memory.histories.set_applied_seq(self.seq);
        }
        self.users.clear();
        self.names.clear();
        self.users_of.clear();
        self.acts.clear();
        self.seq = 0;
    }
}
