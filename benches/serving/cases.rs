//! The cases by name, and the requests they send.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::shop::Shop;
use super::{Bench, growth, peer, rates, stream, volume, while_busy};

/// A case: its figures go into the table.
type Case = fn(&Bench) -> anyhow::Result<()>;

/// Every case, in the order of the table.
pub const CASES: [(&str, Case); 18] = [
    ("300", |bench| rates::computed(bench, SHOP_300, ">= 0.75 C")),
    ("10k", |bench| rates::computed(bench, SHOP_10K, ">= 0.60 C")),
    ("100k", |bench| rates::computed(bench, SHOP_100K, ">= 0.40 C")),
    ("1m", while_busy::largest),
    ("reused", rates::reused),
    ("score", rates::score),
    ("peer", peer::fastapi),
    ("filters", rates::filters),
    ("p99", while_busy::steady),
    ("swaps", while_busy::swaps),
    ("run", while_busy::run),
    ("events", while_busy::events),
    ("import", volume::import),
    ("start", volume::start),
    ("million", volume::million),
    ("growth", growth::over_shops),
    ("intake", stream::intake),
    ("kafka", stream::lists),
];

pub const SHOP_300: Shop = Shop::of(300, 1000);
pub const SHOP_10K: Shop = Shop::of(10_000, 20_000);
pub const SHOP_100K: Shop = Shop::of(100_000, 50_000);
pub const SHOP_1M: Shop = Shop::of(1_000_000, 100_000);
/// Of the size that the peer's network is drawn in, with the original's network as its version.
pub const SHOP_PEER: Shop = Shop { kind: "neural-cf", ..Shop::of(1000, 10_000) };

/// What costs nothing but the way to the server and back.
pub fn live() -> impl FnMut(&mut Vec<u8>) {
    |out| out.extend_from_slice(b"GET /health/live HTTP/1.1\r\nhost: bench\r\n\r\n")
}

/// The ten best for users drawn at random from the first `users`; `more` is added to the query.
pub fn recommend(users: u32, more: &'static str) -> impl FnMut(&mut Vec<u8>) {
    let mut random = StdRng::seed_from_u64(7);
    move |out| {
        let user = random.random_range(0..users);
        out.extend_from_slice(
            format!("GET /recommend?user=u{user}&n=10{more} HTTP/1.1\r\nhost: bench\r\n\r\n").as_bytes(),
        );
    }
}

/// The scores of thirty given items for users drawn at random, ids as the shops have them.
pub fn score(shop: Shop) -> impl FnMut(&mut Vec<u8>) {
    scores_of("/v1/score", shop, |letter, number| format!("\"{letter}{number}\""))
}

/// The same asked of a server that knows users and items by number.
pub fn score_by_number(path: &'static str, shop: Shop) -> impl FnMut(&mut Vec<u8>) {
    scores_of(path, shop, |_, number| number.to_string())
}

fn scores_of(path: &'static str, shop: Shop, id: impl Fn(char, u32) -> String) -> impl FnMut(&mut Vec<u8>) {
    let mut random = StdRng::seed_from_u64(7);
    move |out| {
        let items: Vec<String> = (0..30).map(|_| id('i', random.random_range(0..shop.items))).collect();
        let user = id('u', random.random_range(0..shop.users));
        let body = format!("{{\"user\":{user},\"products\":[{}]}}", items.join(","));
        let head = format!("POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n");
        out.extend_from_slice(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes());
    }
}
