//! The layers: defaults, a file, the original's variables, the environment.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Settings, SettingsError};

/// Environment variables by name; handed in, so that tests need not change the process's own.
pub type Environment = BTreeMap<String, String>;

/// Settings with what is to be said about how they were found.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Variables that are accepted but mean nothing any more.
    pub warnings: Vec<String>,
}

/// Lays `file` (or `config/local.toml` where it exists) and the environment over the defaults and checks the whole.
///
/// # Errors
/// Every [`super::Problem`] found, at once.
pub fn load(_file: Option<&Path>, _environment: &Environment) -> Result<Loaded, SettingsError> {
    todo!()
}
