//! What `/state` says in numbers.

use serde_json::Value;

use super::text::Text;
use crate::http::state::{MemoryView, StateView};
use crate::model::serving::online::OnlineView;
use crate::model::serving::prequential::PrequentialBody;

/// Writes the figures; `reused` is how many answers were a kept list, `judged` what each version was worth.
pub(super) fn write(state: &StateView, reused: u64, judged: &[PrequentialBody], out: &mut Text) {
    if let Some(live) = &state.live {
        out.one("ouzel_model_version", "gauge", "The version that answers.", live.version as f64);
        out.one("ouzel_model_age_seconds", "gauge", "Time since that version was made.", live.age_seconds);
        if let Some(age) = live.data_age_seconds {
            let help = "Time since the newest event in that version's data.";
            out.one("ouzel_model_data_age_seconds", "gauge", help, age);
        }
    }
    prequential(state, judged, out);
    online(state, out);
    let events = &state.events;
    out.one("ouzel_history_events", "gauge", "Events in all histories.", events.events as f64);
    out.one("ouzel_users", "gauge", "Users with a history.", events.users as f64);
    out.one("ouzel_items", "gauge", "Items in the catalogue.", events.items as f64);
    out.one("ouzel_reused_lists_total", "counter", "Answers that were a kept list.", reused as f64);
    out.one("ouzel_ready", "gauge", "Whether requests are answered.", f64::from(u8::from(state.ready)));
    actors(state, out);
    if let Some(kafka) = &state.kafka {
        let connected = kafka.pointer("/broker/connected").and_then(Value::as_bool).unwrap_or_default();
        let help = "Whether every client has a broker.";
        out.one("ouzel_kafka_connected", "gauge", help, f64::from(u8::from(connected)));
        lags(kafka, out);
    }
    memory(&state.memory, out);
}

/// The live version's figures, and beside them those of every version that was live since the process began.
fn prequential(state: &StateView, judged: &[PrequentialBody], out: &mut Text) {
    if let Some(prequential) = &state.prequential {
        out.head("ouzel_prequential", "gauge", "What the live version was worth on events as they came.");
        for (figure, value) in &prequential.figures {
            out.value("ouzel_prequential", &[("figure", figure)], value.mean);
        }
    }
    if judged.is_empty() {
        return;
    }
    out.head("ouzel_version_prequential", "gauge", "What a version was worth on events that came while it was live.");
    for body in judged {
        for (figure, value) in &body.figures {
            let labels = [("version", &*body.version.to_string()), ("figure", figure)];
            out.value("ouzel_version_prequential", &labels, value.mean);
        }
    }
    out.head("ouzel_version_lookups_total", "counter", "Events that were looked up in a version's lists.");
    for body in judged {
        out.value("ouzel_version_lookups_total", &[("version", &body.version.to_string())], body.looked_up as f64);
    }
}

/// What followed the lists, by version and variant, which is empty outside a test.
fn online(state: &StateView, out: &mut Text) {
    let rows: Vec<([String; 2], &OnlineView)> = state
        .online
        .iter()
        .map(|row| ([row.version.unwrap_or_default().to_string(), row.variant.clone().unwrap_or_default()], row))
        .collect();
    if rows.is_empty() {
        return;
    }
    out.head("ouzel_online_lists_total", "counter", "Lists that were given, version 0 being none.");
    for ([version, variant], row) in &rows {
        out.value("ouzel_online_lists_total", &[("version", version), ("variant", variant)], row.lists as f64);
    }
    out.head("ouzel_online_items_total", "counter", "Items of these lists by where they came from.");
    for ([version, variant], row) in &rows {
        for (source, &count) in &row.items {
            let labels = [("version", &**version), ("variant", variant), ("source", source)];
            out.value("ouzel_online_items_total", &labels, count as f64);
        }
    }
    out.head("ouzel_online_events_total", "counter", "New events that came with the id of such a list.");
    for ([version, variant], row) in &rows {
        for (kind, followed) in &row.events {
            for (source, &count) in &followed.sources {
                let labels = [("version", &**version), ("variant", variant), ("type", kind), ("source", source)];
                out.value("ouzel_online_events_total", &labels, count as f64);
            }
        }
    }
}

