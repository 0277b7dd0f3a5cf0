//! Compares what was given with the defaults' shape: unknown keys and wrong types, all of them at once.

use config::{Map, Value, ValueKind};

use super::rules;
use super::validate::Problem;

/// Keys whose values are never shown.
const SECRET: [&str; 4] = ["auth.keys", "kafka.options", "storage.s3_access_key", "storage.s3_secret_key"];

/// The value of a section's key.
pub(super) fn at<'a>(root: &'a Map<String, Value>, section: &str, key: &str) -> Option<&'a Value> {
    match &root.get(section)?.kind {
        ValueKind::Table(table) => table.get(key),
        _ => None,
    }
}

/// Where a value came from, as problems name it.
pub(super) fn source(value: &Value) -> String {
    value.origin().unwrap_or("default").to_owned()
}

/// Walks `merged`; reports what `defaults` has no place for and puts the default in its stead, so that the rest can
/// still be read and checked.
pub(super) fn repair(merged: &mut Map<String, Value>, defaults: &Map<String, Value>, problems: &mut Vec<Problem>) {
    let unknown: Vec<String> = merged.keys().filter(|section| !defaults.contains_key(*section)).cloned().collect();
    for section in unknown {
        if let Some(value) = merged.remove(&section) {
            let sections = listed(defaults.keys().map(String::as_str));
            let problem = |key, value: &Value, what| Problem {
                key,
                source: source(value),
                message: format!("there is no such {what}; sections are {sections}"),
            };
            match &value.kind {
                ValueKind::Table(table) if value.origin().is_none() && !table.is_empty() => problems
                    .extend(table.iter().map(|(key, value)| problem(format!("{section}.{key}"), value, "section"))),
                _ => problems.push(problem(section, &value, "section")),
            }
        }
    }
    for (section, default) in defaults {
        let ValueKind::Table(default) = &default.kind else { continue };
        let Some(value) = merged.get_mut(section) else { continue };
        if !matches!(value.kind, ValueKind::Table(_)) {
            let message = format!("is a section: write [{section}] and its keys below");
            problems.push(Problem { key: section.clone(), source: source(value), message });
            *value = Value::new(None, default.clone());
        }
        if let ValueKind::Table(given) = &mut value.kind {
            repair_section(section, given, default, problems);
        }
    }
}

fn repair_section(
    section: &str,
    given: &mut Map<String, Value>,
    defaults: &Map<String, Value>,
    problems: &mut Vec<Problem>,
) {
    let mut unknown = Vec::new();
    for (key, value) in given.iter_mut() {
        let full = format!("{section}.{key}");
        let Some(default) = defaults.get(key) else {
            problems.push(Problem { message: no_such_key(key, defaults), key: full, source: source(value) });
            unknown.push(key.clone());
            continue;
        };
        if let (ValueKind::Table(_), ValueKind::Table(entries)) = (&default.kind, &mut value.kind) {
            repair_table(&full, entries, problems);
            continue;
        }
        let wrong = mismatch(&full, default, value).or_else(|| rules::broken(&full, &value.kind));
        if let Some(message) = wrong {
            problems.push(Problem { key: full, source: source(value), message });
            *value = default.clone();
        }
    }
    given.retain(|key, _| !unknown.contains(key));
}

/// The tables whose names are free: weights are numbers, options are texts.
fn repair_table(full: &str, entries: &mut Map<String, Value>, problems: &mut Vec<Problem>) {
    let weights = full == "ingest.weights";
    entries.retain(|name, value| {
        let message = match (&value.kind, weights) {
            (ValueKind::Float(_) | ValueKind::I64(_), true) => rules::broken(full, &value.kind),
            (_, true) => Some(format!("must be a number, not {}", shown(full, &value.kind))),
            (ValueKind::String(_), false) => None,
            // An option such as "linger.ms" = 5 is as well written as a number; librdkafka reads texts.
            (ValueKind::I64(_) | ValueKind::Float(_) | ValueKind::Boolean(_), false) => {
                value.kind = ValueKind::String(value.kind.to_string());
                None
            }
            (_, false) => Some("must be a text, a number, true or false".to_owned()),
        };
        let fine = message.is_none();
        if let Some(message) = message {
            problems.push(Problem { key: format!("{full}.{name}"), source: source(value), message });
        }
        fine
    });
}

/// Why `given` has another type than `default`, if it has.
fn mismatch(key: &str, default: &Value, given: &Value) -> Option<String> {
    let wanted = match (&default.kind, &given.kind) {
        (ValueKind::Boolean(_), ValueKind::Boolean(_))
        | (ValueKind::I64(_), ValueKind::I64(_))
        | (ValueKind::Float(_), ValueKind::Float(_) | ValueKind::I64(_))
        | (ValueKind::String(_), ValueKind::String(_)) => return None,
        (ValueKind::Array(defaults), ValueKind::Array(given)) => {
            let text = Value::new(None, "");
            let like = defaults.first().unwrap_or(&text);
            return given
                .iter()
                .find_map(|element| mismatch(key, like, element).map(|message| format!("each element {message}")));
        }
        (ValueKind::Boolean(_), _) => "true or false",
        (ValueKind::I64(_), _) => "a whole number",
        (ValueKind::Float(_), _) => "a number",
        (ValueKind::String(_), _) => "a text",
        (ValueKind::Array(_), _) => "a list",
        (ValueKind::Table(_), _) => "a table",
        _ => "another type",
    };
    Some(format!("must be {wanted}, not {}", shown(key, &given.kind)))
}

fn shown(key: &str, kind: &ValueKind) -> String {
    match kind {
        _ if SECRET.contains(&key) => "what was given".to_owned(),
        ValueKind::String(text) => format!("{text:?}"),
        ValueKind::Table(_) => "a table".to_owned(),
        ValueKind::Array(_) => "a list".to_owned(),
        other => other.to_string(),
    }
}

fn no_such_key(key: &str, defaults: &Map<String, Value>) -> String {
    let near = defaults.keys().filter(|known| alike(known, key)).min();
    match near {
        Some(known) => format!("there is no such key; is {known} meant?"),
        None => format!("there is no such key; keys here are {}", listed(defaults.keys().map(String::as_str))),
    }
}

/// Whether two keys differ by a letter or in the order of letters, or one begins the other.
fn alike(known: &str, given: &str) -> bool {
    let squeezed = |text: &str| text.to_lowercase().replace(['_', '-'], "");
    let (known, given) = (squeezed(known), squeezed(given));
    if known == given || known.starts_with(&given) || given.starts_with(&known) {
        return true;
    }
    let sorted = |text: &str| {
        let mut letters: Vec<char> = text.chars().collect();
        letters.sort_unstable();
        letters
    };
    if sorted(&known) == sorted(&given) {
        return true;
    }
    let shared_start = known.chars().zip(given.chars()).take_while(|(a, b)| a == b).count();
    let shared_end = known.chars().rev().zip(given.chars().rev()).take_while(|(a, b)| a == b).count();
    let longest = known.chars().count().max(given.chars().count());
    shared_start + shared_end + 1 >= longest && longest > 2
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names.join(", ")
}
