//! Whether the service can answer, and what of it is missing. Names only: probes need no key.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;
use tokio_util::sync::CancellationToken;

/// Says whether a part is missing; reads memory, waits on nobody.
type Probe = Box<dyn Fn() -> bool + Send + Sync>;

/// What `/health/ready` reads.
#[derive(Default)]
pub struct Readiness {
    loaded: AtomicBool,
    stopping: CancellationToken,
    missing: RwLock<Vec<(&'static str, Probe)>>,
    blocking: RwLock<Vec<(&'static str, Probe)>>,
}

/// What it found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Why nothing can be answered now, if so.
    pub blocked: Option<String>,
    /// The names of the parts that are missing while the rest answers.
    pub degraded: Vec<&'static str>,
}

impl Readiness {
    /// A service whose log is not loaded yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says that the log is loaded: from now on it can answer.
    pub fn set_loaded(&self) {
        self.loaded.store(true, Ordering::Release);
    }

    /// Says that the service stops: it is not ready any more, and open streams end.
    pub fn stop(&self) {
        self.stopping.cancel();
    }

    /// Ends when the service stops.
    #[must_use]
    pub fn stopping(&self) -> CancellationToken {
        self.stopping.clone()
    }

    /// Shows `name` as missing while `probe` says so; the service stays ready.
    pub fn degraded_while(&self, name: &'static str, probe: impl Fn() -> bool + Send + Sync + 'static) {
        self.missing.write().push((name, Box::new(probe)));
    }

    /// Is not ready for the reason `name` while `probe` says so: a replica without the alias's version, for one.
    pub fn blocked_while(&self, name: &'static str, probe: impl Fn() -> bool + Send + Sync + 'static) {
        self.blocking.write().push((name, Box::new(probe)));
    }

    /// The parts that may be missing while the rest answers, each with whether it is.
    #[must_use]
    pub fn parts(&self) -> Vec<(&'static str, bool)> {
        self.missing.read().iter().map(|(name, probe)| (*name, probe())).collect()
    }

    /// How things stand.
    #[must_use]
    pub fn report(&self) -> Report {
        let found = |probes: &RwLock<Vec<(&'static str, Probe)>>| -> Vec<&'static str> {
            probes.read().iter().filter(|(_, probe)| probe()).map(|&(name, _)| name).collect()
        };
        let blocked = if self.stopping.is_cancelled() {
            Some("the service is stopping".to_owned())
        } else if self.loaded.load(Ordering::Acquire) {
            let names = found(&self.blocking);
            (!names.is_empty()).then(|| format!("not there yet: {}", names.join(", ")))
        } else {
            Some("the event log is being loaded".to_owned())
        };
        Report { blocked, degraded: found(&self.missing) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn ready_from_the_loaded_log_to_the_stop() {
        let readiness = Readiness::new();
        assert_eq!(readiness.report().blocked.as_deref(), Some("the event log is being loaded"));
        readiness.set_loaded();
        assert_eq!(readiness.report(), Report { blocked: None, degraded: Vec::new() });
        readiness.stop();
        assert_eq!(readiness.report().blocked.as_deref(), Some("the service is stopping"));
    }

    #[test]
    fn a_missing_part_degrades_and_a_blocking_one_blocks() {
        let away = Arc::new(AtomicBool::new(true));
        let readiness = Readiness::new();
        readiness.set_loaded();
        let probe = away.clone();
        readiness.degraded_while("kafka", move || probe.load(Ordering::Relaxed));
        assert_eq!(readiness.report(), Report { blocked: None, degraded: vec!["kafka"] });
        away.store(false, Ordering::Relaxed);
        assert!(readiness.report().degraded.is_empty());
        readiness.blocked_while("version", || true);
        assert_eq!(readiness.report().blocked.as_deref(), Some("not there yet: version"));
    }
}
