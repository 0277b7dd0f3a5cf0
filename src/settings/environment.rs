//! The layer of variables: `OUZEL__SECTION__KEY`, lists by commas, and the original's names below them.
//!
//! Tables take one more part: `OUZEL__INGEST__WEIGHTS__view=0.2`, whose last part keeps its case. Options of librdkafka
//! have dots in their names, which no shell allows: `OUZEL__KAFKA__OPTIONS__SECURITY_PROTOCOL` is `security.protocol`.

use config::{ConfigError, Map, Source, Value, ValueKind};

use super::load::Environment;
use super::validate::Problem;
use super::{legacy, shape};

const PREFIX: &str = "OUZEL__";

/// Values by section and key, each with where it came from.
#[derive(Debug, Clone, Default)]
pub(super) struct Layer(pub(super) Map<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

impl Layer {
    /// Sets `path`, which has two or three parts.
    fn set(&mut self, path: &[&str], value: Value) {
        let Some((last, parents)) = path.split_last() else { return };
        let mut table = &mut self.0;
        for parent in parents {
            let entry =
                table.entry((*parent).to_owned()).or_insert_with(|| Value::new(None, Map::<String, Value>::new()));
            if !matches!(entry.kind, ValueKind::Table(_)) {
                *entry = Value::new(None, Map::<String, Value>::new());
            }
            let ValueKind::Table(inner) = &mut entry.kind else { return };
            table = inner;
        }
        table.insert((*last).to_owned(), value);
    }
}

/// Reads the variables, typed as the defaults are; a text of another type stays a text, to be reported with the rest.
pub(super) fn read(environment: &Environment, defaults: &Map<String, Value>, problems: &mut Vec<Problem>) -> Layer {
    let mut layer = Layer::default();
    for meant in legacy::values(environment) {
        let value = typed(&meant.text, shape::at(defaults, meant.section, meant.key), meant.variable);
        layer.set(&[meant.section, meant.key], value);
    }
    for (name, text) in environment {
        let Some(parts) = name.strip_prefix(PREFIX) else { continue };
        let mut parts = parts.splitn(3, "__");
        let (section, key) = (lower(parts.next()), lower(parts.next()));
        if section.is_empty() || key.is_empty() {
            let message = "is no key: write it as OUZEL__SECTION__KEY".to_owned();
            problems.push(Problem { key: name.clone(), source: name.clone(), message });
            continue;
        }
        let default = shape::at(defaults, &section, &key);
        let table = default.is_some_and(|value| matches!(value.kind, ValueKind::Table(_)));
        match (parts.next(), table) {
            (None | Some(""), false) => layer.set(&[&section, &key], typed(text, default, name)),
            (Some(entry), true) if !entry.is_empty() => {
                let entry = entry_name(&section, &key, entry);
                let float = Value::new(None, 1.0);
                let kind = (section == "ingest").then_some(&float);
                layer.set(&[&section, &key, &entry], typed(text, kind, name));
            }
            (_, true) => problems.push(Problem {
                key: format!("{section}.{key}"),
                source: name.clone(),
                message: format!("is a table: name the entry, as in {name}__NAME"),
            }),
            (Some(more), false) => problems.push(Problem {
                key: format!("{section}.{key}.{}", more.to_lowercase()),
                source: name.clone(),
                message: "there is no such key".to_owned(),
            }),
        }
    }
    layer
}

fn lower(part: Option<&str>) -> String {
    part.unwrap_or_default().to_lowercase()
}

fn entry_name(section: &str, key: &str, entry: &str) -> String {
    if (section, key) == ("kafka", "options") { entry.to_lowercase().replace('_', ".") } else { entry.to_owned() }
}

/// The text as the type of `default`, or as it is.
fn typed(text: &str, default: Option<&Value>, source: &str) -> Value {
    let origin = source.to_owned();
    let scalar = |text: &str, like: Option<&ValueKind>| -> ValueKind {
        let trimmed = text.trim();
        let read = match like {
            Some(ValueKind::Boolean(_)) => trimmed.parse().map(ValueKind::Boolean).ok(),
            Some(ValueKind::I64(_)) => trimmed.parse().map(ValueKind::I64).ok(),
            Some(ValueKind::Float(_)) => trimmed.parse().map(ValueKind::Float).ok(),
            _ => None,
        };
        read.unwrap_or_else(|| ValueKind::String(text.to_owned()))
    };
    let kind = match default.map(|value| &value.kind) {
        Some(ValueKind::Array(elements)) => {
            let like = elements.first().map(|element| &element.kind);
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            ValueKind::Array(parts.map(|part| Value::new(Some(&origin), scalar(part, like))).collect())
        }
        like => scalar(text, like),
    };
    Value::new(Some(&origin), kind)
}
