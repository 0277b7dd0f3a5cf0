//! Reuse: a finished list is kept while nothing it depends on has changed.
//!
//! What it depends on is looked at when it is asked for again, instead of being told of changes: the version, the user's
//! events, the data of items and their windows, the ladder where it filled up, and time itself, a generation long. What is
//! looked at is read before a list is made, so that a change meanwhile makes the list stale, never the other way round.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::answer::Recommended;
use super::live::LiveModel;
use super::query::Query;
use super::recommend::Recommending;
use crate::model::ids::{ItemId, UserId, UserIndex};
use crate::model::manifest::Manifest;

/// The most bytes that the lists take, about.
const MOST_BYTES: u64 = 64 << 20;

/// The bytes of a usual list of ten, by which the number of lists is guessed.
const USUAL_BYTES: u64 = 1 << 10;

/// A finished page of a list.
#[derive(Debug, Clone)]
pub(super) struct Page {
    pub(super) items: Vec<Recommended>,
    /// Whether a next page has more.
    pub(super) more: bool,
    /// Which orders of the ladder filled it up, where they were needed.
    pub(super) ladder: Option<u64>,
}

/// What was so when a list was about to be made.
#[derive(Debug)]
pub(super) struct Basis {
    model: Option<Arc<Manifest>>,
    /// Which history, and how many events it has.
    past: Option<(UserIndex, usize)>,
    changes: u64,
}

struct Kept {
    page: Page,
    basis: Basis,
    from_ms: i64,
    until_ms: i64,
}

/// The kept lists by question.
pub(super) struct Reuse {
    kept: Option<Cache<Query, Arc<Kept>, Bytes>>,
    reused: AtomicU64,
}

impl Reuse {
    /// No list yet; none is ever kept where `on` is false.
    pub(super) fn new(on: bool) -> Self {
        let cache = || Cache::with_weighter((MOST_BYTES / USUAL_BYTES) as usize, MOST_BYTES, Bytes);
        Self { kept: on.then(cache), reused: AtomicU64::new(0) }
    }

    /// Lets go of every list that was made for `user`.
    pub(super) fn forget(&self, user: &UserId) {
        if let Some(kept) = &self.kept {
            kept.retain(|query, _| query.user.as_ref() != Some(user));
        }
    }

    /// About how many bytes the kept lists take.
    pub(super) fn bytes(&self) -> u64 {
        self.kept.as_ref().map_or(0, Cache::weight)
    }

    /// How many answers were a kept list.
    pub(super) fn reused(&self) -> u64 {
        self.reused.load(Ordering::Relaxed)
    }
}

impl Recommending {
    /// The page that answers `query`, kept or made by `make`.
    pub(super) fn reusing(
        &self,
        model: Option<&LiveModel>,
        query: &Query,
        now_ms: i64,
        make: impl FnOnce() -> Page,
    ) -> Page {
        // What names its own items is asked once; an explanation is for looking closely.
        let once = query.explain || !query.items.is_empty() || query.candidates.is_some();
        let Some(kept) = self.reuse.kept.as_ref().filter(|_| !once) else { return make() };
        let basis = self.basis(model, query);
        if let Some(found) = kept.get(query)
            && (found.from_ms..found.until_ms).contains(&now_ms)
            && basis.is(&found.basis)
            && found.page.ladder.is_none_or(|filled| self.orders(now_ms).number() == filled)
        {
            self.reuse.reused.fetch_add(1, Ordering::Relaxed);
            return found.page.clone();
        }
        let generation = now_ms.saturating_add(self.rules.generation_ms);
        let until_ms = generation.min(self.catalogue.next_change_ms(now_ms));
        let page = make();
        let past = basis.past;
        kept.insert(query.clone(), Arc::new(Kept { page: page.clone(), basis, from_ms: now_ms, until_ms }));
        if self.past(query) != past {
            // Perhaps the user was erased meanwhile, and what was kept for them let go before this list came.
            kept.remove(query);
        }
        page
    }

    fn basis(&self, model: Option<&LiveModel>, query: &Query) -> Basis {
        Basis {
            model: model.map(|model| model.manifest.clone()),
            past: self.past(query),
            changes: self.catalogue.changes(),
        }
    }

    fn past(&self, query: &Query) -> Option<(UserIndex, usize)> {
        self.histories.with(query.user.as_ref()?, |history| (history.index, history.acts.len()))
    }
}

#[cfg(test)]
impl Recommending {
    /// How many lists are kept.
    pub(super) fn kept(&self) -> usize {
        self.reuse.kept.as_ref().map_or(0, Cache::len)
    }
}

impl Basis {
    fn is(&self, other: &Self) -> bool {
        let same_model = match (&self.model, &other.model) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        };
        same_model && self.past == other.past && self.changes == other.changes
    }
}

/// The weight of a list: its bytes, ids that it shares with the catalogue aside.
#[derive(Debug, Clone)]
struct Bytes;

impl Weighter<Query, Arc<Kept>> for Bytes {
    fn weight(&self, query: &Query, kept: &Arc<Kept>) -> u64 {
        let excluded: usize = query.exclude.iter().map(|id| id.heap_bytes() + size_of::<ItemId>()).sum();
        let categories: usize = query.categories.iter().map(|name| name.len() + size_of::<String>()).sum();
        let question = size_of::<Query>() + query.user.as_ref().map_or(0, UserId::heap_bytes);
        let list = size_of::<Kept>() + kept.page.items.len() * size_of::<Recommended>();
        (question + excluded + categories + list) as u64
    }
}
