//! A topic read whole: all its partitions by manual assignment, from offsets that the caller keeps with what it made of
//! the records.
//!
//! The thread looks for new partitions each minute, and for the topic itself until it is there. A full channel pauses it;
//! no record of a partition is lost or moved by that.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::BaseConsumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::sync::mpsc;

use super::StreamHandle;
use super::broker::{BrokerState, Link};
use super::context::Context;
use super::options::{ClientError, Options};
use super::outbox::{Outbox, Reader};
use super::positions::{Positions, Seen};
use super::record::{Record, RecordBatch};
use super::status::Board;
use super::worker::{self, Stop};
use crate::model::manifest::PartitionOffset;
use crate::settings::{Kafka, OutOfRange, StartAt};

/// Time between looks for new partitions.
const LOOK: Duration = Duration::from_secs(60);

/// Time between looks for a topic or a broker that is not there, and between attempts after an error.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The stream of `kafka.events_topic`: batches of at most `kafka.batch` records, at most `kafka.queue` of them waiting.
///
/// Starts behind `stored`, where given, else at `kafka.start`. Dropping the receiver or [`StreamHandle::stop`] ends it.
///
/// # Errors
/// [`ClientError`] when the settings make no client. A broker that is away is no error: it is tried until it is there.
pub fn follow(
    kafka: &Kafka,
    stored: &[PartitionOffset],
    broker: &BrokerState,
) -> Result<(StreamHandle, mpsc::Receiver<RecordBatch>), ClientError> {
    let start = kafka.start.parse()?;
    let group = format!("{}-events", kafka.requests_group);
    let (topic, policy) = (&kafka.events_topic, kafka.out_of_range);
    start_follower(kafka, &Source { name: "events", topic, group: &group, start, stored, policy }, broker)
}

/// What a follower follows.
pub(crate) struct Source<'a> {
    pub(crate) name: &'static str,
    pub(crate) topic: &'a str,
    /// Never joined: the client wants one, and brokers see it in their logs.
    pub(crate) group: &'a str,
    pub(crate) start: StartAt,
    pub(crate) stored: &'a [PartitionOffset],
    /// What is done when the broker does not have the next offset.
    pub(crate) policy: OutOfRange,
}

pub(crate) fn start_follower(
    kafka: &Kafka,
    source: &Source<'_>,
    broker: &BrokerState,
) -> Result<(StreamHandle, mpsc::Receiver<RecordBatch>), ClientError> {
    // An offset out of range must come back as an error, to be said and resolved here.
    let options = Options::consumer(kafka, source.group, &[("auto.offset.reset", "error")])?;
    let (topic, board): (Arc<str>, _) =
        (Arc::from(source.topic), Arc::new(Board::new(source.topic, broker.clock().clone())));
    let link = broker.link(source.name);
    let context = Context::new(Arc::clone(&link), &options, Some(Arc::clone(&board)));
    let consumer: BaseConsumer<Context> = options.create(context)?;
    let (sender, batches) = mpsc::channel(kafka.queue.max(1));
    let positions = Positions::new(&topic, source.start, source.stored, broker.clock().clone());
    let stop = Stop::default();
    let outbox = Outbox::new(sender, kafka.batch);
    let follower = Follower {
        topic,
        consumer,
        link,
        positions,
        outbox,
        board: Arc::clone(&board),
        stop: stop.clone(),
        look_at: Instant::now(),
        policy: source.policy,
        astray: false,
        stopped: false,
    };
    let handle = worker::spawn(&format!("kafka-{}", source.name), stop, board, move || follower.run())?;
    Ok((handle, batches))
}

struct Follower {
    topic: Arc<str>,
    consumer: BaseConsumer<Context>,
    link: Arc<Link>,
    positions: Positions,
    outbox: Outbox,
    board: Arc<Board>,
    stop: Stop,
    look_at: Instant,
    policy: OutOfRange,
    /// Whether some partition's next offset is not at the broker.
    astray: bool,
    /// Whether it is read no more.
    stopped: bool,
}

impl Follower {
    fn run(mut self) {
        while !self.stop.is_set() {
            self.look();
            let read = self.read();
            if !read || self.outbox.full() {
                if self.outbox.offer(1, |_| ()) == Reader::Gone {
                    break;
                }
                self.show();
            }
            if self.outbox.govern(&self.consumer, &self.topic) {
                self.board.set_paused(self.outbox.paused());
            }
        }
    }

    /// Reads at most one record; answers whether there may be more at hand.
    fn read(&mut self) -> bool {
        match self.consumer.poll(self.outbox.patience()) {
            Some(Ok(message)) => {
                let record = Record::copy(&self.topic, &message);
                self.link.here();
                self.outbox.take(record);
                true
            }
            Some(Err(error)) => {
                self.judge(&error);
                false
            }
            None => false,
        }
    }

    fn judge(&mut self, error: &KafkaError) {
        let topic = &*self.topic;
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                self.astray = true;
                self.look_at = Instant::now();
            }
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => self.miss(),
            Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                tracing::error!(topic, %error, "the broker does not let this user read the topic");
            }
            Some(RDKafkaErrorCode::Fatal | RDKafkaErrorCode::Fenced) => {
                tracing::error!(topic, %error, "the Kafka client is unusable, the stream ends");
                self.stop.set();
            }
            _ => {}
        }
    }

    /// Looks after what the client does not do itself, when it is time.
    fn look(&mut self) {
        if self.stopped || Instant::now() < self.look_at || (self.astray && !self.outbox.empty()) {
            return;
        }
        self.look_at = Instant::now() + LOOK_AGAIN;
        if self.astray {
            match self.positions.return_to_range(&self.consumer, &mut self.outbox, self.policy, &self.board) {
                Ok(true) => self.astray = false,
                Ok(false) => {
                    self.stopped = true;
                    return;
                }
                Err(error) => return tracing::debug!(%error, "the offsets at the broker cannot be asked for yet"),
            }
        }
        match self.positions.look_up(&self.consumer, &mut self.outbox) {
            Ok(Seen::Missing) => {
                self.link.here();
                self.miss();
            }
            Ok(Seen::There(new)) => {
                self.link.here();
                self.board.set_missing(false);
                self.show();
                self.look_at = Instant::now() + LOOK;
                if new > 0 {
                    tracing::info!(topic = &*self.topic, new, "partitions found");
                }
            }
            Err(error) => tracing::debug!(%error, "the topic cannot be looked up yet"),
        }
    }

    fn show(&self) {
        self.board.set_next(self.positions.next(&self.outbox), self.outbox.times());
    }

    fn miss(&self) {
        if self.board.set_missing(true) {
            tracing::warn!(topic = &*self.topic, "there is no such topic, waiting for it");
        }
    }
}
