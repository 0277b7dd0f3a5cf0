//! The side of the request stream that both its thread and its readers touch: what is held, handed out and answered.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::statistics::Statistics;
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use super::broker::Link;
use super::context::Context;
use super::record::Record;
use super::tracker::OffsetTracker;

/// How often a wait for answers looks whether anybody still answers.
const GLANCE: Duration = Duration::from_millis(50);

/// What is held, handed out and answered.
pub(crate) struct Group {
    pub(crate) topic: Arc<str>,
    link: Arc<Link>,
    tracker: Mutex<OffsetTracker>,
    answered: Condvar,
    epoch: AtomicU64,
    /// Nobody answers any more, so nothing is waited for.
    deserted: AtomicBool,
    drain: Duration,
}

impl Group {
    /// Partitions that are taken away are waited for at most `drain`.
    pub(crate) fn new(topic: &str, link: Arc<Link>, drain: Duration) -> Self {
        let (epoch, deserted) = (AtomicU64::new(0), AtomicBool::new(false));
        Self {
            topic: Arc::from(topic),
            link,
            tracker: Mutex::default(),
            answered: Condvar::new(),
            epoch,
            deserted,
            drain,
        }
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    pub(crate) fn desert(&self) {
        self.deserted.store(true, Ordering::SeqCst);
    }

    pub(crate) fn held(&self) -> BTreeSet<i32> {
        self.tracker.lock().partitions().collect()
    }

    pub(crate) fn holds(&self, partition: i32, epoch: u64) -> bool {
        self.tracker.lock().holds(partition, epoch)
    }

    /// The batch goes out.
    pub(crate) fn hand_out(&self, records: &[Record]) {
        let mut tracker = self.tracker.lock();
        records.iter().for_each(|record| tracker.hand_out(record.partition, record.offset));
    }

    /// These records are answered.
    pub(crate) fn done(&self, offsets: impl Iterator<Item = (i32, i64)>, epoch: u64) {
        let mut tracker = self.tracker.lock();
        for (partition, offset) in offsets {
            if !tracker.done(partition, offset, epoch) {
                tracing::debug!(partition, offset, epoch, "answered after the partition was taken away");
            }
        }
        self.answered.notify_all();
    }

    /// Waits at most `bound` until all that is out of these partitions is answered; answers how much is not.
    pub(crate) fn drain(&self, of: &BTreeSet<i32>, bound: Duration, abandoned: impl Fn() -> bool) -> usize {
        let until = Instant::now() + bound;
        let mut tracker = self.tracker.lock();
        loop {
            let waiting = tracker.waiting(|partition| of.contains(&partition));
            let over = Instant::now() >= until || self.deserted.load(Ordering::SeqCst) || abandoned();
            if waiting == 0 || over {
                return waiting;
            }
            self.answered.wait_until(&mut tracker, until.min(Instant::now() + GLANCE));
        }
    }

    /// Commits what has moved since the last commit, while the broker is there. While it is away nothing can be committed,
    /// and closing the consumer would wait for a commit under way, longer than a session: what has moved is then committed
    /// later or, by whoever reads next, answered again.
    pub(crate) fn commit<C: ConsumerContext>(&self, consumer: &BaseConsumer<C>, mode: CommitMode) {
        if !self.link.connected() {
            return;
        }
        let moved = self.tracker.lock().take_moved();
        if moved.is_empty() {
            return;
        }
        let listed: KafkaResult<TopicPartitionList> =
            moved.iter().try_fold(TopicPartitionList::new(), |mut list, &(partition, next)| {
                list.add_partition_offset(&self.topic, partition, Offset::Offset(next))?;
                Ok(list)
            });
        fail::fail_point!("requests.before_commit");
        if let Err(error) = listed.and_then(|list| consumer.commit(&list, mode)) {
            self.commit_failed(&error);
        }
        fail::fail_point!("requests.after_commit");
    }

    fn commit_failed(&self, error: &KafkaError) {
        tracing::warn!(topic = &*self.topic, %error, "offsets of answered requests were not committed, trying again");
        self.tracker.lock().give_again();
    }

    fn assign(&self, partitions: &BTreeSet<i32>) {
        let epoch = self.epoch.fetch_add(1, Ordering::SeqCst) + 1;
        let mut tracker = self.tracker.lock();
        partitions.iter().for_each(|&partition| tracker.assign(partition, epoch));
        tracing::info!(topic = &*self.topic, ?partitions, epoch, "request partitions taken");
    }

    fn revoke(&self, partitions: &BTreeSet<i32>) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
        let mut tracker = self.tracker.lock();
        partitions.iter().for_each(|&partition| tracker.revoke(partition));
    }
}

/// The context of the request consumer.
pub(crate) struct GroupContext {
    pub(crate) client: Context,
    pub(crate) group: Arc<Group>,
}

impl ClientContext for GroupContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.client.generate_oauth_token(config)
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.client.log(level, facility, text);
    }

    fn stats(&self, statistics: Statistics) {
        self.client.stats(statistics);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.client.stats_raw(statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.client.error(error, reason);
    }
}

impl ConsumerContext for GroupContext {
    // Runs on the poll thread, inside poll: nothing is read while it runs.
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let listed =
            |list: &TopicPartitionList| list.elements().iter().map(|at| at.partition()).collect::<BTreeSet<i32>>();
        match rebalance {
            Rebalance::Assign(list) => self.group.assign(&listed(list)),
            Rebalance::Revoke(list) => {
                let partitions = listed(list);
                // A lost partition is another's already: it cannot be committed, and answers will be given twice.
                let lost = consumer.assignment_lost();
                let unanswered = if lost { 0 } else { self.group.drain(&partitions, self.group.drain, || false) };
                if !lost {
                    self.group.commit(consumer, CommitMode::Sync);
                }
                self.group.revoke(&partitions);
                tracing::info!(
                    topic = &*self.group.topic,
                    ?partitions,
                    lost,
                    unanswered,
                    "request partitions given back"
                );
            }
            Rebalance::Error(error) => {
                tracing::warn!(topic = &*self.group.topic, %error, "the group cannot be balanced");
            }
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        if let Err(error) = result {
            self.group.commit_failed(&error);
        }
    }
}
