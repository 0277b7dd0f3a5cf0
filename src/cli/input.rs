//! Files that commands read, from this machine or S3, and how their progress is shown.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};
use parking_lot::Mutex;

use super::remote::wait_for;
use super::table::clean;
use crate::model::clock::Clock;
use crate::model::run::StepRecord;
use crate::model::training::job::{Job, Report};
use crate::settings::Settings;
use crate::store::import::BadLine;
use crate::store::s3::{Fetched, S3Url, fetch_to_temp};

/// Bad lines that are shown; the others are counted.
pub(super) const SHOWN: usize = 20;

/// A file to be read; a copy of an S3 object is deleted when this is dropped.
pub(super) struct Input {
    name: String,
    place: Place,
}

enum Place {
    Local(PathBuf),
    Copied(Fetched),
}

impl Input {
    /// Finds the file, or copies the object `s3://…` to `folder`.
    pub(super) fn open(name: &str, settings: &Settings, folder: &Path) -> anyhow::Result<Self> {
        let place = if S3Url::is_one(name) {
            super::choose_tls();
            Place::Copied(wait_for(async { Ok(fetch_to_temp(name, &settings.storage, folder).await?) })?)
        } else {
            Place::Local(PathBuf::from(name))
        };
        Ok(Self { name: name.to_owned(), place })
    }

    /// Where it can be read.
    pub(super) fn path(&self) -> &Path {
        match &self.place {
            Place::Local(path) => path,
            Place::Copied(fetched) => fetched.file.path(),
        }
    }

    /// As it was named.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// Tells the first bad lines with their numbers, and how many there are.
pub(super) fn tell_bad_lines(name: &str, bad: &[BadLine], count: u64, err: &mut dyn Write) -> std::io::Result<()> {
    let name = clean(name);
    for line in bad.iter().take(SHOWN) {
        writeln!(err, "{name}: {}", clean(&line.to_string()))?;
    }
    match count.saturating_sub(bad.len().min(SHOWN) as u64) {
        0 => Ok(()),
        more => writeln!(err, "{name}: and {more} more bad lines"),
    }
}

/// A bar for bytes of a file; shown on a terminal only.
pub(super) fn bar_of_bytes(name: &str) -> ProgressBar {
    let bar = bar(0, "{msg} {wide_bar} {bytes}/{total_bytes} {eta}");
    bar.set_message(clean(name));
    bar
}

/// A bar for users, whose number may not be known; shown on a terminal only.
pub(super) fn bar_of_users(count: Option<u64>) -> ProgressBar {
    match count {
        Some(count) => bar(count, "{wide_bar} {pos}/{len} users {eta}"),
        None => bar(0, "{spinner} {pos} users"),
    }
}

fn bar(length: u64, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style)
}

/// A training job whose steps are shown by a bar and kept.
pub(super) struct Watched {
    pub(super) job: Job,
    bar: ProgressBar,
    steps: Arc<Mutex<Vec<StepRecord>>>,
}

/// Thousandths: how fine the bar of a job is.
const WHOLE: u64 = 1000;

impl Watched {
    /// A job with the settings' seed and threads.
    pub(super) fn new(settings: &Settings) -> Self {
        let bar = bar(WHOLE, "{msg} {wide_bar} {percent} %");
        let steps: Arc<Mutex<Vec<StepRecord>>> = Arc::default();
        let reporter = {
            let (bar, steps) = (bar.clone(), steps.clone());
            move |report| take(&bar, &mut steps.lock(), report)
        };
        let training = &settings.training;
        let job = Job::new(training.seed, training.threads, Arc::default(), Arc::new(reporter));
        Self { job, bar, steps }
    }

    /// Takes the bar away and gives the steps.
    pub(super) fn end(self) -> Vec<StepRecord> {
        self.bar.finish_and_clear();
        let mut steps = std::mem::take(&mut *self.steps.lock());
        close(&mut steps, Clock::System.now_ms());
        steps
    }
}

fn take(bar: &ProgressBar, steps: &mut Vec<StepRecord>, report: Report) {
    let now_ms = Clock::System.now_ms();
    match report {
        Report::Step(name) => {
            close(steps, now_ms);
            steps.push(StepRecord { name: name.to_owned(), started_ms: now_ms, ..StepRecord::default() });
            bar.set_message(name);
            bar.set_position(0);
        }
        Report::Progress(share) => {
            if let Some(step) = steps.last_mut() {
                step.progress = share;
            }
            bar.set_position((f64::from(share.clamp(0.0, 1.0)) * WHOLE as f64) as u64);
        }
        Report::Log(line) => {
            bar.suspend(|| tracing::info!("{line}"));
            if let Some(step) = steps.last_mut() {
                step.log.push(line);
            }
        }
    }
}

fn close(steps: &mut [StepRecord], now_ms: i64) {
    if let Some(step) = steps.last_mut() {
        step.finished_ms = Some(now_ms);
    }
}
