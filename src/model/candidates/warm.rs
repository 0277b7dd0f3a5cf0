//! What a fit takes over from the version before.

use std::collections::HashMap;

use crate::model::ids::ItemId;
use crate::model::recommender::Fitted;

/// Where this share of the items is known to a parent, fewer passes are enough.
const SHARE: f64 = 0.8;

/// By item of `item_ids`: its row in the parent, if it has one.
pub fn rows_in(parent: &Fitted, item_ids: &[ItemId]) -> Vec<Option<u32>> {
    let row_of: HashMap<&ItemId, u32> = parent.item_ids.iter().zip(0..).collect();
    item_ids.iter().map(|id| row_of.get(id).copied()).collect()
}

/// Whether a start from a parent that knows `known` of `items` items is a warm one.
pub fn is_warm(known: usize, items: usize) -> bool {
    known as f64 >= SHARE * items as f64
}
