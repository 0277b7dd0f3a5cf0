//! Leaving out items and users with too little behind them, before a split.
#![expect(clippy::indexing_slicing, reason = "indices of rows lie within their id tables")]

use std::sync::Arc;

use crate::model::interactions::Interactions;

/// The least that items and users must have; 0 and 1 leave all in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filters {
    /// Distinct users an item must have.
    pub min_item_users: u32,
    /// Distinct items a user must have.
    pub min_user_items: u32,
}

/// How often items and then users are looked at; what one pass leaves out can make others too small.
const PASSES: usize = 3;

impl Filters {
    /// The rows of items and users that have enough, counted in distinct pairs; items, then users, at most three passes.
    #[must_use]
    pub fn apply(&self, rows: Arc<Interactions>) -> Arc<Interactions> {
        if self.min_item_users < 2 && self.min_user_items < 2 {
            return rows;
        }
        let mut pairs: Vec<(u32, u32)> = rows.users.iter().copied().zip(rows.items.iter().copied()).collect();
        pairs.sort_unstable();
        pairs.dedup();
        let mut user_in = vec![true; rows.user_ids.len()];
        let mut item_in = vec![true; rows.item_ids.len()];
        for _ in 0..PASSES {
            let before = pairs.len();
            too_small(pairs.iter().map(|&(_, item)| item), self.min_item_users, &mut item_in);
            pairs.retain(|&(_, item)| item_in[item as usize]);
            too_small(pairs.iter().map(|&(user, _)| user), self.min_user_items, &mut user_in);
            pairs.retain(|&(user, _)| user_in[user as usize]);
            if pairs.len() == before {
                break;
            }
        }
        Arc::new(rows.filtered(|row| user_in[rows.users[row] as usize] && item_in[rows.items[row] as usize]))
    }
}

/// Marks as out what occurs less than `least` times.
fn too_small(column: impl Iterator<Item = u32>, least: u32, is_in: &mut [bool]) {
    let mut counts = vec![0_u32; is_in.len()];
    for index in column {
        counts[index as usize] += 1;
    }
    for (is_in, count) in is_in.iter_mut().zip(counts) {
        *is_in &= count >= least;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::evaluation::split::tests::rows;

    #[test]
    fn items_go_first_and_repeats_count_once() {
        // Item c has one user in two rows; without it user w has one item left.
        let all = Arc::new(rows(&["u a 1", "u b 2", "v a 3", "v b 4", "w a 5", "w c 6", "w c 7"]));
        let kept = Filters { min_item_users: 2, min_user_items: 2 }.apply(all.clone());
        assert_eq!(kept.times, [1, 2, 3, 4]);
        assert_eq!(kept.item_ids, all.item_ids);
    }

    #[test]
    fn no_more_than_three_passes_are_made() {
        // A chain: each pass takes a user off, which makes the next item too small, which makes the next user too small.
        let chain: Vec<String> = (0..10).flat_map(|n| [format!("{n} {n} 1"), format!("{n} {} 1", n + 1)]).collect();
        let chain = rows(&chain.iter().map(String::as_str).collect::<Vec<_>>());
        let kept = Filters { min_item_users: 2, min_user_items: 2 }.apply(Arc::new(chain));
        // Items 0 and 10 go and with them users 0 and 9, and so on inwards, a pair of users per pass.
        let users: std::collections::BTreeSet<&str> =
            kept.users.iter().map(|&user| kept.user_ids[user as usize].as_str()).collect();
        assert_eq!(users.into_iter().collect::<Vec<_>>(), ["3", "4", "5", "6"]);
    }

    #[test]
    fn without_a_least_nothing_is_copied() {
        let all = Arc::new(rows(&["u a 1"]));
        assert!(Arc::ptr_eq(&Filters { min_item_users: 1, min_user_items: 0 }.apply(all.clone()), &all));
    }
}
