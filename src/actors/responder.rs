//! Answers the request stream.
//!
//! Owns: the batch of requests in hand. In: batches from Kafka. Out: replies, then the offsets they stand for.
//! On crash: rebuilt, begins at the request it crashed over; one that crashes it three times is a dead letter.
//! On overload: one batch in hand, the channel bounds the rest and Kafka waits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, AsyncContext, Context, WrapFuture};
use futures_util::future::join_all;
use tokio::sync::{Mutex, mpsc};

use super::supervision::{ExitGuard, answers_pings};
use crate::kafka::codec::{self, Request};
use crate::kafka::producer::{OutRecord, Producer};
use crate::kafka::record::{Record, RecordBatch};
use crate::kafka::requests::RequestStreamHandle;
use crate::model::clock::Clock;
use crate::model::manifest::PartitionOffset;
use crate::model::serving::recommend::Recommending;
use crate::model::serving::stats::RequestStats;
use crate::model::wire::question::Question;
use crate::settings::WireFormat;

/// After as many crashes over one request it is set aside.
const CRASHES: u32 = 3;

/// Pause before a reply or dead letter that could not be delivered is sent again.
const AGAIN: Duration = Duration::from_millis(500);

/// What the responder works on; shared with its next life.
#[derive(Clone)]
pub struct ResponderParts {
    /// Batches of requests; one life at a time reads them.
    pub batches: Arc<Mutex<mpsc::Receiver<RecordBatch>>>,
    /// What was taken off `batches` and is not finished.
    pub in_hand: Arc<parking_lot::Mutex<Option<InHand>>>,
    /// Where answered offsets are reported.
    pub stream: RequestStreamHandle,
    /// Where replies go.
    pub producer: Arc<Producer>,
    /// What answers are made of.
    pub recommending: Arc<Recommending>,
    /// What was answered since the version is live.
    pub stats: Arc<RequestStats>,
    /// The clock.
    pub clock: Clock,
    /// How requests are written.
    pub format: WireFormat,
    /// The replies' topic.
    pub topic: Arc<str>,
}

/// A batch being answered.
#[derive(Clone)]
pub struct InHand {
    batch: Arc<RecordBatch>,
    /// The replies made so far, by place in the batch: nothing of what was answered is computed twice.
    at: usize,
    crashes: u32,
}

/// The responder.
pub struct Responder {
    parts: ResponderParts,
    _guard: ExitGuard,
}

answers_pings!(Responder);

impl Responder {
    /// A responder on `parts`.
    #[must_use]
    pub const fn new(parts: ResponderParts, guard: ExitGuard) -> Self {
        Self { parts, _guard: guard }
    }
}

impl Actor for Responder {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let parts = self.parts.clone();
        let work = async move {
            let mut batches = parts.batches.lock().await;
            loop {
                let left = parts.in_hand.lock().clone();
                let in_hand = match left {
                    Some(left) => InHand { crashes: left.crashes + 1, ..left },
                    None => match batches.recv().await {
                        Some(batch) => InHand { batch: Arc::new(batch), at: 0, crashes: 0 },
                        None => return,
                    },
                };
                *parts.in_hand.lock() = Some(in_hand.clone());
                parts.answer(in_hand).await;
                *parts.in_hand.lock() = None;
            }
        };
        ctx.spawn(work.into_actor(self));
    }
}

impl ResponderParts {
    /// Answers a batch from where it stands, waits for every delivery, and reports its offsets.
    async fn answer(&self, in_hand: InHand) {
        let records = &in_hand.batch.records;
        let mut deliveries = Vec::with_capacity(records.len());
        for (place, record) in records.iter().enumerate().skip(in_hand.at) {
            self.reached(place);
            let poison = place == in_hand.at && in_hand.crashes >= CRASHES;
            deliveries.push(self.deliver(record, self.reply(record, poison)));
            // Heartbeats come between.
            tokio::task::yield_now().await;
        }
        join_all(deliveries).await;
        self.stream.done(reached_offsets(records), in_hand.batch.epoch);
    }

    fn reached(&self, place: usize) {
        if let Some(in_hand) = self.in_hand.lock().as_mut() {
            if in_hand.at != place {
                in_hand.crashes = 0;
            }
            in_hand.at = place;
        }
    }

    /// The reply to one request, or the reason why it is a dead letter.
    fn reply(&self, record: &Record, poison: bool) -> Result<OutRecord, String> {
        if poison {
            return Err("crashed_the_responder".to_owned());
        }
        fail::fail_point!("responder.reply");
        let begun = Instant::now();
        let request = codec::decode_request(record, self.format).map_err(|error| error.code().to_owned())?;
        let reply = self.compute(record, request, begun).map_err(|error| error.to_string())?;
        let live = self.recommending.live.load();
        self.stats.record(live.as_deref(), begun.elapsed(), self.clock.now_ms());
        Ok(reply)
    }

    fn compute(&self, record: &Record, request: Request, begun: Instant) -> Result<OutRecord, codec::EncodeError> {
        let now_ms = self.clock.now_ms();
        let made = |begun: Instant| begun.elapsed().as_secs_f64() * 1000.0;
        match &request.question {
            Question::Recommend(query) => {
                let answer = self.recommending.recommend(query, now_ms);
                codec::list_reply(&self.topic, record, &request, answer, made(begun), now_ms)
            }
            Question::Score(query) => {
                let scores = self.recommending.score(query.user.as_ref(), &query.products, now_ms);
                codec::score_reply(&self.topic, record, &request, &scores, made(begun))
            }
        }
    }

    /// Sends until it is delivered: a request's offset moves only over a delivered reply.
    async fn deliver(&self, record: &Record, reply: Result<OutRecord, String>) {
        loop {
            let sent = match &reply {
                Ok(reply) => self.producer.send(reply.clone()).await,
                Err(reason) => self.producer.dead_letter(record, reason).await,
            };
            let Err(error) = sent else { return };
            tracing::warn!(%error, topic = &*record.topic, offset = record.offset, "a reply is sent again");
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// One past the last offset of each partition in the batch.
pub fn reached_offsets(records: &[Record]) -> Vec<PartitionOffset> {
    let mut reached: Vec<PartitionOffset> = Vec::new();
    for record in records {
        let next = record.offset + 1;
        match reached.iter_mut().find(|o| o.partition == record.partition && o.topic == *record.topic) {
            Some(offset) => offset.next = offset.next.max(next),
            None => reached.push(PartitionOffset {
                topic: record.topic.to_string(),
                partition: record.partition,
                next,
            }),
        }
    }
    reached
}
