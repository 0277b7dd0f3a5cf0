//! What each key may hold: ranges, names, forms. A key that is not here may hold whatever its type allows.

use chrono::{DateTime, Utc};
use config::ValueKind;

use super::{Span, forms};
use crate::model::serving::prequential::WINDOW;

/// The kinds of model that `training.candidates` may name.
pub const CANDIDATE_KINDS: [&str; 9] =
    ["popular", "decayed-popular", "recent-popular", "item-knn", "ease", "ials", "neural-cf", "sequence", "blend"];

/// The metrics that `gate.metric` may name.
pub const GATE_METRICS: [&str; 3] = ["ndcg@10", "recall@20", "hr@10"];

/// What a value must be, beyond its type.
enum Rule {
    /// A whole number from the first to the second.
    Int(i64, i64),
    /// A finite number from the first to the second.
    Float(f64, f64),
    /// A finite number above the first, up to the second.
    Above(f64, f64),
    /// A span from the first to the second, milliseconds.
    Span(u64, u64),
    /// `0s`, or a span from the first to the second, milliseconds.
    SpanOrNone(u64, u64),
    /// One of these.
    OneOf(&'static [&'static str]),
    /// At least one of these, none twice.
    SomeOf(&'static [&'static str]),
    /// Not empty.
    Filled,
    /// A text, or every text of a list, that the function finds nothing wrong with.
    Form(fn(&str) -> Option<String>),
    /// A list of at least one number within the rule.
    Numbers(&'static Rule),
    /// Texts that are secrets: the message may say where, never what.
    Keys,
}

/// The longest time between the starts of runs, seconds: ten years.
pub const MAX_INTERVAL_SECONDS: u64 = 3650 * 86_400;

const SECOND: u64 = 1000;
const DAY: u64 = 86_400 * SECOND;
const MANY: i64 = 1 << 40;
/// The largest number that the 32-bit fields hold.
const F32: f64 = f32::MAX as f64;

