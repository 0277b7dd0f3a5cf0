//! The log, on stderr.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::settings::{LogFormat, Telemetry};

/// A line at level error for each connection on which something else than HTTP comes, which anybody can send by the
/// thousand: left out unless the filter names the crate.
const NOISE: &str = "actix_http::h1::dispatcher=off";

/// Starts the log as the settings say; the first start in a process counts.
pub(super) fn start(settings: &Telemetry) {
    // The filter was read once when the settings were checked.
    let filter = EnvFilter::builder().parse(&settings.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let filter = match NOISE.parse() {
        Ok(noise) if !settings.log.contains("actix_http") => filter.add_directive(noise),
        _ => filter,
    };
    let log = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match settings.log_format {
        LogFormat::Text => log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    if started.is_err() {
        tracing::debug!("the log runs already");
    }
}
