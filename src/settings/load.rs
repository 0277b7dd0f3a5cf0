//! The layers: defaults, a file, the original's variables, the environment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use config::{Config, File, FileFormat, Map, Source, Value, ValueKind};

use super::environment::{self, Layer};
use super::validate::{self, Problem, SettingsError};
use super::{Settings, legacy, secrets, shape};

/// Every key with its default, as it is in the repository.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

/// Read where no other file is named.
const LOCAL: &str = "config/local.toml";

/// Environment variables by name; handed in, so that tests need not change the process's own.
pub type Environment = BTreeMap<String, String>;

/// Settings with what is to be said about how they were found.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Variables that are accepted but mean nothing any more, and settings that are seldom meant.
    pub warnings: Vec<String>,
}

/// Lays `file` (or `config/local.toml` where it exists) and the environment over the defaults and checks the whole.
///
/// # Errors
/// Every [`Problem`] found, at once, sorted by key.
pub fn load(file: Option<&Path>, environment: &Environment) -> Result<Loaded, SettingsError> {
    let local = Path::new(LOCAL);
    load_from(file.or_else(|| local.exists().then_some(local)), environment)
}

fn load_from(file: Option<&Path>, environment: &Environment) -> Result<Loaded, SettingsError> {
    let mut problems = Vec::new();
    let defaults = whole(&[]).map_err(|error| SettingsError(vec![default_problem(&error)]))?;
    let mut layers = Vec::new();
    if let Some(path) = file {
        match read_file(path) {
            Ok(layer) => layers.push(layer),
            Err(problem) => problems.push(problem),
        }
    }
    layers.push(environment::read(environment, &defaults, &mut problems));
    let mut merged = whole(&layers).map_err(|error| SettingsError(vec![default_problem(&error)]))?;
    shape::repair(&mut merged, &defaults, &mut problems);
    let mut settings: Settings = Value::new(None, merged.clone())
        .try_deserialize()
        .map_err(|error| SettingsError([problems.clone(), vec![default_problem(&error)]].concat()))?;
    let source_of = |key: &str| -> String {
        let (section, name) = key.split_once('.').unwrap_or((key, ""));
        shape::at(&merged, section, name).map_or_else(|| "default".to_owned(), shape::source)
    };
    secrets::read_files(&mut settings, &source_of, &mut problems);
    for found in validate::contradictions(&settings) {
        // A key that is wrong by itself stands at its default here; what that contradicts says nothing.
        let broken = |key: &str| problems.iter().any(|problem| problem.key == key);
        if !broken(found.key) && !found.others.iter().any(|key| broken(key)) {
            let source = source_of(found.key);
            problems.push(Problem { key: found.key.to_owned(), source, message: found.message });
        }
    }
    if problems.is_empty() {
        let mut warnings = legacy::warnings(environment);
        warnings.extend(validate::doubts(&settings));
        return Ok(Loaded { settings, warnings });
    }
    problems.sort_by(|a, b| (&a.key, &a.source, &a.message).cmp(&(&b.key, &b.source, &b.message)));
    Err(SettingsError(problems))
}

/// The defaults with `layers` laid over them, in order.
fn whole(layers: &[Layer]) -> Result<Map<String, Value>, config::ConfigError> {
    let mut builder = Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
    for layer in layers {
        builder = builder.add_source(layer.clone());
    }
    builder.build()?.collect()
}

fn default_problem(error: &config::ConfigError) -> Problem {
    Problem { key: "settings".to_owned(), source: "default".to_owned(), message: error.to_string() }
}

fn read_file(path: &Path) -> Result<Layer, Problem> {
    let shown = path.display().to_string();
    let problem = |message| Problem { key: "file".to_owned(), source: shown.clone(), message };
    let text = std::fs::read_to_string(path).map_err(|error| problem(format!("cannot be read: {error}")))?;
    if let Err(error) = toml::from_str::<toml::Table>(&text) {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(1, |before| before.matches('\n').count() + 1);
        return Err(problem(format!("is no TOML, line {line}: {}", error.message())));
    }
    let mut values = File::from_str(&text, FileFormat::Toml).collect().map_err(|error| problem(error.to_string()))?;
    values.values_mut().for_each(|value| stamp(value, &shown));
    Ok(Layer(values))
}

/// Says of a value and of all in it that they come from `origin`.
fn stamp(value: &mut Value, origin: &String) {
    match &mut value.kind {
        ValueKind::Table(table) => table.values_mut().for_each(|value| stamp(value, origin)),
        ValueKind::Array(elements) => elements.iter_mut().for_each(|value| stamp(value, origin)),
        _ => (),
    }
    *value = Value::new(Some(origin), std::mem::take(&mut value.kind));
}

/// The process's own environment; variables that are no Unicode are left out unless they are ours.
///
/// # Errors
/// A [`Problem`] for each `OUZEL__…` variable that is no Unicode.
pub fn process_environment() -> Result<Environment, SettingsError> {
    let mut environment = Environment::new();
    let mut problems = Vec::new();
    for (name, value) in std::env::vars_os() {
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => {
                environment.insert(name, value);
            }
            (Ok(name), Err(_)) if name.starts_with("OUZEL_") => {
                let message = "its value is no Unicode text".to_owned();
                problems.push(Problem { key: name.clone(), source: name, message });
            }
            _ => (),
        }
    }
    if problems.is_empty() { Ok(environment) } else { Err(SettingsError(problems)) }
}

/// Where the artifacts are, given the settings: the folder or `s3://` prefix of `storage.artifacts`, or its default.
#[must_use]
pub fn artifacts_place(settings: &Settings) -> PathBuf {
    let storage = &settings.storage;
    if storage.artifacts.is_empty() { storage.data_dir.join("artifacts") } else { PathBuf::from(&storage.artifacts) }
}

#[cfg(test)]
pub(super) fn load_for_test(file: Option<&Path>, environment: &Environment) -> Result<Loaded, SettingsError> {
    load_from(file, environment)
}