const RULES: [(&str, Rule); 70] = [
    ("server.address", Rule::Form(forms::address)),
    ("server.port", Rule::Int(0, 65_535)),
    ("server.role", Rule::OneOf(&["all", "train", "serve"])),
    ("server.primary_url", Rule::Form(forms::url)),
    ("server.public_url", Rule::Form(forms::url)),
    ("server.workers", Rule::Int(0, 1024)),
    ("server.max_in_flight", Rule::Int(1, 1_000_000)),
    ("server.max_wait", Rule::SpanOrNone(1, DAY)),
    ("server.body_budget", Rule::Int(1, MANY)),
    ("server.body_limit", Rule::Int(1, MANY)),
    ("server.ndjson_limit", Rule::Int(1, MANY)),
    ("server.shutdown_grace", Rule::Span(SECOND, 3600 * SECOND)),
    ("auth.keys", Rule::Keys),
    ("kafka.brokers", Rule::Form(forms::brokers)),
    ("kafka.events_topic", Rule::Form(forms::topic)),
    ("kafka.requests_topic", Rule::Form(forms::topic)),
    ("kafka.replies_topic", Rule::Form(forms::topic)),
    ("kafka.models_topic", Rule::Form(forms::topic)),
    ("kafka.versions_topic", Rule::Form(forms::topic_or_none)),
    ("kafka.dead_letter_suffix", Rule::Form(forms::topic)),
    ("kafka.requests_group", Rule::Filled),
    ("kafka.models_group", Rule::Filled),
    ("kafka.events_format", Rule::OneOf(&["auto", "json", "protobuf"])),
    ("kafka.requests_format", Rule::OneOf(&["auto", "json", "protobuf"])),
    ("kafka.start", Rule::Form(forms::kafka_start)),
    ("kafka.out_of_range", Rule::OneOf(&["earliest", "latest", "stop"])),
    ("kafka.batch", Rule::Int(1, 1_000_000)),
    ("kafka.queue", Rule::Int(1, 100_000)),
    ("storage.data_dir", Rule::Filled),
    ("storage.artifacts", Rule::Form(forms::place)),
    ("storage.import_watch", Rule::Form(forms::place)),
    ("storage.import_format", Rule::OneOf(&["events", "transactions"])),
    ("storage.seal_events", Rule::Int(1, MANY)),
    ("storage.min_free", Rule::Int(0, MANY)),
    ("storage.erase_within", Rule::Span(SECOND, 3650 * DAY)),
    ("storage.s3_endpoint", Rule::Form(forms::url)),
    ("storage.s3_region", Rule::Filled),
    ("ingest.queue", Rule::Int(1, 1_000_000)),
    ("ingest.batch", Rule::Int(1, 1_000_000)),
    ("ingest.dedup_window", Rule::Span(0, 3650 * DAY)),
    ("ingest.weights", Rule::Float(-F32, F32)),
    ("ingest.default_weight", Rule::Float(-F32, F32)),
    ("training.candidates", Rule::SomeOf(&CANDIDATE_KINDS)),
    ("training.threads", Rule::Int(1, 1024)),
    ("training.seed", Rule::Int(0, i64::MAX)),
    ("training.protocol", Rule::OneOf(&["auto", "leave-last-out", "temporal"])),
    ("training.budget", Rule::Span(SECOND, 365 * DAY)),
    ("training.trials", Rule::Int(0, 1_000_000)),
    ("training.test_users", Rule::Int(0, MANY)),
    ("training.half_life", Rule::SpanOrNone(SECOND, 36_500 * DAY)),
    ("training.ease_max_items", Rule::Int(1, 100_000)),
    ("training.ease_lambdas", Rule::Numbers(&Rule::Above(0.0, F32))),
    ("training.neural_epochs", Rule::Int(1, 100_000)),
    ("training.neural_batch", Rule::Int(1, 1 << 24)),
    ("training.neural_learning_rate", Rule::Above(0.0, 10.0)),
    ("training.neural_held_out", Rule::Float(0.0, 0.5)),
    ("gate.metric", Rule::OneOf(&GATE_METRICS)),
    ("gate.margin", Rule::Float(0.0, 1.0)),
    ("gate.probes", Rule::Int(1, 1_000_000)),
    ("registry.keep", Rule::Int(1, 1_000_000)),
    ("registry.follow", Rule::Span(100, DAY)),
    ("serving.seen_types", Rule::Form(forms::label)),
    ("serving.generation", Rule::Span(1, DAY)),
    ("serving.trending_half_life", Rule::Span(SECOND, 36_500 * DAY)),
    ("serving.history", Rule::Int(1, 1_000_000)),
    ("serving.prequential", Rule::Float(0.0, 1.0)),
    ("schedule.cron", Rule::Form(cron)),
    ("schedule.interval", Rule::SpanOrNone(SECOND, MAX_INTERVAL_SECONDS * SECOND)),
    ("schedule.every_events", Rule::Int(0, (1 << 53) - 1)),
    ("overseer.max_restarts", Rule::Int(0, u32::MAX as i64)),
];

/// The rest: tests, drift, timers and logs.
const MORE: [(&str, Rule); 14] = [
    ("serving.experiment", Rule::Form(forms::label)),
    ("serving.variants", Rule::Form(forms::variant)),
    ("serving.holdout", Rule::Float(0.0, 100.0)),
    ("serving.remembered_lists", Rule::Int(0, 100_000_000)),
    ("schedule.drift", Rule::Float(0.0, 1.0)),
    ("schedule.drift_lookups", Rule::Int(10, WINDOW as i64)),
    ("overseer.heartbeat", Rule::Span(10, 3600 * SECOND)),
    ("overseer.hung_after", Rule::Span(20, DAY)),
    ("overseer.backoff_min", Rule::Span(1, DAY)),
    ("overseer.backoff_max", Rule::Span(1, DAY)),
    ("telemetry.log", Rule::Form(log_filter)),
    ("telemetry.log_format", Rule::OneOf(&["text", "json"])),
    ("telemetry.otlp_endpoint", Rule::Form(forms::url)),
    ("telemetry.trace_share", Rule::Float(0.0, 1.0)),
];

/// Why a value of the right type is wrong all the same, if it is.
pub(super) fn broken(key: &str, value: &ValueKind) -> Option<String> {
    let (_, rule) = RULES.iter().chain(&MORE).find(|(name, _)| *name == key)?;
    check(rule, value)
}

