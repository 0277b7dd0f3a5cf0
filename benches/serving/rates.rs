//! How many requests a second, beside those that cost nothing.

use std::time::Duration;

use super::Bench;
use super::cases::{self, SHOP_10K};
use super::common::median;
use super::load::{Arrivals, Outcome, drive};
use super::service::Service;
use super::shop::Shop;

/// Connections of a closed loop: enough that both workers always have one waiting.
pub const CONNECTIONS: usize = 32;

pub const SPAN: Duration = Duration::from_secs(2);

/// What a round of one kind of request came to.
struct Round {
    rate: f64,
    /// Microseconds of the server's processor time per request.
    cost: f64,
    failed: usize,
}

fn round(service: &Service, next: impl FnMut(&mut Vec<u8>)) -> anyhow::Result<Round> {
    let before = service.processor_seconds()?;
    let outcome: Outcome = drive(service.address, CONNECTIONS, Arrivals::Closed, SPAN, next)?;
    let cost = (service.processor_seconds()? - before) / outcome.answers.len().max(1) as f64 * 1e6;
    Ok(Round { rate: outcome.rate(), cost, failed: outcome.failed })
}

/// Drives both kinds of request in turn and tells the ratio of their rates.
fn beside_live<Next: FnMut(&mut Vec<u8>)>(
    bench: &Bench,
    service: &Service,
    case: &str,
    goal: &str,
    requests: impl Fn() -> Next,
) -> anyhow::Result<()> {
    // Warm: code, caches, connections' buffers.
    round(service, requests())?;
    let (mut empty, mut asked) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        empty.push(round(service, cases::live())?);
        asked.push(round(service, requests())?);
    }
    let of = |rounds: &[Round], figure: fn(&Round) -> f64| median(rounds.iter().map(figure).collect());
    let ratios = empty.iter().zip(&asked).map(|(empty, asked)| asked.rate / empty.rate).collect();
    let failed: usize = asked.iter().map(|round| round.failed).sum();
    let told = format!(
        "{:.0}/s of C {:.0}/s; {:.1} us of processor time, C {:.1}; {failed} failed",
        of(&asked, |round| round.rate),
        of(&empty, |round| round.rate),
        of(&asked, |round| round.cost),
        of(&empty, |round| round.cost)
    );
    bench.tell(case, &format!("{:.2} C", median(ratios)), goal, &told)
}

/// Microseconds of the service's processor time for a list of ten, computed each time.
pub fn cost(bench: &Bench, service: &Service, shop: Shop) -> anyhow::Result<f64> {
    let costs = (0..=bench.rounds).map(|_| Ok(round(service, cases::recommend(shop.users, ""))?.cost));
    // The first round warms.
    Ok(median(costs.collect::<anyhow::Result<Vec<_>>>()?.split_off(1)))
}

/// The ten best of a shop's catalogue, computed each time.
pub fn computed(bench: &Bench, shop: Shop, goal: &str) -> anyhow::Result<()> {
    let folder = shop.folder(&bench.binary, &bench.folder, 1)?;
    let service = Service::start(&bench.binary, &folder, &[("OUZEL__SERVING__REUSE", "false")])?;
    let case = format!("top-10, {} items, computed", shop.items);
    beside_live(bench, &service, &case, goal, || cases::recommend(shop.users, ""))
}

/// The same list asked for again and again.
pub fn reused(bench: &Bench) -> anyhow::Result<()> {
    let folder = SHOP_10K.folder(&bench.binary, &bench.folder, 1)?;
    let service = Service::start(&bench.binary, &folder, &[])?;
    let case = format!("top-10, {} items, reused", SHOP_10K.items);
    beside_live(bench, &service, &case, ">= 0.90 C", || cases::recommend(1000, ""))
}

/// Thirty given candidates.
pub fn score(bench: &Bench) -> anyhow::Result<()> {
    let folder = SHOP_10K.folder(&bench.binary, &bench.folder, 1)?;
    let service = Service::start(&bench.binary, &folder, &[("OUZEL__SERVING__REUSE", "false")])?;
    beside_live(bench, &service, "30 candidates, /v1/score", ">= 0.75 C", || cases::score(SHOP_10K))
}

/// What filters cost: half of the catalogue in a category asked for, beside the same request without it.
pub fn filters(bench: &Bench) -> anyhow::Result<()> {
    let folder = SHOP_10K.folder(&bench.binary, &bench.folder, 1)?;
    let service = Service::start(&bench.binary, &folder, &[("OUZEL__SERVING__REUSE", "false")])?;
    label_items(&service, SHOP_10K.items)?;
    let (mut plain, mut filtered) = (Vec::new(), Vec::new());
    round(&service, cases::recommend(SHOP_10K.users, "&category=even&exclude=i2&exclude=i4"))?;
    for _ in 0..bench.rounds {
        plain.push(round(&service, cases::recommend(SHOP_10K.users, ""))?.cost);
        filtered.push(round(&service, cases::recommend(SHOP_10K.users, "&category=even&exclude=i2&exclude=i4"))?.cost);
    }
    let (plain, filtered) = (median(plain), median(filtered));
    let told = format!("{filtered:.1} us of processor time, {plain:.1} without a filter");
    bench.tell("a category, two exclusions, a tenth hidden", &format!("{:.2}", filtered / plain), "<= 1.20", &told)
}

/// Gives every item its categories, half of them `even`, and hides a tenth.
fn label_items(service: &Service, items: u32) -> anyhow::Result<()> {
    const WRITERS: u32 = 32;
    let label = |item: u32| {
        let category = if item.is_multiple_of(2) { "even" } else { "odd" };
        let body = serde_json::json!({ "categories": [category, "all"], "hidden": item % 10 == 3 });
        let (status, told) = service.put(&format!("/v1/items/i{item}"), &body)?;
        anyhow::ensure!(status == 200, "item {item} was refused: {status} {told}");
        Ok(())
    };
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|first| scope.spawn(move || (first..items).step_by(WRITERS as usize).try_for_each(label)))
            .collect();
        writers.into_iter().try_for_each(|writer| writer.join().map_err(|_| anyhow::anyhow!("a writer panicked"))?)
    })
}
