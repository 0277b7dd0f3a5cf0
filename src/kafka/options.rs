//! From `[kafka]` to the client's options. Values pass through as secrets: no error or log line repeats one.

use std::collections::BTreeMap;
use std::sync::Arc;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

use super::oauth::{OURS, TOLD, Tokens};
use crate::settings::{Kafka, Secret};

/// Other names of options that have a default here; the client takes both in no certain order.
const ALIASES: [(&str, &str); 3] = [
    ("request.required.acks", "acks"),
    ("queue.buffering.max.ms", "linger.ms"),
    ("delivery.timeout.ms", "message.timeout.ms"),
];

/// Why a client could not be made: its options are wrong, no broker was asked yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// No brokers are named.
    #[error("kafka.brokers is empty: there is no Kafka to talk to")]
    NoBrokers,
    /// One option is unknown or has a value that the client refuses.
    #[error("kafka.options.\"{key}\": {reason}; see librdkafka's CONFIGURATION.md")]
    Option {
        /// The option's name.
        key: String,
        /// What the client says of it, without the value.
        reason: String,
    },
    /// The options contradict each other.
    #[error("the Kafka client refuses its options: {0}")]
    Refused(String),
    /// `kafka.start` makes no sense.
    #[error("kafka.start: {0}")]
    Start(#[from] crate::settings::StartError),
    /// No thread could be started.
    #[error("no thread could be started for Kafka: {0}")]
    Thread(String),
}

/// Strikes secrets out of texts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Redact(Arc<Vec<Secret>>);

impl Redact {
    fn new(options: &BTreeMap<String, Secret>) -> Self {
        let secret = |key: &str| {
            let sounds = ["password", "secret", "key", "pem", "token", "oauthbearer", "username"];
            sounds.iter().any(|part| key.contains(part)) && !TOLD.contains(&key)
        };
        let values = options.iter().filter(|(key, value)| secret(key) && value.expose().len() >= 3);
        Self(Arc::new(values.map(|(_, value)| value.clone()).collect()))
    }

    /// The text with `***` for every secret in it.
    pub(crate) fn text(&self, text: &str) -> String {
        Secret::struck_from(text, &self.0)
    }
}

/// The options of one client, ready to make it.
pub(crate) struct Options {
    config: ClientConfig,
    pub(crate) redact: Redact,
    /// Where its tokens come from, with OAUTHBEARER.
    pub(crate) tokens: Option<Arc<Tokens>>,
}

impl Options {
    fn new(kafka: &Kafka, defaults: &[(&str, &str)]) -> Result<Self, ClientError> {
        if kafka.brokers.trim().is_empty() {
            return Err(ClientError::NoBrokers);
        }
        let tokens = Tokens::of(&kafka.options)?;
        let mut config = ClientConfig::new();
        let common = [
            ("client.id", "ouzel"),
            ("socket.keepalive.enable", "true"),
            ("reconnect.backoff.ms", "100"),
            ("reconnect.backoff.max.ms", "5000"),
            ("statistics.interval.ms", "2000"),
        ];
        for (key, value) in common.iter().chain(defaults) {
            config.set(*key, *value);
        }
        let ours = |key: &&String| tokens.is_some() && OURS.contains(&key.as_str());
        for (key, value) in kafka.options.iter().filter(|(key, _)| !ours(key)) {
            if let Some((_, ours)) = ALIASES.iter().find(|(alias, _)| alias == key) {
                config.remove(ours);
            }
            config.set(key, value.expose());
        }
        config.remove("metadata.broker.list");
        config.set("bootstrap.servers", &kafka.brokers);
        let verbose = kafka.options.contains_key("debug");
        config.set_log_level(if verbose { RDKafkaLogLevel::Debug } else { RDKafkaLogLevel::Info });
        Ok(Self { config, redact: Redact::new(&kafka.options), tokens })
    }

