//! `ouzel versions`: the trained models of a running service.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::arguments::RemoteArgs;
use super::remote::{Remote, RemoteError, wait_for};
use super::table::{Table, clean};
use super::versions_import::ImportArgs;
use super::{Context, shown, versions_import};
use crate::model::training::choose::Part;

/// Lists, shows and switches the trained models of a running service, and imports such as were trained elsewhere.
#[derive(Debug, Args)]
pub struct VersionsArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: VersionsAction,
}

/// What can be done with versions.
#[derive(Debug, Subcommand)]
pub enum VersionsAction {
    #[command(flatten)]
    Asked(ServiceAction),
    Import(ImportArgs),
}

/// What is asked of a running service.
#[derive(Debug, Subcommand)]
pub enum ServiceAction {
    /// Lists the versions, newest first, with the live one marked.
    List(Asked),
    /// Shows one version: its kind, data, figures and the gate's verdict.
    Show {
        /// The version's number.
        number: u64,
        #[command(flatten)]
        asked: Asked,
    },
    /// Makes a version live at once; the one before stays at hand for rollback.
    Promote {
        /// The version's number.
        number: u64,
        #[command(flatten)]
        asked: Asked,
    },
    /// Makes the version live again that was live before.
    Rollback(Asked),
}

/// Of whom, and how the answer looks.
#[derive(Debug, Clone, Args)]
pub struct Asked {
    #[command(flatten)]
    pub remote: RemoteArgs,
    /// Prints the service's JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(args: &VersionsArgs, context: &mut Context<'_>) -> anyhow::Result<()> {
    match &args.action {
        VersionsAction::Asked(action) => ask(action, context),
        VersionsAction::Import(args) => versions_import::run(args, context),
    }
}

fn ask(action: &ServiceAction, context: &mut Context<'_>) -> anyhow::Result<()> {
    let asked = match action {
        ServiceAction::List(asked) | ServiceAction::Rollback(asked) => asked,
        ServiceAction::Show { asked, .. } | ServiceAction::Promote { asked, .. } => asked,
    };
    let remote = Remote::new(&asked.remote, context)?;
    let body = wait_for(async {
        Ok(match action {
            ServiceAction::List(_) => remote.get("/v1/versions").await?,
            ServiceAction::Show { number, .. } => remote.get(&format!("/v1/versions/{number}")).await?,
            ServiceAction::Promote { number, .. } => {
                remote.post(&format!("/v1/versions/{number}/promote"), None).await?
            }
            ServiceAction::Rollback(_) => remote.post("/v1/rollback", None).await?,
        })
    })?;
    if asked.json {
        writeln!(context.out, "{body:#}")?;
        return Ok(());
    }
    match action {
        ServiceAction::List(_) => write!(context.out, "{}", listed(&body)?)?,
        ServiceAction::Show { .. } => write!(context.out, "{}", shown_in_full(&body))?,
        ServiceAction::Promote { .. } | ServiceAction::Rollback(_) => {
            let (version, kind) = (shown::plain(body.get("version")), shown::plain(body.pointer("/recipe/kind")));
            writeln!(context.out, "version {} is live ({})", clean(&version), clean(&kind))?;
        }
    }
    Ok(())
}

fn listed(body: &Value) -> Result<String, RemoteError> {
    let versions = shown::list(body, "versions").ok_or_else(|| RemoteError::Unreadable {
        url: "/v1/versions".to_owned(),
        reason: "its answer has no versions".to_owned(),
    })?;
    if versions.is_empty() {
        return Ok("no version yet: `ouzel runs start` trains one\n".to_owned());
    }
    let mut table = Table::new(&["VERSION", "STATE", "KIND", "MADE", "EVENTS", "HR@10", "NDCG@10", "RECALL@20", "RUN"]);
    for manifest in versions {
        let version = manifest.get("version");
        let is = |alias: &str| version.is_some() && body.get(alias) == version;
        let state = if is("live") {
            "live"
        } else if is("previous") {
            "previous"
        } else {
            ""
        };
        let figures = chosen_figures(manifest);
        let figure = |name| shown::figure(figures.and_then(|figures| figures.get(name)));
        table.row([
            shown::plain(version),
            state.to_owned(),
            shown::plain(manifest.pointer("/recipe/kind")),
            shown::time(manifest.get("created_ms")),
            shown::plain(manifest.pointer("/data/events")),
            figure("hr@10"),
            figure("ndcg@10"),
            figure("recall@20"),
            match manifest.get("imported") {
                Some(_) => "imported".to_owned(),
                None => shown::plain(manifest.get("run")),
            },
        ]);
    }
    Ok(table.to_string())
}

