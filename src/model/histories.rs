//! Every user's history, in memory, by user id: what seen items and fold-in are read from.
//!
//! One writer, the ingestor; any number of readers. A history's events stand in the order in which they were applied.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use dashmap::DashMap;
use parking_lot::RwLock;

use super::ids::{ItemIndex, UserId, UserIndex};
use super::interactions::NO_TIME;

/// The earliest time 48 bits hold, which stands for no time.
const NO_TIME_48: i64 = -(1 << 47);

/// An event type's number in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TypeIndex(pub u16);

/// One event of a history, in 16 bytes: time in the upper 48 bits and type in the lower 16 of one word.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Act {
    time_and_type: i64,
    item: ItemIndex,
    /// The event's value, before the type's weight.
    pub value: f32,
}

impl Act {
    /// Packs an event. `time_ms` is in milliseconds of the epoch, or [`NO_TIME`].
    #[must_use]
    pub fn new(item: ItemIndex, kind: TypeIndex, value: f32, time_ms: i64) -> Self {
        let time = if time_ms == NO_TIME { NO_TIME_48 } else { time_ms };
        Self { time_and_type: (time << 16) | i64::from(kind.0), item, value }
    }

    /// On which item.
    #[must_use]
    pub const fn item(&self) -> ItemIndex {
        self.item
    }

    /// Of which type.
    #[must_use]
    pub const fn kind(&self) -> TypeIndex {
        TypeIndex((self.time_and_type & 0xffff) as u16)
    }

    /// When, in milliseconds of the epoch, or [`NO_TIME`].
    #[must_use]
    pub const fn time_ms(&self) -> i64 {
        match self.time_and_type >> 16 {
            NO_TIME_48 => NO_TIME,
            time => time,
        }
    }
}

/// One user's events.
#[derive(Debug, Clone)]
pub struct History {
    /// The user's index in this process.
    pub index: UserIndex,
    /// The events, in the order in which they were applied.
    pub acts: Vec<Act>,
}

impl History {
    /// Bytes that the history of `user` holds outside the table: a long id's, and the events'.
    fn bytes_of(&self, user: &UserId) -> usize {
        user.heap_bytes() + self.acts.capacity() * size_of::<Act>()
    }
}

/// No more event types fit; a sender that invents types would otherwise fill the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("type: there are {MAX_TYPES} event types already")]
pub struct TooManyTypes;

/// How many event types one process knows.
pub const MAX_TYPES: usize = 1024;

/// The event types by number, in order of first sight.
#[derive(Debug, Default)]
pub struct EventTypes(RwLock<Vec<Arc<str>>>);

impl EventTypes {
    /// The type's number, new or known.
    ///
    /// # Errors
    /// [`TooManyTypes`] when the type is new and there is no room.
    pub fn index(&self, name: &str) -> Result<TypeIndex, TooManyTypes> {
        if let Some(known) = self.known(name) {
            return Ok(known);
        }
        let mut types = self.0.write();
        if types.len() >= MAX_TYPES {
            return Err(TooManyTypes);
        }
        types.push(Arc::from(name));
        u16::try_from(types.len() - 1).map(TypeIndex).map_err(|_| TooManyTypes)
    }

    /// The type's number, if it was seen.
    #[must_use]
    pub fn known(&self, name: &str) -> Option<TypeIndex> {
        let place = self.0.read().iter().position(|known| &**known == name)?;
        u16::try_from(place).ok().map(TypeIndex)
    }

    /// The types' names by number.
    #[must_use]
    pub fn names(&self) -> Vec<Arc<str>> {
        self.0.read().clone()
    }
}

/// All histories, with the place in the log up to which they are applied.
#[derive(Debug, Default)]
pub struct Histories {
    users: DashMap<UserId, History>,
    types: EventTypes,
    next_index: AtomicU32,
    events: AtomicU64,
    applied_seq: AtomicU64,
    /// Bytes of ids and events, room for more counted in.
    held: AtomicU64,
}

impl Histories {
    /// The event types.
    #[must_use]
    pub const fn types(&self) -> &EventTypes {
        &self.types
    }

    /// Adds an event. Only the ingestor and the replay at the start call this.
    pub fn apply(&self, user: &UserId, act: Act) {
        self.add(user, &[act], |acts| acts.push(act));
    }

    /// Adds a user's events, no more room being made than they need. Only the replay calls this.
    pub fn extend(&self, user: &UserId, acts: &[Act]) {
        self.add(user, acts, |own| {
            own.reserve_exact(acts.len());
            own.extend_from_slice(acts);
        });
    }

