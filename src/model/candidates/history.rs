//! A history as the kinds read it: its distinct items, each with the weight, or the direction, it pulls with.

use crate::model::recommender::Acted;

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

/// As [`joined`], with 1 in place of a weight above 0 and -1 of one below.
pub fn directions(history: &[Acted], items: usize) -> Vec<(u32, f32)> {
    let mut weights = joined(history, items);
    for (_, weight) in &mut weights {
        *weight = weight.signum();
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_an_item_are_joined_before_their_sign_counts() {
        let acted = |item, weight| Acted { item, weight, time_ms: 0 };
        let history = [acted(3, 1.0), acted(1, 0.5), acted(3, -3.0), acted(2, 1.0), acted(2, -1.0), acted(9, 1.0)];
        assert_eq!(joined(&history, 5), [(1, 0.5), (3, -2.0)]);
        assert_eq!(directions(&history, 5), [(1, 1.0), (3, -1.0)]);
    }
}
