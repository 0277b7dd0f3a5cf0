//! Kafka wired up: streams in, the producer out, their actors and their status.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::{Mutex, mpsc};

use super::StartError;
use super::criers::Criers;
use super::parts::Parts;
use super::ports::Letters;
use crate::actors::follower::{Follower, FollowerParts};
use crate::actors::handles::RegistryHandle;
use crate::actors::reader::{Reader, ReaderParts};
use crate::actors::releases::Announce;
use crate::actors::responder::{InHand, Responder, ResponderParts};
use crate::actors::slot::Slot;
use crate::actors::supervision::{Factory, SlotFactory};
use crate::actors::writes::Writes;
use crate::http::ports::{DeadLetters, KafkaStatus};
use crate::http::readiness::Readiness;
use crate::kafka::StreamHandle;
use crate::kafka::broker::BrokerState;
use crate::kafka::dead_letters::DeadLetterReader;
use crate::kafka::models::{self, Announcements};
use crate::kafka::producer::Producer;
use crate::kafka::record::RecordBatch;
use crate::kafka::requests::RequestStreamHandle;
use crate::kafka::status::StreamStatus;
use crate::kafka::{events, requests, topics};
use crate::model::clock::Clock;
use crate::model::serving::stats::RequestStats;
use crate::settings::{Role, Settings};

type Batches = Arc<Mutex<mpsc::Receiver<RecordBatch>>>;

/// What an actor has taken off a stream and not finished.
type Held<T> = Arc<parking_lot::Mutex<Option<T>>>;

/// The streams of one process.
pub struct Streams {
    settings: Arc<Settings>,
    broker: BrokerState,
    producer: Arc<Producer>,
    events: (StreamHandle, Batches),
    requests: (RequestStreamHandle, Batches),
    reading: Held<Arc<RecordBatch>>,
    answering: Held<InHand>,
    topics: StreamHandle,
    writes: Option<Arc<Writes>>,
    announced: Option<(StreamHandle, Arc<Mutex<Announcements>>)>,
    criers: Criers,
}

impl Streams {
    /// Starts the streams where the settings name a broker. A broker that is away is no error.
    pub fn start(
        settings: &Arc<Settings>,
        clock: &Clock,
        parts: &Parts,
        readiness: &Readiness,
    ) -> Result<Option<Self>, StartError> {
        let kafka = &settings.kafka;
        if kafka.brokers.is_empty() {
            return Ok(None);
        }
        let broker = BrokerState::new(clock.clone());
        let topics = topics::ensure(kafka, &broker)?;
        let producer = Arc::new(Producer::new(kafka, &broker)?);
        let (events, event_batches) = events::follow(kafka, &parts.log.offsets()?, &broker)?;
        // Where several processes share a topic, what one is told goes over it; alone, the local log is the truth.
        let shared = settings.server.role != Role::All;
        let topic = Arc::from(kafka.events_topic.as_str());
        let origin = || format!("{:016x}", rand::random::<u64>());
        let writes = shared.then(|| Arc::new(Writes::new(producer.clone(), topic, origin())));
        let announced = match settings.server.role {
            Role::All | Role::Train => None,
            Role::Serve => {
                let (stream, announced) = models::hear(kafka, &broker)?;
                Some((stream, Arc::new(Mutex::new(announced))))
            }
        };
        let (requests, request_batches) = requests::serve(kafka, &broker)?;
        let criers = Criers::start(kafka, &producer, &parts.meters);
        let seen = broker.clone();
        readiness.degraded_while("kafka", move || !seen.status().connected);
        let stream = events.clone();
        readiness.degraded_while("events", move || {
            let status = stream.status();
            status.topic_missing || status.stopped
        });
        Ok(Some(Self {
            settings: settings.clone(),
            broker,
            producer,
            events: (events, Arc::new(Mutex::new(event_batches))),
            requests: (requests, Arc::new(Mutex::new(request_batches))),
            reading: Arc::default(),
            answering: Arc::default(),
            topics,
            writes,
            announced,
            criers,
        }))
    }

