use std::collections::{BTreeMap, BTreeSet};

use super::*;
use proptest::prelude::*;

const ITEMS: usize = 24;
const CATEGORIES: [&str; 3] = ["shoes", "hats", "gloves"];

/// A shop in one line: items, events, the model and what it knows.
#[derive(Debug, Clone)]
struct Plan {
    items: Vec<Option<(ItemData, bool)>>,
    events: Vec<(u8, &'static str, usize)>,
    toy: Option<Toy>,
    known: usize,
}

fn data() -> impl Strategy<Value = (ItemData, bool)> {
    let window = prop::option::weighted(0.3, NOW - 2..NOW + 3);
    let categories = prop::sample::subsequence(&CATEGORIES[..], 0..=2);
    (categories, prop::bool::weighted(0.1), window.clone(), window, prop::bool::weighted(0.1)).prop_map(
        |(categories, hidden, available_from_ms, available_until_ms, deleted)| {
            let categories = categories.into_iter().map(str::to_owned).collect();
            let data = ItemData { categories, hidden, available_from_ms, available_until_ms, attributes: None };
            (data, deleted)
        },
    )
}

fn toy(known: usize) -> impl Strategy<Value = Option<Toy>> {
    let scores = || prop::collection::vec((-2..5_i8).prop_map(f32::from), known);
    prop_oneof![
        Just(None),
        prop::collection::vec(scores(), known).prop_map(|rows| Some(Toy::Alike(rows))),
        prop::collection::vec(scores(), known).prop_map(|rows| Some(Toy::Mean(rows))),
        scores().prop_map(|scores| Some(Toy::Everybody("popular", scores))),
        prop::collection::vec(scores(), 2).prop_map(|rows| Some(Toy::Table(rows))),
    ]
}

fn plan() -> impl Strategy<Value = Plan> {
    let kinds = prop::sample::select(vec!["purchase", "view", "dislike", "other"]);
    (
        prop::collection::vec(prop::option::of(data()), ITEMS),
        prop::collection::vec((0..4_u8, kinds, 0..ITEMS), 0..40),
        (1..ITEMS).prop_flat_map(|known| (toy(known), Just(known))),
    )
        .prop_map(|(items, events, (toy, known))| Plan { items, events, toy, known })
}

fn question() -> impl Strategy<Value = Query> {
    // Two names beyond the catalogue, which nobody knows.
    let some = |most| prop::collection::vec((0..ITEMS + 2).prop_map(|item| id(&item.to_string())), 0..most);
    let names = prop::sample::subsequence(&CATEGORIES[..], 0..=1);
    (
        prop::option::of((0..6_u8).prop_map(|name| user(&name.to_string()))),
        prop_oneof![Just(vec![]), some(4)],
        1..12_usize,
        prop_oneof![2 => Just(None), 1 => some(20).prop_map(Some)],
        some(5),
        prop_oneof![2 => Just(vec![]), 1 => names],
        any::<(bool, bool)>(),
        prop_oneof![Just(0.0), 0.0_f32..=1.0],
    )
        .prop_map(|(user, items, n, candidates, exclude, categories, (include_seen, explain), diversity)| {
            let categories = categories.into_iter().map(str::to_owned).collect();
            Query { user, items, n, candidates, exclude, categories, include_seen, explain, diversity, skip: 0 }
        })
}

impl Plan {
    fn open(&self) -> Shop {
        let shop = Shop::new();
        let names: Vec<String> = (0..ITEMS).map(|item| item.to_string()).collect();
        for (name, data) in names.iter().zip(&self.items) {
            let Some((data, deleted)) = data else { continue };
            shop.put(name, data.clone());
            if *deleted {
                shop.catalogue().delete(&id(name));
            }
        }
        // The last event comes after the model was bound.
        let (before, after) = self.events.split_at(self.events.len().saturating_sub(1));
        let send = |events: &[(u8, &str, usize)]| {
            for (place, (who, kind, item)) in (0..).zip(events) {
                shop.event(&who.to_string(), kind, &names[*item], NOW - place * DAY);
            }
        };
        send(before);
        if let Some(toy) = self.toy.clone() {
            let known: Vec<&str> = names.iter().take(self.known).map(String::as_str).collect();
            shop.goes_live(toy, &known, &["0", "5"]);
        }
        send(after);
        shop
    }

