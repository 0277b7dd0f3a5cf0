//! What a question is about, gathered before anything is scored.

use std::cell::RefCell;

use super::answer::Source;
use super::live::LiveModel;
use super::marks::Marks;
use super::past::PastAct;
use super::query::{MAX_N, Query};
use super::recommend::Recommending;
use crate::model::ids::{ItemId, ItemIndex, UserId};
use crate::model::recommender::{Acted, Scratch};
use crate::model::shelves::Filter;

/// What one thread makes answers with; kept, so that a request allocates nothing of the catalogue's size.
#[derive(Default)]
pub(super) struct Workspace {
    pub(super) scratch: Scratch,
    pub(super) likeness: Vec<f32>,
    pub(super) left_out: Marks,
    pub(super) wanted: Marks,
    pub(super) past: Vec<PastAct>,
    pub(super) taste: Vec<Acted>,
}

thread_local! {
    static WORKSPACE: RefCell<Workspace> = RefCell::default();
}

/// Works with this thread's workspace.
pub(super) fn with_workspace<T>(work: impl FnOnce(&mut Workspace) -> T) -> T {
    let mut workspace = WORKSPACE.take();
    let result = work(&mut workspace);
    WORKSPACE.set(workspace);
    result
}

/// A question as the rooms below it take it.
pub(super) struct Asked<'a> {
    pub(super) query: &'a Query,
    /// What may be shown.
    pub(super) filter: Filter,
    /// The catalogue's items among the candidates given, without repeats.
    pub(super) candidates: Option<Vec<ItemIndex>>,
    /// The user's row in the model's table.
    pub(super) row: Option<u32>,
    /// Where the model's items come from.
    pub(super) source: Source,
    /// The places sought: the pages before, this page and one more.
    pub(super) places: usize,
    pub(super) now_ms: i64,
}

impl Recommending {
    /// Reads what a question is about: past, session, what is left out, candidates.
    pub(super) fn gather<'a>(
        &self,
        model: Option<&LiveModel>,
        query: &'a Query,
        now_ms: i64,
        work: &mut Workspace,
    ) -> Asked<'a> {
        let known = |ids: &'a [ItemId]| ids.iter().filter_map(|id| self.catalogue.known(id));
        let items = self.catalogue.len();
        work.left_out.clear(items);
        let row = self.read_past(model, query.user.as_ref(), work, !query.include_seen);
        let session: Vec<ItemIndex> = known(&query.items).collect();
        for item in known(&query.exclude).chain(session.iter().copied()) {
            work.left_out.insert(item);
        }
        let candidates = query.candidates.as_deref().map(|ids| {
            work.wanted.clear(items);
            known(ids).filter(|&item| work.wanted.insert(item)).collect()
        });
        work.taste.clear();
        if let Some(model) = model {
            // A long session leaves its older items out, as a long history does.
            let latest = session.get(session.len().saturating_sub(self.rules.history)..).unwrap_or_default();
            fill_taste(model, work, latest, now_ms);
        }
        let in_session = model.is_some_and(|model| session.iter().any(|&item| model.model_item(item).is_some()));
        let source = match model {
            Some(model) if !model.fitted.recommender.personal() => source_of_kind(model.fitted.recommender.kind()),
            _ if in_session => Source::Session,
            _ => Source::Personal,
        };
        let places = query.skip.saturating_add(query.n.min(MAX_N)).saturating_add(1);
        let filter = self.catalogue.shelves().filter(&query.categories, now_ms);
        Asked { query, filter, candidates, row, source, places, now_ms }
    }

    /// Puts the user's latest acts into the workspace's past and, where `leave_out_seen`, what was seen into the items left
    /// out. Gives the user's row in the model: only somebody with a history has one, so that nothing is left of an erased user.
    pub(super) fn read_past(
        &self,
        model: Option<&LiveModel>,
        user: Option<&UserId>,
        work: &mut Workspace,
        leave_out_seen: bool,
    ) -> Option<u32> {
        work.past.clear();
        let user = user?;
        let seen = leave_out_seen.then_some(&mut work.left_out);
        let known = self.types.read(&self.histories, &self.rules, user, &mut work.past, seen);
        if !known {
            return None;
        }
        let model = model?;
        let row = model.user_rows.get(user).copied()?;
        let (applied_seq, created_ms) = (model.manifest.data.applied_seq, model.manifest.created_ms);
        // Somebody who came back after an erasure is not whom an older version knew.
        if self.erasures.outdates(user, applied_seq, created_ms) { None } else { Some(row) }
    }
}

/// The taste of the workspace's past and of a session, of what the model knows; each item of a session counts 1, now.
pub(super) fn fill_taste(model: &LiveModel, work: &mut Workspace, session: &[ItemIndex], now_ms: i64) {
    let acted = |item, weight, time_ms| Some(Acted { item: model.model_item(item)?, weight, time_ms });
    work.taste.clear();
    work.taste.extend(work.past.iter().filter_map(|act| acted(act.item, act.weight, act.time_ms)));
    work.taste.extend(session.iter().filter_map(|&item| acted(item, 1.0, now_ms)));
}

/// What a list that is one for everybody is a list of.
fn source_of_kind(kind: &str) -> Source {
    if kind == "popular" { Source::Popular } else { Source::Trending }
}
