//! JSON bodies that HTTP and Kafka share: events and questions in, lists and scores out.

pub mod event;
mod fields;
pub mod question;
pub mod recommendation_id;
pub mod reply;

/// What is wrong with a body, with the field where there is one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", .field.as_ref().map(|f| format!("{f}: ")).unwrap_or_default())]
pub struct BodyError {
    /// The field's path, such as `n` or `items[3]`.
    pub field: Option<String>,
    /// A short name of the reason for machines.
    pub code: &'static str,
    /// What is wrong and what to send instead.
    pub message: String,
}

impl BodyError {
    /// An error in the field `field`.
    #[must_use]
    pub fn at(field: &str, code: &'static str, message: impl Into<String>) -> Self {
        Self { field: Some(field.to_owned()), code, message: message.into() }
    }
}
