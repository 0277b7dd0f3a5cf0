//! Latencies in an open loop: of a service at rest, during swaps, during a run, and from an event to its effect.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::json;

use super::Bench;
use super::cases::{self, SHOP_1M, SHOP_10K};
use super::common::median;
use super::load::{Arrivals, Outcome, drive};
use super::rates;
use super::service::Service;

const CONNECTIONS: usize = 64;

/// Requests a second at which latencies are compared.
const RATE: f64 = 15_000.0;

const SPAN: Duration = Duration::from_secs(5);

fn at(service: &Service, rate: f64, span: Duration, next: impl FnMut(&mut Vec<u8>)) -> anyhow::Result<Outcome> {
    drive(service.address, CONNECTIONS, Arrivals::Open(rate), span, next)
}

/// The service at rest beside `/health/live`.
pub fn steady(bench: &Bench) -> anyhow::Result<()> {
    let folder = SHOP_10K.folder(&bench.binary, &bench.folder, 1)?;
    let service = Service::start(&bench.binary, &folder, &[("OUZEL__SERVING__REUSE", "false")])?;
    let ask = || cases::recommend(SHOP_10K.users, "");
    at(&service, RATE, SPAN, ask())?;
    let (mut empty, mut asked) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        empty.push(at(&service, RATE, SPAN, cases::live())?.p99());
        asked.push(at(&service, RATE, SPAN, ask())?.p99());
    }
    let ratios = empty.iter().zip(&asked).map(|(empty, asked)| asked / empty).collect();
    let told = format!("{:.3} ms, /health/live {:.3} ms", median(asked), median(empty));
    bench.tell("p99 at 15,000/s, 10,000 items", &format!("{:.2}", median(ratios)), "<= 1.50", &told)
}

/// A million items: the rate, and the latency at half of what a pass over all bytes for each list would allow, and at half
/// of what is reached.
pub fn largest(bench: &Bench) -> anyhow::Result<()> {
    const OF_WHOLE_PASSES: f64 = 4000.0;
    rates::computed(bench, SHOP_1M, "3,200/s")?;
    let folder = SHOP_1M.folder(&bench.binary, &bench.folder, 1)?;
    let service = Service::start(&bench.binary, &folder, &[("OUZEL__SERVING__REUSE", "false")])?;
    let ask = || cases::recommend(SHOP_1M.users, "");
    let reached = drive(service.address, CONNECTIONS, Arrivals::Closed, SPAN, ask())?.rate();
    for rate in [OF_WHOLE_PASSES / 2.0, reached / 2.0] {
        let p99 =
            (0..bench.rounds).map(|_| Ok(at(&service, rate, SPAN, ask())?.p99())).collect::<anyhow::Result<_>>()?;
        let case = format!("p99 at {rate:.0}/s, {} items", SHOP_1M.items);
        bench.tell(&case, &format!("{:.2} ms", median(p99)), "< 20 ms", "")?;
    }
    Ok(())
}

/// A swap every second, a hundred of them.
pub fn swaps(bench: &Bench) -> anyhow::Result<()> {
    const SWAPS: u32 = 100;
    const STRETCH: u32 = 10;
    let folder = SHOP_10K.folder(&bench.binary, &bench.folder, 2)?;
    let service = Service::start(&bench.binary, &folder, &[("OUZEL__SERVING__REUSE", "false")])?;
    at(&service, RATE / 3.0, SPAN, cases::recommend(SHOP_10K.users, ""))?;
    let span = Duration::from_secs(u64::from(SWAPS) * 2);
    // Ten seconds with a swap each and ten without one take turns, so that both see the same neighbours.
    let second = |swap: u32| u64::from(swap / STRETCH * STRETCH + swap);
    let (outcome, memory) = std::thread::scope(|scope| {
        let swapping = scope.spawn(|| {
            let begun = Instant::now();
            let mut memory = Vec::new();
            for swap in 0..SWAPS {
                std::thread::sleep(
                    (begun + Duration::from_secs(second(swap))).saturating_duration_since(Instant::now()),
                );
                let (status, told) = service.post(&format!("/v1/versions/{}/promote", swap % 2 + 1), &json!({}))?;
                ensure!(status == 200, "a swap was refused: {status} {told}");
                memory.push(service.megabytes()?);
            }
            Ok(memory)
        });
        let outcome = at(&service, RATE / 3.0, span, cases::recommend(SHOP_10K.users, ""));
        let memory = swapping.join().map_err(|_| anyhow::anyhow!("the swapping thread panicked"))?;
        anyhow::Ok((outcome?, memory?))
    })?;
    let swapping = |due: f64| (due as u32 / STRETCH).is_multiple_of(2);
    let during = outcome.percentile(0.99, swapping);
    let others = outcome.percentile(0.99, |due| !swapping(due));
    let told = format!(
        "{during:.3} ms in seconds with a swap, {others:.3} ms in the others; {} of {} failed",
        outcome.failed,
        outcome.failed + outcome.answers.len()
    );
    bench.tell("100 swaps, p99", &format!("{:.2}", during / others), "<= 1.20, 0 failed", &told)?;
    let (early, late) = (memory[4], memory[memory.len() - 1]);
    let told = format!("{early:.0} MB after 5, {late:.0} MB after {SWAPS}");
    bench.tell("100 swaps, memory", &format!("{:.2}", late / early), "<= 1.10", &told)
}

