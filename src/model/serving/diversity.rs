//! Lists that are not five times the same thing: maximal marginal relevance (Carbonell and Goldstein 1998).

use super::live::LiveModel;
use super::query::MAX_N;
use crate::model::kernels::top_n::Ranked;

/// The list is made diverse among its first items, this many times the length of a page.
const POOL: usize = 5;

/// How many items of the plain list a page of `n` is chosen from.
pub(super) fn pool(n: usize) -> usize {
    n.saturating_mul(POOL)
}

/// Orders the first [`pool`] items of `list` anew: each next one is the best by `1 - diversity` times its score less
/// `diversity` times its likeness to the most alike item before it. The score is scaled to the pool's range, likeness to
/// that of the item most alike in the catalogue. At most `wanted` and [`MAX_N`] places are filled so, the others keep their order,
/// which makes the places of one page independent of how many pages are asked for. A kind without likeness leaves all as it is.
pub(super) fn diversify(
    model: &LiveModel,
    list: Vec<Ranked>,
    n: usize,
    wanted: usize,
    diversity: f32,
    likeness: &mut Vec<f32>,
) -> Vec<Ranked> {
    let pooled = pool(n).min(list.len());
    let (Some(first), Some(last)) = (list.first(), list.get(pooled.saturating_sub(1))) else { return list };
    let (low, range) = (last.score, (first.score - last.score).max(f32::MIN_POSITIVE));
    let mut chosen = Vec::with_capacity(list.len());
    // (item, its likeness to the most alike of those chosen)
    let mut waiting: Vec<(Ranked, f32)> = list.iter().take(pooled).map(|&ranked| (ranked, 0.0)).collect();
    while chosen.len() < wanted.min(MAX_N) && !waiting.is_empty() {
        let worth =
            |(ranked, alike): &(Ranked, f32)| (1.0 - diversity) * ((ranked.score - low) / range) - diversity * alike;
        // The first of equals, which is the one with the better score.
        let best = (0..).zip(&waiting).fold((0, f32::NEG_INFINITY), |best, (place, candidate)| {
            let worth = worth(candidate);
            if worth > best.1 { (place, worth) } else { best }
        });
        let (next, _) = waiting.remove(best.0);
        chosen.push(next);
        likeness.clear();
        likeness.resize(model.fitted.recommender.items(), 0.0);
        if !model.fitted.recommender.similar(next.item, likeness) {
            return list;
        }
        if let Some(itself) = likeness.get_mut(next.item as usize) {
            *itself = 0.0;
        }
        let most = likeness.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        for (ranked, alike) in &mut waiting {
            let likeness = likeness.get(ranked.item as usize).copied().unwrap_or(0.0);
            *alike = alike.max(likeness / most);
        }
    }
    chosen.extend(waiting.into_iter().map(|(ranked, _)| ranked));
    chosen.extend(list.into_iter().skip(pooled));
    chosen
}