fn check(rule: &Rule, value: &ValueKind) -> Option<String> {
    match (rule, value) {
        (Rule::Int(low, high), ValueKind::I64(n)) => outside(*n, low, high, "a whole number"),
        (Rule::Float(low, high), number) => {
            let number = float(number)?;
            if !number.is_finite() {
                return Some(format!("must be a finite number, not {number}"));
            }
            if *high == F32 {
                return (!(*low..=*high).contains(&number)).then(|| "does not fit into 32 bits".to_owned());
            }
            outside(number, low, high, "a number")
        }
        (Rule::Above(low, high), number) => {
            let number = float(number)?;
            let inside = number > *low && number <= *high;
            (!inside).then(|| match *high == F32 {
                true => format!("must be a finite number above {low}, not {number}"),
                false => format!("must be a number above {low} and up to {high}, not {number}"),
            })
        }
        (Rule::Span(low, high), ValueKind::String(text)) => match text.parse::<Span>() {
            Err(error) => Some(error.to_string()),
            Ok(span) => outside(span, &Span::from_millis(*low), &Span::from_millis(*high), "a span"),
        },
        (Rule::SpanOrNone(low, high), ValueKind::String(text)) => match text.parse::<Span>() {
            Err(error) => Some(error.to_string()),
            Ok(span) if span.millis() == 0 => None,
            Ok(span) => outside(span, &Span::from_millis(*low), &Span::from_millis(*high), "0s or a span"),
        },
        (Rule::OneOf(names), ValueKind::String(text)) => {
            (!names.contains(&text.as_str())).then(|| format!("must be one of {}, not {text:?}", names.join(", ")))
        }
        (Rule::SomeOf(names), ValueKind::Array(elements)) => some_of(names, elements),
        (Rule::Filled, ValueKind::String(text)) => text.trim().is_empty().then(|| "must not be empty".to_owned()),
        (Rule::Form(form), ValueKind::String(text)) => form(text),
        (Rule::Form(form), ValueKind::Array(elements)) => elements.iter().find_map(|element| match &element.kind {
            ValueKind::String(text) if text.trim().is_empty() => Some("must not have an empty element".to_owned()),
            ValueKind::String(text) => form(text),
            _ => None,
        }),
        (Rule::Numbers(rule), ValueKind::Array(elements)) => {
            if elements.is_empty() {
                return Some("must have at least one element".to_owned());
            }
            elements.iter().find_map(|element| check(rule, &element.kind).map(|message| format!("each {message}")))
        }
        (Rule::Keys, ValueKind::Array(elements)) => {
            (1..).zip(elements).find_map(|(place, element)| match &element.kind {
                ValueKind::String(text) => forms::key(text).map(|message| format!("element {place} {message}")),
                _ => None,
            })
        }
        _ => None,
    }
}

fn float(value: &ValueKind) -> Option<f64> {
    match value {
        ValueKind::Float(number) => Some(*number),
        ValueKind::I64(number) => Some(*number as f64),
        _ => None,
    }
}

fn outside<T: Copy + PartialOrd + std::fmt::Display>(value: T, low: &T, high: &T, what: &str) -> Option<String> {
    let inside = *low <= value && value <= *high;
    (!inside).then(|| format!("must be {what} from {low} to {high}, not {value}"))
}

fn some_of(names: &[&str], elements: &[config::Value]) -> Option<String> {
    let texts: Vec<String> = elements.iter().map(|element| element.kind.to_string()).collect();
    if texts.is_empty() {
        return Some(format!("must name at least one of {}", names.join(", ")));
    }
    for (place, text) in texts.iter().enumerate() {
        if !names.contains(&text.as_str()) {
            return Some(format!("there is no kind {text:?}; kinds are {}", names.join(", ")));
        }
        if texts.iter().take(place).any(|before| before == text) {
            return Some(format!("names {text:?} twice"));
        }
    }
    None
}

fn cron(text: &str) -> Option<String> {
    if text.trim().is_empty() {
        return None;
    }
    let fields = text.split_whitespace().count();
    if fields != 5 {
        return Some(format!("must have five fields (minute, hour, day, month, weekday), not {fields}"));
    }
    match text.parse::<croner::Cron>() {
        Err(error) => Some(format!("is no cron line: {error}")),
        Ok(cron) => cron
            .find_next_occurrence(&DateTime::<Utc>::UNIX_EPOCH, false)
            .is_err()
            .then(|| format!("names a time that never comes: {text:?}")),
    }
}

fn log_filter(text: &str) -> Option<String> {
    let error = tracing_subscriber::EnvFilter::builder().parse(text).err()?;
    Some(format!("is no filter such as info or ouzel=debug,info: {error}"))
}
