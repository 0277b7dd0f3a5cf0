//! Replies as people read them.

use prost::Message as _;
use serde_json::Value;

use crate::cli::table::clean;
use crate::kafka::codec::Format;
use crate::kafka::codec::messages::RecommendationReply;
use crate::kafka::record::Record;
use crate::settings::WireFormat;

/// Items of a reply that are shown.
const SHOWN: usize = 5;

/// What a reply says, in one line, whichever format it is in.
pub(super) fn reply(record: &Record) -> String {
    let bytes = record.payload.as_deref().unwrap_or_default();
    let said = match Format::of(record, WireFormat::Auto) {
        Format::Protobuf => RecommendationReply::decode(bytes).ok().map(|reply| protobuf(&reply)),
        Format::Json => serde_json::from_slice(bytes).ok().and_then(|body| json(&body)),
    };
    said.map_or_else(|| format!("{} bytes that are no reply of Ouzel", bytes.len()), |said| clean(&said))
}

fn protobuf(reply: &RecommendationReply) -> String {
    let items = reply.products.iter().map(|scored| {
        let id = if scored.id.is_empty() { scored.product.to_string() } else { scored.id.clone() };
        (id, Some(scored.prediction))
    });
    line(&reply.model, reply.execution, items.collect())
}

/// A list has `items` with `id` and `score`, scores have `products` with `product` and `prediction`.
fn json(body: &Value) -> Option<String> {
    let (items, id, score) = match (body.get("items"), body.get("products")) {
        (Some(Value::Array(items)), _) => (items, "id", "score"),
        (_, Some(Value::Array(products))) => (products, "product", "prediction"),
        _ => return None,
    };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let scored = |item: &Value| (item.get(id).map(text).unwrap_or_default(), item.get(score).and_then(Value::as_f64));
    let items = items.iter().map(scored).collect();
    let model = match body.get("model") {
        Some(Value::String(name)) => name.clone(),
        Some(model) if model.is_object() => format!("ouzel {}", model.get("version").map(text).unwrap_or_default()),
        _ => "ouzel".to_owned(),
    };
    let execution = body.get("execution").and_then(Value::as_f64).unwrap_or(0.0);
    Some(line(&model, execution, items))
}

fn line(model: &str, execution: f64, items: Vec<(String, Option<f64>)>) -> String {
    let many = items.len();
    let mut shown: Vec<String> = items
        .into_iter()
        .take(SHOWN)
        .map(|(id, score)| score.map_or_else(|| format!("{id} -"), |score| format!("{id} {score:.4}")))
        .collect();
    if many > SHOWN {
        shown.push(format!("and {} more", many - SHOWN));
    }
    let shown = if shown.is_empty() { "nothing".to_owned() } else { shown.join(", ") };
    format!("{shown} ({model}, {execution:.2} ms)")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::kafka::codec::messages::Prediction;

    fn record(payload: Vec<u8>) -> Record {
        Record {
            topic: Arc::from("recommendations"),
            partition: 0,
            offset: 0,
            timestamp_ms: None,
            key: None,
            payload: Some(payload),
            headers: Vec::new(),
        }
    }

    fn of_json(body: &str) -> String {
        reply(&record(body.as_bytes().to_vec()))
    }

    #[test]
    fn lists_and_scores_are_read_in_both_formats() {
        insta::assert_snapshot!(
            of_json(r#"{"model":{"version":3},"items":[{"id":"mug-017","score":0.5},{"id":"b","score":0.25}],"execution":0.5}"#),
            @"mug-017 0.5000, b 0.2500 (ouzel 3, 0.50 ms)");
        insta::assert_snapshot!(
            of_json(r#"{"model":"ouzel 7","products":[{"product":"17","prediction":null}],"execution":1}"#),
            @"17 - (ouzel 7, 1.00 ms)");
        insta::assert_snapshot!(of_json(r#"{"model":null,"items":[],"execution":0}"#), @"nothing (ouzel, 0.00 ms)");
        let products = (1..=7).map(|product| Prediction { product, prediction: 0.5, id: String::new() }).collect();
        let message = RecommendationReply { model: "ouzel 2".into(), execution: 0.125, products };
        insta::assert_snapshot!(reply(&record(message.encode_to_vec())),
            @"1 0.5000, 2 0.5000, 3 0.5000, 4 0.5000, 5 0.5000, and 2 more (ouzel 2, 0.12 ms)");
    }

    #[test]
    fn what_is_no_reply_is_said_and_cannot_move_the_cursor() {
        assert_eq!(of_json(r#"{"a":1}"#), "7 bytes that are no reply of Ouzel");
        let body = format!(r#"{{"model":"x","items":[{{"id":"{}","score":1}}],"execution":0}}"#, r"\u001b[2J");
        assert!(!of_json(&body).contains('\u{1b}'));
    }
}
