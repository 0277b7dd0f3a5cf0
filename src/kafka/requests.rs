//! The request topic, read in a consumer group so that several processes share it; offsets are committed once the answers
//! are delivered.
//!
//! A request may be answered twice: after a crash, or when a partition goes to another process before its answers were
//! delivered. None is passed over. Batches carry the assignment they were read under, so that answers which come after a
//! partition went away and came back cannot move its offset.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::sync::mpsc;

use super::broker::{BrokerState, Link};
use super::context::Context;
use super::group::{Group, GroupContext};
use super::options::{ClientError, Options};
use super::outbox::{Outbox, Reader};
use super::record::{Record, RecordBatch};
use super::status::{Board, StreamStatus};
use super::worker::{self, Stop, StreamHandle};
use crate::model::manifest::PartitionOffset;
use crate::settings::{Kafka, StartAt};

/// Time between commits while answers come in.
const COMMIT: Duration = Duration::from_millis(100);

/// How long answers are waited for when partitions are taken away or the stream stops.
pub const DRAIN: Duration = Duration::from_secs(5);

/// How long closing may take before the consumer is left to it.
const CLOSE: Duration = Duration::from_secs(5);

/// How often a wait for closing looks whether it is done.
const GLANCE: Duration = Duration::from_millis(20);

/// The running stream of requests from outside. Copies mean the same stream.
#[derive(Clone)]
pub struct RequestStreamHandle {
    stream: StreamHandle,
    group: Arc<Group>,
}

impl RequestStreamHandle {
    /// These records of a batch of `epoch` are answered and the answers delivered: each entry's `next` is one more than
    /// the offset of one such record. Offsets move up to the first record that is not answered.
    pub fn done(&self, answered: &[PartitionOffset], epoch: u64) {
        let ours = answered.iter().filter(|at| *at.topic == *self.group.topic);
        self.group.done(ours.map(|at| (at.partition, at.next - 1)), epoch);
    }

    /// The whole batch is answered and the answers delivered.
    pub fn done_all(&self, batch: &RecordBatch) {
        self.group.done(batch.records.iter().map(|record| (record.partition, record.offset)), batch.epoch);
    }

    /// Whether the partition of a record of `epoch` is still this process's; if not, another one answers it.
    #[must_use]
    pub fn holds(&self, record: &Record, epoch: u64) -> bool {
        self.group.holds(record.partition, epoch)
    }

    /// How far the stream is; reads memory.
    #[must_use]
    pub fn status(&self) -> StreamStatus {
        self.stream.status()
    }

    /// Asks the stream to stop: it reads no more, waits at most [`DRAIN`] for what is unanswered, commits and leaves.
    pub fn stop(&self) {
        self.stream.stop();
    }

    /// Waits until the stream's thread is gone, at most so long; answers whether it is.
    pub async fn ended(&self, within: Duration) -> bool {
        self.stream.ended(within).await
    }
}

/// The stream of `kafka.requests_topic` in the group `kafka.requests_group`.
///
/// Without a committed offset it starts at the earliest record, or at the latest for `kafka.start = "latest"`.
/// Dropping the receiver ends it without a wait; what was answered by then is committed.
///
/// # Errors
/// [`ClientError`] when the settings make no client. A broker that is away is no error: it is tried until it is there.
pub fn serve(
    kafka: &Kafka,
    broker: &BrokerState,
) -> Result<(RequestStreamHandle, mpsc::Receiver<RecordBatch>), ClientError> {
    let latest = kafka.start.parse::<StartAt>()? == StartAt::Latest;
    let reset = if latest { "latest" } else { "earliest" };
    let options = Options::consumer(kafka, &kafka.requests_group, &[("auto.offset.reset", reset)])?;
    let link = broker.link("requests");
    let group = Arc::new(Group::new(&kafka.requests_topic, Arc::clone(&link), DRAIN));
    let board = Arc::new(Board::new(&kafka.requests_topic, broker.clock().clone()));
    let client = Context::new(Arc::clone(&link), &options, Some(Arc::clone(&board)));
    let consumer: BaseConsumer<GroupContext> = options.create(GroupContext { client, group: Arc::clone(&group) })?;
    let subscribed = consumer.subscribe(&[kafka.requests_topic.as_str()]);
    subscribed.map_err(|error| ClientError::Refused(options.redact.text(&error.to_string())))?;
    let (sender, batches) = mpsc::channel(kafka.queue.max(1));
    let (stop, outbox) = (Stop::default(), Outbox::new(sender, kafka.batch));
    let reader = Requests {
        consumer,
        link,
        group: Arc::clone(&group),
        outbox,
        board: Arc::clone(&board),
        stop: stop.clone(),
        epoch: 0,
    };
    let stream = worker::spawn("kafka-requests", stop, board, move || reader.run())?;
    Ok((RequestStreamHandle { stream, group }, batches))
}

