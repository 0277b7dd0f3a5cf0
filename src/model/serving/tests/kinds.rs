//! Every kind of model, as it is served, by every way of ranking: nothing that may not be shown is ever shown.

use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::model::candidates::tests::{dataset, every_kind, fitted};
use crate::model::candidates::{load_fitted, recipe};
use proptest::prelude::*;

/// Enough for products of bytes, and for a category that is few of them.
const MANY: usize = 1100;
const FEW: usize = 60;

/// A fitted model as it is written: bound anew for each shop.
struct Written {
    spec: RecipeSpec,
    tensors: Tensors,
    items: Arc<Vec<ItemId>>,
    users: Arc<Vec<UserId>>,
}

fn written(spec: RecipeSpec, items: usize) -> Written {
    let rows: Vec<(u32, u32, f32, i64)> = (0..items as u32)
        .flat_map(|at| (0..4).map(move |k| (at % 50, (at * 7 + k * k * 3) % items as u32, 1.0, i64::from(at) * DAY)))
        .collect();
    let model = fitted(&*recipe(&spec).unwrap(), &dataset(&rows));
    let tensors = model.recommender.save().unwrap();
    let spec = RecipeSpec { settings: model.settings, ..spec };
    Written { spec, tensors, items: model.item_ids, users: model.user_ids }
}

thread_local! {
    static KINDS: Vec<Written> = {
        let many = RecipeSpec { kind: "ials".to_owned(), settings: json!({ "factors": 16, "iterations": 1 }) };
        every_kind().into_iter().map(|spec| written(spec, FEW)).chain([written(many, MANY)]).collect()
    };
}

/// A shop in one line; what is said of one item holds for all whose number leaves the same rest.
#[derive(Debug, Clone)]
struct Rules {
    data: Vec<ItemData>,
    acts: Vec<(&'static str, usize)>,
    category: usize,
}

fn data() -> impl Strategy<Value = ItemData> {
    let window = || prop::option::weighted(0.3, NOW - 2..NOW + 3);
    (prop::bool::weighted(0.15), window(), window()).prop_map(|(hidden, available_from_ms, available_until_ms)| {
        ItemData { hidden, available_from_ms, available_until_ms, ..ItemData::default() }
    })
}

fn rules() -> impl Strategy<Value = Rules> {
    let kinds = prop::sample::select(vec!["purchase", "view", "dislike"]);
    (
        prop::collection::vec(data(), 37),
        prop::collection::vec((kinds, 0..FEW), 0..12),
        prop::sample::select(vec![2, 90]),
    )
        .prop_map(|(data, acts, category)| Rules { data, acts, category })
}

fn question() -> impl Strategy<Value = Query> {
    let some = |most| prop::collection::vec((0..FEW).prop_map(|item| id(&item.to_string())), 0..most);
    let who = prop::sample::select(vec![Some("7"), Some("stranger"), None]);
    (
        who,
        prop_oneof![Just(vec![]), some(4)],
        1..40_usize,
        prop_oneof![2 => Just(None), 1 => some(20).prop_map(Some)],
        some(8),
        any::<(bool, bool)>(),
        prop_oneof![Just(0.0), 0.0_f32..=1.0],
    )
        .prop_map(|(who, items, n, candidates, exclude, (include_seen, shoes), diversity)| Query {
            user: who.map(user),
            items,
            n,
            candidates,
            exclude,
            categories: if shoes { vec!["shoes".to_owned()] } else { vec![] },
            include_seen,
            diversity,
            ..Query::default()
        })
}

impl Rules {
    fn data_of(&self, item: usize) -> ItemData {
        let categories = if item.is_multiple_of(self.category) { vec!["shoes".to_owned()] } else { vec![] };
        ItemData { categories, ..self.data[item % self.data.len()].clone() }
    }

    fn open(&self, model: &Written) -> Shop {
        let shop = Shop::new();
        for (item, id) in model.items.iter().enumerate() {
            shop.put(id.as_str(), self.data_of(item));
        }
        for (kind, item) in &self.acts {
            shop.event("7", kind, &item.to_string(), NOW - DAY);
        }
        let (tensors, items, users) = (model.tensors.clone(), model.items.clone(), model.users.clone());
        let fitted = load_fitted(&model.spec, tensors, items, users).unwrap();
        let manifest = Manifest::by_hand(1, model.spec.clone(), NOW - 1000);
        shop.0.live.store(Some(Arc::new(LiveModel::bind(Arc::new(manifest), fitted, shop.catalogue()))));
        shop
    }

    /// On the shelves of the question, whoever asks.
    fn on_shelf(&self, item: usize, query: &Query) -> bool {
        let data = self.data_of(item);
        data.available(NOW) && (query.categories.is_empty() || data.categories == query.categories)
    }

    /// Worked out the slow way.
    fn may_be_shown(&self, item: usize, query: &Query) -> bool {
        let name = id(&item.to_string());
        let theirs = query.user.as_ref().is_some_and(|user| user.as_str() == "7");
        let seen = theirs && self.acts.iter().any(|(kind, acted)| *acted == item && *kind != "view");
        self.on_shelf(item, query)
            && (query.include_seen || !seen)
            && !query.exclude.contains(&name)
            && !query.items.contains(&name)
            && query.candidates.as_ref().is_none_or(|candidates| candidates.contains(&name))
    }
}

fn number(id: &ItemId) -> usize {
    id.as_str().parse().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_kind_shows_what_is_excluded_hidden_seen_or_unavailable(rules in rules(), query in question()) {
        KINDS.with(|kinds| {
            for model in kinds {
                let kind = &model.spec.kind;
                let shop = rules.open(model);
                let allowed = (0..model.items.len()).filter(|&item| rules.may_be_shown(item, &query)).count();
                // The second is the list that was kept.
                let answers = [shop.0.recommend(&query, NOW), shop.0.recommend(&query, NOW)];
                prop_assert_eq!(&answers[0], &answers[1]);
                let list: Vec<usize> = answers[0].items.iter().map(|item| number(&item.id)).collect();
                for &item in &list {
                    prop_assert!(rules.may_be_shown(item, &query), "{kind} shows {item}: {:?}", rules.data_of(item));
                }
                prop_assert_eq!(list.iter().collect::<BTreeSet<_>>().len(), list.len(), "{}: each once", kind);
                prop_assert_eq!(list.len(), query.n.min(allowed), "{}: all that may be shown", kind);
                // What is hidden now is in no list any more, kept or not.
                if let Some(&first) = list.first() {
                    shop.put(&first.to_string(), ItemData { hidden: true, ..rules.data_of(first) });
                    let again = shop.0.recommend(&query, NOW);
                    prop_assert!(again.items.iter().all(|item| number(&item.id) != first), "{kind} shows {first} still");
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn neither_the_like_of_an_item_nor_a_rung_shows_what_is_hidden_or_unavailable(
        rules in rules(), query in question(), item in 0..FEW, n in 1..40_usize,
    ) {
        KINDS.with(|kinds| {
            for model in kinds {
                let shop = rules.open(model);
                let alike = shop.0.similar(shop.index(&item.to_string()), n, &query.categories, NOW);
                prop_assert!(alike.iter().all(|other| number(&other.id) != item), "{}: itself", model.spec.kind);
                let rungs = [Source::Trending, Source::Popular, Source::Newest]
                    .map(|rung| shop.0.rung(rung, n, &query.categories, NOW));
                for shown in alike.iter().chain(rungs.iter().flatten()) {
                    prop_assert!(rules.on_shelf(number(&shown.id), &query), "{}: {}", model.spec.kind, shown.id);
                }
            }
            Ok(())
        })?;
    }
}
