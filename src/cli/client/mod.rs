//! `ouzel client`: requests and events for a broker, as the original's client sent them.

mod generate;
mod pace;
mod publish;
mod shown;

use clap::{Args, ValueEnum};

use super::Context;
use super::arguments::Positive;
use super::failure::Failure;
use super::remote::wait_for;

pub use generate::{Generator, Message};
pub use pace::interval_ms;

/// The original's variable for the time between two records.
const INTERVAL: &str = "PUBLISHER_DATA_INTERVAL";

/// What is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClientKind {
    /// The original's requests: a random user and 1 to 30 products, in protobuf, on kafka.requests_topic.
    Requests,
    /// Events of random users with random products, in JSON, on kafka.events_topic.
    Events,
}

/// Publishes requests or events to Kafka and prints the replies to them.
///
/// Users are drawn from 0 to 999 and products from 0 to 299, as the original's client drew them. The broker and topics are
/// the settings' own (kafka.brokers, or KAFKA_BROKERS); ctrl-C ends it.
#[derive(Debug, Args)]
pub struct ClientArgs {
    /// What to publish.
    #[arg(long, value_enum, default_value_t = ClientKind::Requests)]
    pub kind: ClientKind,

    /// Records a second (default: 1, or what PUBLISHER_DATA_INTERVAL says).
    #[arg(long, value_name = "N")]
    pub rate: Option<Positive>,

    /// Ends after so many records, once their replies are there (default: never).
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,

    /// Draws the same records again.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// The broker instead of the settings' own, host:port,….
    #[arg(long, value_name = "HOST:PORT")]
    pub brokers: Option<String>,
}

impl ClientArgs {
    /// Milliseconds between two records: of `--rate`, else of the original's variable, else 1000.
    ///
    /// # Errors
    /// [`Failure::Usage`] when the variable is no span of time.
    pub fn interval_ms(&self, variable: Option<&str>) -> Result<f64, Failure> {
        match (self.rate, variable.map(str::trim).filter(|text| !text.is_empty())) {
            (Some(rate), _) => Ok(1000.0 / rate.0),
            (None, Some(text)) => {
                let wrong = || Failure::Usage(format!("{INTERVAL} must be a time such as \"1 second\", not {text:?}"));
                interval_ms(text).ok_or_else(wrong)
            }
            (None, None) => Ok(1000.0),
        }
    }
}

pub(super) fn run(args: &ClientArgs, context: &mut Context<'_>) -> anyhow::Result<()> {
    let interval_ms = args.interval_ms(context.environment.get(INTERVAL).map(String::as_str))?;
    if let Some(brokers) = &args.brokers {
        context.environment.insert("OUZEL__KAFKA__BROKERS".to_owned(), brokers.clone());
    }
    let settings = context.settings()?;
    if settings.kafka.brokers.is_empty() {
        let message = "no broker: give --brokers host:port, or set kafka.brokers (`ouzel demo` prints that of its own)";
        return Err(Failure::Usage(message.to_owned()).into());
    }
    let generator = Generator::new(args.kind, args.seed.unwrap_or_else(rand::random));
    wait_for(publish::publish(args, interval_ms, generator, &settings, context))
}
