//! `ouzel recommend`: lists in bulk.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::Context;
use super::arguments::RemoteArgs;
use super::failure::Failure;
use crate::model::ids::UserId;
use crate::model::serving::query::MAX_N;
use crate::settings::Settings;

/// Writes a list for each user from the live version.
///
/// For all users with a history, or those of --users. The service may not run on the same folder meanwhile; with --url
/// the lists come from it instead.
#[derive(Debug, Args)]
pub struct RecommendArgs {
    /// The users, one a line, with or without the heading of the original's users.csv (default: all).
    #[arg(long, value_name = "FILE")]
    pub users: Option<PathBuf>,

    /// Items per user.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=MAX_N as i64))]
    pub n: u32,

    /// The file to be written, in the format of its ending: .csv, .ndjson or .parquet (default: CSV on stdout).
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,

    #[command(flatten)]
    pub remote: RemoteArgs,
}

/// How lists are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListFormat {
    /// `user,rank,item,score,source`.
    Csv,
    /// One object a line.
    Ndjson,
    /// The same columns as CSV.
    Parquet,
}

impl RecommendArgs {
    /// The format that the ending of `--out` names.
    ///
    /// # Errors
    /// [`Failure::Usage`] for another ending.
    pub fn format(&self) -> Result<ListFormat, Failure> {
        let Some(path) = &self.out else { return Ok(ListFormat::Csv) };
        match path.extension().and_then(|ending| ending.to_str()).map(str::to_lowercase).as_deref() {
            Some("csv") => Ok(ListFormat::Csv),
            Some("ndjson" | "jsonl") => Ok(ListFormat::Ndjson),
            Some("parquet") => Ok(ListFormat::Parquet),
            _ => Err(Failure::Usage(format!("--out must end in .csv, .ndjson or .parquet, not {}", path.display()))),
        }
    }
}

/// Reads users from a CSV: the first column, each user once, a heading left out.
///
/// # Errors
/// With the line of the first id that is none.
pub fn read_users(source: impl Read) -> anyhow::Result<Vec<UserId>> {
    const HEADINGS: [&str; 4] = ["customerid", "user", "user_id", "userid"];
    let mut seen = std::collections::HashSet::new();
    let mut users = Vec::new();
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).trim(csv::Trim::All).from_reader(source);
    for (place, record) in reader.records().enumerate() {
        let record = record?;
        let text = record.get(0).unwrap_or_default().trim_start_matches('\u{feff}');
        if place == 0 && HEADINGS.contains(&text.to_lowercase().as_str()) {
            continue;
        }
        let line = record.position().map_or(place as u64 + 1, csv::Position::line);
        let user = UserId::new(text).with_context(|| format!("line {line}"))?;
        if seen.insert(user.clone()) {
            users.push(user);
        }
    }
    Ok(users)
}

fn users_of(path: &Path) -> anyhow::Result<Vec<UserId>> {
    let read = || read_users(std::fs::File::open(path)?);
    read().with_context(|| format!("{} cannot be read as users", path.display()))
}

pub(super) fn run(args: &RecommendArgs, context: &mut Context<'_>) -> anyhow::Result<()> {
    let format = args.format()?;
    let settings = context.settings()?;
    let users = args.users.as_deref().map(users_of).transpose()?;
    write_lists(args, format, users, &settings, context)
}

/// Writes the lists with a progress bar; `users` is none for all.
fn write_lists(
    _args: &RecommendArgs,
    _format: ListFormat,
    _users: Option<Vec<UserId>>,
    _settings: &Settings,
    _context: &mut Context<'_>,
) -> anyhow::Result<()> {
    Err(Failure::Lacks("lists in bulk").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_read_with_and_without_a_heading() {
        let ids = |text: &str| {
            read_users(text.as_bytes()).map(|users| users.iter().map(UserId::to_string).collect::<Vec<_>>())
        };
        assert_eq!(ids("customerId\n1553\n20400\n1553\n").unwrap(), ["1553", "20400"]);
        assert_eq!(ids("\u{feff}anna,x\nbob\n").unwrap(), ["anna", "bob"]);
        assert_eq!(ids("").unwrap(), Vec::<String>::new());
        let error = format!("{:#}", ids(&format!("1\n{}\n", "x".repeat(300))).unwrap_err());
        assert!(error.starts_with("line 2: an id has at most 256 bytes"), "{error}");
    }
}
