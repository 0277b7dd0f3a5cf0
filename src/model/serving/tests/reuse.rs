//! Kept lists: asked twice is answered once, and whatever a list depends on makes it anew.

use super::*;
use proptest::prelude::*;

/// What happens to a shop between two questions.
#[derive(Debug, Clone)]
enum Step {
    Event(u8, &'static str, usize),
    Erase(u8),
    Put(usize, ItemData),
    Delete(usize),
    Swap(u64),
    Later(i64),
    Ask(Box<Query>),
}

fn step() -> impl Strategy<Value = Step> {
    let item = || 0..6_usize;
    let window = || prop::option::weighted(0.4, NOW - 50_000..NOW + 150_000);
    let data =
        (prop::bool::ANY, window(), window(), prop::bool::ANY).prop_map(|(hidden, from, until, shoe)| ItemData {
            categories: if shoe { vec!["shoes".to_owned()] } else { vec![] },
            hidden,
            available_from_ms: from,
            available_until_ms: until,
            attributes: None,
        });
    let shoes = prop::sample::select(vec![vec![], vec!["shoes".to_owned()]]);
    let ask = (0..3_u8, 1..4_usize, 0..2_usize, shoes, prop::bool::ANY).prop_map(|(who, n, skip, categories, seen)| {
        let query =
            Query { user: Some(user(&who.to_string())), n, skip, categories, include_seen: seen, ..Query::default() };
        Step::Ask(Box::new(query))
    });
    prop_oneof![
        2 => (0..3_u8, prop::sample::select(vec!["purchase", "view"]), item()).prop_map(|(who, kind, item)| Step::Event(who, kind, item)),
        1 => (0..3_u8).prop_map(Step::Erase),
        1 => (item(), data).prop_map(|(item, data)| Step::Put(item, data)),
        1 => item().prop_map(Step::Delete),
        1 => (1..3_u64).prop_map(Step::Swap),
        2 => (1..70_000_i64).prop_map(Step::Later),
        12 => ask,
    ]
}

fn shop(reuse: bool) -> Shop {
    let mut shop = Shop::new();
    shop.0 = Recommending::new(
        Arc::default(),
        Arc::new(Catalogue::new(3 * DAY)),
        Arc::new(ArcSwapOption::empty()),
        ListRules { reuse, ..shop.0.rules.clone() },
    );
    for item in 0..6 {
        shop.event("9", "view", &item.to_string(), NOW - DAY);
    }
    shop
}

fn model(shop: &Shop, version: u64) {
    let scores = (0..4).map(|item| ((item * version) % 5) as f32).collect();
    shop.0.live.store(Some(shop.bound(version, Toy::Alike(vec![scores; 4]), &["0", "1", "2", "3"], &[])));
}

proptest! {
    #[test]
    fn kept_lists_are_those_that_would_be_made(steps in prop::collection::vec(step(), 1..60)) {
        let twins = [shop(true), shop(false)];
        let mut now = NOW;
        for step in steps {
            match &step {
                Step::Later(ms) => now += ms,
                Step::Ask(query) => {
                    let [kept, made] = twins.each_ref().map(|twin| twin.0.recommend(query, now));
                    prop_assert_eq!(kept, made);
                }
                _ => twins.iter().for_each(|twin| change(twin, &step, now)),
            }
        }
        prop_assert_eq!(twins[1].0.reused(), 0);
    }
}

fn change(shop: &Shop, step: &Step, now: i64) {
    match step {
        Step::Event(who, kind, item) => shop.event(&who.to_string(), kind, &item.to_string(), now),
        Step::Erase(who) => drop(shop.histories().erase(&user(&who.to_string()))),
        Step::Put(item, data) => shop.put(&item.to_string(), data.clone()),
        Step::Delete(item) => shop.catalogue().delete(&id(&item.to_string())),
        Step::Swap(version) => model(shop, *version),
        Step::Later(_) | Step::Ask(_) => {}
    }
}

#[test]
fn a_list_asked_for_again_is_the_kept_one_until_the_user_does_something() {
    let shop = shop(true);
    model(&shop, 1);
    shop.event("u", "purchase", "0", NOW);
    // As many as the model has, and no ladder: one more place is always sought.
    let query = Query { n: 2, ..asks("u") };
    let first = shop.line(&query);
    assert_eq!((shop.line(&query), shop.0.reused()), (first.clone(), 1));
    shop.event("other", "purchase", "3", NOW);
    assert_eq!((shop.line(&query), shop.0.reused()), (first.clone(), 2), "others do not change a list of one's own");
    shop.event("u", "purchase", "3", NOW);
    assert!(first.contains('3') && !shop.line(&query).contains('3'));
    assert_eq!(shop.0.reused(), 2);
}

#[test]
fn nothing_is_kept_of_a_user_who_was_erased() {
    let shop = shop(true);
    model(&shop, 1);
    shop.event("u", "purchase", "0", NOW);
    let queries = [Query { n: 2, ..asks("u") }, Query { n: 2, ..asks("9") }];
    let lists = queries.each_ref().map(|query| shop.line(query));
    assert_eq!(shop.0.kept(), 2);
    shop.histories().erase(&user("u"));
    shop.0.forget(&user("u"));
    assert_eq!(shop.0.kept(), 1);
    assert_eq!((shop.line(&queries[1]), shop.0.reused()), (lists[1].clone(), 1));
}

#[test]
fn what_is_asked_once_is_not_kept() {
    let shop = shop(true);
    model(&shop, 1);
    for query in [
        Query { items: ids(&["1"]), ..asks("u") },
        Query { candidates: Some(ids(&["1"])), ..asks("u") },
        Query { explain: true, ..asks("u") },
    ] {
        assert_eq!(shop.list(&query), shop.list(&query));
    }
    assert_eq!(shop.0.reused(), 0);
}

#[test]
fn times_of_windows_that_are_no_more_are_let_go() {
    let catalogue = Catalogue::new(DAY);
    for ms in 0..5000 {
        catalogue.put(&id("a"), ItemData { available_until_ms: Some(ms), ..ItemData::default() }, 0);
    }
    assert_eq!((catalogue.next_change_ms(4998), catalogue.next_change_ms(4999)), (4999, i64::MAX));
    assert!(catalogue.next_change_ms(0) > 3000, "of 5000 times some thousand at most are remembered");
}
