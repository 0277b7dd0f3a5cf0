//! A file into memory, for an evaluation.

use std::path::Path;
use std::sync::Arc;

use super::error::{BadLine, ImportError, LineError};
use super::source::{ImportFormat, Source, Times};
use crate::model::interactions::{Interactions, Interner, NO_TIME};

/// Reads all events of the local file `path`, which messages call `name`, in the order of the file, with the bad lines.
/// `weight` makes a weight of an event's type and value. Times need only be in order: milliseconds of the epoch where
/// they are times, small integers as they are.
///
/// # Errors
/// [`ImportError::Io`] or [`ImportError::Form`].
pub fn load_interactions(
    path: &Path,
    name: &str,
    format: ImportFormat,
    weight: &dyn Fn(&str, f32) -> f32,
) -> Result<(Interactions, Vec<BadLine>), ImportError> {
    let (mut users, mut items) = (Interner::default(), Interner::default());
    let (mut rows, mut bad) = (Interactions::default(), Vec::new());
    for read in Source::open(path, name, format, Times::Ordered)? {
        let (line, event) = match read {
            Ok(event) => event,
            Err(LineError::Bad(line)) => {
                bad.push(line);
                continue;
            }
            Err(LineError::Failed(error)) => return Err(error),
        };
        let weight = weight(&event.kind, event.value);
        if !weight.is_finite() {
            bad.push(BadLine { line, reason: format!("weight: {} of type {} is too large", event.value, event.kind) });
            continue;
        }
        let time = event.timestamp_ms.unwrap_or(NO_TIME);
        rows.push(users.index(&event.user), items.index(&event.item), weight, time);
    }
    rows.user_ids = Arc::new(users.into_ids());
    rows.item_ids = Arc::new(items.into_ids());
    Ok((rows, bad))
}
