//! The latest lists that were given: of each item a hash and its source, in a ring of words that is as large from the
//! beginning as it ever gets. A list's number is its place in an endless row of words, so that finding it needs no table.

use xxhash_rust::xxh3::xxh3_64;

use super::answer::{Recommended, Source};
use crate::model::ids::ItemId;
use crate::model::wire::recommendation_id::{NUMBER_BITS, RecommendationId};

/// Words before the items of a list: its number and length.
const HEAD: usize = 2;

/// Bits of an item's word that say the source; the others are of the item's hash.
const SOURCE_BITS: u32 = 3;

/// The ring.
#[derive(Debug)]
pub(super) struct GivenLists {
    words: Box<[u32]>,
    /// The number of the next list.
    next: u64,
    /// Words that the latest lists take, those that are overwritten counted too.
    taken: usize,
}

/// What is known of an item in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It was in the list, from this source.
    From(Source),
    /// It was not in the list.
    Unlisted,
    /// The list is not known, or no more.
    Forgotten,
}

impl GivenLists {
    /// Room for `lists` lists of ten items, 48 bytes each. Numbers begin at a drawn one, so that those of a process before
    /// this one name nothing.
    pub(super) fn new(lists: usize) -> Self {
        // Written to, not only asked for: memory that grew with the first lists would look like a leak.
        let words = vec![u32::MAX; lists.saturating_mul(HEAD + 10)].into_boxed_slice();
        Self { words, next: RecommendationId::draw_number(), taken: 0 }
    }

    /// Keeps a list in the place of the oldest; its number. One that is longer than the whole ring is not kept.
    pub(super) fn keep(&mut self, items: &[Recommended]) -> u64 {
        let (number, length) = (self.next, HEAD + items.len());
        self.next = (number + length as u64) % (1 << NUMBER_BITS);
        // Once in many billion lists numbers begin at nought again, in another place of the ring.
        self.taken = if self.next > number { self.taken.saturating_add(length) } else { 0 };
        if length <= self.words.len() {
            let (newer, older) = self.words.split_at_mut(self.place(number));
            let head = [number as u32, (number >> 32) as u32 | (items.len() as u32) << 8];
            let words = head.into_iter().chain(items.iter().map(word));
            for (place, word) in older.iter_mut().chain(newer).zip(words) {
                *place = word;
            }
        }
        number
    }

    /// Where `item` of the list came from.
    pub(super) fn find(&self, number: u64, item: &ItemId) -> Place {
        let back = self.next.checked_sub(number).and_then(|back| usize::try_from(back).ok());
        if !back.is_some_and(|back| (HEAD..=self.taken.min(self.words.len())).contains(&back)) {
            return Place::Forgotten;
        }
        let (newer, older) = self.words.split_at(self.place(number));
        let mut words = older.iter().chain(newer).copied();
        let head = u64::from(words.next().unwrap_or_default()) | u64::from(words.next().unwrap_or_default()) << 32;
        // A number that was made up points into the middle of a list.
        if head % (1 << NUMBER_BITS) != number {
            return Place::Forgotten;
        }
        let wanted = hashed(item);
        let found =
            words.take((head >> NUMBER_BITS) as usize).find(|word| word >> SOURCE_BITS << SOURCE_BITS == wanted);
        found.and_then(source).map_or(Place::Unlisted, Place::From)
    }

    fn place(&self, number: u64) -> usize {
        (number % self.words.len().max(1) as u64) as usize
    }
}

fn word(item: &Recommended) -> u32 {
    hashed(&item.id) | item.source as u32
}

fn source(word: u32) -> Option<Source> {
    Source::ALL.into_iter().find(|&source| source as u32 == word & ((1 << SOURCE_BITS) - 1))
}

/// Two items of one list are taken for the same once in some hundred million lists.
fn hashed(item: &ItemId) -> u32 {
    (xxh3_64(item.as_str().as_bytes()) as u32) << SOURCE_BITS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(items: &[u64]) -> Vec<Recommended> {
        let item = |&id: &u64| Recommended {
            id: ItemId::from(id),
            score: 1.0,
            source: Source::ALL[id as usize % Source::ALL.len()],
            reason: None,
            parts: Vec::new(),
        };
        items.iter().map(item).collect()
    }

    #[test]
    fn numbers_that_were_made_up_name_nothing() {
        let mut lists = GivenLists::new(3);
        let number = lists.keep(&list(&[1, 2, 3]));
        assert_eq!(lists.find(number, &ItemId::from(2_u64)), Place::From(Source::ALL[2]));
        assert_eq!(lists.find(number, &ItemId::from(4_u64)), Place::Unlisted);
        for other in [number + 1, number + 4, number + 5, number.wrapping_sub(1), u64::MAX, 0] {
            assert_eq!(lists.find(other, &ItemId::from(2_u64)), Place::Forgotten);
        }
        let mut none = GivenLists::new(0);
        let number = none.keep(&list(&[1]));
        assert_eq!(none.find(number, &ItemId::from(1_u64)), Place::Forgotten);
        assert_ne!(none.keep(&list(&[])), number);
    }

    proptest! {
        #[test]
        fn the_latest_are_found_and_those_before_are_forgotten(
            given in prop::collection::vec(prop::collection::vec(0_u64..50, 0..40), 1..30),
            room in 0_usize..6,
            wraps in any::<bool>(),
        ) {
            let mut lists = GivenLists::new(room);
            if wraps {
                lists.next = (1 << NUMBER_BITS) - 70;
            }
            let numbers: Vec<u64> = given.iter().map(|items| lists.keep(&list(items))).collect();
            let mut room = room * (HEAD + 10);
            for (&number, items) in numbers.iter().zip(&given).rev() {
                let left = room.checked_sub(HEAD + items.len());
                for item in 0..50 {
                    let place = match left {
                        None => Place::Forgotten,
                        Some(_) if wraps && number > lists.next => Place::Forgotten,
                        Some(_) if items.contains(&item) => Place::From(Source::ALL[item as usize % Source::ALL.len()]),
                        Some(_) => Place::Unlisted,
                    };
                    prop_assert_eq!(lists.find(number, &ItemId::from(item)), place);
                }
                room = left.unwrap_or(0);
            }
        }
    }
}
