use super::*;
use crate::model::interactions::NO_TIME;

#[test]
fn an_empty_system_gives_an_empty_list() {
    let shop = Shop::new();
    let answer = shop.0.recommend(&asks("u"), NOW);
    assert_eq!((answer.items, answer.model, answer.more), (vec![], None, false));
    assert_eq!(answer.user, Some(user("u")));
    shop.goes_live(Toy::Alike(vec![]), &[], &[]);
    assert_eq!(shop.line(&asks("u")), "");
    assert!(shop.0.recommend(&asks("u"), NOW).model.is_some());
}

#[test]
fn a_stranger_is_answered_from_the_ladder() {
    let shop = Shop::new();
    shop.event("x", "purchase", "lately", NOW - DAY);
    shop.event("x", "purchase", "often", NO_TIME);
    shop.put("set", ItemData::default());
    let expected = [
        ("lately".to_owned(), Source::Trending),
        ("often".to_owned(), Source::Popular),
        ("set".to_owned(), Source::Newest),
    ];
    assert_eq!(shop.list(&asks("stranger")), expected);
    shop.goes_live(Toy::Alike(alike()), &["a", "b", "c", "d"], &[]);
    assert_eq!(shop.list(&asks("stranger"))[..3], expected);
}

#[test]
fn an_event_counts_on_the_next_question() {
    let shop = Shop::new();
    shop.goes_live(Toy::Alike(alike()), &["a", "b", "c", "d"], &[]);
    shop.event("u", "purchase", "a", NOW);
    assert_eq!(shop.line(&asks("u")), "b c d");
    assert_eq!(shop.list(&asks("u"))[0].1, Source::Personal);
    shop.event("u", "purchase", "b", NOW);
    assert_eq!(shop.line(&asks("u")), "c d");
    // A view feeds taste only; a dislike takes its item out and pushes what is like it away.
    shop.event("v", "view", "a", NOW);
    shop.event("v", "dislike", "b", NOW);
    assert_eq!(shop.line(&asks("v")), "d c a");
    assert_eq!(shop.line(&Query { include_seen: true, ..asks("u") }), "c a b d");
    // A type that is new since the last question has its weight.
    shop.event("w", "purchase", "a", NOW);
    shop.event("w", "stare", "c", NOW);
    assert_eq!(shop.line(&asks("w")), "b c d");
}

#[test]
fn only_the_latest_acts_feed_taste_but_all_seen_ones_are_left_out() {
    let shop = Shop::new();
    shop.goes_live(Toy::Alike(alike()), &["a", "b", "c", "d"], &[]);
    shop.event("u", "purchase", "a", NOW - 9 * DAY);
    for _ in 0..5 {
        shop.event("u", "view", "d", NOW);
    }
    assert_eq!(shop.line(&asks("u")), "b c d", "taste is of d alone, so that b and c are equals");
    // What arrives late is not the latest.
    shop.event("u", "view", "b", NOW - 8 * DAY);
    let scores = shop.0.recommend(&asks("u"), NOW).items.into_iter().map(|item| item.score).collect::<Vec<_>>();
    assert_eq!(scores, [0.0; 3]);
}

#[test]
fn a_session_needs_no_user_and_joins_the_history() {
    let shop = Shop::new();
    shop.goes_live(Toy::Alike(alike()), &["a", "b", "c", "d"], &[]);
    let session = |items: &[&str]| Query { items: ids(items), ..asks("u") };
    let anonymous = Query { user: None, ..session(&["a", "unknown"]) };
    assert_eq!(shop.list(&anonymous)[0], ("b".to_owned(), Source::Session));
    assert_eq!(shop.line(&anonymous), "b c d");
    shop.event("u", "dislike", "a", NOW);
    // 0.8 of b less 0.3 of a, against none for d.
    assert_eq!(shop.line(&session(&["b"])), "c d");
    let nothing_known = Query { user: None, ..session(&["unknown"]) };
    assert!(shop.list(&nothing_known).iter().all(|(_, source)| *source == Source::Newest));
}

