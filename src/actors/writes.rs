//! Writes that all processes share: sent to the topic of events, acknowledged once they came back and are applied here.
//!
//! For roles `train` and `serve`, where Kafka is the truth. A write is known again by its number, so that what its caller is
//! told is what this process made of it: new, known already, refused. One that does not come back in time is not taken
//! back: it may still be applied, and an event with an id may be sent again without harm.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::errors::{CallError, IngestError};
use super::messages::{Applied, EventBatch, Rejected};
use crate::kafka::codec::change::{Change, WRITE, change_record};
use crate::kafka::producer::{ProduceError, Producer};
use crate::kafka::record::Record;

/// How long a caller waits for its write to come back.
const DEADLINE: Duration = Duration::from_secs(20);

/// Writes that may be on their way at once; more are refused.
const MOST: usize = 50_000;

/// What became of one write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is applied.
    Applied,
    /// An event that was known already.
    Known,
    /// It is refused: the reason's short name, and the reason.
    Rejected(String, String),
    /// A user is erased, with so many events.
    Erased(u64),
}

/// The writes of this process that are on their way.
pub struct Writes {
    producer: Arc<Producer>,
    topic: Arc<str>,
    origin: String,
    next: AtomicU64,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Fate>>>,
}

/// A write on its way; forgotten when nobody waits for it any more.
struct OnItsWay<'a> {
    writes: &'a Writes,
    number: u64,
    fate: oneshot::Receiver<Fate>,
}

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        self.writes.waiting.lock().remove(&self.number);
    }
}

impl Writes {
    /// Writes to `topic` of the broker behind `producer`. `origin` is nobody else's.
    #[must_use]
    pub fn new(producer: Arc<Producer>, topic: Arc<str>, origin: String) -> Self {
        Self { producer, topic, origin, next: AtomicU64::new(1), waiting: Mutex::default() }
    }

    /// Sends a batch's events, item changes and erasures, in this order; returns once all of them are applied here.
    ///
    /// # Errors
    /// [`IngestError`]; what was sent by then may still be applied.
    pub async fn publish(&self, batch: EventBatch) -> Result<Applied, IngestError> {
        let events = batch.events.into_iter().map(|event| Change::Events(vec![event]));
        let items = batch.items.into_iter().map(|change| Change::Item(change.item, change.data));
        let changes: Vec<Change> = events.chain(items).chain(batch.erased.into_iter().map(Change::Erased)).collect();
        if self.waiting.lock().len() + changes.len() > MOST {
            return Err(CallError::Busy.into());
        }
        match tokio::time::timeout(DEADLINE, self.send(&changes)).await {
            Ok(result) => result,
            Err(_) => Err(IngestError::Away("it did not come back in time and may still be applied".to_owned())),
        }
    }

    async fn send(&self, changes: &[Change]) -> Result<Applied, IngestError> {
        let mut sent = Vec::with_capacity(changes.len());
        for change in changes {
            let on_its_way = self.number();
            let record = change_record(&self.topic, change, &format!("{}/{}", self.origin, on_its_way.number));
            let record = record.map_err(|error| IngestError::Refused(error.to_string()))?;
            sent.push((self.producer.hand_over(record).await.map_err(|error| away(&error))?, on_its_way));
        }
        let mut applied = Applied::default();
        for (index, (delivered, mut on_its_way)) in sent.into_iter().enumerate() {
            delivered.await.map_err(|error| away(&error))?;
            match (&mut on_its_way.fate).await.map_err(|_| CallError::Away)? {
                Fate::Applied => applied.accepted += 1,
                Fate::Known => {
                    applied.duplicates += 1;
                    applied.known.push(index);
                }
                Fate::Rejected(code, error) => applied.rejected.push(Rejected { index, code, error }),
                Fate::Erased(events) => applied.erased += events,
            }
        }
        Ok(applied)
    }

    fn number(&self) -> OnItsWay<'_> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (told, fate) = oneshot::channel();
        self.waiting.lock().insert(number, told);
        OnItsWay { writes: self, number, fate }
    }

    /// Tells whoever waits for the write behind a record what became of it. Records of others are passed over.
    pub fn settle(&self, record: &Record, fate: Fate) {
        let name = record.header(WRITE).and_then(|value| std::str::from_utf8(value).ok());
        let number = name.and_then(|name| name.strip_prefix(&self.origin)?.strip_prefix('/')?.parse::<u64>().ok());
        if let Some(told) = number.and_then(|number| self.waiting.lock().remove(&number)) {
            // Whoever waited may have given up.
            told.send(fate).ok();
        }
    }
}

fn away(error: &ProduceError) -> IngestError {
    let text = error.to_string();
    match error {
        ProduceError::Away(_) | ProduceError::Stopped => IngestError::Away(text),
        ProduceError::Refused(_) => IngestError::Refused(text),
    }
}