    /// The actors that work on the streams.
    pub fn factories(&self, parts: &Parts, stats: &Arc<RequestStats>) -> Vec<Box<dyn Factory>> {
        let kafka = &self.settings.kafka;
        let reader = ReaderParts {
            batches: self.events.1.clone(),
            in_hand: self.reading.clone(),
            ingest: parts.ingest.clone(),
            producer: self.producer.clone(),
            clock: parts.clock.clone(),
            format: kafka.events_format,
            writes: self.writes.clone(),
            meters: parts.meters.clone(),
        };
        let responder = ResponderParts {
            batches: self.requests.1.clone(),
            in_hand: self.answering.clone(),
            stream: self.requests.0.clone(),
            producer: self.producer.clone(),
            recommending: parts.recommending.clone(),
            stats: stats.clone(),
            clock: parts.clock.clone(),
            format: kafka.requests_format,
            topic: Arc::from(kafka.replies_topic.as_str()),
            meters: parts.meters.clone(),
            traces: parts.traces.clone(),
        };
        let read = move |guard| Reader::new(reader.clone(), guard);
        let respond = move |guard| Responder::new(responder.clone(), guard);
        vec![
            Box::new(SlotFactory::new("reader", false, Slot::default(), read)),
            Box::new(SlotFactory::new("responder", false, Slot::default(), respond)),
        ]
    }

    /// The writes that go over the topic of events, where the role wants that.
    pub fn writes(&self) -> Option<Arc<Writes>> {
        self.writes.clone()
    }

    /// The actor that follows another process's versions, where the role wants that.
    pub fn follower(&self, registry: RegistryHandle) -> Option<Box<dyn Factory>> {
        let (_, announced) = self.announced.as_ref()?;
        let every = self.settings.registry.follow.duration();
        let parts = FollowerParts { registry, announced: announced.clone(), every };
        let follow = move |guard| Follower::new(parts.clone(), guard);
        Some(Box::new(SlotFactory::new("follower", false, Slot::default(), follow)))
    }

    /// Tells the topics of what happens to versions.
    pub fn announce(&self, base_url: String, parts: &Parts) -> Announce {
        self.criers.announce(&self.settings.kafka, base_url, parts)
    }

    /// What `/state` shows.
    pub fn status(&self) -> Arc<dyn KafkaStatus> {
        Arc::new(Status {
            broker: self.broker.clone(),
            events: self.events.0.clone(),
            requests: self.requests.0.clone(),
            reading: self.reading.clone(),
            answering: self.answering.clone(),
        })
    }

    /// What lists and replays dead letters.
    pub fn dead_letters(&self) -> Result<Arc<dyn DeadLetters>, StartError> {
        let producer = Producer::clone(&self.producer);
        Ok(Arc::new(Letters(DeadLetterReader::new(&self.settings.kafka, producer, &self.broker)?)))
    }

    /// Reads no more, and waits at most `within` for what is in hand.
    pub async fn stop(self, within: Duration) {
        self.topics.stop();
        if let Some((stream, _)) = &self.announced {
            stream.stop();
        }
        self.events.0.stop();
        self.requests.0.stop();
        let both = async { self.events.0.ended(within).await & self.requests.0.ended(within).await };
        if !both.await {
            tracing::warn!("a stream of Kafka did not end in time and is left");
        }
        self.criers.settle(within).await;
        if !self.producer.flush(within).await {
            tracing::warn!("not every record was delivered before the stop");
        }
    }
}

struct Status {
    broker: BrokerState,
    events: StreamHandle,
    requests: RequestStreamHandle,
    reading: Held<Arc<RecordBatch>>,
    answering: Held<InHand>,
}

impl KafkaStatus for Status {
    fn status(&self) -> serde_json::Value {
        let now_ms = self.broker.clock().now_ms();
        let read = self.reading.lock().clone();
        let asked = self.answering.lock().as_ref().map(|in_hand| in_hand.batch().clone());
        let of = |batch: Option<Arc<RecordBatch>>, status: StreamStatus| match batch {
            Some(batch) => status.holding(&batch.records, now_ms),
            None => status,
        };
        json!({
            "broker": self.broker.status(),
            "events": of(read, self.events.status()),
            "requests": of(asked, self.requests.status()),
        })
    }
}
