//! Files that are taken up while the service runs: the certificate with its key, and the keys of callers.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use sha2::{Digest, Sha256};
use tokio::time::MissedTickBehavior;

use super::service::Service;
use super::tls::Identity;

/// Time between two looks at the files: a few kilobytes are read at each.
const EVERY: Duration = Duration::from_secs(1);

/// Bytes of a file that are looked at; what is longer is refused where it is read.
const LOOKED_AT: u64 = 1 << 20;

/// Reads the files again; what is said of it names no secret.
type Reread = Box<dyn Fn() -> Result<(), String> + Send>;

/// Files that are read together.
struct Watched {
    what: &'static str,
    files: Vec<PathBuf>,
    reread: Reread,
    seen: Option<[u8; 32]>,
    /// Whether what was seen last is in use, or was said to be broken.
    settled: bool,
}

/// Looks at the files that the settings name until the service stops.
pub async fn watch(service: web::Data<Service>, identity: Option<Arc<Identity>>) {
    let mut watched = Vec::new();
    if let Some(identity) = identity {
        let files = identity.files().map(Path::to_owned).to_vec();
        let reread = move || identity.reload().map_err(|error| error.to_string());
        watched.push(Watched::new("the certificate of TLS", files, Box::new(reread)));
    }
    let keys_file = service.parts.settings.auth.keys_file.clone();
    if !keys_file.as_os_str().is_empty() {
        let service = service.clone();
        let reread = move || service.reload_keys().map_err(|error| error.to_string());
        watched.push(Watched::new("the file of keys", vec![keys_file], Box::new(reread)));
    }
    if watched.is_empty() {
        return;
    }
    let stopping = service.parts.readiness.stopping();
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let look = move || {
            watched.iter_mut().for_each(Watched::look);
            watched
        };
        watched = match web::block(look).await {
            Ok(watched) => watched,
            Err(error) => {
                tracing::error!(%error, "certificates and keys are not looked at any more: restart to take up new ones");
                return;
            }
        };
    }
}

impl Watched {
    fn new(what: &'static str, files: Vec<PathBuf>, reread: Reread) -> Self {
        Self { what, files, reread, seen: None, settled: false }
    }

    /// Takes up what has changed. What is broken gets a second look before it is said: it may be half written.
    fn look(&mut self) {
        let now = fingerprint(&self.files);
        let (first, news) = (self.seen.is_none(), self.seen != Some(now));
        if !news && self.settled {
            return;
        }
        self.seen = Some(now);
        let what = self.what;
        match (self.reread)() {
            Ok(()) => {
                self.settled = true;
                if !first {
                    tracing::info!("{what} has changed and is taken up");
                }
            }
            Err(_) if news => self.settled = false,
            Err(error) => {
                self.settled = true;
                tracing::error!(error, "{what} has changed and cannot be used: what was there before is kept");
            }
        }
    }
}

/// A digest of what is in the files, or of why they cannot be read.
fn fingerprint(files: &[PathBuf]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for file in files {
        let mut content = Vec::new();
        match File::open(file).and_then(|file| file.take(LOOKED_AT + 1).read_to_end(&mut content)) {
            Ok(_) => digest.update(Sha256::digest(&content)),
            Err(error) => digest.update(Sha256::digest(error.to_string())),
        }
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A watched file that holds a number, and the numbers that were taken up.
    fn watched(file: &Path) -> (Watched, Arc<Mutex<Vec<i32>>>) {
        let taken: Arc<Mutex<Vec<i32>>> = Arc::default();
        let (own, path) = (taken.clone(), file.to_owned());
        let reread = move || {
            let text = std::fs::read_to_string(&path).map_err(|error| error.to_string())?;
            own.lock().unwrap().push(text.parse().map_err(|_| "is no number".to_owned())?);
            Ok(())
        };
        (Watched::new("the number", vec![file.to_owned()], Box::new(reread)), taken)
    }

    #[test]
    fn a_file_is_read_when_it_changed_and_a_broken_one_leaves_what_was() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("number");
        let write = |text: &str| std::fs::write(&file, text).unwrap();
        write("1");
        let (mut watched, taken) = watched(&file);
        watched.look();
        watched.look();
        assert_eq!(*taken.lock().unwrap(), [1]);
        write("2");
        watched.look();
        watched.look();
        assert_eq!(*taken.lock().unwrap(), [1, 2]);
        write("two");
        watched.look();
        assert!(!watched.settled, "it may be half written");
        watched.look();
        assert!(watched.settled);
        std::fs::remove_file(&file).unwrap();
        watched.look();
        watched.look();
        write("3");
        watched.look();
        assert_eq!(*taken.lock().unwrap(), [1, 2, 3]);
    }
}
