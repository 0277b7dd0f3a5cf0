use super::*;
use crate::model::ids::Version;
use crate::model::serving::answer::{AnsweredBy, Recommended, Source};

fn answer(version: u64, variant: Option<&str>, items: &[(&str, Source)]) -> Answer {
    let by = AnsweredBy { version: Version(version), kind: "ease".to_owned(), events_to_ms: None, created_ms: 0 };
    let item = |&(id, source): &(&str, Source)| Recommended {
        id: id.parse().unwrap(),
        score: 1.0,
        source,
        reason: None,
        parts: Vec::new(),
    };
    Answer {
        user: None,
        model: (version > 0).then_some(by),
        variant: variant.map(Arc::from),
        items: items.iter().map(item).collect(),
        more: false,
    }
}

fn event(kind: &str, item: &str, id: &RecommendationId) -> Event {
    Event {
        user: "u".parse().unwrap(),
        item: item.parse().unwrap(),
        kind: Arc::from(kind),
        value: 1.0,
        timestamp_ms: None,
        id: None,
        recommendation_id: Some(Arc::from(id.to_string())),
    }
}

#[test]
fn events_lead_to_version_variant_and_source() {
    let online = Online::new(100);
    assert_eq!(online.note(), None);
    let list = [("a", Source::Personal), ("b", Source::Personal), ("c", Source::Trending)];
    let id = online.given(&answer(7, Some("new"), &list));
    online.given(&answer(7, Some("new"), &list));
    let plain = online.given(&answer(6, None, &list));
    for (kind, item, id) in
        [("click", "a", &id), ("click", "c", &id), ("purchase", "c", &id), ("click", "z", &id), ("click", "b", &plain)]
    {
        online.happened(&event(kind, item, id));
    }
    let view = serde_json::to_value(online.view()).unwrap();
    insta::assert_snapshot!(view, @r#"[{"events":{"click":{"count":3,"per_list":1.5,"sources":{"personal":1,"trending":1,"unlisted":1}},"purchase":{"count":1,"per_list":0.5,"sources":{"trending":1}}},"items":{"personal":4,"trending":2},"lists":2,"variant":"new","version":7},{"events":{"click":{"count":1,"per_list":1.0,"sources":{"personal":1}}},"items":{"personal":2,"trending":1},"lists":1,"variant":null,"version":6}]"#);
}

#[test]
fn counts_outlive_the_process_and_sources_do_not() {
    let online = Online::new(100);
    let id = online.given(&answer(0, None, &[("a", Source::Popular)]));
    let note = online.note().unwrap();
    assert_eq!(online.note(), None);
    let mut next = Online::new(100);
    next.restore(note).unwrap();
    next.happened(&event("click", "a", &id));
    let row = next.view().remove(0);
    assert_eq!((row.version, row.lists, row.events["click"].count), (None, 1, 1));
    assert_eq!(row.events["click"].sources, BTreeMap::from([("forgotten".to_owned(), 1)]));
    // A process of its own does not count what another's lists led to.
    let other = Online::new(100);
    other.given(&answer(0, None, &[("a", Source::Popular)]));
    other.happened(&event("click", "a", &id));
    assert!(other.view()[0].events.is_empty());
    assert!(next.restore(serde_json::json!({"rows": 7})).is_err());
}

#[test]
fn memory_is_bounded_and_ids_that_were_made_up_count_nothing() {
    let online = Online::new(4);
    for version in 1..=100 {
        let id = online.given(&answer(version, None, &[("a", Source::Popular)]));
        let made_up = RecommendationId { version: 1_000_000, ..id.clone() };
        online.happened(&event("click", "a", &made_up));
        for kind in 0..100 {
            online.happened(&event(&format!("kind{kind}"), "a", &id));
        }
    }
    let view = online.view();
    assert_eq!((view.len(), view[0].version, view[23].version), (ROWS, Some(100), Some(77)));
    assert_eq!((view[0].events.len(), view[0].events["other"].count), (TYPES + 1, 68));
}
