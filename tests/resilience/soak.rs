//! Long load near what it can take, with runs, swaps and kills: memory stays flat, nothing is lost, nothing waits at the end.

use std::time::{Duration, Instant};

use crate::asking::Asking;
use crate::harness::Ouzel;
use crate::trial::Trial;
use crate::{rounds, tell};

const CALLERS: u32 = 4;

/// The share of what it can answer that is asked.
const LOAD: f64 = 0.8;

/// How much the process may grow beside what it keeps of events, items and models. An allocator holds on to some of what it
/// gives out, and a run may be at work at either look.
const SLACK: f64 = (48 << 20) as f64;

/// Larger segments and fewer runs than a trial's: an hour of them.
const SETTINGS: [(&str, &str); 2] =
    [("OUZEL__STORAGE__SEAL_EVENTS", "20000"), ("OUZEL__SCHEDULE__EVERY_EVENTS", "5000")];

/// Bytes that the process holds beside what it keeps on purpose: the least of some looks, since runs come and go.
async fn beside(ouzel: &Ouzel, within: Duration) -> f64 {
    let (begun, mut least) = (Instant::now(), f64::MAX);
    while begun.elapsed() < within {
        let figures = ouzel.figures().await;
        let kept: f64 =
            figures.iter().filter(|(name, _)| name.starts_with("ouzel_memory_bytes")).map(|(_, bytes)| bytes).sum();
        least = least.min(figures["process_resident_memory_bytes"] - kept);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    least
}

/// Asks for so long at so many questions a second; how many were answered.
async fn ask(ouzel: &Ouzel, rate: f64, span: Duration) -> u64 {
    let asking = Asking::begin(ouzel, CALLERS as usize, Duration::from_secs_f64(f64::from(CALLERS) / rate));
    tokio::time::sleep(span).await;
    asking.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_hour_near_its_limits_leaves_memory_flat_and_nothing_behind() {
    let span = Duration::from_secs(u64::from(rounds("OUZEL_TEST_SOAK", 120)));
    let trial = Trial::begin();
    let ouzel = trial.start(&SETTINGS).expect("it starts");
    ouzel.until("two versions", "/state", |state| (state["live"]["version"].as_u64()? >= 2).then_some(())).await;
    let most = ask(&ouzel, f64::INFINITY, Duration::from_secs(5)).await as f64 / 5.0;
    let (rate, look) = (most * LOAD, span / 20);

    // Half of the time without a break: that is where memory would grow.
    let mut asked = ask(&ouzel, rate, span / 10).await;
    let asking = Asking::begin(&ouzel, CALLERS as usize, Duration::from_secs_f64(f64::from(CALLERS) / rate));
    let first = beside(&ouzel, look).await;
    tokio::time::sleep(span / 2 - look * 2).await;
    let last = beside(&ouzel, look).await;
    asked += asking.end().await;
    let swaps = ouzel.get("/state").await.1["live"]["version"].as_u64().unwrap();
    assert!(last < first + SLACK, "it grew from {first} to {last} bytes beside what it keeps");

    let (begun, mut kills, mut next) = (Instant::now(), 0, Some(ouzel));
    while begun.elapsed() < span * 2 / 5 {
        let ouzel = next.take().unwrap();
        ouzel.ready().await;
        asked += ask(&ouzel, rate, Duration::from_secs(10)).await;
        ouzel.kill();
        kills += 1;
        next = trial.start(&SETTINGS);
    }
    assert!(next.unwrap().stop().success());
    let mib = |bytes: f64| bytes / f64::from(1 << 20);
    let what = format!(
        "{span:?} at {rate:.0} of {most:.0} questions a second: {asked} answers, version {swaps} before {kills} kills, \
         {:.0} MiB at first and {:.0} MiB at last beside what is kept",
        mib(first),
        mib(last)
    );
    tell(&what);
    trial.end(&what).await;
}
