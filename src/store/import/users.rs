//! Lists of users, such as the original's `users.csv`.

use std::path::Path;
use std::sync::Arc;

use super::cells;
use super::error::{BadLine, ImportError, LineError};
use super::lines::Lines;
use crate::model::ids::UserId;

/// Reads a list of users: CSV with a column `customerId` or `user`, or one user a line without a header; gzip and zstd
/// are read through.
///
/// # Errors
/// [`ImportError::Io`], or [`ImportError::Line`] naming the first bad line: a user left out would go unnoticed.
pub fn read_users(path: &Path, name: &str) -> Result<Vec<UserId>, ImportError> {
    let mut lines = Lines::open(path, name, &Arc::default())?;
    let strict = |bad: BadLine| ImportError::Line { name: name.to_owned(), bad };
    let mut users = Vec::new();
    let mut column = None;
    loop {
        let line = match lines.next_line() {
            None => return Ok(users),
            Some(Ok(line)) => line.to_owned(),
            Some(Err(LineError::Bad(bad))) => return Err(strict(bad)),
            Some(Err(LineError::Failed(error))) => return Err(error),
        };
        let bad = |reason: String| strict(BadLine { line: lines.number(), reason });
        if column.is_none() {
            let names = cells::header(&line).map_err(bad)?;
            let place = names.iter().position(|name| matches!(name.as_str(), "customerid" | "user"));
            column = Some(place.unwrap_or(0));
            if place.is_some() {
                continue;
            }
        }
        let fields = cells::split(&line).map_err(bad)?;
        let field = column.and_then(|place| fields.get(place)).map_or("", |field| field.trim());
        users.push(cells::user(field).map_err(bad)?);
    }
}
