//! Files that were cut or in which a bit changed: found, named, healed or set aside, never served.

use std::fmt;
use std::fs::{OpenOptions, read, write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use crate::harness::Ouzel;
use crate::rounds;
use crate::shop::{Copy, Said, Shop, written};

/// What is done to a file.
#[derive(Clone, Copy)]
enum How {
    /// Its end is cut off from this byte on.
    Cut(usize),
    /// This bit of it is the other one.
    Flip(usize),
}

struct Damage {
    file: PathBuf,
    how: How,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        match self.how {
            How::Cut(at) => write!(f, "{file} cut at byte {at}"),
            How::Flip(bit) => write!(f, "{file} with bit {bit} flipped"),
        }
    }
}

impl Damage {
    fn do_to(&self, data: &Path) {
        let path = data.join(&self.file);
        match self.how {
            How::Cut(at) => OpenOptions::new().write(true).open(path).unwrap().set_len(at as u64).unwrap(),
            How::Flip(bit) => {
                let mut bytes = read(&path).unwrap();
                bytes[bit / 8] ^= 1 << (bit % 8);
                write(path, bytes).unwrap();
            }
        }
    }

    fn name(&self) -> &str {
        match self.file.file_name().unwrap().to_str().unwrap() {
            "manifest.sha256" => "manifest.json",
            name => name,
        }
    }

    /// Whether a line names the file, or of the tables, which are fjall's, their folder or what is missing from it.
    fn is_named(&self, log: &str) -> bool {
        let tables = ["data/tables is damaged", "were acknowledged and are missing"];
        log.contains(self.name()) || self.file.starts_with("tables") && tables.iter().any(|text| log.contains(text))
    }
}

/// Damages that were found to be met badly once, tried each time: a state over which fjall ends the process.
const MET_BADLY: [(&str, How); 1] = [("tables/keyspaces/2/v0", How::Flip(71))];

/// Damages of one file: cut at its beginning, its end and in between, bits changed anywhere.
fn damages(shop: &Shop, file: &Path, random: &mut u64) -> Vec<Damage> {
    let bytes = read(shop.data().join(file)).unwrap();
    let length = written(&bytes).len();
    let mut next = |below: usize| {
        *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(*random >> 33).unwrap() % below
    };
    let cuts = [0, length / 2, length - 1, next(length)].map(How::Cut);
    let flips = [next(length * 8), next(length * 8), next(length * 8)].map(How::Flip);
    cuts.into_iter().chain(flips).map(|how| Damage { file: file.to_owned(), how }).collect()
}

/// Starts on the damaged copy, and says how that ended: as it was, healed, or refused and then repaired.
async fn start(shop: &Shop, copy: &Copy, damage: &Damage) -> &'static str {
    match copy.start() {
        Ok(ouzel) => {
            ouzel.ready().await;
            if damage.file.starts_with("artifacts/versions/1") {
                not_rolled_back_to(&ouzel, damage).await;
            }
            let said = Said::by(&ouzel).await;
            let log = copy.said();
            drop(ouzel);
            let good = if said.live == Some(1) { &shop.before } else { &shop.whole };
            assert_eq!(&said, good, "{damage}: what is served; it said: {log}");
            if damage.is_named(&log) {
                return "healed";
            }
            assert_eq!(said.live, Some(2), "{damage}: not named; it said: {log}");
            "as it was"
        }
        Err(status) => {
            let log = copy.said();
            assert_eq!(status.code(), Some(1), "{damage}: refused with a word; it said: {log}");
            assert!(damage.is_named(&log), "{damage}: {log}");
            if log.contains("use a later build") {
                return "taken for a later build's";
            }
            assert!(log.contains("ouzel doctor --repair"), "{damage}: {log}");
            repaired(shop, copy, damage).await;
            "refused"
        }
    }
}

/// The version before, of which a file is damaged, is refused and set aside; or the byte meant nothing.
async fn not_rolled_back_to(ouzel: &Ouzel, damage: &Damage) {
    let (status, problem) = ouzel.post("/v1/rollback", &Value::Null).await;
    assert!(status >= 400, "{damage}: {problem}");
    assert!(problem["detail"].as_str().unwrap().contains(damage.name()), "{damage}: {problem}");
    assert_eq!(ouzel.get("/v1/versions/1").await.0, 404, "{damage}");
}

/// After a repair it starts with what is whole, and says what is not.
async fn repaired(shop: &Shop, copy: &Copy, damage: &Damage) {
    let told = copy.repair();
    let ouzel = copy.start().unwrap_or_else(|_| panic!("{damage}: after the repair ({told}) {}", copy.said()));
    ouzel.ready().await;
    let said = Said::by(&ouzel).await;
    assert_eq!(said.live, Some(2), "{damage}");
    for (left, whole) in said.histories.iter().zip(&shop.whole.histories) {
        assert!(within(left, whole), "{damage}: {left:?} is not of {whole:?}");
    }
    if said.events < shop.whole.events {
        assert!(copy.said().contains("are missing, accepted by a repair"), "{damage}: {}", copy.said());
        assert!(told.contains("set aside") || told.contains("quarantine") || told.contains("lost"), "{damage}: {told}");
    }
}

/// Whether `part` is what is left of `whole` when some are taken out.
fn within(part: &[Value], whole: &[Value]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|event| rest.any(|other| other == event))
}

/// Tries damages of the files that `of` chooses.
async fn try_files(of: impl Fn(&Path) -> bool) {
    let shop = Arc::new(Shop::make().await);
    let mut random = u64::from(std::process::id());
    crate::tell(&format!("the damages' seed is {random}"));
    let known = MET_BADLY.map(|(file, how)| Damage { file: file.into(), how });
    let mut all: Vec<Damage> = known.into_iter().filter(|damage| of(&damage.file)).collect();
    for _ in 0..rounds("OUZEL_TEST_DAMAGES", 1) {
        for file in shop.files().iter().filter(|file| of(file)) {
            all.extend(damages(&shop, file, &mut random));
        }
    }
    let (tried, mut wrong) = (all.len(), Vec::new());
    for damage in all {
        let (shop, name) = (shop.clone(), damage.to_string());
        // A task of its own, so that one failure does not keep the others from being seen.
        let end = tokio::spawn(async move {
            let copy = shop.copy();
            damage.do_to(&copy.data());
            start(&shop, &copy, &damage).await
        });
        match end.await {
            Ok(end) => crate::tell(&format!("{name}: {end}")),
            Err(_) => wrong.push(name),
        }
    }
    assert!(wrong.is_empty(), "{} of {tried} ended otherwise: {wrong:#?}", wrong.len());
}

#[tokio::test]
async fn damaged_files_of_the_log_are_named_and_no_event_is_made_up_or_dropped_in_silence() {
    try_files(|file| !file.starts_with("artifacts") && !file.starts_with("tables/keyspaces")).await;
}

#[tokio::test]
async fn damaged_tables_are_named() {
    // All tables have the same files: the short form takes fjall's own, without its old states, and one of ours.
    let all = rounds("OUZEL_TEST_DAMAGES", 1) > 1;
    let some = ["tables/keyspaces/0/current", "tables/keyspaces/0/tables", "tables/keyspaces/2"];
    try_files(|file| file.starts_with("tables/keyspaces") && (all || some.iter().any(|part| file.starts_with(part))))
        .await;
}

#[tokio::test]
async fn damaged_versions_and_aliases_are_named_and_never_served() {
    try_files(|file| file.starts_with("artifacts")).await;
}
