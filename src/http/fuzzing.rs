//! Laws of the bodies that HTTP alone takes, for the targets in `fuzz/` and the tests; see [`crate::model::fuzzing`].
#![expect(clippy::unwrap_used, reason = "a law that does not hold panics")]

use std::sync::Arc;

use futures_util::FutureExt as _;
use serde_json::Value;

use super::events::take_whole;
use super::intake::Intake;
use super::item_body::{self, ItemView};
use super::params::Params;
use super::tf_tensors;
use crate::actors::messages::{Applied, EventBatch};
use crate::model::clock::Clock;
use crate::model::fuzzing::{Law, NOW};
use crate::model::serving::query::MAX_N;
use crate::model::wire::event::event_from_json;
use crate::model::wire::question::MAX_LIST;

/// TensorFlow Serving's `:predict`, item data, events as they are posted, queries.
pub const BODIES: [Law; 4] = [("predict", predict), ("item", item), ("intake", intake), ("query", query)];

fn predict(bytes: &[u8]) -> bool {
    let Ok(asked) = tf_tensors::read(bytes) else { return false };
    assert!((1..=MAX_LIST).contains(&asked.rows));
    let mut places: Vec<usize> = asked.by_user.values().flatten().map(|&(place, _)| place).collect();
    places.sort_unstable();
    assert!(places.into_iter().eq(0..asked.rows), "each pair has its row");
    true
}

fn item(bytes: &[u8]) -> bool {
    let Ok(data) = item_body::read(bytes) else { return false };
    let shown = serde_json::to_value(ItemView::new("7".parse().unwrap(), &data)).unwrap();
    let Value::Object(mut body) = shown else { unreachable!("a view is an object") };
    body.remove("id");
    let again = item_body::read(&serde_json::to_vec(&body).unwrap());
    assert_eq!(again.unwrap(), data, "what is shown can be set");
    true
}

/// Every event of a body is counted once, as taken or as refused.
fn intake(bytes: &[u8]) -> bool {
    let submit = async |batch: EventBatch| {
        batch.events.iter().for_each(|event| event.check(NOW).unwrap());
        Ok(Applied { accepted: batch.events.len() as u64, ..Applied::default() })
    };
    let intake = Intake::new(submit, event_from_json, Clock::held(NOW), 3, Arc::default());
    let Some(Ok(report)) = take_whole(intake, bytes).now_or_never() else { return false };
    let sent = match serde_json::from_slice(bytes) {
        Ok(Value::Array(values)) => values.len(),
        Ok(_) => 1,
        Err(_) => bytes.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count(),
    };
    assert_eq!(report.accepted + report.rejected.len() as u64 + report.rejected_unlisted, sent as u64);
    report.accepted > 0
}

fn query(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let known = ["user", "n", "exclude", "category", "include_seen", "explain", "version", "next"];
    let Ok(params) = Params::read(text, &known) else { return false };
    let read = || {
        assert!((1..=MAX_N).contains(&params.n()?));
        assert!(params.many("exclude")?.len() <= MAX_LIST && params.categories()?.len() <= MAX_LIST);
        params.version()?;
        params.flag("include_seen")?;
        params.flag("explain")?;
        params.one("next")
    };
    read().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_laws_hold_on_the_committed_bodies() {
        crate::model::fuzzing::hold_the_corpus("bodies", &[&BODIES, &crate::model::fuzzing::BODIES]);
    }
}
