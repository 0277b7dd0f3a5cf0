//! Sending: a call resolves when the broker has the record in all its replicas.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::statistics::Statistics;
use tokio::sync::oneshot;

use super::broker::{BrokerState, Link};
use super::context::Context;
use super::options::{ClientError, Options};
use crate::settings::Kafka;

/// First and longest wait for room in the producer's queue.
const ROOM: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(100)];

/// A record to be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutRecord {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The key, by which the partition is chosen as Kafka's own clients choose it.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub payload: Option<Vec<u8>>,
    /// The headers in order.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// Why a record was not delivered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProduceError {
    /// No broker took it in time. It may have been written all the same.
    #[error("Kafka did not take the record in time, try again: {0}")]
    Away(String),
    /// The broker or the client refuses it; so it would at another attempt.
    #[error("Kafka refuses the record: {0}")]
    Refused(String),
    /// The producer is stopping.
    #[error("the Kafka producer is stopping")]
    Stopped,
}

impl ProduceError {
    /// Whether another attempt may help.
    #[must_use]
    pub const fn again(&self) -> bool {
        matches!(self, Self::Away(_))
    }
}

type Report = Box<oneshot::Sender<Result<(), ProduceError>>>;

struct Deliveries {
    client: Context,
    link: Arc<Link>,
}

/// The producer of this process; copies share one client.
#[derive(Clone)]
pub struct Producer {
    client: ThreadedProducer<Deliveries>,
    pub(super) dead_letter_suffix: Arc<str>,
}

impl Producer {
    /// A producer that waits for all replicas and repeats no record on its retries.
    ///
    /// # Errors
    /// [`ClientError`] when the settings make no client. A broker that is away is no error.
    pub fn new(kafka: &Kafka, broker: &BrokerState) -> Result<Self, ClientError> {
        let options = Options::producer(kafka)?;
        let link = broker.link("producer");
        let client = Context::new(Arc::clone(&link), &options, None);
        let client = options.create(Deliveries { client, link })?;
        Ok(Self { client, dead_letter_suffix: Arc::from(kafka.dead_letter_suffix.as_str()) })
    }

    /// Sends a record; resolves once it is delivered. With the producer's queue full it waits for room. Records sent one
    /// after the other without waiting keep their order within a partition.
    ///
    /// # Errors
    /// [`ProduceError`], at the latest after `message.timeout.ms` (30 s).
    pub async fn send(&self, record: OutRecord) -> Result<(), ProduceError> {
        self.hand_over(record).await?.await
    }

    /// As [`Self::send`], in two steps: the first puts the record behind those that were handed over before, the second,
    /// what it answers, resolves once it is delivered.
    ///
    /// # Errors
    /// [`ProduceError`], of either step.
    pub async fn hand_over(
        &self,
        record: OutRecord,
    ) -> Result<impl Future<Output = Result<(), ProduceError>> + Send + 'static, ProduceError> {
        let (report, delivered) = oneshot::channel();
        let mut report: Report = Box::new(report);
        let mut wait = ROOM[0];
        while let Err((error, unsent)) = self.enqueue(&record, report) {
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return Err(judge(&error));
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(ROOM[1]);
            report = unsent;
        }
        Ok(async move { delivered.await.unwrap_or(Err(ProduceError::Stopped)) })
    }

    fn enqueue(&self, record: &OutRecord, report: Report) -> Result<(), (KafkaError, Report)> {
        let mut out: BaseRecord<'_, [u8], [u8], Report> = BaseRecord::with_opaque_to(&record.topic, report);
        out.key = record.key.as_deref();
        out.payload = record.payload.as_deref();
        if !record.headers.is_empty() {
            let headers = OwnedHeaders::new_with_capacity(record.headers.len());
            let insert = |headers: OwnedHeaders, (key, value): &(String, Vec<u8>)| {
                headers.insert(Header { key, value: Some(value.as_slice()) })
            };
            out.headers = Some(record.headers.iter().fold(headers, insert));
        }
        self.client.send(out).map_err(|(error, unsent)| (error, unsent.delivery_opaque))
    }

    /// Records that are not delivered yet.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        usize::try_from(self.client.in_flight_count()).unwrap_or(0)
    }

    /// Waits at most so long until everything sent is delivered or refused; answers whether it is.
    pub async fn flush(&self, within: Duration) -> bool {
        let client = self.client.clone();
        let flushed = tokio::task::spawn_blocking(move || client.flush(within).is_ok());
        flushed.await.unwrap_or(false)
    }
}

fn judge(error: &KafkaError) -> ProduceError {
    let text = || error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| code.to_string());
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight) => ProduceError::Stopped,
        Some(
            RDKafkaErrorCode::MessageSizeTooLarge
            | RDKafkaErrorCode::InvalidTopic
            | RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed
            | RDKafkaErrorCode::InvalidRecord
            | RDKafkaErrorCode::InvalidArgument
            | RDKafkaErrorCode::Fatal,
        )
        | None => ProduceError::Refused(text()),
        Some(_) => ProduceError::Away(text()),
    }
}

impl ClientContext for Deliveries {
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

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Report;

    fn delivery(&self, result: &DeliveryResult<'_>, report: Report) {
        let result = match result {
            Ok(_) => {
                self.link.here();
                Ok(())
            }
            Err((error, _)) => Err(judge(error)),
        };
        if report.send(result).is_err() {
            tracing::debug!("nobody waits for this delivery any more");
        }
    }
}
