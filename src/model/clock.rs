//! The time, as the service reads it and as tests hold it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the service reads the time of day from.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// A clock that stands until a test moves it; milliseconds of the epoch.
    Held(Arc<AtomicI64>),
}

impl Clock {
    /// A clock held at `now_ms`.
    #[must_use]
    pub fn held(now_ms: i64) -> Self {
        Self::Held(Arc::new(AtomicI64::new(now_ms)))
    }

    /// Now, in milliseconds of the epoch.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        match self {
            Self::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)),
            Self::Held(now) => now.load(Ordering::SeqCst),
        }
    }

    /// Moves a held clock on; the machine's clock is left as it is.
    pub fn advance_ms(&self, by: i64) {
        if let Self::Held(now) = self {
            now.fetch_add(by, Ordering::SeqCst);
        }
    }
}
