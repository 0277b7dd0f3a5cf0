//! Drift: the live version's figure on arriving events has left its band.
//!
//! The band begins at what the version was worth at first: the mean NDCG@10 of its first lookups. Left it is when the mean of
//! the latest as many is lower by more than a share of that, and by more than both means' 95 % intervals together explain.

use std::fmt;

use super::prequential::{Place, Prequential};
use crate::model::evaluation::metrics;
use crate::model::ids::Version;
use crate::model::manifest::Figure;

/// How long a list counts for the figure.
const LENGTH: usize = 10;

/// A figure that left its band.
#[derive(Debug, Clone, PartialEq)]
pub struct Fall {
    /// Whose.
    pub version: Version,
    /// The mean of the first lookups.
    pub was: Figure,
    /// The mean of the latest.
    pub is: Figure,
    /// How many lookups each is of.
    pub lookups: usize,
}

impl fmt::Display for Fall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, was, is, lookups } = self;
        let percent = (1.0 - is.mean / was.mean) * 100.0;
        write!(
            f,
            "version {version}'s NDCG@{LENGTH} on arriving events fell by {percent:.0} %: from {:.4} ± {:.4} over its first \
             {lookups} lookups to {:.4} ± {:.4} over the latest {lookups}",
            was.mean, was.ci95, is.mean, is.ci95
        )
    }
}

impl Prequential {
    /// Whether a version's figure lies more than `share` below where it began, over `lookups` lookups each.
    #[must_use]
    pub fn fall(&self, version: Version, share: f64, lookups: usize) -> Option<Fall> {
        let windows = self.windows.lock();
        let window = windows.iter().find(|window| window.version == version)?;
        let latest = window.places.len().checked_sub(lookups)?;
        let first = window.first.get(..lookups)?;
        // The first and the latest have none in common.
        if window.since < 2 * lookups as u64 {
            return None;
        }
        let gain = |place: &Place| place.gain(LENGTH);
        let was = metrics::mean(first.iter().map(gain));
        let is = metrics::mean(window.places.iter().skip(latest).map(gain));
        let fallen = is.mean < was.mean * (1.0 - share) && was.mean - is.mean > was.ci95.hypot(is.ci95);
        fallen.then_some(Fall { version, was, is, lookups })
    }

    /// Begins a version's band anew with the next lookups, so that a fall that was acted on is not met again.
    pub fn begin_anew(&self, version: Version) {
        let mut windows = self.windows.lock();
        if let Some(window) = windows.iter_mut().find(|window| window.version == version) {
            window.first.clear();
            window.since = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(prequential: &Prequential, times: usize, hits: impl Fn(usize) -> bool) {
        for n in 0..times {
            prequential.add(Version(3), Place(hits(n).then_some(0)));
        }
    }

    #[test]
    fn a_fall_is_met_once_and_only_when_it_is_deep_and_sure() {
        let prequential = Prequential::default();
        let fall = |share| prequential.fall(Version(3), share, 100);
        look(&prequential, 100, |n| n % 2 == 0);
        assert_eq!(fall(0.2), None, "there is nothing to compare with");
        look(&prequential, 100, |n| n % 2 == 0 || n % 9 == 0);
        assert_eq!(fall(0.0), None, "it rose");
        look(&prequential, 100, |n| n % 5 < 2);
        assert_eq!(fall(0.1), None, "a fall from 0.5 to 0.4 may be chance");
        look(&prequential, 100, |n| n % 10 == 0);
        assert_eq!(fall(0.9), None, "so deep it is not");
        let met = fall(0.5).unwrap();
        insta::assert_snapshot!(met, @"version 3's NDCG@10 on arriving events fell by 80 %: from 0.5000 ± 0.0985 over its first 100 lookups to 0.1000 ± 0.0591 over the latest 100");
        assert_eq!(prequential.fall(Version(4), 0.0, 100), None);
        prequential.begin_anew(Version(3));
        look(&prequential, 250, |n| n % 10 == 0);
        assert_eq!(fall(0.1), None, "it is as it was since");
    }
}
