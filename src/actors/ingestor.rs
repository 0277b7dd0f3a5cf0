//! Takes events, item changes and erasures in, one durable batch after the other.
//!
//! Owns: the write side of the event log, the histories and the catalogue.
//! In: `Work` by a bounded queue that outlives the actor. Out: acknowledgements, snapshots.
//! On crash: rebuilt; applies what the log holds beyond the histories' `applied_seq` before new work.
//! On overload: the queue fills, REST callers get 503 and Kafka is paused; nothing is dropped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::errors::{CallError, IngestError};
use super::ingest_group::{Group, Taken, Work, WorkQueue, Written};
use super::ingest_memory::Memory;
use super::messages::{Applied, Erased, EventBatch, ItemChange, Snapshot};
use super::meters::{Meters, Source};
use super::slot::Slot;
use super::supervision::{ExitGuard, answers_pings};
use super::writes::Writes;
use crate::model::clock::Clock;
use crate::model::histories::TooManyTypes;
use crate::model::ids::UserId;
use crate::model::serving::recommend::Recommending;
use crate::store::log::{Change, EventLog, LogError, Outcome};

/// How long a caller waits for its batch to be durable.
const DEADLINE: Duration = Duration::from_secs(20);

/// The note under which the figures of lists are kept, and how often they are; a kill loses no more of them.
pub const ONLINE: &str = "online";
const KEEP: Duration = Duration::from_secs(30);

/// The queue's far end, which survives the actor; one life of it at a time takes from it.
pub type SharedQueue = Arc<Mutex<WorkQueue>>;

/// What the ingestor works on; shared with its next life.
#[derive(Clone)]
pub struct IngestParts {
    /// The log.
    pub log: Arc<EventLog>,
    /// Histories and catalogue.
    pub memory: Memory,
    /// What the live version would have recommended is asked just before an event is learnt.
    pub recommending: Arc<Recommending>,
    /// The queue.
    pub queue: SharedQueue,
    /// The clock.
    pub clock: Clock,
    /// Events written with one fsync, at most.
    pub batch: usize,
    /// Called once the log is in memory.
    pub loaded: Arc<dyn Fn() + Send + Sync>,
}

/// The ingestor.
pub struct Ingestor {
    parts: IngestParts,
    _guard: ExitGuard,
}

/// Something waits in the queue.
#[derive(Message)]
#[rtype(result = "()")]
pub struct WorkWaiting;

answers_pings!(Ingestor);

impl Ingestor {
    /// An ingestor on `parts`.
    #[must_use]
    pub const fn new(parts: IngestParts, guard: ExitGuard) -> Self {
        Self { parts, _guard: guard }
    }

    /// Brings memory up to the log: all of it at the process's start, what a crash left out later.
    fn catch_up(&self) -> Result<(), LogError> {
        let before = self.parts.memory.histories.applied_seq();
        self.parts.memory.catch_up(&self.parts.log)?;
        let after = self.parts.memory.histories.applied_seq();
        tracing::info!(from = before, to = after, "the log is in memory");
        Ok(())
    }

    fn write(&self, mut group: Group) {
        group.batch.arrival_ms = self.parts.clock.now_ms();
        let refused = self.refuse(&mut group.batch);
        let written = self.write_batch(&group.batch).map(|(outcomes, erased_events)| {
            let mut outcomes = outcomes.into_iter();
            let outcome = |refused: Option<TooManyTypes>| match refused {
                Some(error) => Err(error),
                None => Ok(outcomes.next().unwrap_or(Outcome::KnownId)),
            };
            Written { outcomes: refused.into_iter().map(outcome).collect(), erased_events }
        });
        if let Err(error) = &written {
            tracing::error!(%error, events = group.batch.events.len(), "a batch was not taken in");
        }
        group.answer(&written);
    }

