//! The path of a question: past -> the model's scores -> the best that may be shown -> the ladder fills up -> a page.
//!
//! Nothing here waits on an actor, and the catalogue's guard is held only while ids are looked up.

use std::sync::Arc;

use super::answer::{Answer, Recommended, Scores, Source};
use super::experiment::Experiment;
use super::explain::explain_page;
use super::gather::{fill_taste, with_workspace};
use super::ladder::{Current, Ladder};
use super::list::{Listed, keeps, listed, zeroed};
use super::live::LiveModel;
use super::online::Online;
use super::past::TypeRules;
use super::prequential::Prequential;
use super::query::{MAX_N, Query};
use super::reuse::{Page, Reuse};
use crate::model::catalogue::Catalogue;
use crate::model::erasure::Erasures;
use crate::model::histories::Histories;
use crate::model::ids::{ItemId, ItemIndex, UserId};
use crate::model::kernels::top_n::top_n;
use crate::model::recommender::{Acted, Taste};

/// What shapes lists beside the question, from the settings.
#[derive(Debug, Clone, Default)]
pub struct ListRules {
    /// Event types after which an item counts as seen.
    pub seen_types: Vec<String>,
    /// Weight of each event type.
    pub weights: std::collections::HashMap<String, f32>,
    /// Weight of other types.
    pub default_weight: f32,
    /// The latest events of a history that are looked at.
    pub history: usize,
    /// How often the ladder is computed anew, milliseconds.
    pub generation_ms: i64,
    /// The share of the ingestor's time in which arriving events are looked up, 0 (never) to 1 (all of them).
    pub prequential: f64,
    /// Whether finished lists are kept for the same question.
    pub reuse: bool,
}

/// Everything that answers are made of, shared by HTTP and Kafka; reading it waits on nobody.
pub struct Recommending {
    /// The histories.
    pub histories: Arc<Histories>,
    /// The catalogue.
    pub catalogue: Arc<Catalogue>,
    /// The live model; the serving actor alone stores into it.
    pub live: Arc<arc_swap::ArcSwapOption<LiveModel>>,
    /// The rules.
    pub rules: ListRules,
    /// Who was erased: a version that was fitted before knows nothing of them any more.
    pub erasures: Arc<Erasures>,
    /// What the versions were worth on the events that came while they were live.
    pub prequential: Arc<Prequential>,
    /// The test that deals users to variants, if any.
    pub experiment: Experiment,
    /// What followed the lists.
    pub online: Online,
    pub(super) ladder: Ladder,
    pub(super) reuse: Reuse,
    pub(super) types: TypeRules,
}

impl Recommending {
    /// Joins the parts that answers are made of.
    #[must_use]
    pub fn new(
        histories: Arc<Histories>,
        catalogue: Arc<Catalogue>,
        live: Arc<arc_swap::ArcSwapOption<LiveModel>>,
        rules: ListRules,
    ) -> Self {
        let (ladder, types, reuse) = (Ladder::default(), TypeRules::default(), Reuse::new(rules.reuse));
        let (erasures, prequential) = (Arc::default(), Arc::default());
        let (experiment, online) = (Experiment::default(), Online::new(0));
        Self { histories, catalogue, live, rules, erasures, prequential, experiment, online, ladder, reuse, types }
    }

    /// The same, heeding the erasures of a log.
    #[must_use]
    pub fn heeding(self, erasures: Arc<Erasures>) -> Self {
        Self { erasures, ..self }
    }

    /// The same, dealing users by a test and counting what follows lists.
    #[must_use]
    pub fn observed(self, experiment: Experiment, online: Online) -> Self {
        Self { experiment, online, ..self }
    }

    /// Answers a question with the live model, or with that of the user's variant, by a kept list where there is one.
    #[must_use]
    pub fn recommend(&self, query: &Query, now_ms: i64) -> Answer {
        let by = |model: Option<&LiveModel>| {
            answer(model, query, self.reusing(model, query, now_ms, || self.page(model, query, now_ms)))
        };
        let Some((place, variant)) = query.user.as_ref().and_then(|user| self.experiment.dealt(user)) else {
            return by(self.live.load().as_deref());
        };
        let model = self.experiment.model(place, variant, self.live.load_full());
        Answer { variant: Some(variant.name.clone()), ..by(model.as_deref()) }
    }

    /// Answers a question with `model` instead of the live one.
    ///
    /// A query's `n` beyond [`MAX_N`] is cut to it. Unknown items, candidates and exclusions are passed over.
    #[must_use]
    pub fn recommend_with(&self, model: Option<&LiveModel>, query: &Query, now_ms: i64) -> Answer {
        answer(model, query, self.page(model, query, now_ms))
    }

    /// Lets go of what is kept for a user who was erased.
    pub fn forget(&self, user: &UserId) {
        self.reuse.forget(user);
    }

    /// How many answers were a list that was kept.
    #[must_use]
    pub fn reused(&self) -> u64 {
        self.reuse.reused()
    }

    /// About how many bytes the kept lists take.
    #[must_use]
    pub fn kept_bytes(&self) -> u64 {
        self.reuse.bytes()
    }

