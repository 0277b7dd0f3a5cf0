//! The log, on stderr.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::settings::{LogFormat, Telemetry};

/// Starts the log as the settings say; the first start in a process counts.
pub(super) fn start(settings: &Telemetry) {
    // The filter was read once when the settings were checked.
    let filter = EnvFilter::builder().parse(&settings.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let log = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match settings.log_format {
        LogFormat::Text => log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    if started.is_err() {
        tracing::debug!("the log runs already");
    }
}
