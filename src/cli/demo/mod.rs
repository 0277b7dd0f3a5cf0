//! `ouzel demo`: the whole system on one machine, with a shop that is made up.

mod folder;
mod live;
pub mod shop;
mod stage;
mod tastes;
mod told;

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use clap::Args;

use super::Context;
use super::arguments::Positive;
use crate::actors::supervision;
use crate::app;
use crate::kafka::embedded::EmbeddedBroker;
use crate::kafka::topics;
use crate::settings::{Auth, Secret, Settings, Span, load};

/// Partitions of each topic of the embedded broker.
const PARTITIONS: i32 = 3;
/// The variable of the log's filter.
const LOG: &str = "OUZEL__TELEMETRY__LOG";

/// Runs the whole system on this machine, with nothing to install.
///
/// An embedded broker, a made-up shop of 2,000 shoppers and 500 products whose tastes drift, 60 days of past purchases,
/// then live events and requests over Kafka, and a new model each minute. It prints the broker's address, the service's
/// URL, lines to try next, and a line per run and swap. The log on stderr begins at warnings unless the settings say
/// otherwise.
///
/// The embedded broker is for trying out and no Kafka to put anything on: one node on a random port of this machine,
/// everything in memory and gone at the end, at most 5 MiB or 100,000 batches of records a partition with the oldest
/// dropped without a word, no transactions, no admin calls, no search by time, and seconds for each change of a consumer
/// group's members. `ouzel serve` with kafka.brokers joins a real one.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Keeps the data in this folder (default: a temporary one, gone at the end).
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// The port of the service; 0 takes any free one, and so does a port that is taken.
    #[arg(long, default_value_t = 5500)]
    pub port: u16,

    /// Events a second; requests come a fourth as often.
    #[arg(long, value_name = "N", default_value = "20")]
    pub rate: Positive,

    /// Time between the starts of runs.
    #[arg(long, value_name = "SPAN", default_value = "60s", visible_alias = "interval")]
    pub every: Span,

    /// Past purchases that the shop begins with; a folder that has events already gets none.
    #[arg(long, value_name = "N", default_value_t = 60_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub purchases: u32,

    /// Ends after so many seconds (default: at ctrl-C).
    #[arg(long, value_name = "N")]
    pub seconds: Option<u64>,

    /// Makes another shop, and the same one again.
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub seed: u64,
}

pub(super) fn run(args: &DemoArgs, context: &mut Context<'_>) -> anyhow::Result<()> {
    let (port, moved) = free_port(args.port);
    let port = port.to_string();
    let mine = [
        ("OUZEL__SERVER__PORT", port.as_str()),
        // The demo is this machine's own, whatever the settings of a service beside it say.
        ("OUZEL__SERVER__ADDRESS", "127.0.0.1"),
        ("OUZEL__SERVER__ROLE", "all"),
    ];
    for (name, value) in mine {
        context.environment.insert(name.to_owned(), value.to_owned());
    }
    // Runs and swaps are told on stdout, so the default's lines on every start and connection would only drown them.
    if load(context.config.as_deref(), &context.environment)?.settings.telemetry.log == "info" {
        context.environment.entry(LOG.to_owned()).or_insert_with(|| "warn".to_owned());
    }
    let settings = context.settings()?;
    if moved {
        writeln!(context.err, "port {} is taken, a free one is used instead", args.port)?;
    }
    run_the_shop(args, settings, context)
}

/// Starts broker, service and shop, and returns when ctrl-C has ended them.
fn run_the_shop(args: &DemoArgs, settings: Settings, context: &mut Context<'_>) -> anyhow::Result<()> {
    supervision::log_panics();
    let names = topics::names(&settings.kafka);
    let topics: Vec<(&str, i32)> = names.iter().map(|name| (name.as_str(), PARTITIONS)).collect();
    // Dropped in the order opposite to this: the folder last.
    let folder = folder::DataFolder::new(args.data_dir.as_deref())?;
    let broker = EmbeddedBroker::start(&topics)?;
    let settings = demo_settings(settings, args, broker.brokers(), folder.path());
    app::run(stage::play(args, settings, context))?;
    if !folder.passing() {
        writeln!(context.out, "the data is in {}", folder.path().display())?;
    }
    Ok(())
}

/// The effective settings, with everything the demo's own that leads out of it.
fn demo_settings(mut settings: Settings, args: &DemoArgs, brokers: &str, folder: &Path) -> Settings {
    brokers.clone_into(&mut settings.kafka.brokers);
    // The embedded broker knows no passwords, and lets nobody into a group whose session is shorter than its first wait
    // of 3 s; each change of members takes such a session.
    let options = [("session.timeout.ms", "4000"), ("heartbeat.interval.ms", "500")];
    settings.kafka.options = options.map(|(key, value)| (key.to_owned(), Secret::new(value))).into();
    "earliest".clone_into(&mut settings.kafka.start);
    folder.clone_into(&mut settings.storage.data_dir);
    settings.storage.artifacts = String::new();
    settings.storage.import_watch = Vec::new();
    settings.auth = Auth { keys: Vec::new(), keys_file: PathBuf::new(), allow_anonymous: false, rate: 0, burst: 0 };
    settings.server.public_url = String::new();
    settings.schedule.cron = String::new();
    settings.schedule.every_events = 0;
    settings.schedule.interval = args.every;
    // What is tried is fitted again on the holdout and at the end: a run is to be over before the next one begins.
    let search = args.every.millis() / 6;
    settings.training.budget = settings.training.budget.min(Span::from_millis(search.max(1_000)));
    // The first run begins once all past purchases are in, not after the first batch of them.
    settings.schedule.on_start = false;
    settings
}

/// The port if it is free, else 0 for any other; and whether it had to be another.
fn free_port(wanted: u16) -> (u16, bool) {
    let taken = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], wanted)))
        .is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse);
    if taken { (0, true) } else { (wanted, false) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_gives_way_to_a_free_one() {
        let held = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let port = held.local_addr().unwrap().port();
        assert_eq!(free_port(port), (0, true));
        assert_eq!(free_port(0), (0, false));
    }
}
