//! What may be in a list at all.

use crate::model::catalogue::Entry;
use crate::model::ids::ItemIndex;

/// The categories that a question keeps to; empty means all.
#[derive(Debug)]
pub(super) struct Categories<'a>(Vec<&'a str>);

impl<'a> Categories<'a> {
    pub(super) fn new(categories: &'a [String]) -> Self {
        let mut sorted: Vec<&str> = categories.iter().map(String::as_str).collect();
        sorted.sort_unstable();
        Self(sorted)
    }

    fn keep(&self, entry: &Entry) -> bool {
        self.0.is_empty() || entry.data.categories.iter().any(|category| self.0.binary_search(&&**category).is_ok())
    }
}

/// The catalogue as one question may see it.
pub(super) struct Filter<'a> {
    pub(super) entries: &'a [Entry],
    pub(super) categories: &'a Categories<'a>,
    pub(super) now_ms: i64,
}

impl Filter<'_> {
    /// Whether the item is there, available now and of a category asked for.
    pub(super) fn keeps(&self, item: ItemIndex) -> bool {
        self.entries.get(item.at()).is_some_and(|entry| entry.available(self.now_ms) && self.categories.keep(entry))
    }
}
