//! Brings the events of Kafka to the ingestor.
//!
//! Owns: the batch of records in hand. In: batches from the poll thread. Out: event batches with their offsets, dead letters.
//! On crash: rebuilt, the batch in hand is decoded again; what was applied of it is known by its offsets.
//! On overload: waits for the ingestor's queue; the channel fills and the poll thread pauses Kafka.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, WrapFuture};
use tokio::sync::{Mutex, mpsc};

use super::ingestor::IngestHandle;
use super::messages::{Applied, EventBatch, Position};
use super::supervision::{ExitGuard, answers_pings};
use crate::kafka::codec::decode_events;
use crate::kafka::dead_letter::replay_of;
use crate::kafka::producer::Producer;
use crate::kafka::record::{Record, RecordBatch};
use crate::model::clock::Clock;
use crate::settings::WireFormat;

/// Pause before a batch that was not taken is offered again.
const AGAIN: Duration = Duration::from_millis(200);

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
        let records = &read.records;
        if !read.begins.is_empty() {
            // Alone and first, and only once: set again behind applied records, they would let these in twice.
            self.offer(EventBatch { begins: read.begins.clone(), ..EventBatch::default() }).await;
            *self.in_hand.lock() = Some(Arc::new(RecordBatch { begins: Vec::new(), ..read.clone() }));
        }
        let (batch, sources, unreadable) = self.decode(read);
        for (record, reason) in unreadable {
            self.bury(record, &reason).await;
        }
        let applied = self.offer(batch).await;
        self.bury_rejected(records, &sources, &applied).await;
    }

    /// Offers a batch until it is durable and applied.
    async fn offer(&self, batch: EventBatch) -> Applied {
        loop {
            match self.ingest.submit_patiently(batch.clone()).await {
                Ok(applied) => return applied,
                Err(error) => tracing::warn!(%error, "a batch of events is offered again"),
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// The events of a batch, the record each came from, and the records that hold none with the reason.
    fn decode<'a>(&self, read: &'a RecordBatch) -> (EventBatch, Vec<usize>, Vec<(&'a Record, String)>) {
        let records = &read.records;
        let mut batch = EventBatch { offsets: read.offsets(), ..EventBatch::default() };
        let mut sources = Vec::with_capacity(records.len());
        let mut unreadable = Vec::new();
        let now_ms = self.clock.now_ms();
        for (source, record) in records.iter().enumerate() {
            match decode_events(record, self.format, now_ms) {
                Ok(events) => {
                    let of = |o: &crate::model::manifest::PartitionOffset| {
                        o.partition == record.partition && o.topic == *record.topic
                    };
                    let partition = batch.offsets.iter().position(of).unwrap_or_default();
                    let first = replay_of(record);
                    for (place, mut event) in events.into_iter().enumerate() {
                        if let (Some(first), None) = (first, &event.id) {
                            // A letter may be sent back twice, where a replay was cut off before it noted that.
                            event.id = Some(format!("dead letter {first} {place}").into());
                        }
                        batch.events.push(event);
                        batch.positions.push(Position { partition, offset: record.offset });
                        sources.push(source);
                    }
                }
                Err(error) => unreadable.push((record, error.reason())),
            }
        }
        (batch, sources, unreadable)
    }

    async fn bury_rejected(&self, records: &[Record], sources: &[usize], applied: &Applied) {
        for rejected in &applied.rejected {
            if let Some(record) = sources.get(rejected.index).and_then(|&source| records.get(source)) {
                self.bury(record, &rejected.code).await;
            }
        }
    }

    /// Sends a record to its dead-letter topic until it is there.
    async fn bury(&self, record: &Record, reason: &str) {
        while let Err(error) = self.producer.dead_letter(record, reason).await {
            tracing::warn!(%error, topic = &*record.topic, offset = record.offset, "a dead letter is sent again");
            tokio::time::sleep(AGAIN).await;
        }
    }
}