/// A run in progress: training on one of the cores.
pub fn run(bench: &Bench) -> anyhow::Result<()> {
    let folder = SHOP_10K.folder(&bench.binary, &bench.folder, 1)?;
    let settings = [
        ("OUZEL__SERVING__REUSE", "false"),
        ("OUZEL__TRAINING__CANDIDATES", "popular,ials"),
        ("OUZEL__TRAINING__BUDGET", "600s"),
    ];
    let service = Service::start(&bench.binary, &folder, &settings)?;
    let ask = || cases::recommend(SHOP_10K.users, "");
    let closed = || drive(service.address, 32, Arrivals::Closed, SPAN, ask());
    let measure = || anyhow::Ok((at(&service, RATE / 3.0, SPAN, ask())?.p99(), closed()?.rate()));
    measure()?;
    let (mut latencies, mut rates, mut told) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        let (rest, rest_rate) = measure()?;
        let (status, run) = service.post("/v1/runs", &json!({}))?;
        ensure!(status == 202, "a run was refused: {status} {run}");
        let id = run["id"].as_str().unwrap_or_default().to_owned();
        // Snapshot and split are short; the search is what a run spends its time on.
        std::thread::sleep(Duration::from_secs(2));
        let (busy, busy_rate) = measure()?;
        let (_, now) = service.get(&format!("/v1/runs/{id}"))?;
        ensure!(now["status"] == "running", "the run was over before the figures were taken: {now}");
        service.post(&format!("/v1/runs/{id}/cancel"), &json!({}))?;
        while service.get(&format!("/v1/runs/{id}"))?.1["status"] == "running" {
            std::thread::sleep(Duration::from_millis(50));
        }
        latencies.push(busy / rest);
        rates.push(busy_rate / rest_rate);
        told.push((busy, rest));
    }
    let beside = format!(
        "{:.3} ms, at rest {:.3} ms",
        median(told.iter().map(|told| told.0).collect()),
        median(told.iter().map(|told| told.1).collect())
    );
    bench.tell("a run in progress, p99 at 5,000/s", &format!("{:.2}", median(latencies)), "<= 1.50", &beside)?;
    bench.tell("a run in progress, rate", &format!("{:.2}", median(rates)), ">= 0.60", "")
}

/// An event by REST: its acknowledgement, and the next list that no longer shows what was bought.
pub fn events(bench: &Bench) -> anyhow::Result<()> {
    const EVENTS: usize = 300;
    let folder = SHOP_10K.folder(&bench.binary, &bench.folder, 1)?;
    let service = Service::start(&bench.binary, &folder, &[])?;
    let over = AtomicBool::new(false);
    let (acknowledged, visible) = std::thread::scope(|scope| {
        // Others ask meanwhile.
        let load = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                at(&service, 2_000.0, Duration::from_secs(1), cases::recommend(SHOP_10K.users, ""))?;
            }
            anyhow::Ok(())
        });
        let figures = (0..EVENTS).map(|event| one_event(&service, event)).collect::<anyhow::Result<Vec<_>>>();
        over.store(true, Ordering::Relaxed);
        load.join().map_err(|_| anyhow::anyhow!("the load panicked"))??;
        anyhow::Ok(figures?.into_iter().unzip::<f64, f64, Vec<_>, Vec<_>>())
    })?;
    let p99 = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[(values.len() - 1) * 99 / 100]
    };
    let told = format!("median {:.2} ms, {EVENTS} events", median(visible.clone()));
    bench.tell("event by REST to changed list, p99", &format!("{:.2} ms", p99(visible)), "<= 5 ms", &told)?;
    let told = format!("median {:.2} ms", median(acknowledged.clone()));
    bench.tell("event by REST acknowledged, p99", &format!("{:.2} ms", p99(acknowledged)), "<= 20 ms", &told)
}

/// Milliseconds to the acknowledgement, and from it to a list without the item bought.
fn one_event(service: &Service, event: usize) -> anyhow::Result<(f64, f64)> {
    let path = format!("/recommend?user=u{}&n=1", 3000 + event * 7);
    let first = service.get(&path)?.1["items"][0]["id"].clone();
    ensure!(first.is_string(), "nothing was recommended");
    let begun = Instant::now();
    let body = json!({ "user": format!("u{}", 3000 + event * 7), "item": first, "type": "purchase" });
    let (status, told) = service.post("/v1/events", &body)?;
    let acknowledged = begun.elapsed();
    ensure!(status < 300, "the event was refused: {status} {told}");
    let begun = Instant::now();
    loop {
        let list = service.get(&path)?.1;
        if list["items"][0]["id"] != first {
            break;
        }
        ensure!(begun.elapsed() < Duration::from_secs(5), "the event changed nothing within 5 s: {list}");
    }
    Ok((acknowledged.as_secs_f64() * 1e3, begun.elapsed().as_secs_f64() * 1e3))
}
