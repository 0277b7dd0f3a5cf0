//! The list itself: the model's best that may be shown, then the ladder.

use super::answer::Source;
use super::diversity;
use super::filter::{Categories, Filter};
use super::gather::{Asked, Workspace};
use super::ladder::Orders;
use super::live::LiveModel;
use super::marks::Marks;
use super::query::MAX_N;
use super::recommend::Recommending;
use super::top_n::{Ranked, top_n, top_n_of};
use crate::model::catalogue::Entry;
use crate::model::ids::ItemIndex;
use crate::model::recommender::Taste;

/// An item of a list that is being made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listed {
    pub(super) item: ItemIndex,
    pub(super) score: f32,
    pub(super) source: Source,
}

impl Recommending {
    /// The first `asked.places` places of the whole list, fewer where no more may be shown.
    pub(super) fn list(&self, model: Option<&LiveModel>, asked: &Asked<'_>, work: &mut Workspace) -> Vec<Listed> {
        let mut list: Vec<Listed> = match model {
            Some(model) => listed(model, asked.source, self.ranked(model, asked, work)).take(asked.places).collect(),
            None => Vec::new(),
        };
        self.fill(&mut list, asked.candidates.as_deref(), &asked.categories, asked.places, asked.now_ms, work);
        list
    }

    /// The model's best items that may be shown; empty where it knows nothing of the one who asks.
    pub(super) fn ranked(&self, model: &LiveModel, asked: &Asked<'_>, work: &mut Workspace) -> Vec<Ranked> {
        let recommender = &model.fitted.recommender;
        if recommender.personal() && work.taste.is_empty() && asked.row.is_none() {
            return Vec::new();
        }
        let taste = Taste { user: asked.row, history: &work.taste, now_ms: asked.now_ms };
        let given: Option<Vec<u32>> = asked
            .candidates
            .as_ref()
            .map(|candidates| candidates.iter().filter_map(|&item| model.model_item(item)).collect());
        zeroed(&mut work.scores, given.as_ref().map_or_else(|| recommender.items(), Vec::len));
        let says = match &given {
            Some(items) => recommender.score_some(&taste, items, &mut work.scores),
            None => recommender.score_all(&taste, &mut work.scores),
        };
        if !says {
            return Vec::new();
        }
        let diverse = asked.query.diversity > 0.0;
        let n = asked.query.n.min(MAX_N);
        let wanted = if diverse { asked.places.max(diversity::pool(n)) } else { asked.places };
        let order_of = |item| model.order_of(item);
        let best = {
            let entries = self.catalogue.entries();
            let filter = Filter { entries: &entries, categories: &asked.categories, now_ms: asked.now_ms };
            let keep = |item| keeps(model, &filter, &work.left_out, item);
            match &given {
                Some(items) => top_n_of(items, &work.scores, wanted, order_of, keep),
                None => top_n(&work.scores, wanted, order_of, keep),
            }
        };
        if diverse {
            diversity::diversify(model, best, n, asked.places, asked.query.diversity, &mut work.likeness)
        } else {
            best
        }
    }

    /// Goes down the ladder until the list has `places` places, without repeats and without what is left out.
    pub(super) fn fill(
        &self,
        list: &mut Vec<Listed>,
        candidates: Option<&[ItemIndex]>,
        categories: &Categories<'_>,
        places: usize,
        now_ms: i64,
        work: &mut Workspace,
    ) {
        if list.len() >= places {
            return;
        }
        for listed in &*list {
            work.left_out.insert(listed.item);
        }
        let mut climb = |orders: &Orders, entries: &[Entry]| {
            let filter = Filter { entries, categories, now_ms };
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
                climb(&orders, &entries);
            }
            None => {
                let generation_ms = self.rules.generation_ms;
                let orders = self.ladder.orders(&self.catalogue, &self.histories, now_ms, generation_ms);
                climb(&orders, &self.catalogue.entries());
            }
        }
    }
}

pub(super) fn zeroed(buffer: &mut Vec<f32>, length: usize) {
    buffer.clear();
    buffer.resize(length, 0.0);
}

pub(super) fn keeps(model: &LiveModel, filter: &Filter<'_>, left_out: &Marks, item: u32) -> bool {
    model.catalogue_item(item).is_some_and(|item| !left_out.contains(item) && filter.keeps(item))
}

pub(super) fn listed(model: &LiveModel, source: Source, ranked: Vec<Ranked>) -> impl Iterator<Item = Listed> {
    ranked.into_iter().filter_map(move |ranked| {
        Some(Listed { item: model.catalogue_item(ranked.item)?, score: ranked.score, source })
    })
}
