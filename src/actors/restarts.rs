//! The restart policy: back-off that doubles, forgets after a healthy while, and gives up on a child that keeps crashing.

use std::collections::VecDeque;
use std::time::Duration;

/// The span in which restarts are counted, milliseconds.
const WINDOW_MS: i64 = 600_000;

/// A child that ran this long is healthy, and the back-off begins anew, milliseconds.
const HEALTHY_MS: i64 = 30_000;

/// The policy's numbers, from the settings.
#[derive(Debug, Clone)]
pub struct RestartPolicy {
    /// Restarts within ten minutes that are too many; 0: never too many.
    pub max_restarts: u32,
    /// The first pause.
    pub backoff_min: Duration,
    /// The longest pause.
    pub backoff_max: Duration,
    /// Silence after which a child counts as hung, milliseconds.
    pub hung_after_ms: i64,
}

/// What to do about a child that ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    /// Start it anew after a pause.
    After(Duration),
    /// End the process.
    GiveUp {
        /// Ends within the window, this one counted in.
        restarts: usize,
    },
}

/// One child's ends within the window.
#[derive(Debug, Default)]
pub struct Restarts {
    ends_ms: VecDeque<i64>,
    started_ms: i64,
    backoff: Duration,
}

impl Restarts {
    /// It was started at `now_ms`.
    pub fn started(&mut self, now_ms: i64) {
        self.started_ms = now_ms;
    }

    /// It ended at `now_ms`.
    pub fn ended(&mut self, now_ms: i64, policy: &RestartPolicy) -> Decision {
        self.ends_ms.retain(|&end| now_ms - end < WINDOW_MS);
        self.ends_ms.push_back(now_ms);
        if policy.max_restarts > 0 && self.ends_ms.len() > policy.max_restarts as usize {
            return Decision::GiveUp { restarts: self.ends_ms.len() };
        }
        let healthy = now_ms - self.started_ms >= HEALTHY_MS;
        self.backoff = if healthy || self.backoff.is_zero() {
            policy.backoff_min
        } else {
            (self.backoff * 2).min(policy.backoff_max)
        };
        Decision::After(self.backoff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(max_restarts: u32) -> RestartPolicy {
        RestartPolicy {
            max_restarts,
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(10),
            hung_after_ms: 30_000,
        }
    }

    #[test]
    fn pauses_double_to_the_longest_and_begin_anew_after_a_healthy_while() {
        let mut restarts = Restarts::default();
        let mut pauses = Vec::new();
        for now in 0..9 {
            restarts.started(now);
            pauses.push(restarts.ended(now, &policy(0)));
        }
        let expected = [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000];
        assert_eq!(pauses, expected.map(|ms| Decision::After(Duration::from_millis(ms))));
        restarts.started(100);
        assert_eq!(restarts.ended(30_100, &policy(0)), Decision::After(Duration::from_millis(100)));
    }

    #[test]
    fn one_more_than_the_limit_within_ten_minutes_is_too_many() {
        let mut restarts = Restarts::default();
        for now in [0, 1, 2] {
            assert!(matches!(restarts.ended(now, &policy(3)), Decision::After(_)));
        }
        assert_eq!(restarts.ended(599_999, &policy(3)), Decision::GiveUp { restarts: 4 });
    }

    #[test]
    fn ends_that_are_long_past_do_not_count() {
        let mut restarts = Restarts::default();
        for end in 0..10 {
            assert!(matches!(restarts.ended(end * WINDOW_MS / 3, &policy(3)), Decision::After(_)));
        }
    }
}
