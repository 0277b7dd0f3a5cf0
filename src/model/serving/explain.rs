//! Why an item is in a list: only what was computed is said.

use super::answer::{Recommended, Source};
use super::gather::{Asked, Workspace};
use super::list::Listed;
use super::live::LiveModel;
use crate::model::ids::ItemId;
use crate::model::recommender::{Acted, Taste};

/// How many items of the history a reason names.
const NAMED: usize = 3;

/// What can be said from the source alone.
const fn by_source(source: Source) -> &'static str {
    match source {
        Source::Personal => "ranked by the model from the user's history",
        Source::Session => "ranked by the model from the session",
        Source::Similar => "alike to the item asked about",
        Source::Trending => "taken often lately",
        Source::Popular => "taken most often",
        Source::Newest => "came last",
    }
}

/// Gives each item of a page its reason.
pub(super) fn explain_page(
    model: Option<&LiveModel>,
    asked: &Asked<'_>,
    work: &Workspace,
    items: &mut [Recommended],
    page: &[Listed],
) {
    for item in items.iter_mut() {
        item.reason = Some(by_source(item.source).to_owned());
    }
    let Some(model) = model.filter(|model| model.fitted.recommender.personal()) else { return };
    let ranked = |listed: &&Listed| listed.source == asked.source;
    let known: Vec<u32> = page.iter().filter(ranked).filter_map(|listed| model.model_item(listed.item)).collect();
    if known.is_empty() {
        return;
    }
    let taste = Taste { user: asked.row, history: &work.taste, now_ms: asked.now_ms };
    let reasons = because_of(model, &taste, &known);
    for (item, reason) in items.iter_mut().filter(|item| item.source == asked.source).zip(reasons) {
        item.reason = reason.or_else(|| item.reason.take());
    }
}

/// A reason for each of the model's items `items`, where the score is the sum of what each item of the history gives
/// on its own: the up to three that gave most. None where the parts do not add up, or where none of them gave anything.
fn because_of(model: &LiveModel, taste: &Taste<'_>, items: &[u32]) -> Vec<Option<String>> {
    parts(model, taste, items).map_or_else(
        || vec![None; items.len()],
        |(whole, parts)| {
            let reason = |(place, &whole): (usize, &f32)| {
                let given: Vec<(u32, f32)> =
                    parts.iter().map(|(item, scores)| (*item, scores.get(place).copied().unwrap_or(0.0))).collect();
                reason(model, whole, given)
            };
            whole.iter().enumerate().map(reason).collect()
        },
    )
}

/// The scores of `items`, and what each item of the history gives each of them on its own.
type Parts = (Vec<f32>, Vec<(u32, Vec<f32>)>);

fn parts(model: &LiveModel, taste: &Taste<'_>, items: &[u32]) -> Option<Parts> {
    let recommender = &model.fitted.recommender;
    let mut whole = vec![0.0; items.len()];
    if !recommender.score_some(taste, items, &mut whole) {
        return None;
    }
    let mut history = taste.history.to_vec();
    history.sort_by_key(|act| act.item);
    let mut parts = Vec::new();
    for acts in history.chunk_by(|a: &Acted, b: &Acted| a.item == b.item) {
        let alone = Taste { user: None, history: acts, now_ms: taste.now_ms };
        let mut scores = vec![0.0; items.len()];
        if !recommender.score_some(&alone, items, &mut scores) {
            return None;
        }
        parts.extend(acts.first().map(|act| (act.item, scores)));
    }
    Some((whole, parts))
}

fn reason(model: &LiveModel, whole: f32, mut given: Vec<(u32, f32)>) -> Option<String> {
    let (sum, size) = given.iter().fold((0.0, 0.0), |(sum, size), &(_, part)| (sum + part, size + part.abs()));
    // Rounding aside, the parts must make the score; NaN does not.
    if !((sum - whole).abs() <= 1e-3 * (size + whole.abs()) + 1e-6) {
        return None;
    }
    given.retain(|&(_, part)| part > 0.0);
    given.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let names: Vec<&str> = given
        .iter()
        .take(NAMED)
        .filter_map(|&(item, _)| model.fitted.item_ids.get(item as usize))
        .map(ItemId::as_str)
        .collect();
    match names.as_slice() {
        [] => None,
        [one] => Some(format!("because of {one}")),
        [more @ .., last] => Some(format!("because of {} and {last}", more.join(", "))),
    }
}