struct Requests {
    consumer: BaseConsumer<GroupContext>,
    link: Arc<Link>,
    group: Arc<Group>,
    outbox: Outbox,
    board: Arc<Board>,
    stop: Stop,
    epoch: u64,
}

impl Requests {
    fn run(mut self) {
        let mut commit_at = Instant::now();
        let mut reader = Reader::There;
        while !self.stop.is_set() && reader == Reader::There {
            let read = self.read();
            self.follow_assignment();
            if !read || self.outbox.full() {
                let group = &self.group;
                reader = self.outbox.offer(self.epoch, |records| group.hand_out(records));
                self.show();
            }
            if self.outbox.govern(&self.consumer, &self.group.topic) {
                self.board.set_paused(self.outbox.paused());
            }
            if Instant::now() >= commit_at {
                commit_at = Instant::now() + COMMIT;
                self.group.commit(&self.consumer, CommitMode::Async);
            }
        }
        self.leave(reader);
    }

    /// Reads at most one record; answers whether there may be more at hand.
    fn read(&mut self) -> bool {
        match self.consumer.poll(self.outbox.patience()) {
            Some(Ok(message)) => {
                let record = Record::copy(&self.group.topic, &message);
                self.link.here();
                self.follow_assignment();
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

    fn judge(&self, error: &KafkaError) {
        let topic = &*self.group.topic;
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                let news = self.board.set_missing(true);
                if news {
                    tracing::warn!(topic, "there is no such topic, waiting for it");
                }
            }
            Some(RDKafkaErrorCode::PollExceeded) => {
                tracing::error!(
                    topic,
                    "this process did not read for longer than max.poll.interval.ms and was put out of the group"
                );
            }
            Some(RDKafkaErrorCode::Fatal | RDKafkaErrorCode::Fenced) => {
                tracing::error!(topic, %error, "the Kafka client is unusable, the stream ends");
                self.stop.set();
            }
            _ => {}
        }
    }

    /// Takes over what a rebalance inside poll has changed: records of partitions that went away are dropped unhanded.
    fn follow_assignment(&mut self) {
        let epoch = self.group.epoch();
        if epoch == self.epoch {
            return;
        }
        self.epoch = epoch;
        let group = &self.group;
        // One poll serves at most one rebalance, so that a partition cannot go and come back unnoticed.
        self.outbox.retain(|partition| group.holds(partition, epoch));
        let held = self.group.held();
        if !held.is_empty() {
            self.board.set_missing(false);
        }
        if self.outbox.paused() {
            self.outbox.pause(&self.consumer);
        }
        self.show();
    }

    fn show(&self) {
        let next = self.outbox.next();
        self.board.set_next(
            self.group.held().into_iter().map(|partition| (partition, next.get(&partition).copied())).collect(),
            self.outbox.times(),
        );
    }

    /// Waits for answers, commits and closes the consumer, which gives the partitions back.
    fn leave(self, reader: Reader) {
        if reader == Reader::There {
            let unanswered = self.group.drain(&self.group.held(), DRAIN, || self.outbox.deserted());
            if unanswered > 0 {
                tracing::warn!(
                    topic = &*self.group.topic,
                    unanswered,
                    "requests are left unanswered, they will be read again"
                );
            }
        }
        self.group.desert();
        // Closing waits for the commit.
        self.group.commit(&self.consumer, CommitMode::Async);
        close(self.consumer, &self.group.topic);
    }
}

/// Closes the consumer, which waits for commits under way and gives the partitions back. librdkafka tries a commit that it
/// could not send for as long as the broker is away, so that closing may never end: after [`CLOSE`] it goes on behind us.
fn close(consumer: BaseConsumer<GroupContext>, topic: &str) {
    let until = Instant::now() + CLOSE;
    let closing = std::thread::Builder::new().name("kafka-closing".to_owned()).spawn(move || drop(consumer));
    // Without a thread the consumer was dropped, and so closed, in the attempt.
    let Ok(closing) = closing else { return };
    while !closing.is_finished() && Instant::now() < until {
        std::thread::sleep(GLANCE);
    }
    if !closing.is_finished() {
        tracing::warn!(topic, "the consumer of requests still closes: its last commit waits for a broker");
    }
}
