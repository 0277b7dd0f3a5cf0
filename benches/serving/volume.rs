//! Many events: how fast they are imported, how soon a service with them is ready, and the memory they take.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::Bench;
use super::common::median;
use super::service::Service;
use super::shop::{Shop, ouzel};

/// Shops whose histories, and whose users, are many.
pub const EVENTS_10M: Shop = Shop { users: 100_000, items: 20_000, events: 10_000_000, kind: "ials" };
pub const USERS_1M: Shop = Shop { users: 1_000_000, items: 100_000, events: 20_000_000, kind: "ials" };
/// The ids and the model of the first with few events.
const FEW_EVENTS: Shop = Shop { events: 120_000, ..EVENTS_10M };
/// What is imported.
const FILE: Shop = Shop { users: 100_000, items: 20_000, events: 2_000_000, kind: "ials" };

/// A file of events into an empty folder, as `ouzel import` does it.
pub fn import(bench: &Bench) -> anyhow::Result<()> {
    let folder = bench.folder.join("import");
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("events.csv");
    FILE.write(&file)?;
    let mut rates = Vec::new();
    for _ in 0..bench.rounds {
        let data = folder.join("data");
        let begun = Instant::now();
        ouzel(&bench.binary, &data, FILE.kind, &["import", &file.to_string_lossy()])?;
        rates.push(f64::from(FILE.events) / begun.elapsed().as_secs_f64());
        std::fs::remove_dir_all(&data)?;
    }
    std::fs::remove_dir_all(&folder)?;
    let told = format!("{} events of CSV into an empty folder, the process's start with it", FILE.events);
    bench.tell("import", &format!("{:.0} events/s", median(rates)), ">= 500,000/s", &told)
}

/// A service's start on ten million events and a version.
pub fn start(bench: &Bench) -> anyhow::Result<()> {
    let small = started(bench, &FEW_EVENTS.folder(&bench.binary, &bench.folder, 1)?)?;
    let large = started(bench, &EVENTS_10M.folder(&bench.binary, &bench.folder, 1)?)?;
    let told = format!("{} events, a version of {} items", EVENTS_10M.events, EVENTS_10M.items);
    bench.tell("start, answers by the version after", &format!("{:.2} s", large.0), "< 3 s", &told)?;
    let bytes = (large.1 - small.1) * f64::from(1 << 20) / f64::from(EVENTS_10M.events - FEW_EVENTS.events);
    let told =
        format!("{:.0} MB resident, {:.0} MB with the same ids and {} events", large.1, small.1, FEW_EVENTS.events);
    bench.tell("memory per event, ids aside", &format!("{bytes:.1} bytes"), "< 24 bytes", &told)
}

/// A million users.
pub fn million(bench: &Bench) -> anyhow::Result<()> {
    let (ready, megabytes) = started(bench, &USERS_1M.folder(&bench.binary, &bench.folder, 1)?)?;
    let told = format!(
        "{} users, {} items, {} events, a version of 64 factors; ready after {ready:.1} s",
        USERS_1M.users, USERS_1M.items, USERS_1M.events
    );
    bench.tell("a million users, memory", &format!("{megabytes:.0} MB"), "< 1536 MB", &told)
}

/// The medians of the seconds until a service on the folder answers by its version and of its megabytes then.
pub fn started(bench: &Bench, folder: &Path) -> anyhow::Result<(f64, f64)> {
    let (mut seconds, mut megabytes) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        let begun = Instant::now();
        let service = Service::start(&bench.binary, folder, &[])?;
        // It is ready before the version is read, since it could answer without one.
        while !service.get("/recommend?user=u1&n=1")?.1["model"].is_object() {
            ensure!(begun.elapsed() < Duration::from_secs(120), "it does not answer by the version");
            std::thread::sleep(Duration::from_millis(5));
        }
        seconds.push(begun.elapsed().as_secs_f64());
        megabytes.push(service.megabytes()?);
    }
    Ok((median(seconds), median(megabytes)))
}
