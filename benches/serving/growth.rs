//! How what is measured grows with items, users and events.

use std::io::Write as _;

use anyhow::Context as _;
use serde_json::json;

use super::Bench;
use super::cases::{SHOP_1M, SHOP_10K, SHOP_100K, SHOP_300};
use super::rates::cost;
use super::service::Service;
use super::volume::{EVENTS_10M, USERS_1M, started};

/// Start, memory and a request's cost over shops of all sizes; a line of JSON for each goes to `growth.ndjson` beside the
/// shops, for `bench/growth.py` to draw.
pub fn over_shops(bench: &Bench) -> anyhow::Result<()> {
    let file = bench.folder.join("growth.ndjson");
    let mut lines = std::fs::File::create(&file).with_context(|| format!("{} cannot be written", file.display()))?;
    for shop in [SHOP_300, SHOP_10K, SHOP_100K, SHOP_1M, EVENTS_10M, USERS_1M] {
        let folder = shop.folder(&bench.binary, &bench.folder, 1)?;
        let (seconds, megabytes) = started(bench, &folder)?;
        let service = Service::start(&bench.binary, &folder, &[("OUZEL__SERVING__REUSE", "false")])?;
        let microseconds = cost(bench, &service, shop)?;
        let line = json!({
            "items": shop.items, "users": shop.users, "events": shop.events,
            "start_seconds": seconds, "megabytes": megabytes, "request_microseconds": microseconds,
        });
        writeln!(lines, "{line}")?;
        let case = format!("{} items, {} users, {} events", shop.items, shop.users, shop.events);
        let told = format!("start {seconds:.2} s, {megabytes:.0} MB");
        bench.tell(&case, &format!("{microseconds:.1} us a list"), "", &told)?;
    }
    Ok(())
}
