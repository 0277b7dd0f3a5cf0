//! How late a worker is: what a request waits for before its turn, and which requests are sent away for it.
//!
//! A worker answers one request after the other, so that no permit runs out however many wait. A task of its own measures how
//! much later than planned it is woken; over `server.max_wait` so many requests are answered 503 at once, which costs next to
//! nothing, that the others wait about that long.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::errors::{ApiError, Kind};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// The lateness of one worker; copies mean the same.
#[derive(Debug, Clone)]
pub struct Lateness {
    now: Rc<Cell<Duration>>,
    max: Duration,
}

impl Lateness {
    /// Begins to measure on this thread's runtime; waits over `max` are not let come about, none where it is 0.
    #[must_use]
    pub fn measured(max: Duration) -> Self {
        let now = Rc::new(Cell::new(Duration::ZERO));
        let seen = Rc::downgrade(&now);
        actix_web::rt::spawn(async move {
            while let Some(now) = seen.upgrade() {
                let begun = Instant::now();
                tokio::time::sleep(LOOK).await;
                now.set(begun.elapsed().saturating_sub(LOOK));
            }
        });
        Self { now, max }
    }

    /// Lets a request in, or sends it away; `draw` draws evenly from 0 to 1 where the worker is late.
    ///
    /// # Errors
    /// 503 with `Retry-After`.
    pub fn admit(&self, draw: impl FnOnce() -> f64) -> Result<(), ApiError> {
        let now = self.now.get();
        if self.max.is_zero() || now <= self.max || draw() < self.max.as_secs_f64() / now.as_secs_f64() {
            return Ok(());
        }
        Err(ApiError::new(Kind::Unavailable, "more requests come than can be answered in time, try again in a moment"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn the_share_let_in_keeps_the_wait_within_its_bound() {
        let late = Lateness { now: Rc::new(Cell::new(Duration::from_millis(400))), max: Duration::from_millis(100) };
        let let_in = |late: &Lateness| (0..100).filter(|&n| late.admit(|| f64::from(n) / 100.0).is_ok()).count();
        assert_eq!(let_in(&late), 25);
        late.now.set(Duration::from_millis(100));
        assert_eq!(let_in(&late), 100);
        assert_eq!(let_in(&Lateness { max: Duration::ZERO, ..late }), 100);
    }

    #[actix_web::test]
    async fn a_worker_that_is_held_up_is_late() {
        let late = Lateness::measured(Duration::from_millis(50));
        assert!(late.admit(|| 1.0).is_ok());
        tokio::task::yield_now().await;
        std::thread::sleep(Duration::from_millis(200));
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        let refused = late.admit(|| 0.99).unwrap_err();
        assert_eq!(refused.kind(), Kind::Unavailable);
        while late.admit(|| 0.99).is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
