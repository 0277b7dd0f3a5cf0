//! A history as the kinds read it: its distinct items, each with the weight, or the direction, it pulls with.

use super::fading::left;
use crate::model::interactions::NO_TIME;
use crate::model::recommender::{Acted, Origin, Summand};

/// The distinct items of `history` below `items`, ascending, each with the sum of its events' weights; items whose weights
/// cancel out are left out.
pub fn joined(history: &[Acted], items: usize) -> Vec<(u32, f32)> {
    let mut weights: Vec<(u32, f32)> =
        history.iter().filter(|acted| (acted.item as usize) < items).map(|a| (a.item, a.weight)).collect();
    weights.sort_by_key(|&(item, _)| item);
    weights.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
    weights.retain(|&(_, weight)| weight != 0.0 && !weight.is_nan());
    weights
}

/// By how much each of the `items` that `history` names has faded since the history's latest event, by the item's own latest:
/// 1 not at all. Ascending; an item without a time has not.
pub fn faded(history: &[Acted], items: usize, half_life_ms: f64) -> Vec<(u32, f32)> {
    let mut times: Vec<(u32, i64)> =
        history.iter().filter(|acted| (acted.item as usize) < items).map(|a| (a.item, a.time_ms)).collect();
    let latest = times.iter().map(|&(_, time_ms)| time_ms).max().unwrap_or(NO_TIME);
    times.sort_unstable_by_key(|&(item, time_ms)| (item, std::cmp::Reverse(time_ms)));
    times.dedup_by_key(|&mut (item, _)| item);
    times.into_iter().map(|(item, time_ms)| (item, left(latest, time_ms, half_life_ms))).collect()
}

/// As [`joined`], each weight cut to -1..=1: a purchase pulls whole and no harder for being repeated, a view a little, a
/// dislike away.
pub fn directions(history: &[Acted], items: usize) -> Vec<(u32, f32)> {
    let mut pulls = joined(history, items);
    for (_, weight) in &mut pulls {
        *weight = weight.clamp(-1.0, 1.0);
    }
    pulls
}

/// The summands of the scores of `wanted` where a score is the sum over `directions` of the direction times
/// `weight(item of the history, wanted item)`; what gives 0 is left out.
pub fn summands(directions: &[(u32, f32)], wanted: &[u32], weight: impl Fn(u32, u32) -> f32) -> Vec<Vec<Summand>> {
    let of_item = |&wanted: &u32| {
        let summand =
            |&(item, sign): &(u32, f32)| Summand { origin: Origin::Item(item), score: sign * weight(item, wanted) };
        directions.iter().map(summand).filter(|summand| summand.score != 0.0).collect()
    };
    wanted.iter().map(of_item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_an_item_are_joined_before_their_sign_counts() {
        let acted = |item, weight| Acted { item, weight, time_ms: 0 };
        let history = [acted(3, 1.0), acted(1, 0.5), acted(3, -3.0), acted(2, 1.0), acted(2, -1.0), acted(9, 1.0)];
        assert_eq!(joined(&history, 5), [(1, 0.5), (3, -2.0)]);
        assert_eq!(directions(&history, 5), [(1, 0.5), (3, -1.0)]);
    }

    #[test]
    fn an_item_has_faded_since_its_own_latest_event() {
        let acted = |item, time_ms| Acted { item, weight: 1.0, time_ms };
        let history = [acted(3, 10), acted(1, 20), acted(3, 30), acted(0, NO_TIME), acted(2, 40), acted(9, 90)];
        assert_eq!(faded(&history, 5, 10.0), [(0, 1.0), (1, 0.25), (2, 1.0), (3, 0.5)]);
        assert_eq!(faded(&[acted(1, NO_TIME)], 5, 10.0), [(1, 1.0)]);
    }
}
