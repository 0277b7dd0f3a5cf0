//! Files and objects that are imported again when they change: the first part of a run's snapshot.
//!
//! A note in the log says in which state each was imported last. A file that only grew is read on behind its old end; one
//! that was replaced is read whole. What fails is told in the run's log, and the run goes on with the data there is.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::handles::IngestHandle;
use super::messages::{EventBatch, ImportMark};
use super::meters::Source as Way;
use crate::model::clock::Clock;
use crate::model::event::Event;
use crate::model::training::job::Job;
use crate::settings::Storage;
use crate::store::import::{ImportFormat, LineError, Source, Times, content_hash};
use crate::store::log::EventLog;
use crate::store::s3::{self, S3Url};

/// Events handed on at once.
const BATCH: usize = 5000;

/// Bad lines of a file that the run's log names; all are counted.
const NAMED: u64 = 20;

/// The watched files.
#[derive(Clone)]
pub struct Watched {
    storage: Arc<Storage>,
    log: Arc<EventLog>,
    clock: Clock,
}

/// In which state a file was imported last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    /// What a look without reading told: size and time, or the object's tag.
    state: String,
    /// The SHA-256 of the bytes.
    content: String,
    /// How many bytes.
    bytes: u64,
    /// The last line.
    lines: u64,
}

/// What an import added.
#[derive(Default)]
struct Added {
    lines: u64,
    accepted: u64,
    duplicates: u64,
    bad: u64,
}

/// Why a file was not imported; told in the run's log.
type Failed = Box<dyn std::error::Error + Send + Sync>;

impl Watched {
    /// What `storage.import_watch` names.
    pub fn new(storage: &Storage, log: Arc<EventLog>, clock: Clock) -> Self {
        Self { storage: Arc::new(storage.clone()), log, clock }
    }

    /// Imports what changed, on the calling thread.
    pub async fn import_changed(&self, ingest: &IngestHandle, job: &Job) {
        for name in &self.storage.import_watch {
            if let Err(error) = self.look(name, ingest, job).await {
                job.log(format!("{name} was not imported: {error}"));
            }
        }
    }

    async fn look(&self, name: &str, ingest: &IngestHandle, job: &Job) -> Result<(), Failed> {
        let key = format!("import-watch/{name}");
        let seen: Option<Seen> = self.log.note(&key)?.map(serde_json::from_value).transpose()?;
        let remote = S3Url::is_one(name);
        let state = if remote { s3::head(name, &self.storage).await?.etag } else { state_of(Path::new(name))? };
        if seen.as_ref().is_some_and(|seen| seen.state == state) {
            return Ok(());
        }
        let fetched = match remote {
            true => Some(s3::fetch_to_temp(name, &self.storage, &self.log.dir().join("fetched")).await?),
            false => None,
        };
        let path = fetched.as_ref().map_or(Path::new(name), |fetched| fetched.file.path());
        let state = fetched.as_ref().map_or(state, |fetched| fetched.state.etag.clone());
        let content = content_hash(path, name)?;
        let now = match seen {
            Some(seen) if seen.content == content => Seen { state, ..seen },
            seen => {
                let behind = grown_from(path, seen.as_ref())?;
                let added = self.import(path, name, &content, behind, ingest, job).await?;
                job.log(format!(
                    "{name}: {} new events, {} known, {} bad lines",
                    added.accepted, added.duplicates, added.bad
                ));
                let bytes = std::fs::metadata(path)?.len();
                Seen { state, content, bytes, lines: added.lines }
            }
        };
        Ok(self.log.put_note(&key, &serde_json::to_value(now)?)?)
    }

    /// Hands on every line behind `behind` that the log has no mark of.
    async fn import(
        &self,
        path: &Path,
        name: &str,
        content: &str,
        behind: u64,
        ingest: &IngestHandle,
        job: &Job,
    ) -> Result<Added, Failed> {
        let format: ImportFormat = self.storage.import_format.parse()?;
        let mut source = Source::open(path, name, format, Times::Checked { now_ms: self.clock.now_ms() })?;
        let mark = self.log.import_mark(content)?.unwrap_or_default();
        let done = if mark.complete { u64::MAX } else { mark.lines_done.max(behind) };
        let mut added = Added { lines: behind, ..Added::default() };
        let (mut batch, mut events) = (Vec::new(), Vec::new());
        loop {
            events.clear();
            match source.next_line(&mut events) {
                None => break,
                Some(Ok(line)) => {
                    added.lines = added.lines.max(line);
                    if line > done {
                        batch.append(&mut events);
                    }
                }
                Some(Err(LineError::Bad(bad))) => {
                    added.lines = added.lines.max(bad.line);
                    if bad.line > done {
                        added.bad += 1;
                        if added.bad <= NAMED {
                            job.log(format!("{name}: {bad}"));
                        }
                    }
                }
                Some(Err(LineError::Failed(error))) => return Err(error.into()),
            }
            if batch.len() >= BATCH {
                job.check()?;
                submit(std::mem::take(&mut batch), content, false, &mut added, ingest).await?;
            }
        }
        if !mark.complete {
            submit(batch, content, true, &mut added, ingest).await?;
        }
        Ok(added)
    }
}

async fn submit(
    events: Vec<Event>,
    content: &str,
    complete: bool,
    added: &mut Added,
    ingest: &IngestHandle,
) -> Result<(), Failed> {
    let mark = ImportMark { content: content.to_owned(), lines_done: added.lines, complete };
    let batch = EventBatch { events, import: Some(mark), ..EventBatch::default() };
    let applied = ingest.submit_patiently(batch, Way::Import).await?;
    added.accepted += applied.accepted;
    added.duplicates += applied.duplicates;
    added.bad += applied.rejected.len() as u64;
    Ok(())
}

/// What tells one state of a local file from the next without reading it.
fn state_of(path: &Path) -> std::io::Result<String> {
    let about = std::fs::metadata(path)?;
    let modified = about.modified()?.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    Ok(format!("{} bytes at {modified}", about.len()))
}

/// The line behind which a file goes on that begins with all of what was `seen` and then with a new line; else 0.
fn grown_from(path: &Path, seen: Option<&Seen>) -> std::io::Result<u64> {
    let Some(seen) = seen.filter(|seen| seen.bytes > 0) else { return Ok(0) };
    if std::fs::metadata(path)?.len() <= seen.bytes {
        return Ok(0);
    }
    let mut file = BufReader::new(File::open(path)?).take(seen.bytes);
    let (mut sum, mut buffer, mut last) = (Sha256::new(), vec![0; 1 << 16], None);
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => {
                let bytes = buffer.get(..count).unwrap_or_default();
                sum.update(bytes);
                last = bytes.last().copied();
            }
        }
    }
    let same = last == Some(b'\n') && hex::encode(sum.finalize()) == seen.content;
    Ok(if same { seen.lines } else { 0 })
}
