//! Bounded work: a permit for each request worked on, and an answer at once where there is none.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::errors::{ApiError, Kind};

/// A number of permits; a permit comes back when it is dropped.
#[derive(Debug, Clone)]
pub struct Admission {
    permits: Arc<Semaphore>,
    what: &'static str,
}

impl Admission {
    /// At most `most` at once of `what`, in the plural.
    #[must_use]
    pub fn new(most: usize, what: &'static str) -> Self {
        Self { permits: Arc::new(Semaphore::new(most.clamp(1, Semaphore::MAX_PERMITS))), what }
    }

    /// Takes a permit.
    ///
    /// # Errors
    /// 503 with `Retry-After` when there is none, without waiting.
    pub fn admit(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        self.permits.clone().try_acquire_owned().map_err(|_| {
            ApiError::new(Kind::Unavailable, format!("too many {} at once, try again in a moment", self.what))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permit_that_is_dropped_lets_the_next_one_in() {
        let admission = Admission::new(2, "requests");
        let first = admission.admit().unwrap();
        let _second = admission.admit().unwrap();
        let refused = admission.admit().unwrap_err();
        assert_eq!(refused.kind(), Kind::Unavailable);
        assert_eq!(refused.to_string(), "too many requests at once, try again in a moment");
        drop(first);
        assert!(admission.admit().is_ok());
    }
}
