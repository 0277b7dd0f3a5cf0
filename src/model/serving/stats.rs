//! How many questions the live version has answered, and how fast: the seven fields of the original's `/state`.
//!
//! HTTP and Kafka count here. Counting takes no lock; a new live version begins a new window.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use serde::Serialize;

use super::live::LiveModel;
use crate::model::ids::Version;

/// The figures of one live version, nanoseconds inside.
#[derive(Debug)]
struct Window {
    version: Option<Version>,
    name: String,
    description: String,
    since_ms: i64,
    usage: AtomicU64,
    total: AtomicU64,
    shortest: AtomicU64,
    longest: AtomicU64,
}

impl Window {
    fn of(live: Option<&LiveModel>, since_ms: i64) -> Self {
        let (name, description) = live.map_or_else(
            || ("ouzel".to_owned(), "no version yet: lists come from trending, popular and newest items".to_owned()),
            |live| {
                let manifest = &live.manifest;
                let description = format!("{} fitted on {} events", manifest.recipe.kind, manifest.data.events);
                (format!("ouzel {}", manifest.version), description)
            },
        );
        Self {
            version: live.map(LiveModel::version),
            name,
            description,
            since_ms,
            usage: AtomicU64::new(0),
            total: AtomicU64::new(0),
            shortest: AtomicU64::new(u64::MAX),
            longest: AtomicU64::new(0),
        }
    }
}

/// What `/state` shows of the live version's answers.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct StatsBody {
    /// `ouzel` and the version's number; `ouzel` alone before the first.
    pub name: String,
    /// The kind of model and how much it was fitted on.
    pub description: String,
    /// Since when it answers, milliseconds of the epoch.
    pub since: i64,
    /// Questions answered.
    pub usage: u64,
    /// Time spent on them, milliseconds in all.
    pub duration: f64,
    /// The shortest, milliseconds; 0 before the first.
    pub min: f64,
    /// The longest, milliseconds; 0 before the first.
    pub max: f64,
}

/// The counters, shared by everything that answers.
#[derive(Debug)]
pub struct RequestStats {
    window: ArcSwap<Window>,
}

impl RequestStats {
    /// Counters of a service that has no version yet, as of `now_ms`.
    #[must_use]
    pub fn new(now_ms: i64) -> Self {
        Self { window: ArcSwap::from_pointee(Window::of(None, now_ms)) }
    }

    /// Counts one answer that took `elapsed`. `live` is the version that answers now: another one than before begins a
    /// new window at `now_ms`.
    pub fn record(&self, live: Option<&LiveModel>, elapsed: Duration, now_ms: i64) {
        self.follow(live, now_ms);
        let window = self.window.load();
        let nanos = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        window.usage.fetch_add(1, Ordering::Relaxed);
        window.total.fetch_add(nanos, Ordering::Relaxed);
        window.shortest.fetch_min(nanos, Ordering::Relaxed);
        window.longest.fetch_max(nanos, Ordering::Relaxed);
    }

    /// The figures of the version that answers now.
    #[must_use]
    pub fn body(&self, live: Option<&LiveModel>, now_ms: i64) -> StatsBody {
        self.follow(live, now_ms);
        let window = self.window.load();
        let usage = window.usage.load(Ordering::Relaxed);
        let shortest = window.shortest.load(Ordering::Relaxed);
        StatsBody {
            name: window.name.clone(),
            description: window.description.clone(),
            since: window.since_ms,
            usage,
            duration: to_ms(window.total.load(Ordering::Relaxed)),
            min: if usage == 0 || shortest == u64::MAX { 0.0 } else { to_ms(shortest) },
            max: to_ms(window.longest.load(Ordering::Relaxed)),
        }
    }

    /// Begins a new window where `live` is another version than the window's.
    fn follow(&self, live: Option<&LiveModel>, now_ms: i64) {
        let window = self.window.load();
        if window.version != live.map(LiveModel::version) {
            // Whoever loses this race has found the same new version, and counts in the winner's window.
            self.window.compare_and_swap(&*window, Arc::new(Window::of(live, now_ms)));
        }
    }
}

fn to_ms(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::artifact::{ArtifactError, Tensors};
    use crate::model::catalogue::Catalogue;
    use crate::model::manifest::{DataRange, Manifest};
    use crate::model::recommender::{Fitted, RecipeSpec, Recommender, Taste};

    struct Silent;

    impl Recommender for Silent {
        fn kind(&self) -> &'static str {
            "popular"
        }
        fn items(&self) -> usize {
            0
        }
        fn score_all(&self, _taste: &Taste<'_>, _out: &mut [f32]) -> bool {
            false
        }
        fn save(&self) -> Result<Tensors, ArtifactError> {
            Ok(Tensors::default())
        }
    }

    fn live(version: u64) -> LiveModel {
        let manifest = Manifest {
            data: DataRange { events: 12, ..DataRange::default() },
            ..Manifest::by_hand(
                version,
                RecipeSpec { kind: "popular".to_owned(), settings: serde_json::Value::Null },
                0,
            )
        };
        let fitted = Fitted {
            recommender: Box::new(Silent),
            settings: serde_json::Value::Null,
            item_ids: Arc::default(),
            user_ids: Arc::default(),
        };
        LiveModel::bind(Arc::new(manifest), fitted, &Catalogue::new(1000))
    }

    #[test]
    fn all_is_zero_before_the_first_answer() {
        let body = RequestStats::new(5).body(None, 9);
        assert_eq!((body.name.as_str(), body.since, body.usage), ("ouzel", 5, 0));
        assert_eq!((body.duration, body.min, body.max), (0.0, 0.0, 0.0));
    }

    #[test]
    fn a_new_live_version_begins_anew() {
        let stats = RequestStats::new(0);
        let (first, second) = (live(1), live(2));
        stats.record(Some(&first), Duration::from_millis(4), 10);
        stats.record(Some(&first), Duration::from_millis(2), 11);
        let body = stats.body(Some(&first), 12);
        assert_eq!((body.name.as_str(), body.since, body.usage), ("ouzel 1", 10, 2));
        assert_eq!((body.duration, body.min, body.max), (6.0, 2.0, 4.0));
        assert_eq!(body.description, "popular fitted on 12 events");

        let body = stats.body(Some(&second), 20);
        assert_eq!((body.name.as_str(), body.since, body.usage, body.max), ("ouzel 2", 20, 0, 0.0));
    }
}