    /// Takes the events out whose type there is no room for; says of each event whether it was.
    fn refuse(&self, batch: &mut EventBatch) -> Vec<Option<TooManyTypes>> {
        let types = self.parts.memory.histories.types();
        let refused: Vec<_> = batch.events.iter().map(|event| types.index(&event.kind).err()).collect();
        if refused.iter().any(Option::is_some) {
            let mut keep = refused.iter().map(Option::is_none);
            batch.events.retain(|_| keep.next().unwrap_or(true));
            let mut keep = refused.iter().map(Option::is_none);
            batch.positions.retain(|_| keep.next().unwrap_or(true));
        }
        refused
    }

    /// One durable write, then memory. Answers the outcomes and how many events erasures took out.
    fn write_batch(&self, batch: &EventBatch) -> Result<(Vec<Outcome>, u64), IngestError> {
        fail::fail_point!("ingestor.before_append");
        let appended = self.parts.log.append(batch).map_err(|error| IngestError::Log(error.to_string()))?;
        fail::fail_point!("ingestor.after_append");
        let mut erased = 0;
        for record in &appended.records {
            if let Change::Event { event, .. } = &record.change {
                self.parts.recommending.meet(event, batch.arrival_ms);
                self.parts.recommending.online.happened(event);
            }
            erased += self.parts.memory.apply(record);
            if let Change::Erased { user } = &record.change {
                self.parts.recommending.forget(user);
            }
            fail::fail_point!("ingestor.between_records");
        }
        Ok((appended.outcomes, erased))
    }

    fn seal_if_due(&self) {
        if !self.parts.log.seal_due() {
            return;
        }
        match self.parts.log.seal() {
            Ok(Some(segment)) => tracing::info!(segment = segment.file, "sealed a segment"),
            Ok(None) => {}
            // The tail still holds everything; the next batch tries again.
            Err(error) => tracing::error!(%error, "a segment could not be sealed"),
        }
    }
}

impl Actor for Ingestor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if let Err(error) = self.catch_up() {
            tracing::error!(%error, "the log cannot be read");
            // The overseer tries again, and ends the process when that does not help.
            ctx.stop();
            return;
        }
        (self.parts.loaded)();
        ctx.notify(WorkWaiting);
        ctx.run_interval(KEEP, |ingestor, _| keep_online(&ingestor.parts.recommending, &ingestor.parts.log));
        ctx.run_interval(Duration::from_secs(3600), |ingestor, _| {
            if let Err(error) = ingestor.parts.log.purge_ids(ingestor.parts.clock.now_ms()) {
                tracing::error!(%error, "old event ids could not be forgotten");
            }
        });
    }
}

impl Handler<WorkWaiting> for Ingestor {
    type Result = ();

    fn handle(&mut self, _: WorkWaiting, ctx: &mut Self::Context) {
        fail::fail_point!("ingestor.handle");
        let Some(taken) = self.parts.queue.lock().take(self.parts.batch) else { return };
        match taken {
            Taken::Group(group) => self.write(*group),
            Taken::Snapshot(answer) => {
                let offsets = self.parts.log.offsets().map_err(|error| IngestError::Log(error.to_string()));
                // A caller that gave up needs no snapshot.
                answer.send(offsets.map(|offsets| self.parts.memory.snapshot(offsets))).ok();
            }
        }
        self.seal_if_due();
        // One group a message, so that heartbeats come between.
        ctx.notify(WorkWaiting);
    }
}

/// Writes down what followed the lists, where that has changed.
pub fn keep_online(recommending: &Recommending, log: &EventLog) {
    if let Some(note) = recommending.online.note()
        && let Err(error) = log.put_note(ONLINE, &note)
    {
        tracing::warn!(%error, "the figures of lists could not be kept");
    }
}

/// The ingestor from outside.
#[derive(Clone)]
pub struct IngestHandle {
    queue: mpsc::Sender<Work>,
    slot: Slot<Ingestor>,
    shared: Option<Arc<Writes>>,
    meters: Arc<Meters>,
}