fn actors(state: &StateView, out: &mut Text) {
    out.head("ouzel_actor_restarts_total", "counter", "How often an actor was rebuilt.");
    for actor in &state.actors {
        out.value("ouzel_actor_restarts_total", &[("actor", actor.name)], actor.restarts as f64);
    }
    out.head("ouzel_actor_running", "gauge", "Whether an actor runs.");
    for actor in &state.actors {
        let running = f64::from(u8::from(actor.status == "running"));
        out.value("ouzel_actor_running", &[("actor", actor.name)], running);
    }
    out.head("ouzel_actor_refusals_total", "counter", "Calls that an actor turned away because too many waited.");
    for actor in &state.actors {
        out.value("ouzel_actor_refusals_total", &[("actor", actor.name)], actor.refused as f64);
    }
}

fn memory(memory: &MemoryView, out: &mut Text) {
    let parts = [
        ("histories", Some(memory.histories_bytes)),
        ("catalogue", Some(memory.catalogue_bytes)),
        ("model", memory.model_bytes),
        ("kept_lists", Some(memory.kept_lists_bytes)),
    ];
    out.head("ouzel_memory_bytes", "gauge", "About how much each part holds.");
    for (part, bytes) in parts {
        if let Some(bytes) = bytes {
            out.value("ouzel_memory_bytes", &[("part", part)], bytes as f64);
        }
    }
    if let Some(bytes) = memory.resident_bytes {
        out.one("process_resident_memory_bytes", "gauge", "What the process holds.", bytes as f64);
    }
}

/// The lag of each partition of the streams in Kafka's status, where it is known: in records, and in time.
fn lags(kafka: &Value, out: &mut Text) {
    let help = "Records of a partition that were not taken in yet.";
    lag("kafka_consumergroup_group_lag", help, kafka, out, |known| known.get("lag")?.as_f64());
    let help = "How long the oldest record of a partition has waited that is not done with.";
    let seconds = |known: &Value| Some(known.get("lag_ms")?.as_f64()? / 1e3);
    lag("kafka_consumergroup_group_lag_seconds", help, kafka, out, seconds);
}

fn lag(name: &str, help: &str, kafka: &Value, out: &mut Text, of: impl Fn(&Value) -> Option<f64>) {
    out.head(name, "gauge", help);
    for stream in kafka.as_object().into_iter().flat_map(serde_json::Map::values) {
        let topic = stream.get("topic").and_then(Value::as_str).unwrap_or_default();
        for known in stream.get("partitions").and_then(Value::as_array).into_iter().flatten() {
            let number = known.get("partition").map(ToString::to_string).unwrap_or_default();
            if let Some(lag) = of(known) {
                out.value(name, &[("topic", topic), ("partition", &number)], lag);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lags_that_are_known_are_told_by_topic_and_partition() {
        let kafka = serde_json::json!({
            "connected": true,
            "events": { "topic": "ev\"ents", "partitions": [
                { "partition": 0, "lag": 7, "lag_ms": 2500 },
                { "partition": 1, "lag": null, "lag_ms": null },
                { "partition": 2, "lag": 3, "lag_ms": null },
            ] },
        });
        let mut out = Text::default();
        lags(&kafka, &mut out);
        insta::assert_snapshot!(out.into_string(), @r#"
        # HELP kafka_consumergroup_group_lag Records of a partition that were not taken in yet.
        # TYPE kafka_consumergroup_group_lag gauge
        kafka_consumergroup_group_lag{topic="ev\"ents",partition="0"} 7
        kafka_consumergroup_group_lag{topic="ev\"ents",partition="2"} 3
        # HELP kafka_consumergroup_group_lag_seconds How long the oldest record of a partition has waited that is not done with.
        # TYPE kafka_consumergroup_group_lag_seconds gauge
        kafka_consumergroup_group_lag_seconds{topic="ev\"ents",partition="0"} 2.5
        "#);
    }
}