/// The metrics of the candidate that was chosen, on the holdout where it was judged there.
fn chosen_figures(manifest: &Value) -> Option<&Value> {
    let candidates = shown::list(manifest, "candidates")?;
    let chosen = || candidates.iter().filter(|figures| figures.get("chosen").and_then(Value::as_bool) == Some(true));
    let on_holdout = chosen().find(|figures| figures.get("part").and_then(Value::as_str) == Some(Part::Holdout.name()));
    on_holdout.or_else(|| chosen().next())?.get("metrics")
}

fn shown_in_full(manifest: &Value) -> String {
    let mut text = Table::new(&["FIELD", "VALUE"]);
    for (name, value) in [
        ("version", shown::plain(manifest.get("version"))),
        ("kind", shown::plain(manifest.pointer("/recipe/kind"))),
        ("settings", shown::plain(manifest.pointer("/recipe/settings"))),
        ("made", shown::time(manifest.get("created_ms"))),
        ("run", shown::plain(manifest.get("run"))),
        ("parent", shown::plain(manifest.get("parent"))),
        ("events", shown::plain(manifest.pointer("/data/events"))),
        ("users", shown::plain(manifest.pointer("/data/users"))),
        ("items", shown::plain(manifest.pointer("/data/items"))),
        ("first event", shown::time(manifest.pointer("/data/events_from_ms"))),
        ("last event", shown::time(manifest.pointer("/data/events_to_ms"))),
        ("protocol", shown::plain(manifest.get("protocol"))),
    ] {
        text.row([name.to_owned(), value]);
    }
    if manifest.get("imported").is_some() {
        for (name, value) in [
            ("imported from", shown::plain(manifest.pointer("/imported/factors/from"))),
            ("checksum", shown::plain(manifest.pointer("/imported/factors/sha256"))),
            ("training", shown::plain(manifest.pointer("/imported/settings"))),
            ("trained until", shown::time(manifest.pointer("/imported/trained_until_ms"))),
            ("unknown items", shown::plain(manifest.pointer("/imported/factors/unknown"))),
        ] {
            text.row([name.to_owned(), value]);
        }
    }
    let reasons = manifest.pointer("/gate/reasons").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for reason in reasons {
        text.row(["gate".to_owned(), shown::plain(Some(reason))]);
    }
    format!("{text}\n{}", candidates(manifest))
}

/// The table of a run's or version's candidates.
pub(super) fn candidates(record: &Value) -> String {
    let rows = shown::list(record, "candidates").unwrap_or_default();
    if rows.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["PART", "MODEL", "CHOSEN", "HR@10", "NDCG@10", "RECALL@20", "USERS", "FIT S", "NOTE"]);
    let empty = Value::Object(serde_json::Map::new());
    // Rows of one part stand together, in the order of the record.
    let mut parts: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for row in rows {
        parts.entry(shown::plain(row.get("part"))).or_default().push(row);
    }
    for (part, rows) in parts.into_iter().rev() {
        for row in rows {
            let metrics = row.get("metrics").unwrap_or(&empty);
            let chosen = row.get("chosen").and_then(Value::as_bool) == Some(true);
            table.row([
                part.clone(),
                shown::plain(row.get("model")),
                if chosen { "yes" } else { "" }.to_owned(),
                shown::figure(metrics.get("hr@10")),
                shown::figure(metrics.get("ndcg@10")),
                shown::figure(metrics.get("recall@20")),
                shown::plain(row.get("users")),
                shown::figure(row.get("fit_seconds")),
                row.get("error").map_or_else(String::new, |error| shown::plain(Some(error))),
            ]);
        }
    }
    table.to_string()
}