    fn page(&self, model: Option<&LiveModel>, query: &Query, now_ms: i64) -> Page {
        with_workspace(|work| {
            let asked = self.gather(model, query, now_ms, work);
            let (list, ladder) = self.list(model, &asked, work);
            let n = query.n.min(MAX_N);
            let more = list.len() > query.skip.saturating_add(n);
            let page: Vec<Listed> = list.into_iter().skip(query.skip).take(n).collect();
            let mut items = self.named(&page);
            if query.explain {
                explain_page(model, &asked, work, &mut items, &page);
            }
            Page { items, more, ladder }
        })
    }

    /// The ladder's orders as of `now_ms`, at most a generation behind.
    pub(super) fn orders(&self, now_ms: i64) -> Current {
        self.ladder.orders(&self.catalogue, &self.histories, now_ms, self.rules.generation_ms)
    }

    /// Scores given items for a user, whatever was seen.
    #[must_use]
    pub fn score(&self, user: Option<&UserId>, items: &[ItemId], now_ms: i64) -> Scores {
        let live = self.live.load();
        let Some(model) = live.as_deref() else { return Scores { model: None, scores: vec![None; items.len()] } };
        let scores = with_workspace(|work| {
            let row = self.read_past(Some(model), user, work, false);
            fill_taste(model, work, &[], now_ms);
            self.score_known(model, row, &work.taste, items, now_ms)
        });
        Scores { model: Some(model.answered_by()), scores: scores.unwrap_or_else(|| vec![None; items.len()]) }
    }

    /// The items most alike to `item`, best first, it left out. Where the model knows nothing of it, or too little, the
    /// ladder fills up: trending, then popular, then newest.
    #[must_use]
    pub fn similar(&self, item: ItemIndex, n: usize, categories: &[String], now_ms: i64) -> Vec<Recommended> {
        let (n, filter) = (n.min(MAX_N), self.catalogue.shelves().filter(categories, now_ms));
        let live = self.live.load();
        let list = with_workspace(|work| {
            work.left_out.clear(self.catalogue.len());
            work.left_out.insert(item);
            let mut list = Vec::new();
            if let Some((model, known)) = live.as_deref().and_then(|model| Some((model, model.model_item(item)?))) {
                zeroed(&mut work.likeness, model.fitted.recommender.items());
                if model.fitted.recommender.similar(known, &mut work.likeness) {
                    let keep = |other| keeps(model, &filter, &work.left_out, other);
                    let alike = top_n(&work.likeness, n, |other| model.order_of(other), keep);
                    // What is not alike is not said to be.
                    list.extend(listed(model, Source::Similar, alike).filter(|listed| listed.score > 0.0));
                }
            }
            self.fill(&mut list, None, &filter, n, now_ms, work);
            list
        });
        self.named(&list)
    }

    /// The first of one rung of the ladder: `Trending`, `Popular` or `Newest`; empty for another source.
    #[must_use]
    pub fn rung(&self, rung: Source, n: usize, categories: &[String], now_ms: i64) -> Vec<Recommended> {
        let filter = self.catalogue.shelves().filter(categories, now_ms);
        let orders = self.orders(now_ms);
        let kept = orders.rung(rung).iter().filter(|(item, _)| filter.keeps(*item));
        let listed = kept.take(n.min(MAX_N)).map(|&(item, score)| Listed { item, score, source: rung });
        self.named(&listed.collect::<Vec<_>>())
    }

    fn score_known(
        &self,
        model: &LiveModel,
        row: Option<u32>,
        taste: &[Acted],
        items: &[ItemId],
        now_ms: i64,
    ) -> Option<Vec<Option<f32>>> {
        let recommender = &model.fitted.recommender;
        if recommender.personal() && taste.is_empty() && row.is_none() {
            return None;
        }
        let known: Vec<Option<u32>> =
            items.iter().map(|id| self.catalogue.known(id).and_then(|item| model.model_item(item))).collect();
        let asked: Vec<u32> = known.iter().copied().flatten().collect();
        let mut scores = vec![0.0; asked.len()];
        let taste = Taste { user: row, history: taste, now_ms };
        if !recommender.score_some(&taste, &asked, &mut scores) {
            return None;
        }
        let mut scores = scores.into_iter();
        let score = |known: Option<u32>| known.and_then(|_| scores.next()).filter(|score| score.is_finite());
        Some(known.into_iter().map(score).collect())
    }

    /// The items with their ids.
    fn named(&self, list: &[Listed]) -> Vec<Recommended> {
        let entries = self.catalogue.entries();
        let named = |listed: &Listed| {
            let id = entries.get(listed.item.at())?.id.clone();
            Some(Recommended { id, score: listed.score, source: listed.source, reason: None, parts: Vec::new() })
        };
        list.iter().filter_map(named).collect()
    }
}

fn answer(model: Option<&LiveModel>, query: &Query, page: Page) -> Answer {
    let Page { items, more, .. } = page;
    Answer { user: query.user.clone(), model: model.map(LiveModel::answered_by), variant: None, items, more }
}