    /// Adds `acts`, by `add` where the user has some already.
    fn add(&self, user: &UserId, acts: &[Act], add: impl FnOnce(&mut Vec<Act>)) {
        let more = if let Some(mut history) = self.users.get_mut(user) {
            let before = history.acts.capacity();
            add(&mut history.acts);
            (history.acts.capacity() - before) * size_of::<Act>()
        } else {
            let index = UserIndex(self.next_index.fetch_add(1, Ordering::Relaxed));
            let history = History { index, acts: acts.to_vec() };
            let bytes = history.bytes_of(user);
            self.users.insert(user.clone(), history);
            bytes
        };
        if more > 0 {
            self.held.fetch_add(more as u64, Ordering::Relaxed);
        }
        self.events.fetch_add(acts.len() as u64, Ordering::Relaxed);
    }

    /// Takes a user out, with all events. Only the ingestor and the replay call this.
    pub fn erase(&self, user: &UserId) -> Option<History> {
        let (_, history) = self.users.remove(user)?;
        self.events.fetch_sub(history.acts.len() as u64, Ordering::Relaxed);
        self.held.fetch_sub(history.bytes_of(user) as u64, Ordering::Relaxed);
        Some(history)
    }

    /// Lets go of all users and events.
    pub fn clear(&self) {
        self.users.clear();
        self.users.shrink_to_fit();
        self.events.store(0, Ordering::Relaxed);
        self.held.store(0, Ordering::Relaxed);
    }

    /// The last log record that is applied, 0 before the first.
    #[must_use]
    pub fn applied_seq(&self) -> u64 {
        self.applied_seq.load(Ordering::Acquire)
    }

    /// Says that all records up to `seq` are applied.
    pub fn set_applied_seq(&self, seq: u64) {
        self.applied_seq.store(seq, Ordering::Release);
    }

    /// Reads a user's history in place; the shard is locked while `read` runs.
    pub fn with<T>(&self, user: &UserId, read: impl FnOnce(&History) -> T) -> Option<T> {
        self.users.get(user).map(|history| read(&history))
    }

    /// Whether the user has a history.
    #[must_use]
    pub fn contains(&self, user: &UserId) -> bool {
        self.users.contains_key(user)
    }

    /// Calls `read` for every user; users who come meanwhile may be missed.
    pub fn each(&self, mut read: impl FnMut(&UserId, &History)) {
        for entry in &self.users {
            read(entry.key(), entry.value());
        }
    }

    /// Number of users with a history.
    #[must_use]
    pub fn users(&self) -> usize {
        self.users.len()
    }

    /// About how many bytes all of it takes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let table = self.users.capacity() * (size_of::<(UserId, History)>() + 1);
        self.held.load(Ordering::Relaxed) + table as u64
    }

    /// Number of events in all histories.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_act_gives_back_what_was_packed(time in -(1_i64 << 46)..(1_i64 << 46), kind in any::<u16>(), item in any::<u32>()) {
            let act = Act::new(ItemIndex(item), TypeIndex(kind), 1.5, time);
            prop_assert_eq!((act.time_ms(), act.kind(), act.item()), (time, TypeIndex(kind), ItemIndex(item)));
        }
    }

    #[test]
    fn a_missing_time_stays_missing() {
        assert_eq!(Act::new(ItemIndex(1), TypeIndex(3), 1.0, NO_TIME).time_ms(), NO_TIME);
        assert_eq!(std::mem::size_of::<Act>(), 16);
    }

    #[test]
    fn bytes_grow_with_the_room_for_events() {
        let histories = Histories::default();
        let user: UserId = "somebody with an id of 31 bytes".parse().unwrap();
        let act = Act::new(ItemIndex(0), TypeIndex(0), 1.0, 5);
        for _ in 0..100 {
            histories.apply(&user, act);
        }
        let room = || histories.users.get(&user).unwrap().acts.capacity() as u64;
        assert_eq!(histories.held.load(Ordering::Relaxed), 31 + 16 + room() * 16);
        histories.extend(&user, &[act; 200]);
        histories.extend(&"short".parse().unwrap(), &[act; 7]);
        assert_eq!((histories.events(), histories.users()), (307, 2));
        assert_eq!(histories.held.load(Ordering::Relaxed), 31 + 16 + room() * 16 + 7 * 16);
        assert!(histories.bytes() > 307 * 16);
    }

    #[test]
    fn erasing_takes_every_event_of_the_user() {
        let histories = Histories::default();
        let user: UserId = "u".parse().unwrap();
        histories.apply(&user, Act::new(ItemIndex(0), TypeIndex(0), 1.0, 5));
        histories.apply(&user, Act::new(ItemIndex(1), TypeIndex(0), 1.0, 6));
        assert_eq!(histories.erase(&user).map(|history| history.acts.len()), Some(2));
        assert_eq!((histories.users(), histories.events()), (0, 0));
        assert_eq!(histories.held.load(Ordering::Relaxed), 0);
        assert!(!histories.contains(&user));
    }
}
