//! Brings the events of Kafka to the ingestor.
//!
//! Owns: the batch of records in hand. In: batches from the poll thread. Out: event batches with their offsets, dead letters.
//! On crash: rebuilt, the batch in hand is decoded again; what was applied of it is known by its offsets.
//! On overload: waits for the ingestor's queue; the channel fills and the poll thread pauses Kafka.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, WrapFuture};
use futures_util::future::join_all;
use tokio::sync::{Mutex, mpsc};

use super::ingestor::IngestHandle;
use super::messages::{Applied, EventBatch};
use super::meters::{self, Meters, Source};
use super::parts::{self, Part};
use super::supervision::{ExitGuard, answers_pings};
use super::writes::{Fate, Writes};
use crate::kafka::producer::Producer;
use crate::kafka::record::{Record, RecordBatch};
use crate::model::clock::Clock;
use crate::settings::WireFormat;

/// Pause before a batch that was not taken is offered again.
const AGAIN: Duration = Duration::from_millis(200);

/// Of so many attempts one is said.
const SAID: u32 = 50;

/// What the reader works on; shared with its next life.
#[derive(Clone)]
pub struct ReaderParts {
    /// Batches of records; one life at a time reads them.
    pub batches: Arc<Mutex<mpsc::Receiver<RecordBatch>>>,
    /// What was taken off `batches` and is not applied.
    pub in_hand: Arc<parking_lot::Mutex<Option<Arc<RecordBatch>>>>,
    /// The ingestor.
    pub ingest: IngestHandle,
    /// Where dead letters go.
    pub producer: Arc<Producer>,
    /// The clock.
    pub clock: Clock,
    /// How events are written.
    pub format: WireFormat,
    /// This process's own writes that come back by the topic, where its role shares them so.
    pub writes: Option<Arc<Writes>>,
    /// Where it counts.
    pub meters: Arc<Meters>,
}

/// The reader.
pub struct Reader {
    parts: ReaderParts,
    _guard: ExitGuard,
}

answers_pings!(Reader);

impl Reader {
    /// A reader on `parts`.
    #[must_use]
    pub const fn new(parts: ReaderParts, guard: ExitGuard) -> Self {
        Self { parts, _guard: guard }
    }
}

impl Actor for Reader {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let parts = self.parts.clone();
        let work = async move {
            let mut batches = parts.batches.lock().await;
            loop {
                let left = parts.in_hand.lock().clone();
                let batch = match left {
                    Some(left) => left,
                    None => match batches.recv().await {
                        Some(batch) => Arc::new(batch),
                        None => return,
                    },
                };
                *parts.in_hand.lock() = Some(batch.clone());
                parts.take_in(&batch).await;
                *parts.in_hand.lock() = None;
            }
        };
        ctx.spawn(work.into_actor(self));
    }
}

impl ReaderParts {
    /// Decodes a batch, sends what is unreadable away, and offers the rest until it is durable.
    async fn take_in(&self, read: &RecordBatch) {
        fail::fail_point!("reader.take_in");
        if !read.begins.is_empty() {
            // Alone and first, and only once: set again behind applied records, they would let these in twice.
            self.offer(EventBatch { begins: read.begins.clone(), ..EventBatch::default() }).await;
            self.keep(read, 0);
        }
        let parts = parts::of(&read.records, self.format, self.clock.now_ms());
        let last = parts.len().saturating_sub(1);
        for (number, part) in parts.into_iter().enumerate() {
            let Part { batch, sources, others, unreadable, end } = part;
            join_all(unreadable.iter().map(|(record, reason)| self.bury(record, reason))).await;
            for (record, reason) in &unreadable {
                self.settle(record, || Fate::Rejected("unreadable".to_owned(), reason.clone()));
            }
            let erases = !batch.erased.is_empty();
            let applied = self.offer(batch).await;
            self.time(&sources, &applied);
            for rejected in &applied.rejected {
                if let Some(record) = sources.get(rejected.index) {
                    self.bury(record, &rejected.code).await;
                }
            }
            for (place, record) in sources.into_iter().enumerate() {
                self.settle(record, || fate(&applied, place));
            }
            for record in others {
                self.settle(record, || if erases { Fate::Erased(applied.erased) } else { Fate::Applied });
            }
            if number < last {
                self.keep(read, end);
            }
        }
    }

    /// Keeps only the records from `from` on in hand: what is before is applied.
    fn keep(&self, read: &RecordBatch, from: usize) {
        let records = read.records.get(from..).unwrap_or_default().to_vec();
        *self.in_hand.lock() = Some(Arc::new(RecordBatch { records, epoch: read.epoch, begins: Vec::new() }));
    }

    /// Counts how long the new events of `sources` took to be seen. What was applied before a crash is not new.
    fn time(&self, sources: &[&Record], applied: &Applied) {
        let now_ms = self.clock.now_ms();
        let new = |place: &usize| applied.accepted > 0 && fate(applied, *place) == Fate::Applied;
        let records = sources.iter().enumerate().filter(|(place, _)| new(place)).map(|(_, record)| record);
        for age in records.filter_map(|record| meters::age(record, now_ms)) {
            self.meters.visible.record(age);
        }
    }

    fn settle(&self, record: &Record, fate: impl FnOnce() -> Fate) {
        if let Some(writes) = &self.writes {
            writes.settle(record, fate());
        }
    }

    /// Offers a batch until it is durable and applied.
    async fn offer(&self, batch: EventBatch) -> Applied {
        let mut attempts = 0_u32;
        loop {
            match self.ingest.submit_patiently(batch.clone(), Source::Kafka).await {
                Ok(applied) => return applied,
                Err(error) if attempts.is_multiple_of(SAID) => {
                    tracing::warn!(%error, attempts, "a batch of events is offered again");
                }
                Err(_) => {}
            }
            attempts += 1;
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Sends a record to its dead-letter topic until it is there.
    async fn bury(&self, record: &Record, reason: &str) {
        while let Err(error) = self.producer.dead_letter(record, reason).await {
            tracing::warn!(%error, topic = &*record.topic, offset = record.offset, "a dead letter is sent again");
            tokio::time::sleep(AGAIN).await;
        }
        self.meters.buried(record, reason);
    }
}

/// What became of the event at `place` of a batch.
fn fate(applied: &Applied, place: usize) -> Fate {
    match applied.rejected.iter().find(|rejected| rejected.index == place) {
        Some(rejected) => Fate::Rejected(rejected.code.clone(), rejected.error.clone()),
        None if applied.known.contains(&place) => Fate::Known,
        None => Fate::Applied,
    }
}
