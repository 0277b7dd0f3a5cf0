//! `ouzel doctor`: what is wrong, and what to do about it.

mod clock;
mod live;
mod local;
mod places;

use std::fmt;
use std::io::Write;

use clap::Args;

use super::Context;
use super::arguments::RemoteArgs;
use super::failure::Failure;
use super::remote::{Remote, wait_for};
use super::table::{Table, clean};
use crate::app::offline;
use crate::model::clock::Clock;
use crate::model::ids::Version;
use crate::settings::Settings;
use crate::store;
use crate::store::versions::{VersionError, VersionStore};

/// Checks settings, broker, stores, clock and disk, and says what to do. Exit code 1 where something is wrong.
///
/// With --live a running service is asked instead. With --repair damaged files of the event log are set aside, after which
/// the service starts again with what is whole; it may not run meanwhile.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Asks a running service how it is.
    #[arg(long, conflicts_with = "repair")]
    pub live: bool,

    /// Sets damaged files aside.
    #[arg(long)]
    pub repair: bool,

    #[command(flatten)]
    pub remote: RemoteArgs,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    Doubtful,
    Bad,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Good => "ok",
            Self::Doubtful => "look",
            Self::Bad => "WRONG",
        })
    }
}

/// One thing that was looked at.
#[derive(Debug)]
struct Finding {
    part: String,
    verdict: Verdict,
    /// What was found, and what to do where it is not good.
    text: String,
}

impl Finding {
    fn new(part: &str, verdict: Verdict, text: impl Into<String>) -> Self {
        Self { part: part.to_owned(), verdict, text: text.into() }
    }
}

pub(super) fn run(args: &DoctorArgs, context: &mut Context<'_>) -> anyhow::Result<()> {
    let findings = if args.live {
        let remote = Remote::new(&args.remote, context)?;
        wait_for(async { Ok(live::findings(&remote, Clock::System.now_ms()).await) })?
    } else {
        let settings = context.settings()?;
        if args.repair {
            set_damaged_files_aside(&settings, context.err)?;
        }
        local::findings(&settings, Clock::System.now_ms())
    };
    let mut table = Table::new(&["PART", "", "WHAT"]);
    for finding in &findings {
        table.row([finding.part.clone(), finding.verdict.to_string(), finding.text.clone()]);
    }
    write!(context.out, "{table}")?;
    match findings.iter().filter(|finding| finding.verdict == Verdict::Bad).count() {
        0 => Ok(()),
        1 => Err(Failure::Ended("one thing is wrong".to_owned()).into()),
        many => Err(Failure::Ended(format!("{many} things are wrong")).into()),
    }
}

/// Sets aside what a start refuses: bad records with whole ones behind them, segments and versions with wrong checksums.
fn set_damaged_files_aside(settings: &Settings, err: &mut dyn Write) -> anyhow::Result<()> {
    let report = store::log::repair(&settings.storage.data_dir)?;
    for note in &report.notes {
        writeln!(err, "{}", clean(note))?;
    }
    let versions = offline::open_versions(settings)?;
    wait_for(async {
        for (version, reason) in damaged_versions(&versions).await? {
            versions.set_aside(version, &reason).await?;
            writeln!(err, "version {version} was set aside: {}", clean(&reason))?;
        }
        Ok(())
    })
}

/// The versions that cannot be read as they were written, with the reason.
async fn damaged_versions(versions: &VersionStore) -> anyhow::Result<Vec<(Version, String)>> {
    let mut damaged = Vec::new();
    for version in versions.numbers().await? {
        match versions.load(version).await {
            Err(error @ (VersionError::Damaged { .. } | VersionError::Model { .. })) => {
                damaged.push((version, error.to_string()));
            }
            Err(error @ VersionError::Store(_)) => return Err(error.into()),
            // A later build's version is whole, only not for this one.
            _ => {}
        }
    }
    Ok(damaged)
}
