//! The live version judged by what happens (Dawid 1984): an arriving event is looked up in the list that the version would
//! have given just before it, and only then learnt.
//!
//! Looked up is who has a history and takes, for the first time, an item: an event of a seen type and a positive weight,
//! later than all that the version was fitted on. A lookup costs a list, so that only a share of the time goes to it: where
//! events arrive faster, a sample of them is looked up.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::Serialize;

use super::gather::with_workspace;
use super::live::LiveModel;
use super::query::Query;
use super::recommend::Recommending;
use crate::model::evaluation::metrics;
use crate::model::event::Event;
use crate::model::ids::Version;
use crate::model::interactions::NO_TIME;
use crate::model::manifest::{CandidateFigures, Figure};
use crate::model::training::gate::LIVE;

/// How long the list is that an event is looked up in.
const LIST: usize = 20;

/// The latest lookups that the figures are taken over.
pub const WINDOW: usize = 1000;

/// The longest that one lookup puts off the next.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// How many versions' windows are kept.
const VERSIONS: usize = 16;

/// What such figures are called where others stand beside them.
pub const PART: &str = "prequential";

/// The lookups of the versions that were live since the process began.
#[derive(Debug, Default)]
pub struct Prequential {
    /// The version looked up last is in front.
    pub(super) windows: Mutex<VecDeque<Window>>,
    rest_until: Mutex<Option<Instant>>,
}

#[derive(Debug)]
pub(super) struct Window {
    pub(super) version: Version,
    looked_up: u64,
    /// The latest.
    pub(super) places: VecDeque<Place>,
    /// The first since its band began, and how many there were since then.
    pub(super) first: Vec<Place>,
    pub(super) since: u64,
}

/// Where an event's item stood in the list of twenty: from 0, none where it was in no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(pub Option<usize>);

impl Place {
    /// HR@k, which is Recall@k too: 1 where it was among the first `k`, 20 at most.
    #[must_use]
    pub fn hit(self, k: usize) -> f64 {
        if self.0.is_some_and(|place| place < k) { 1.0 } else { 0.0 }
    }

    /// NDCG@k of the one item to be found.
    #[must_use]
    pub fn gain(self, k: usize) -> f64 {
        self.0.filter(|&place| place < k).map_or(0.0, metrics::discount)
    }
}

/// One version's figures on the events that came while it was live.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct PrequentialBody {
    /// The version.
    pub version: u64,
    /// Events looked up since it went live, or since the process began.
    pub looked_up: u64,
    /// The latest of them, over which the figures are taken.
    pub window: usize,
    /// Means with half of their 95 % confidence interval: `hr@10`, `ndcg@10` and `recall@20`, one item to be found each time.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub figures: BTreeMap<String, Figure>,
}

impl Prequential {
    /// The figures of a version; none where nothing was looked up in it.
    #[must_use]
    pub fn of(&self, version: Version) -> Option<PrequentialBody> {
        let windows = self.windows.lock();
        let window = windows.iter().find(|window| window.version == version)?;
        let mean = |value: &dyn Fn(Place) -> f64| metrics::mean(window.places.iter().map(|&place| value(place)));
        let figures = [
            ("hr@10", mean(&|place| place.hit(10))),
            ("ndcg@10", mean(&|place| place.gain(10))),
            ("recall@20", mean(&|place| place.hit(LIST))),
        ];
        Some(PrequentialBody {
            version: version.0,
            looked_up: window.looked_up,
            window: window.places.len(),
            figures: figures.map(|(name, figure)| (name.to_owned(), figure)).into(),
        })
    }

    /// The versions of which there are figures, looked up last first.
    #[must_use]
    pub fn versions(&self) -> Vec<Version> {
        self.windows.lock().iter().map(|window| window.version).collect()
    }

    /// The figures of a version as they stand beside those of a run's candidates.
    #[must_use]
    pub fn beside(&self, live: &LiveModel) -> Option<CandidateFigures> {
        let body = self.of(live.version())?;
        Some(CandidateFigures {
            model: LIVE.to_owned(),
            part: PART.to_owned(),
            metrics: body.figures,
            users: body.window as u64,
            settings: live.manifest.recipe.settings.clone(),
            ..CandidateFigures::default()
        })
    }

    pub(super) fn add(&self, version: Version, place: Place) {
        let mut windows = self.windows.lock();
        let known = windows.iter().position(|window| window.version == version);
        let mut window = known.and_then(|at| windows.remove(at)).unwrap_or_else(|| Window {
            version,
            looked_up: 0,
            places: VecDeque::new(),
            first: Vec::new(),
            since: 0,
        });
        window.looked_up += 1;
        window.since += 1;
        if window.first.len() < WINDOW {
            window.first.push(place);
        }
        window.places.push_back(place);
        if window.places.len() > WINDOW {
            window.places.pop_front();
        }
        windows.push_front(window);
        windows.truncate(VERSIONS);
    }

    fn rested(&self) -> bool {
        self.rest_until.lock().is_none_or(|until| Instant::now() >= until)
    }

    /// Rests so long that `spent` is `share` of it all.
    fn rest(&self, spent: Duration, share: f64) {
        let rest = Duration::try_from_secs_f64(spent.as_secs_f64() * (1.0 / share - 1.0)).unwrap_or(LONGEST_REST);
        *self.rest_until.lock() = Some(Instant::now() + rest.min(LONGEST_REST));
    }
}

impl Recommending {
    /// Looks an event up that is about to be learnt, where it is one to be looked up and there is time for it. Only who
    /// writes histories calls this.
    pub fn meet(&self, event: &Event, now_ms: i64) -> Option<Place> {
        let share = self.rules.prequential;
        if share <= 0.0 || !self.prequential.rested() {
            return None;
        }
        let live = self.live.load();
        let live = live.as_deref()?;
        let began = Instant::now();
        let place = self.place(live, event, now_ms)?;
        self.prequential.add(live.version(), place);
        self.prequential.rest(began.elapsed(), share);
        Some(place)
    }

    /// Where the event's item stands in the list of who acted; none where the event is not one to be looked up.
    fn place(&self, live: &LiveModel, event: &Event, now_ms: i64) -> Option<Place> {
        let weight = self.rules.weights.get(&*event.kind).copied().unwrap_or(self.rules.default_weight) * event.value;
        let takes = weight > 0.0 && self.rules.seen_types.iter().any(|kind| **kind == *event.kind);
        let later = event.timestamp_ms.is_none_or(|time| time > live.manifest.data.events_to_ms.unwrap_or(NO_TIME));
        if !takes || !later || !self.histories.contains(&event.user) {
            return None;
        }
        let item = self.catalogue.known(&event.item);
        let query = Query { user: Some(event.user.clone()), n: LIST, ..Query::default() };
        with_workspace(|work| {
            let asked = self.gather(Some(live), &query, now_ms, work);
            if item.is_some_and(|item| work.left_out.contains(item)) {
                return None;
            }
            let (list, _) = self.list(Some(live), &asked, work);
            Some(Place(list.iter().take(LIST).position(|listed| Some(listed.item) == item)))
        })
    }
}
