//! A distribution of times, counted without a lock and read by Prometheus.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Times counted in buckets.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [f64],
    buckets: Box<[AtomicU64]>,
    count: AtomicU64,
    /// The sum is kept in two parts, since ages of days add up to more nanoseconds than 64 bits hold.
    seconds: AtomicU64,
    nanos: AtomicU64,
}

/// What a histogram held at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    /// How many times were at most so many seconds, by rising bounds; each counts those before it in.
    pub below: Vec<(f64, u64)>,
    /// How many times there were.
    pub count: u64,
    /// Their sum, seconds.
    pub sum: f64,
}

impl Histogram {
    /// An empty one; `bounds` are its buckets' upper bounds, in seconds, rising.
    #[must_use]
    pub fn new(bounds: &'static [f64]) -> Self {
        let buckets = bounds.iter().map(|_| AtomicU64::new(0)).collect();
        Self { bounds, buckets, count: AtomicU64::new(0), seconds: AtomicU64::new(0), nanos: AtomicU64::new(0) }
    }

    /// Counts one time.
    pub fn record(&self, time: Duration) {
        self.record_many(time, 1);
    }

    /// Counts the same time `times` times.
    pub fn record_many(&self, time: Duration, times: u64) {
        let seconds = time.as_secs_f64();
        if let Some((_, bucket)) = self.bounds.iter().zip(&self.buckets).find(|&(&bound, _)| seconds <= bound) {
            bucket.fetch_add(times, Ordering::Relaxed);
        }
        self.count.fetch_add(times, Ordering::Relaxed);
        self.nanos.fetch_add(u64::from(time.subsec_nanos()).wrapping_mul(times), Ordering::Relaxed);
        if time.as_secs() > 0 {
            self.seconds.fetch_add(time.as_secs().wrapping_mul(times), Ordering::Relaxed);
        }
    }

    /// What it holds now.
    #[must_use]
    pub fn distribution(&self) -> Distribution {
        let mut so_far = 0;
        let below: Vec<(f64, u64)> = (self.bounds.iter().zip(&self.buckets))
            .map(|(&bound, bucket)| {
                so_far += bucket.load(Ordering::Relaxed);
                (bound, so_far)
            })
            .collect();
        let nanos = self.nanos.load(Ordering::Relaxed) as f64;
        Distribution {
            // One that is being counted just now may be in its bucket and not yet in the count.
            count: self.count.load(Ordering::Relaxed).max(so_far),
            sum: self.seconds.load(Ordering::Relaxed) as f64 + nanos / 1e9,
            below,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_count_those_before_them_in_and_long_times_have_none() {
        let histogram = Histogram::new(&[0.001, 1.0]);
        histogram.record(Duration::from_millis(1));
        histogram.record_many(Duration::from_millis(500), 3);
        // Thirty days, so often that their nanoseconds would not fit.
        histogram.record_many(Duration::from_millis(30 * 86_400_000 + 250), 10_000_000);
        let found = histogram.distribution();
        assert_eq!(found.below, [(0.001, 1), (1.0, 4)]);
        assert_eq!(found.count, 10_000_004);
        assert!((found.sum - (30.0 * 86_400.0 + 0.25) * 1e7 - 1.501).abs() < 0.01, "{}", found.sum);
    }
}