    /// What may be shown, worked out the slow way from the plan.
    fn allowed(&self, query: &Query) -> BTreeSet<String> {
        let who = query.user.as_ref().map(UserId::as_str).unwrap_or_default();
        let known_to_model = if self.toy.is_some() { self.known } else { 0 };
        let mut items: BTreeMap<usize, Option<&(ItemData, bool)>> = BTreeMap::new();
        for (item, data) in self.items.iter().enumerate() {
            let acted_on = self.events.iter().any(|(_, _, acted)| *acted == item);
            if data.is_some() || acted_on || item < known_to_model {
                items.insert(item, data.as_ref());
            }
        }
        let shown = |item: usize, data: Option<&(ItemData, bool)>| {
            let name = id(&item.to_string());
            let seen = self.events.iter().any(|(user, kind, acted)| {
                user.to_string() == who && *acted == item && ["purchase", "dislike"].contains(kind)
            });
            let categories = data.map(|(data, _)| data.categories.clone()).unwrap_or_default();
            data.is_none_or(|(data, deleted)| {
                !deleted
                    && !data.hidden
                    && data.available_from_ms.is_none_or(|from| from <= NOW)
                    && data.available_until_ms.is_none_or(|until| until > NOW)
            }) && (query.categories.is_empty() || categories.iter().any(|name| query.categories.contains(name)))
                && query.candidates.as_ref().is_none_or(|candidates| candidates.contains(&name))
                && !query.exclude.contains(&name)
                && !query.items.contains(&name)
                && (query.include_seen || !seen)
        };
        items.into_iter().filter(|&(item, data)| shown(item, data)).map(|(item, _)| item.to_string()).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// The pages together are what may be shown, each item once: nothing leaks, nothing is lost, nothing comes twice.
    #[test]
    fn pages_hold_what_may_be_shown_once_each(plan in plan(), query in question()) {
        let (shop, allowed) = (plan.open(), plan.allowed(&query));
        let mut given: Vec<String> = Vec::new();
        loop {
            let answer = shop.0.recommend(&Query { skip: given.len(), ..query.clone() }, NOW);
            prop_assert_eq!(answer.items.len(), query.n.min(allowed.len() - given.len()));
            prop_assert!(answer.items.iter().all(|item| item.score.is_finite()));
            prop_assert!(answer.items.iter().all(|item| item.reason.is_some() == query.explain));
            for item in answer.items.iter().filter(|item| !item.parts.is_empty()) {
                let sum: f32 = item.parts.iter().map(|part| part.score).sum();
                prop_assert!(query.explain && (sum - item.score).abs() < 1e-4, "{} {:?}", item.score, item.parts);
            }
            given.extend(answer.items.iter().map(|item| item.id.to_string()));
            prop_assert_eq!(answer.more, given.len() < allowed.len());
            if !answer.more {
                break;
            }
        }
        prop_assert_eq!(given.len(), allowed.len());
        prop_assert_eq!(given.into_iter().collect::<BTreeSet<_>>(), allowed);
    }

    /// Asked at once or page by page, the list is the same.
    #[test]
    fn pages_join_to_the_long_list(plan in plan(), query in question()) {
        let query = Query { diversity: 0.0, ..query };
        let shop = plan.open();
        let answer = shop.0.recommend(&Query { n: 100, ..query.clone() }, NOW);
        let by_model = answer.items.iter().filter(|item| matches!(item.source, Source::Personal | Source::Session));
        prop_assert!(by_model.is_sorted_by(|a, b| a.score >= b.score));
        let whole = shop.line(&Query { n: 100, ..query.clone() });
        let pages: Vec<String> = (0..ITEMS)
            .map(|page| shop.line(&Query { skip: page * query.n, ..query.clone() }))
            .filter(|page| !page.is_empty())
            .collect();
        prop_assert_eq!(pages.join(" "), whole);
    }

    /// An erased user is answered as somebody never heard of.
    #[test]
    fn nothing_is_left_of_an_erased_user(plan in plan(), query in question()) {
        let shop = plan.open();
        let somebody = user("0");
        if let Some(erased) = shop.histories().erase(&somebody) {
            for act in erased.acts {
                let weight = if act.kind() == shop.histories().types().index("dislike").unwrap() { -1.0 } else { 1.0 };
                shop.catalogue().uncount(act.item(), weight, act.time_ms());
            }
        }
        let of_erased = shop.list(&Query { user: Some(somebody), ..query.clone() });
        let of_stranger = shop.list(&Query { user: Some(user("never heard of")), ..query });
        prop_assert_eq!(of_erased, of_stranger);
    }
}
