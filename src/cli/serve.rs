//! `ouzel serve`: the service.

use clap::Args;

use super::Context;
use super::failure::Failure;
use crate::settings::Settings;

/// Runs the service: events in, models trained and swapped, recommendations out. The default command.
///
/// It listens on server.address and server.port (127.0.0.1:5500), keeps its events in storage.data_dir (./data) and joins
/// Kafka where kafka.brokers names one. SIGTERM and ctrl-C end it in order, within server.shutdown_grace.
#[derive(Debug, Args)]
pub struct ServeArgs {}

pub(super) fn run(_args: &ServeArgs, context: &mut Context<'_>) -> anyhow::Result<()> {
    serve_until_stopped(context.settings()?)
}

/// Starts everything and returns when it has stopped.
fn serve_until_stopped(_settings: Settings) -> anyhow::Result<()> {
    Err(Failure::Lacks("the service").into())
}