    /// A consumer. What this crate's guarantees rest on cannot be set otherwise.
    pub(crate) fn consumer(kafka: &Kafka, group: &str, fixed: &[(&str, &str)]) -> Result<Self, ClientError> {
        // Prefetched messages are bounded, since a paused stream may hold them for long.
        let defaults = [
            ("queued.max.messages.kbytes", "16384"),
            ("fetch.wait.max.ms", "100"),
            // How long the client rests when it has read that far ahead; it would be a second.
            ("fetch.queue.backoff.ms", "20"),
            ("topic.metadata.refresh.interval.ms", "60000"),
            ("partition.assignment.strategy", "cooperative-sticky"),
        ];
        let mut options = Self::new(kafka, &defaults)?;
        options.config.set("group.id", group);
        options.config.set("enable.auto.commit", "false");
        options.config.set("enable.auto.offset.store", "false");
        options.config.set("enable.partition.eof", "false");
        for (key, value) in fixed {
            options.config.set(*key, *value);
        }
        Ok(options)
    }

    /// The producer.
    pub(crate) fn producer(kafka: &Kafka) -> Result<Self, ClientError> {
        // The largest record that a consumer may hand on, with room for the headers of a dead letter.
        let defaults = [
            ("acks", "all"),
            ("enable.idempotence", "true"),
            ("linger.ms", "2"),
            ("message.timeout.ms", "30000"),
            ("message.max.bytes", "16777216"),
            ("partitioner", "murmur2_random"),
        ];
        Self::new(kafka, &defaults)
    }

    /// A client that only asks about and makes topics.
    pub(crate) fn admin(kafka: &Kafka) -> Result<Self, ClientError> {
        Self::new(kafka, &[])
    }

    /// Makes the client.
    pub(crate) fn create<C, T>(&self, context: C) -> Result<T, ClientError>
    where
        C: rdkafka::ClientContext,
        T: rdkafka::config::FromClientConfigAndContext<C>,
    {
        self.config.create_with_context(context).map_err(|error| self.refusal(error))
    }

    fn refusal(&self, error: KafkaError) -> ClientError {
        match error {
            // Its own text would end in the value.
            KafkaError::ClientConfig(_, reason, key, value) => {
                let reason = self.redact.text(&reason);
                let reason = if value.is_empty() { reason } else { reason.replace(&value, "***") };
                ClientError::Option { key, reason }
            }
            other => ClientError::Refused(self.redact.text(&other.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::consumer::{BaseConsumer, DefaultConsumerContext};

    use super::*;
    use crate::kafka::tests::settings;

    fn refused(key: &str, value: &str) -> String {
        let mut kafka = settings("127.0.0.1:1");
        kafka.options.insert(key.to_owned(), Secret::new(value));
        let options = Options::consumer(&kafka, "group", &[]).unwrap();
        let made: Result<BaseConsumer<DefaultConsumerContext>, _> = options.create(DefaultConsumerContext);
        made.map(drop).unwrap_err().to_string()
    }

    #[test]
    fn a_wrong_option_is_named_and_its_value_is_not() {
        let said = refused("security.protocol", "hunter2");
        assert!(said.contains("security.protocol") && !said.contains("hunter2"), "{said}");
        let said = refused("sasl.passwort", "hunter2");
        assert!(said.contains("sasl.passwort") && !said.contains("hunter2"), "{said}");
    }

    #[test]
    fn secrets_are_struck_out_and_plain_values_are_not() {
        let options = [
            ("sasl.password", "hunter2"),
            ("security.protocol", "SASL_SSL"),
            ("sasl.oauthbearer.token.endpoint.url", "https://login"),
            ("sasl.oauthbearer.client.secret", "hunter3"),
        ];
        let options = options.map(|(key, value)| (key.to_owned(), Secret::new(value)));
        let redact = Redact::new(&options.into());
        assert_eq!(redact.text("SASL_SSL: hunter2 is wrong"), "SASL_SSL: *** is wrong");
        assert_eq!(redact.text("https://login refuses hunter3"), "https://login refuses ***");
    }

    #[test]
    fn options_win_over_defaults_but_not_over_guarantees() {
        let mut kafka = settings("127.0.0.1:1");
        for (key, value) in [("fetch.wait.max.ms", "7"), ("enable.auto.commit", "true"), ("group.id", "mine")] {
            kafka.options.insert(key.to_owned(), Secret::new(value));
        }
        let options = Options::consumer(&kafka, "group", &[]).unwrap();
        assert_eq!(options.config.get("fetch.wait.max.ms"), Some("7"));
        assert_eq!(options.config.get("enable.auto.commit"), Some("false"));
        assert_eq!(options.config.get("group.id"), Some("group"));
        assert!(matches!(Options::producer(&settings(" ")), Err(ClientError::NoBrokers)));
    }
}
