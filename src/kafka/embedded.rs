//! A broker inside the process, for `ouzel demo` and tests. It is no real broker and must never be offered as one:
//! it keeps everything in memory, at most 5 MiB or 100,000 message sets of a partition, and drops the oldest beyond that
//! without a word; it has one node on a random port, no transactions, no admin calls (topics are made here or by first
//! use) and no search by time; and each change of a group's members takes about that group's
//! session timeout, which must be more than the 3 s that a group's first member waits.
//!
//! Other clients, such as kcat, can talk to it over TCP.

use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;

use rdkafka::error::KafkaError;
use rdkafka::mocking::MockCluster;

/// Why the embedded broker did not do something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the embedded broker failed: {0}")]
pub struct EmbeddedError(String);

impl From<KafkaError> for EmbeddedError {
    fn from(error: KafkaError) -> Self {
        Self(error.to_string())
    }
}

enum Ask {
    Topic(String, i32),
    Down(bool),
}

type Call = (Ask, Sender<Result<(), KafkaError>>);

/// A running embedded broker; it ends when this is dropped.
#[derive(Debug)]
pub struct EmbeddedBroker {
    brokers: String,
    // Dropped before the thread is waited for, which ends it.
    calls: Option<Sender<Call>>,
    thread: Option<JoinHandle<()>>,
}

impl EmbeddedBroker {
    /// Starts it with these topics, each with its number of partitions.
    ///
    /// # Errors
    /// [`EmbeddedError`] when no port is free or a topic's name or number makes no sense.
    pub fn start(topics: &[(&str, i32)]) -> Result<Self, EmbeddedError> {
        let (calls, asked) = mpsc::channel::<Call>();
        let (started, result) = mpsc::channel();
        // The cluster may not cross threads, so it stays on one of its own.
        let work = move || {
            let cluster = match MockCluster::new(1) {
                Ok(cluster) => cluster,
                Err(error) => return report(&started, Err(error)),
            };
            report(&started, Ok(cluster.bootstrap_servers()));
            for (ask, answer) in asked {
                let done = match ask {
                    Ask::Topic(name, partitions) => cluster.create_topic(&name, partitions, 1),
                    Ask::Down(true) => cluster.broker_down(-1),
                    Ask::Down(false) => cluster.broker_up(-1),
                };
                report(&answer, done);
            }
        };
        let thread = std::thread::Builder::new().name("kafka-embedded".to_owned()).spawn(work);
        let thread = thread.map_err(|error| EmbeddedError(error.to_string()))?;
        let brokers = result.recv().map_err(|error| EmbeddedError(error.to_string()))??;
        let broker = Self { brokers, calls: Some(calls), thread: Some(thread) };
        topics.iter().try_for_each(|(name, partitions)| broker.create_topic(name, *partitions))?;
        Ok(broker)
    }

    /// What `kafka.brokers` has to be to reach it.
    #[must_use]
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// Makes a topic.
    ///
    /// # Errors
    /// [`EmbeddedError`] when it is there already or its name or number of partitions makes no sense.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<(), EmbeddedError> {
        self.call(Ask::Topic(name.to_owned(), partitions))
    }

    /// Takes the broker away (every connection is cut and none accepted) or brings it back, with its records.
    ///
    /// No other thread may start a process while it is taken away: librdkafka binds the port anew and aborts where a child
    /// that has not yet executed its program still holds it.
    ///
    /// # Errors
    /// [`EmbeddedError`] when the broker has ended.
    pub fn set_down(&self, down: bool) -> Result<(), EmbeddedError> {
        self.call(Ask::Down(down))
    }

    fn call(&self, ask: Ask) -> Result<(), EmbeddedError> {
        let ended = || EmbeddedError("it has ended".to_owned());
        let (answer, result) = mpsc::channel();
        self.calls.as_ref().ok_or_else(ended)?.send((ask, answer)).map_err(|_| ended())?;
        Ok(result.recv().map_err(|_| ended())??)
    }
}

fn report<T>(to: &Sender<T>, what: T) {
    if to.send(what).is_err() {
        tracing::debug!("nobody waits for the embedded broker's answer any more");
    }
}

impl Drop for EmbeddedBroker {
    fn drop(&mut self) {
        self.calls = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the embedded broker's thread panicked");
        }
    }
}