#[test]
fn an_erased_user_gets_nothing_personal() {
    let shop = Shop::new();
    shop.goes_live(Toy::Table(vec![vec![0.1, 0.2]]), &["a", "b"], &["u"]);
    assert!(shop.list(&asks("u")).iter().all(|(_, source)| *source == Source::Newest), "no history yet");
    shop.event("u", "view", "a", NOW);
    assert_eq!(shop.list(&asks("u"))[0], ("b".to_owned(), Source::Personal));
    assert_eq!(shop.0.score(Some(&user("u")), &ids(&["a"]), NOW).scores, [Some(0.1)]);
    let erased = shop.histories().erase(&user("u")).unwrap();
    shop.catalogue().uncount(erased.acts[0].item(), 0.5, NOW);
    assert!(shop.list(&asks("u")).iter().all(|(_, source)| *source == Source::Newest));
    assert_eq!(shop.0.score(Some(&user("u")), &ids(&["a"]), NOW).scores, [None]);
}

#[test]
fn a_window_opens_and_closes_to_the_millisecond() {
    let shop = Shop::new();
    let window = ItemData { available_from_ms: Some(NOW), available_until_ms: Some(NOW + 10), ..ItemData::default() };
    shop.put("a", window);
    let shown = |now_ms| !shop.0.recommend(&asks("u"), now_ms).items.is_empty();
    assert_eq!([NOW - 1, NOW, NOW + 9, NOW + 10].map(shown), [false, true, true, false]);
    shop.put("a", ItemData { hidden: true, ..ItemData::default() });
    assert!(!shown(NOW));
    shop.put("a", ItemData::default());
    assert!(shown(NOW));
    shop.catalogue().delete(&id("a"));
    assert!(!shown(NOW));
}

#[test]
fn only_candidates_are_ranked() {
    let shop = Shop::new();
    shop.goes_live(Toy::Alike(alike()), &["a", "b", "c", "d"], &[]);
    shop.event("u", "purchase", "a", NOW);
    shop.put("new", ItemData::default());
    let query = Query { candidates: Some(ids(&["new", "c", "b", "a", "c", "unknown"])), ..asks("u") };
    let list = shop.list(&query);
    assert_eq!(list.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["b", "c", "new"]);
    assert_eq!(list[2].1, Source::Newest);
    assert_eq!(shop.line(&Query { candidates: Some(vec![]), ..asks("u") }), "");
}

#[test]
fn a_list_for_everybody_is_named_after_its_kind() {
    let shop = Shop::new();
    for (kind, source) in [("popular", Source::Popular), ("recent-popular", Source::Trending)] {
        shop.goes_live(Toy::Everybody(kind, vec![1.0, 3.0]), &["a", "b"], &[]);
        assert_eq!(shop.list(&asks("u")), [("b".to_owned(), source), ("a".to_owned(), source)]);
        assert_eq!(shop.0.score(None, &ids(&["a", "x"]), NOW).scores, [Some(1.0), None]);
    }
}

#[test]
fn another_version_may_answer_instead_of_the_live_one() {
    let shop = Shop::new();
    shop.goes_live(Toy::Everybody("popular", vec![1.0, 3.0]), &["a", "b"], &[]);
    let other = shop.bound(3, Toy::Everybody("popular", vec![3.0, 1.0]), &["a", "b"], &[]);
    let answer = shop.0.recommend_with(Some(&other), &asks("u"), NOW);
    assert_eq!(pairs(&answer)[0].0, "a");
    let by = answer.model.unwrap();
    assert_eq!((by.version, by.kind.as_str(), by.created_ms), (Version(3), "popular", NOW - 1000));
    assert_eq!(by.events_to_ms, Some(NOW - DAY));
    assert_eq!(shop.0.recommend_with(None, &asks("u"), NOW).model, None);
}

#[test]
fn equal_scores_stand_in_the_order_of_ids() {
    let shop = Shop::new();
    shop.goes_live(Toy::Everybody("popular", vec![1.0; 4]), &["d", "b", "a", "c"], &[]);
    assert_eq!(shop.line(&Query { n: 3, ..asks("u") }), "a b c");
}
