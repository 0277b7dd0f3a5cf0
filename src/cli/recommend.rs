//! `ouzel recommend`: lists in bulk.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use rayon::prelude::*;

use super::Context;
use super::arguments::RemoteArgs;
use super::failure::Failure;
use super::input::bar_of_users;
use super::lists::{ListedItem, Lists};
use super::remote::{Remote, wait_for};
use super::table::clean;
use crate::app::offline::Offline;
use crate::model::clock::Clock;
use crate::model::ids::UserId;
use crate::model::serving::answer::Recommended;
use crate::model::serving::query::{MAX_N, Query};
use crate::settings::Settings;

/// Lists made at a time.
const CHUNK: usize = 512;

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
    args: &RecommendArgs,
    format: ListFormat,
    users: Option<Vec<UserId>>,
    settings: &Settings,
    context: &mut Context<'_>,
) -> anyhow::Result<()> {
    if args.remote.url.is_some() {
        let remote = Remote::new(&args.remote, context)?;
        return to_file(args, format, context, |lists| wait_for(ask(args, users, &remote, lists)));
    }
    let folder = Offline::open(settings)?;
    if wait_for(async { Ok(folder.load_live().await?) })?.is_none() {
        tracing::warn!("there is no version yet, the lists are of what is popular; `ouzel train --publish` makes one");
    }
    to_file(args, format, context, |lists| make(args, users, &folder, lists))
}

/// Opens the place for the lists, lets them be written, and gives the file its name once it is whole.
fn to_file(
    args: &RecommendArgs,
    format: ListFormat,
    context: &mut Context<'_>,
    write: impl FnOnce(&mut Lists<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let Some(path) = &args.out else {
        let mut lists = Lists::new(format, Box::new(&mut *context.out))?;
        write(&mut lists)?;
        return lists.finish();
    };
    let mut unfinished = path.clone().into_os_string();
    unfinished.push(".part");
    let unfinished = PathBuf::from(unfinished);
    let written = || -> anyhow::Result<()> {
        let file = std::fs::File::create(&unfinished)?;
        let mut lists = Lists::new(format, Box::new(std::io::BufWriter::new(file)))?;
        write(&mut lists)?;
        lists.finish()?;
        Ok(std::fs::rename(&unfinished, path)?)
    };
    written().with_context(|| format!("{} could not be written", path.display()))
}

/// Makes the lists here, some hundred users at a time on all cores.
fn make(
    args: &RecommendArgs,
    users: Option<Vec<UserId>>,
    folder: &Offline,
    lists: &mut Lists<'_>,
) -> anyhow::Result<()> {
    let users = users.unwrap_or_else(|| {
        let mut all = Vec::new();
        folder.recommending.histories.each(|user, _| all.push(user.clone()));
        all.sort_unstable();
        all
    });
    let bar = bar_of_users(Some(users.len() as u64));
    let now_ms = Clock::System.now_ms();
    for some in users.chunks(CHUNK) {
        let answer = |user: &UserId| {
            let query = Query { user: Some(user.clone()), n: args.n as usize, ..Query::default() };
            folder.recommending.recommend(&query, now_ms).items
        };
        let answers: Vec<Vec<Recommended>> = some.par_iter().map(answer).collect();
        for (user, items) in some.iter().zip(answers) {
            let listed = |item: Recommended| -> anyhow::Result<ListedItem> {
                let source = serde_json::to_value(item.source)?.as_str().unwrap_or_default().to_owned();
                Ok(ListedItem { id: item.id.to_string(), score: item.score, source })
            };
            lists.push(user.as_str(), items.into_iter().map(listed).collect::<anyhow::Result<_>>()?)?;
        }
        bar.inc(some.len() as u64);
    }
    bar.finish_and_clear();
    Ok(())
}

/// Lets the service make the lists.
async fn ask(
    args: &RecommendArgs,
    users: Option<Vec<UserId>>,
    remote: &Remote,
    lists: &mut Lists<'_>,
) -> anyhow::Result<()> {
    let bar = bar_of_users(users.as_ref().map(|users| users.len() as u64));
    let mut each = |line: &[u8]| -> anyhow::Result<()> {
        let answer: ServiceAnswer = serde_json::from_slice(line)?;
        if let Some(error) = answer.error {
            return Err(Failure::Ended(format!("a list was refused: {}", clean(&error))).into());
        }
        bar.inc(1);
        lists.push(&answer.user, answer.items)
    };
    match users {
        None => {
            let path = format!("/v1/recommend/bulk?all=true&n={}", args.n);
            remote.post_lines(&path, None, &mut each).await?;
        }
        Some(users) => {
            for some in users.chunks(CHUNK) {
                let question = |user: &UserId| format!("{}\n", serde_json::json!({ "user": user, "n": args.n }));
                let body: String = some.iter().map(question).collect();
                remote.post_lines("/v1/recommend/bulk", Some(body), &mut each).await?;
            }
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// What a line of the service's answer holds, as far as it is written on.
#[derive(serde::Deserialize)]
struct ServiceAnswer {
    #[serde(default)]
    user: String,
    #[serde(default)]
    items: Vec<ListedItem>,
    error: Option<String>,
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
