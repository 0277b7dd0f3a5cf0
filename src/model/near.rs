//! Scores of a few items: a sum over the rows of a history touches what is near it, and every other item's score is 0.

/// A sum over items, with the list of those that anything was added to; emptied in the time of that list.
#[derive(Debug, Default)]
pub struct Near {
    scores: Vec<f32>,
    touched: Vec<u32>,
    is_touched: Vec<bool>,
}

impl Near {
    /// Empties it; there is room for the items below `items`.
    pub fn clear(&mut self, items: usize) {
        for item in self.touched.drain(..) {
            let at = item as usize;
            if let (Some(score), Some(touched)) = (self.scores.get_mut(at), self.is_touched.get_mut(at)) {
                (*score, *touched) = (0.0, false);
            }
        }
        if self.scores.len() < items {
            self.scores.resize(items, 0.0);
            self.is_touched.resize(items, false);
        }
    }

    /// Adds to the score of an item, which `first` was before anything is added to it. Items without room are passed over.
    #[inline]
    pub fn add(&mut self, item: u32, score: f32, first: impl FnOnce() -> f32) {
        let at = item as usize;
        let (Some(sum), Some(touched)) = (self.scores.get_mut(at), self.is_touched.get_mut(at)) else { return };
        if !*touched {
            *touched = true;
            *sum = first();
            self.touched.push(item);
        }
        *sum += score;
    }

    /// The items that something was added to, each once, with their scores.
    pub fn scores(&self) -> impl Iterator<Item = (u32, f32)> {
        self.touched.iter().map(|&item| (item, self.scores.get(item as usize).copied().unwrap_or(0.0)))
    }

    /// Whether something was added to an item.
    #[must_use]
    pub fn touched(&self, item: u32) -> bool {
        self.is_touched.get(item as usize).copied().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_listed_once_also_where_its_sum_comes_back_to_nothing() {
        let mut near = Near::default();
        near.clear(3);
        for (item, score) in [(2, 1.0), (2, -1.0), (2, 0.5), (1, 0.0), (9, 1.0)] {
            near.add(item, score, || 0.0);
        }
        assert_eq!(near.scores().collect::<Vec<_>>(), [(2, 0.5), (1, 0.0)]);
        assert!(near.touched(1) && !near.touched(0) && !near.touched(9));
        near.clear(2);
        assert_eq!(near.scores().count(), 0);
        near.add(2, 1.0, || 4.0);
        assert_eq!(near.scores().collect::<Vec<_>>(), [(2, 5.0)]);
    }
}
