//! Answers the request stream.
//!
//! Owns: the batch of requests in hand. In: batches from Kafka. Out: replies, then the offsets they stand for.
//! On crash: rebuilt, answers the batch in hand from its beginning; a request that crashes it three times is a dead letter.
//! On overload: one batch in hand, the channel bounds the rest and Kafka waits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, AsyncContext, Context, WrapFuture};
use futures_util::future::join_all;
use tokio::sync::{Mutex, mpsc};

use super::meters::{self, Meters};
use super::supervision::{ExitGuard, answers_pings};
use super::traces::{Trace, Traces};
use crate::kafka::codec::{ReplyBody, decode_request, reply_record};
use crate::kafka::producer::{OutRecord, Producer};
use crate::kafka::record::{Record, RecordBatch};
use crate::kafka::requests::RequestStreamHandle;
use crate::model::clock::Clock;
use crate::model::serving::recommend::Recommending;
use crate::model::serving::stats::RequestStats;
use crate::model::wire::question::Question;
use crate::model::wire::reply::{RecommendationBody, ScoreBody};
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
    /// Where it counts.
    pub meters: Arc<Meters>,
    /// Where spans go, if anywhere.
    pub traces: Option<Arc<Traces>>,
}

/// A batch being answered. A life that follows a crash begins anew with it: no reply is sent before all are made.
#[derive(Clone)]
pub struct InHand {
    batch: Arc<RecordBatch>,
    /// The request being answered.
    at: usize,
    /// How often each request crashed the responder, by its place.
    crashes: BTreeMap<usize, u32>,
}

impl InHand {
    fn new(batch: RecordBatch) -> Self {
        Self { batch: Arc::new(batch), at: 0, crashes: BTreeMap::new() }
    }

    /// As the next life finds it.
    fn after_crash(mut self) -> Self {
        *self.crashes.entry(self.at).or_default() += 1;
        self
    }

    fn is_poison(&self, place: usize) -> bool {
        self.crashes.get(&place).is_some_and(|&crashes| crashes >= CRASHES)
    }

    /// The batch.
    #[must_use]
    pub fn batch(&self) -> &Arc<RecordBatch> {
        &self.batch
    }
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
                    Some(left) => left.after_crash(),
                    None => match batches.recv().await {
                        Some(batch) => InHand::new(batch),
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
    /// Answers a batch, waits for every delivery, and reports its offsets.
    async fn answer(&self, in_hand: InHand) {
        let records = &in_hand.batch.records;
        let mut deliveries = Vec::with_capacity(records.len());
        for (place, record) in records.iter().enumerate() {
            self.reached(place);
            let mut trace = self.traces.as_ref().map(|traces| traces.record(record));
            let reply = self.traced(self.reply(record, in_hand.is_poison(place)), trace.as_mut());
            deliveries.push(self.deliver(record, reply, trace));
            // Heartbeats come between.
            tokio::task::yield_now().await;
        }
        join_all(deliveries).await;
        fail::fail_point!("responder.before_offsets");
        self.stream.done_all(&in_hand.batch);
    }

    fn reached(&self, place: usize) {
        if let Some(in_hand) = self.in_hand.lock().as_mut() {
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
        let request = decode_request(record, self.format).map_err(|error| error.reason())?;
        let now_ms = self.clock.now_ms();
        let (body, version) = self.compute(&request.question, begun, now_ms);
        let live = self.recommending.live.load();
        self.stats.record(live.as_deref(), begun.elapsed(), now_ms);
        reply_record(&self.topic, &request, &body, version).map_err(|error| error.to_string())
    }

    /// The reply with what the trace has to say, and the trace with what the reply has.
    fn traced(&self, reply: Result<OutRecord, String>, trace: Option<&mut Trace>) -> Result<OutRecord, String> {
        let Some((traces, trace)) = self.traces.as_ref().zip(trace) else { return reply };
        trace.reached("computed");
        match reply {
            Ok(mut reply) => {
                reply.headers.extend(traces.carry(trace));
                Ok(reply)
            }
            Err(reason) => {
                trace.failed(reason.clone());
                Err(reason)
            }
        }
    }

    fn compute(&self, question: &Question, begun: Instant, now_ms: i64) -> (ReplyBody, Option<u64>) {
        let elapsed_ms = || begun.elapsed().as_secs_f64() * 1000.0;
        match question {
            Question::Recommend(query) => {
                let answer = self.recommending.recommend(query, now_ms);
                let version = answer.model.as_ref().map(|model| model.version.0);
                let id = self.recommending.online.given(&answer);
                let page = query.skip + answer.items.len();
                (ReplyBody::List(RecommendationBody::new(answer, &id, elapsed_ms(), now_ms, page)), version)
            }
            Question::Score(query) => {
                let scores = self.recommending.score(query.user.as_ref(), &query.products, now_ms);
                let version = scores.model.as_ref().map(|model| model.version.0);
                (ReplyBody::Scores(ScoreBody::new(query.products.clone(), &scores, elapsed_ms())), version)
            }
        }
    }

    /// Sends until it is delivered: a request's offset moves only over a delivered reply. Then its trace ends.
    async fn deliver(&self, record: &Record, reply: Result<OutRecord, String>, trace: Option<Trace>) {
        loop {
            let sent = match &reply {
                Ok(reply) => self.producer.send(reply.clone()).await,
                Err(reason) => self.producer.dead_letter(record, reason).await,
            };
            let Err(error) = sent else {
                drop(trace);
                return self.count(record, &reply);
            };
            tracing::warn!(%error, topic = &*record.topic, offset = record.offset, "a reply is sent again");
            tokio::time::sleep(AGAIN).await;
        }
    }

    fn count(&self, record: &Record, reply: &Result<OutRecord, String>) {
        match reply {
            Ok(_) => self.meters.replied(meters::age(record, self.clock.now_ms())),
            Err(reason) => self.meters.buried(record, reason),
        }
    }
}
