//! What the client sends.

use prost::Message as _;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use super::ClientKind;

/// Users are drawn from 0 to one less, products likewise, as the original's client drew them.
const USERS: i64 = 1000;
const PRODUCTS: i64 = 300;
/// The most products of one request.
const MOST: usize = 30;

/// The original's request, in protobuf.
#[derive(Clone, PartialEq, prost::Message)]
struct RecommendationRequest {
    #[prost(int64, repeated, tag = "1")]
    products: Vec<i64>,
    #[prost(int64, tag = "2")]
    user: i64,
}

/// A record to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The record's key: the user.
    pub key: String,
    /// The header `content-type`.
    pub content_type: &'static str,
    /// The record's value.
    pub value: Vec<u8>,
    /// What is sent, for people.
    pub shown: String,
}

/// Draws records; the same seed draws the same ones.
#[derive(Debug)]
pub struct Generator {
    kind: ClientKind,
    random: StdRng,
}

impl Generator {
    /// A generator of `kind`.
    #[must_use]
    pub fn new(kind: ClientKind, seed: u64) -> Self {
        Self { kind, random: StdRng::seed_from_u64(seed) }
    }

    /// The next record; `now_ms` is an event's time.
    pub fn next_message(&mut self, now_ms: i64) -> Message {
        match self.kind {
            ClientKind::Requests => self.request(),
            ClientKind::Events => self.event(now_ms),
        }
    }

    fn request(&mut self) -> Message {
        let user = self.random.random_range(0..USERS);
        let many = self.random.random_range(1..=MOST);
        let products: Vec<i64> = (0..many).map(|_| self.random.random_range(0..PRODUCTS)).collect();
        let shown = format!("user {user}: {many} products");
        let value = RecommendationRequest { products, user }.encode_to_vec();
        Message { key: user.to_string(), content_type: "application/x-protobuf", value, shown }
    }

    fn event(&mut self, now_ms: i64) -> Message {
        let (user, item) = (self.random.random_range(0..USERS), self.random.random_range(0..PRODUCTS));
        let kind = if self.random.random_bool(0.3) { "purchase" } else { "view" };
        // So that a record that is sent again after an error counts once.
        let id = format!("{:032x}", self.random.random::<u128>());
        let body =
            json!({"user": user.to_string(), "item": item.to_string(), "type": kind, "timestamp": now_ms, "id": id});
        Message {
            key: user.to_string(),
            content_type: "application/json",
            value: body.to_string().into_bytes(),
            shown: format!("user {user}: {kind} {item}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_drawn_as_the_originals_client_drew_them() {
        let mut generator = Generator::new(ClientKind::Requests, 1);
        let (mut least, mut most, mut zero) = (usize::MAX, 0, false);
        for _ in 0..5000 {
            let message = generator.next_message(0);
            let request = RecommendationRequest::decode(message.value.as_slice()).unwrap();
            assert!((0..1000).contains(&request.user) && request.products.iter().all(|p| (0..300).contains(p)));
            least = least.min(request.products.len());
            most = most.max(request.products.len());
            zero |= request.user == 0;
        }
        assert_eq!((least, most, zero), (1, 30, true));
    }

    #[test]
    fn the_bytes_are_the_originals() {
        let request = RecommendationRequest { products: vec![1, 300], user: 25 };
        // Field 1, packed, three bytes: 1 and 300; field 2: 25.
        assert_eq!(request.encode_to_vec(), [0x0a, 3, 1, 0xac, 2, 0x10, 25]);
    }

    #[test]
    fn events_have_ids_of_their_own_and_a_seed_repeats_them() {
        let draw = |seed| {
            let mut generator = Generator::new(ClientKind::Events, seed);
            (0..100).map(|_| generator.next_message(1_700_000_000_000).value).collect::<Vec<_>>()
        };
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
        let ids: std::collections::HashSet<String> = draw(3)
            .iter()
            .map(|value| serde_json::from_slice::<serde_json::Value>(value).unwrap()["id"].to_string())
            .collect();
        assert_eq!(ids.len(), 100);
    }
}
