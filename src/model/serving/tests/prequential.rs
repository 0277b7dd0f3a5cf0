use super::*;
use crate::model::event::Event;
use crate::model::serving::prequential::PrequentialBody;

impl Shop {
    /// An event that arrives: looked up, then learnt.
    fn arrives(&self, user: &str, kind: &str, item: &str, time_ms: i64) {
        let event = Event {
            user: user.parse().unwrap(),
            item: id(item),
            kind: kind.into(),
            value: 1.0,
            timestamp_ms: Some(time_ms),
            id: None,
            recommendation_id: None,
        };
        self.0.meet(&event, NOW);
        self.event(user, kind, item, time_ms);
    }

    fn judged(&self, version: u64) -> Option<PrequentialBody> {
        self.0.prequential.of(Version(version))
    }
}

fn shop(share: f64) -> Shop {
    let mut shop = Shop::new();
    shop.0.rules.prequential = share;
    shop.goes_live(Toy::Alike(alike()), &["a", "b", "c", "d"], &[]);
    shop
}

#[test]
fn an_event_is_looked_up_before_it_is_learnt() {
    let shop = shop(1.0);
    shop.arrives("u", "purchase", "a", NOW);
    assert_eq!(shop.judged(7), None, "nothing is known of a stranger");
    // b is first for who took a; then c is first; then d is all that is left.
    shop.arrives("u", "purchase", "b", NOW);
    let body = shop.judged(7).unwrap();
    assert_eq!((body.looked_up, body.window, body.figures["ndcg@10"].mean), (1, 1, 1.0));
    // d is second to c: 1 / log2(3); an item that nobody heard of is a miss.
    shop.arrives("u", "purchase", "d", NOW);
    shop.arrives("u", "purchase", "unheard", NOW);
    let body = shop.judged(7).unwrap();
    assert_eq!((body.version, body.looked_up), (7, 3));
    assert!((body.figures["ndcg@10"].mean - (1.0 + 1.0 / 3.0_f64.log2()) / 3.0).abs() < 1e-12);
    assert!((body.figures["hr@10"].mean - 2.0 / 3.0).abs() < 1e-12 && body.figures["hr@10"].ci95 > 0.0);
}

#[test]
fn repeats_other_types_dislikes_and_what_the_version_was_fitted_on_are_passed_over() {
    let shop = shop(1.0);
    shop.arrives("u", "purchase", "a", NOW);
    shop.arrives("u", "purchase", "a", NOW);
    shop.arrives("u", "view", "b", NOW);
    shop.arrives("u", "dislike", "d", NOW);
    shop.arrives("u", "purchase", "b", NOW - DAY);
    assert_eq!(shop.judged(7), None);
    shop.arrives("u", "purchase", "c", NOW - DAY + 1);
    assert_eq!(shop.judged(7).unwrap().looked_up, 1);
}

#[test]
fn every_version_has_a_window_of_its_own() {
    let shop = shop(1.0);
    shop.arrives("u", "purchase", "a", NOW);
    shop.arrives("u", "purchase", "b", NOW);
    let next = shop.bound(8, Toy::Everybody("popular", vec![0.0, 0.0, 1.0, 2.0]), &["a", "b", "c", "d"], &[]);
    shop.0.live.store(Some(next.clone()));
    shop.arrives("u", "purchase", "c", NOW);
    assert_eq!(shop.judged(7).unwrap().figures["hr@10"].mean, 1.0);
    let beside = shop.0.prequential.beside(&next).unwrap();
    assert_eq!((beside.model.as_str(), beside.part.as_str(), beside.users), ("live", "prequential", 1));
    assert!((beside.metrics["ndcg@10"].mean - 1.0 / 3.0_f64.log2()).abs() < 1e-12, "d is before c");
    assert_eq!(shop.judged(9), None);
}

#[test]
fn only_the_latest_thousand_count() {
    let shop = shop(1.0);
    for user in 0..1_100 {
        let user = user.to_string();
        shop.arrives(&user, "purchase", "a", NOW);
        shop.arrives(&user, "purchase", if user.len() < 3 { "unheard" } else { "b" }, NOW);
    }
    let body = shop.judged(7).unwrap();
    assert_eq!((body.looked_up, body.window, body.figures["hr@10"].mean), (1_100, 1_000, 1.0));
}

#[test]
fn it_takes_its_share_of_time_and_no_more() {
    for (share, looked_up) in [(0.0, None), (1e-12, Some(1))] {
        let shop = shop(share);
        shop.arrives("u", "purchase", "a", NOW);
        shop.arrives("u", "purchase", "b", NOW);
        shop.arrives("u", "purchase", "c", NOW);
        assert_eq!(shop.judged(7).map(|body| body.looked_up), looked_up);
    }
}
