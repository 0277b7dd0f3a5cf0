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

/// A number of bytes of bodies that may be held at once.
#[derive(Debug, Clone)]
pub struct Bodies {
    kibibytes: Arc<Semaphore>,
    most: u32,
}

impl Bodies {
    /// At most so many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let most = kibibytes(bytes).max(1);
        Self { kibibytes: Arc::new(Semaphore::new(most as usize)), most }
    }

    /// Takes room for a body of so many bytes; one that is larger than all there is waits for nobody, and leaves none.
    ///
    /// # Errors
    /// 503 with `Retry-After` when there is none, without waiting.
    pub fn admit(&self, bytes: usize) -> Result<Option<OwnedSemaphorePermit>, ApiError> {
        if bytes == 0 {
            return Ok(None);
        }
        let room = self.kibibytes.clone().try_acquire_many_owned(kibibytes(bytes).min(self.most));
        room.map(Some).map_err(|_| {
            ApiError::new(
                Kind::Unavailable,
                "the bodies of other requests fill the memory for them, try again in a moment",
            )
        })
    }
}

fn kibibytes(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX >> 3).min(u32::MAX >> 3)
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

    #[test]
    fn bodies_share_their_room() {
        let bodies = Bodies::new(10 << 10);
        let first = bodies.admit(6 << 10).unwrap();
        assert!(bodies.admit(0).unwrap().is_none());
        assert_eq!(bodies.admit(5 << 10).unwrap_err().kind(), Kind::Unavailable);
        let second = bodies.admit(3 << 10).unwrap();
        drop((first, second));
        let all = bodies.admit(1 << 30).unwrap();
        assert!(bodies.admit(1).is_err());
        drop(all);
        assert!(bodies.admit(1).is_ok());
    }
}
