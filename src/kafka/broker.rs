//! Whether a broker is there, as the clients' callbacks last said; read without waiting for anybody.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use serde::Serialize;

use crate::model::clock::Clock;

/// What `/health/ready` and `/state` show of Kafka.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BrokerStatus {
    /// Whether every client has a broker.
    pub connected: bool,
    /// Since when there is none, milliseconds of the epoch; before the first contact, since the start.
    pub away_since_ms: Option<i64>,
    /// What was said last of a lost or refused connection; kept after the broker is back.
    pub last_error: Option<String>,
}

/// The connectivity of all Kafka clients of this process.
#[derive(Debug, Clone)]
pub struct BrokerState(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    made_ms: i64,
    links: Mutex<Vec<Weak<Link>>>,
}

/// The connectivity of one client.
#[derive(Debug)]
pub(crate) struct Link {
    name: &'static str,
    clock: Clock,
    state: Mutex<LinkState>,
}

#[derive(Debug)]
struct LinkState {
    away_since_ms: Option<i64>,
    met: bool,
    last_error: Option<String>,
    /// Whether the broker has refused it since it was there last.
    refused: bool,
}

impl BrokerState {
    /// Nothing is known yet; `clock` dates what will be.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        let made_ms = clock.now_ms();
        Self(Arc::new(Inner { clock, made_ms, links: Mutex::default() }))
    }

    /// The clock that this process goes by.
    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// A client's own line to this state; it counts for as long as it is held.
    pub(crate) fn link(&self, name: &'static str) -> Arc<Link> {
        let away_since_ms = Some(self.0.clock.now_ms());
        let state = Mutex::new(LinkState { away_since_ms, met: false, last_error: None, refused: false });
        let link = Arc::new(Link { name, clock: self.0.clock.clone(), state });
        let mut links = self.0.links.lock();
        links.retain(|held| held.strong_count() > 0);
        links.push(Arc::downgrade(&link));
        link
    }

    /// What the clients last heard. A client without a broker makes the whole away, from the earliest such time.
    #[must_use]
    pub fn status(&self) -> BrokerStatus {
        let links: Vec<Arc<Link>> = self.0.links.lock().iter().filter_map(Weak::upgrade).collect();
        let mut status = BrokerStatus { connected: !links.is_empty(), away_since_ms: None, last_error: None };
        for link in &links {
            let state = link.state.lock();
            if let Some(since) = state.away_since_ms {
                status.connected = false;
                status.away_since_ms = Some(status.away_since_ms.map_or(since, |known| known.min(since)));
            }
            if state.away_since_ms.is_some() || status.last_error.is_none() {
                status.last_error = state.last_error.clone().or(status.last_error);
            }
        }
        if links.is_empty() {
            status.away_since_ms = Some(self.0.made_ms);
        }
        status
    }
}

impl BrokerState {
    /// Whether a client was refused since it was there last, for its password or certificates.
    pub(crate) fn refused(&self) -> bool {
        let links = self.0.links.lock();
        links.iter().filter_map(Weak::upgrade).any(|link| link.state.lock().refused)
    }
}

impl Link {
    /// The client's name in log lines.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Whether this client has a broker.
    pub(crate) fn connected(&self) -> bool {
        self.state.lock().away_since_ms.is_none()
    }

    /// A broker answered.
    pub(crate) fn here(&self) {
        let mut state = self.state.lock();
        state.refused = false;
        if state.away_since_ms.take().is_some() {
            let again = if state.met { "is back" } else { "is there" };
            state.met = true;
            tracing::info!(client = self.name, "Kafka {again}");
        }
    }

    /// No broker is left, for this reason.
    pub(crate) fn away(&self, reason: &str) {
        let mut state = self.state.lock();
        let news = state.away_since_ms.is_none() || state.last_error.is_none();
        state.away_since_ms.get_or_insert_with(|| self.clock.now_ms());
        if news {
            tracing::warn!(client = self.name, reason, "Kafka is away, trying again until it is back");
            state.last_error = Some(reason.to_owned());
        }
    }

    /// The broker, or this side, refuses the connection for this reason; answers whether that is news since it was there.
    pub(crate) fn refused(&self, reason: &str) -> bool {
        let mut state = self.state.lock();
        state.last_error = Some(reason.to_owned());
        !std::mem::replace(&mut state.refused, true)
    }

    /// Something failed that may be why.
    pub(crate) fn failed(&self, reason: &str) {
        self.state.lock().last_error = Some(reason.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_without_a_broker_makes_it_away_since_then() {
        let clock = Clock::held(1_000);
        let state = BrokerState::new(clock.clone());
        assert_eq!(state.status(), BrokerStatus { connected: false, away_since_ms: Some(1_000), last_error: None });
        let (consumer, producer) = (state.link("events"), state.link("producer"));
        consumer.here();
        assert!(!state.status().connected);
        producer.here();
        assert_eq!(state.status(), BrokerStatus { connected: true, away_since_ms: None, last_error: None });
        clock.advance_ms(500);
        consumer.away("connection refused");
        clock.advance_ms(500);
        consumer.away("all brokers are down");
        let status = state.status();
        assert_eq!((status.connected, status.away_since_ms), (false, Some(1_500)));
        assert_eq!(status.last_error.as_deref(), Some("connection refused"));
        drop(consumer);
        assert!(state.status().connected, "a client that is gone no longer counts");
    }
}
