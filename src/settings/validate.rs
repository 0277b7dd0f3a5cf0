//! What types cannot say: ranges, and keys that contradict each other.

/// One thing wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, such as `server.port`.
    pub key: String,
    /// Where its value came from: a file's path or a variable's name.
    pub source: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

/// Everything wrong with the settings, at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the settings are not usable:{}", .0.iter().map(|p| format!("\n  {} ({}): {}", p.key, p.source, p.message)).collect::<String>())]
pub struct SettingsError(pub Vec<Problem>);