impl IngestHandle {
    /// A handle and the queue's far end, for `waiting` batches.
    #[must_use]
    pub fn new(slot: Slot<Ingestor>, waiting: usize, meters: Arc<Meters>) -> (Self, SharedQueue) {
        let (queue, far_end) = mpsc::channel(waiting);
        (Self { queue, slot, shared: None, meters }, Arc::new(Mutex::new(WorkQueue::new(far_end))))
    }

    /// The same, but what is submitted, changed and erased goes to all processes by `writes`.
    #[must_use]
    pub fn shared_by(self, writes: Arc<Writes>) -> Self {
        Self { shared: Some(writes), ..self }
    }

    /// Takes events in that came by HTTP; returns once they are durable and applied.
    ///
    /// # Errors
    /// [`IngestError`]; `Busy` when the queue is full, and then nothing was taken.
    pub async fn submit(&self, batch: EventBatch) -> Result<Applied, IngestError> {
        if let Some(writes) = &self.shared {
            return self.noted(writes.publish(batch).await);
        }
        let begun = Instant::now();
        let applied = self.ask(|answer| Work::Events(batch, answer)).await??;
        self.meters.took_in(Source::Http, &applied);
        self.meters.visible.record_many(begun.elapsed(), applied.accepted);
        Ok(applied)
    }

    /// As [`Self::submit`], but waits for room in the queue and writes here alone: for
    /// what can be made to wait.
    ///
    /// # Errors
    /// [`IngestError`], never `Busy`.
    pub async fn submit_patiently(&self, batch: EventBatch, source: Source) -> Result<Applied, IngestError> {
        let (answer, answered) = oneshot::channel();
        self.queue.send(Work::Events(batch, answer)).await.map_err(|_| CallError::Away)?;
        self.slot.tell(WorkWaiting);
        let applied = answered.await.map_err(|_| CallError::Away)??;
        self.meters.took_in(source, &applied);
        Ok(applied)
    }

    /// Changes item data; returns once it is durable and applied.
    ///
    /// # Errors
    /// [`IngestError`].
    pub async fn change_items(&self, changes: Vec<ItemChange>) -> Result<(), IngestError> {
        if let Some(writes) = &self.shared {
            return self
                .noted(writes.publish(EventBatch { items: changes, ..EventBatch::default() }).await)
                .map(|_| ());
        }
        self.ask(|answer| Work::Items(changes, answer)).await?
    }

    /// Erases a user; returns once it is durable and applied.
    ///
    /// # Errors
    /// [`IngestError`].
    pub async fn erase(&self, user: UserId) -> Result<Erased, IngestError> {
        if let Some(writes) = &self.shared {
            let batch = EventBatch { erased: vec![user], ..EventBatch::default() };
            return self.noted(writes.publish(batch).await).map(|applied| Erased { events: applied.erased });
        }
        self.ask(|answer| Work::Erase(user, answer)).await?
    }

    /// Everything applied so far, to train on.
    ///
    /// # Errors
    /// [`IngestError`].
    pub async fn snapshot(&self) -> Result<Snapshot, IngestError> {
        self.ask(Work::Snapshot).await?
    }

    /// Counts a call that was turned away.
    fn noted<T>(&self, result: Result<T, IngestError>) -> Result<T, IngestError> {
        if matches!(result, Err(IngestError::Call(CallError::Busy))) {
            self.slot.refuse();
        }
        result
    }

    async fn ask<T>(&self, work: impl FnOnce(oneshot::Sender<T>) -> Work) -> Result<T, IngestError> {
        let (answer, answered) = oneshot::channel();
        let queued = self.queue.try_send(work(answer)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => CallError::Busy,
            mpsc::error::TrySendError::Closed(_) => CallError::Away,
        });
        self.noted(queued.map_err(IngestError::from))?;
        // A full mailbox has a notice in it already, and a fresh actor looks by itself.
        self.slot.tell(WorkWaiting);
        match tokio::time::timeout(DEADLINE, answered).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(_)) => Err(CallError::Away.into()),
            Err(_) => Err(CallError::Deadline.into()),
        }
    }
}
