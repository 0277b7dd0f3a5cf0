//! Waiting work joined into one durable batch, and its outcome given back to each caller.

use tokio::sync::{mpsc, oneshot};

use super::errors::IngestError;
use super::messages::{Applied, Erased, EventBatch, ItemChange, Rejected, Snapshot};
use crate::model::histories::TooManyTypes;
use crate::model::ids::UserId;
use crate::store::log::Outcome;

/// One piece of work with where its answer goes. An answer nobody waits for any more is dropped.
pub enum Work {
    /// Events.
    Events(EventBatch, oneshot::Sender<Result<Applied, IngestError>>),
    /// Item data.
    Items(Vec<ItemChange>, oneshot::Sender<Result<(), IngestError>>),
    /// An erasure.
    Erase(UserId, oneshot::Sender<Result<Erased, IngestError>>),
    /// A snapshot to train on.
    Snapshot(oneshot::Sender<Result<Snapshot, IngestError>>),
}

/// The far end of the ingestor's queue, with what was looked at but not taken.
pub struct WorkQueue {
    receiver: mpsc::Receiver<Work>,
    held: Option<Work>,
}

/// What one write did.
#[derive(Debug, Clone)]
pub struct Written {
    /// What became of each event, in the batch's order.
    pub outcomes: Vec<Result<Outcome, TooManyTypes>>,
    /// Events that erasures took out.
    pub erased_events: u64,
}

enum Waiting {
    Events { count: usize, answer: oneshot::Sender<Result<Applied, IngestError>> },
    Items(oneshot::Sender<Result<(), IngestError>>),
    Erase(oneshot::Sender<Result<Erased, IngestError>>),
}

/// Work that is written as one.
#[derive(Default)]
pub struct Group {
    /// Everything to be written.
    pub batch: EventBatch,
    waiting: Vec<Waiting>,
}

/// What was taken off the queue.
pub enum Taken {
    /// To be written.
    Group(Box<Group>),
    /// To be frozen.
    Snapshot(oneshot::Sender<Result<Snapshot, IngestError>>),
}

impl WorkQueue {
    /// The far end of a queue.
    #[must_use]
    pub const fn new(receiver: mpsc::Receiver<Work>) -> Self {
        Self { receiver, held: None }
    }

    /// Takes work until `limit` events are in hand, or something that must stand alone; none when nothing waits.
    pub fn take(&mut self, limit: usize) -> Option<Taken> {
        let (mut group, open) = match self.next()? {
            Work::Snapshot(answer) => return Some(Taken::Snapshot(answer)),
            Work::Events(batch, answer) => {
                // Offsets and marks say what this very batch holds, so nothing joins it; it is large anyway.
                let open = batch.offsets.is_empty() && batch.import.is_none();
                (Group::default().with_events(batch, answer), open)
            }
            Work::Items(changes, answer) => (Group::default().with_items(changes, answer), true),
            Work::Erase(user, answer) => (Group::default().with_erasure(user, answer), false),
        };
        while open && group.batch.events.len() < limit {
            match self.next() {
                Some(Work::Events(batch, answer)) if batch.offsets.is_empty() && batch.import.is_none() => {
                    group = group.with_events(batch, answer);
                }
                Some(Work::Items(changes, answer)) => group = group.with_items(changes, answer),
                other => {
                    self.held = other;
                    break;
                }
            }
        }
        Some(Taken::Group(Box::new(group)))
    }

    fn next(&mut self) -> Option<Work> {
        self.held.take().or_else(|| self.receiver.try_recv().ok())
    }
}

impl Group {
    fn with_events(mut self, batch: EventBatch, answer: oneshot::Sender<Result<Applied, IngestError>>) -> Self {
        self.waiting.push(Waiting::Events { count: batch.events.len(), answer });
        if self.batch.events.is_empty() {
            let mut items = std::mem::take(&mut self.batch.items);
            items.extend(batch.items);
            self.batch = EventBatch { items, ..batch };
        } else {
            self.batch.events.extend(batch.events);
        }
        self
    }

    fn with_items(mut self, changes: Vec<ItemChange>, answer: oneshot::Sender<Result<(), IngestError>>) -> Self {
        self.waiting.push(Waiting::Items(answer));
        self.batch.items.extend(changes);
        self
    }

    fn with_erasure(mut self, user: UserId, answer: oneshot::Sender<Result<Erased, IngestError>>) -> Self {
        self.waiting.push(Waiting::Erase(answer));
        self.batch.erased.push(user);
        self
    }

    /// Gives every caller its part of the outcome.
    pub fn answer(self, result: &Result<Written, IngestError>) {
        let mut next = 0;
        for waiting in self.waiting {
            match waiting {
                Waiting::Events { count, answer } => {
                    let part = next..next + count;
                    next += count;
                    answer.send(result.as_ref().map_err(Clone::clone).map(|written| applied(written, part))).ok();
                }
                Waiting::Items(answer) => {
                    answer.send(result.as_ref().map_err(Clone::clone).map(|_| ())).ok();
                }
                Waiting::Erase(answer) => {
                    let erased = |written: &Written| Erased { events: written.erased_events };
                    answer.send(result.as_ref().map_err(Clone::clone).map(erased)).ok();
                }
            }
        }
    }
}

fn applied(written: &Written, part: std::ops::Range<usize>) -> Applied {
    let mut applied = Applied { erased: written.erased_events, ..Applied::default() };
    for (index, outcome) in written.outcomes.get(part).unwrap_or_default().iter().enumerate() {
        match outcome {
            Ok(Outcome::Accepted(_)) => applied.accepted += 1,
            Ok(Outcome::KnownOffset) => applied.duplicates += 1,
            Ok(Outcome::KnownId | Outcome::KnownLine | Outcome::Erased) => {
                applied.duplicates += 1;
                applied.known.push(index);
            }
            Err(error) => {
                let code = "too_many_types".to_owned();
                applied.rejected.push(Rejected { index, code, error: error.to_string() });
            }
        }
    }
    applied
}
