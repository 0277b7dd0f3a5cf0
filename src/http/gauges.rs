//! What `/state` says in numbers, as Prometheus reads it at `/metrics` behind the histogram of requests.

use std::fmt::Write as _;

use serde_json::Value;

use super::state::StateView;

/// The text of the figures; `reused` is how many answers were a kept list.
#[must_use]
pub fn text(state: &StateView, reused: u64) -> String {
    let mut out = Text::default();
    if let Some(live) = &state.live {
        out.one("ouzel_model_version", "gauge", "The version that answers.", live.version as f64);
        out.one("ouzel_model_age_seconds", "gauge", "Time since that version was made.", live.age_seconds);
    }
    if let Some(prequential) = &state.prequential {
        out.head("ouzel_prequential", "gauge", "What the live version was worth on events as they came.");
        for (figure, value) in &prequential.figures {
            out.value("ouzel_prequential", &[("figure", figure)], value.mean);
        }
    }
    let events = &state.events;
    out.one("ouzel_history_events", "gauge", "Events in all histories.", events.events as f64);
    out.one("ouzel_users", "gauge", "Users with a history.", events.users as f64);
    out.one("ouzel_items", "gauge", "Items in the catalogue.", events.items as f64);
    out.one("ouzel_reused_lists_total", "counter", "Answers that were a kept list.", reused as f64);
    out.one("ouzel_ready", "gauge", "Whether requests are answered.", f64::from(u8::from(state.ready)));
    out.head("ouzel_actor_restarts_total", "counter", "How often an actor was rebuilt.");
    for actor in &state.actors {
        out.value("ouzel_actor_restarts_total", &[("actor", actor.name)], actor.restarts as f64);
    }
    out.head("ouzel_actor_running", "gauge", "Whether an actor runs.");
    for actor in &state.actors {
        let running = f64::from(u8::from(actor.status == "running"));
        out.value("ouzel_actor_running", &[("actor", actor.name)], running);
    }
    if let Some(kafka) = &state.kafka {
        lags(kafka, &mut out);
    }
    if let Some(bytes) = state.memory.resident_bytes {
        out.one("process_resident_memory_bytes", "gauge", "What the process holds.", bytes as f64);
    }
    out.0
}

/// The lag of each partition of the streams in Kafka's status, where it is known.
fn lags(kafka: &Value, out: &mut Text) {
    const NAME: &str = "kafka_consumergroup_group_lag";
    out.head(NAME, "gauge", "Records of a partition that were not taken in yet.");
    for stream in kafka.as_object().into_iter().flat_map(serde_json::Map::values) {
        let topic = stream.get("topic").and_then(Value::as_str).unwrap_or_default();
        for partition in stream.get("partitions").and_then(Value::as_array).into_iter().flatten() {
            let number = partition.get("partition").map(ToString::to_string).unwrap_or_default();
            if let Some(lag) = partition.get("lag").and_then(Value::as_f64) {
                out.value(NAME, &[("topic", topic), ("partition", &number)], lag);
            }
        }
    }
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n").unwrap_or_default();
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: f64) {
        self.head(name, kind, help);
        self.value(name, &[], value);
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let labels: Vec<String> = labels.iter().map(|(label, of)| format!("{label}=\"{}\"", escaped(of))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        writeln!(self.0, "{name}{labels} {value}").unwrap_or_default();
    }
}

/// A label's value, as the format wants it.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lags_that_are_known_are_told_by_topic_and_partition() {
        let kafka = serde_json::json!({
            "connected": true,
            "events": { "topic": "ev\"ents", "partitions": [{ "partition": 0, "lag": 7 }, { "partition": 1, "lag": null }] },
        });
        let mut out = Text::default();
        lags(&kafka, &mut out);
        insta::assert_snapshot!(out.0, @r#"
        # HELP kafka_consumergroup_group_lag Records of a partition that were not taken in yet.
        # TYPE kafka_consumergroup_group_lag gauge
        kafka_consumergroup_group_lag{topic="ev\"ents",partition="0"} 7
        "#);
    }
}
