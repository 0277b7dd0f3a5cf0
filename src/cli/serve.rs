//! `ouzel serve`: the service.

use std::io::Write;

use clap::Args;

use super::Context;
use super::failure::Failure;
use crate::actors::supervision;
use crate::app;
use crate::model::clock::Clock;
use crate::settings::Settings;

/// Runs the service: events in, models trained and swapped, recommendations out. The default command.
///
/// It listens on server.address and server.port (127.0.0.1:5500), keeps its events in storage.data_dir (./data) and joins
/// Kafka where kafka.brokers names one. SIGTERM and ctrl-C end it in order, within server.shutdown_grace.
#[derive(Debug, Args)]
pub struct ServeArgs {}

pub(super) fn run(_args: &ServeArgs, context: &mut Context<'_>) -> anyhow::Result<()> {
    serve_until_stopped(context.settings()?, context.out)
}

/// Starts everything and returns when it has stopped: by a signal in order, or because an actor could not be kept alive.
fn serve_until_stopped(settings: Settings, out: &mut dyn Write) -> anyhow::Result<()> {
    supervision::log_panics();
    app::run(async {
        let running = app::start(settings, Clock::System).await?;
        writeln!(out, "ouzel listens on {}", running.url())?;
        out.flush()?;
        let mut fatal = running.fatal.clone();
        let ended = tokio::select! {
            signal = stop_signal() => signal.map(|name| tracing::info!(name, "stopping")).map_err(anyhow::Error::from),
            why = fatal.wait_for(Option::is_some) => {
                let why = why.ok().and_then(|why| why.clone()).unwrap_or_else(|| "the overseer is gone".to_owned());
                // Two writers must never be, so nothing is waited for: whoever keeps this process starts it anew.
                return Err(Failure::Ended(why).into());
            }
        };
        running.stop().await;
        ended
    })
}

/// Waits for SIGTERM or ctrl-C.
pub(super) async fn stop_signal() -> std::io::Result<&'static str> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.map(|()| "SIGINT"),
        _ = terminate.recv() => Ok("SIGTERM"),
    }
}
