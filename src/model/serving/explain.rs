//! Why an item is in a list: only what was computed is said.

use super::answer::{Recommended, ScorePart, Source};
use super::gather::{Asked, Workspace};
use super::list::Listed;
use super::live::LiveModel;
use crate::model::recommender::{Origin, Summand, Taste};

/// How many summands a sentence names.
const NAMED: usize = 3;

/// How many summands are listed; all others are one together.
const LISTED: usize = 10;

/// What all summands that are not listed are called.
const REST: &str = "the rest";

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

/// Gives each item of a page its reason, and where the model's score is a sum its parts.
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
    let taste = Taste { user: asked.row, history: &work.taste, now_ms: asked.now_ms };
    let Some(summands) = model.fitted.recommender.explain(&taste, &known) else { return };
    for (item, summands) in items.iter_mut().filter(|item| item.source == asked.source).zip(summands) {
        item.parts = parts(model, item.score, summands);
        if let Some(reason) = reason(&item.parts) {
            item.reason = Some(reason);
        }
    }
}

/// The largest summands, largest first, and the rest, so that they add up to `score`. None where they do not.
fn parts(model: &LiveModel, score: f32, mut summands: Vec<Summand>) -> Vec<ScorePart> {
    let (sum, size) = summands.iter().fold((0.0, 0.0), |(sum, size), part| (sum + part.score, size + part.score.abs()));
    if (sum - score).abs() > 1e-3 * (size + score.abs()) + 1e-6 {
        return Vec::new();
    }
    summands.sort_by(|a, b| b.score.abs().total_cmp(&a.score.abs()));
    let named = |summand: &Summand| {
        let (item, part) = match summand.origin {
            Origin::Item(item) => (Some(model.fitted.item_ids.get(item as usize)?.clone()), None),
            Origin::Part(name) => (None, Some(name)),
        };
        Some(ScorePart { item, part, score: summand.score })
    };
    let mut parts: Vec<ScorePart> = summands.iter().take(LISTED).filter_map(named).collect();
    if summands.len() > parts.len() {
        let listed: f32 = parts.iter().map(|part| part.score).sum();
        parts.push(ScorePart { item: None, part: Some(REST), score: score - listed });
    }
    parts
}

/// Names the parts that gave most, if any gave something.
fn reason(parts: &[ScorePart]) -> Option<String> {
    let name = |part: &'_ ScorePart| part.item.as_ref().map(|id| id.to_string()).or(part.part.map(str::to_owned));
    let given = parts.iter().filter(|part| part.score > 0.0 && part.part != Some(REST));
    let names: Vec<String> = given.take(NAMED).filter_map(name).collect();
    match names.as_slice() {
        [] => None,
        [one] => Some(format!("because of {one}")),
        [more @ .., last] => Some(format!("because of {} and {last}", more.join(", "))),
    }
}
