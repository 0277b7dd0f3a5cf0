//! The list itself: the model's best that may be shown, then the ladder.

use super::answer::Source;
use super::diversity;
use super::gather::{Asked, Workspace};
use super::ladder::Orders;
use super::live::LiveModel;
use super::marks::Marks;
use super::query::MAX_N;
use super::recommend::Recommending;
use crate::model::ids::ItemIndex;
use crate::model::kernels::top_n::{Best, Ranked, top_n_of};
use crate::model::recommender::Taste;
use crate::model::shelves::Filter;

/// A question's categories are few items where they are at most this part of the model's.
const FEW: usize = 64;

/// An item of a list that is being made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listed {
    pub(super) item: ItemIndex,
    pub(super) score: f32,
    pub(super) source: Source,
}

impl Recommending {
    /// The first `asked.places` places of the whole list, fewer where no more may be shown; and which of the ladder's orders
    /// filled it up, where they did.
    pub(super) fn list(
        &self,
        model: Option<&LiveModel>,
        asked: &Asked<'_>,
        work: &mut Workspace,
    ) -> (Vec<Listed>, Option<u64>) {
        let mut list: Vec<Listed> = match model {
            Some(model) => listed(model, asked.source, self.ranked(model, asked, work)).take(asked.places).collect(),
            None => Vec::new(),
        };
        let candidates = asked.candidates.as_deref();
        let filled = self.fill(&mut list, candidates, &asked.filter, asked.places, asked.now_ms, work);
        (list, filled)
    }

    /// The model's best items that may be shown; empty where it knows nothing of the one who asks.
    pub(super) fn ranked(&self, model: &LiveModel, asked: &Asked<'_>, work: &mut Workspace) -> Vec<Ranked> {
        let recommender = &model.fitted.recommender;
        if recommender.personal() && work.taste.is_empty() && asked.row.is_none() {
            return Vec::new();
        }
        let taste = Taste { user: asked.row, history: &work.taste, now_ms: asked.now_ms };
        let known = |items: &[ItemIndex]| items.iter().filter_map(|&item| model.model_item(item)).collect();
        let given: Option<Vec<u32>> = match &asked.candidates {
            Some(candidates) => Some(known(candidates)),
            // Of few items each is scored; a pass over all would meet mostly others.
            None => asked.filter.few(recommender.items() / FEW).as_deref().map(known),
        };
        let diverse = asked.query.diversity > 0.0;
        let n = asked.query.n.min(MAX_N);
        let wanted = if diverse { asked.places.max(diversity::pool(n)) } else { asked.places };
        let order_of = |item| model.order_of(item);
        let best = {
            let keep = |item| keeps(model, &asked.filter, &work.left_out, item);
            match &given {
                Some(items) => {
                    zeroed(&mut work.scratch.scores, items.len());
                    if !recommender.score_some(&taste, items, &mut work.scratch.scores) {
                        return Vec::new();
                    }
                    top_n_of(items, &work.scratch.scores, wanted, order_of, keep)
                }
                None => {
                    let mut best = Best::new(wanted.min(recommender.items()), order_of, keep);
                    if !recommender.rank(&taste, &mut work.scratch, &mut best) {
                        return Vec::new();
                    }
                    best.into_list()
                }
            }
        };
        if diverse {
            diversity::diversify(model, best, n, asked.places, asked.query.diversity, &mut work.likeness)
        } else {
            best
        }
    }

    /// Goes down the ladder until the list has `places` places, without repeats and without what is left out. Gives the
    /// number of the orders it went by, where they were those of the whole catalogue.
    pub(super) fn fill(
        &self,
        list: &mut Vec<Listed>,
        candidates: Option<&[ItemIndex]>,
        filter: &Filter,
        places: usize,
        now_ms: i64,
        work: &mut Workspace,
    ) -> Option<u64> {
        if list.len() >= places {
            return None;
        }
        for listed in &*list {
            work.left_out.insert(listed.item);
        }
        let mut climb = |orders: &Orders| {
            for source in [Source::Trending, Source::Popular, Source::Newest] {
                for &(item, score) in orders.rung(source) {
                    if list.len() >= places {
                        return;
                    }
                    if !work.left_out.contains(item) && filter.keeps(item) && work.left_out.insert(item) {
                        list.push(Listed { item, score, source });
                    }
                }
            }
        };
        match candidates {
            Some(items) => {
                let entries = self.catalogue.entries();
                let orders = Orders::of(&entries, items.iter().copied(), now_ms, self.catalogue.half_life_ms());
                drop(entries);
                climb(&orders);
                None
            }
            None => {
                let orders = self.orders(now_ms);
                climb(&orders);
                Some(orders.number())
            }
        }
    }
}

pub(super) fn zeroed(buffer: &mut Vec<f32>, length: usize) {
    buffer.clear();
    buffer.resize(length, 0.0);
}

pub(super) fn keeps(model: &LiveModel, filter: &Filter, left_out: &Marks, item: u32) -> bool {
    model.catalogue_item(item).is_some_and(|item| !left_out.contains(item) && filter.keeps(item))
}

pub(super) fn listed(model: &LiveModel, source: Source, ranked: Vec<Ranked>) -> impl Iterator<Item = Listed> {
    ranked.into_iter().filter_map(move |ranked| {
        Some(Listed { item: model.catalogue_item(ranked.item)?, score: ranked.score, source })
    })
}
