//! How fast a key may ask: each key has a store of requests that fills at a steady pace (GCRA).

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, Reference as _};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use super::auth::Caller;
use super::errors::ApiError;
use crate::model::clock::Clock;
use crate::settings::Auth;

/// The service's clock, as governor reads it.
#[derive(Debug, Clone)]
struct Ticks(Clock);

impl governor::clock::Clock for Ticks {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Duration::from_millis(u64::try_from(self.0.now_ms()).unwrap_or(0)).into()
    }
}

type Limiter = RateLimiter<Caller, DashMapStateStore<Caller>, Ticks, NoOpMiddleware<Nanos>>;

/// The pace of every key; keys that are not known have none, since they are refused before.
pub struct Rates(Option<(Limiter, Ticks)>);

impl Rates {
    /// The pace of the settings; none where `auth.rate` is 0.
    #[must_use]
    pub fn new(auth: &Auth, clock: Clock) -> Self {
        let Some(rate) = NonZeroU32::new(auth.rate) else { return Self(None) };
        let quota = Quota::per_second(rate).allow_burst(NonZeroU32::new(auth.burst).unwrap_or(rate));
        let clock = Ticks(clock);
        Self(Some((RateLimiter::new(quota, DashMapStateStore::default(), clock.clone()), clock)))
    }

    /// Takes one request of the caller's.
    ///
    /// # Errors
    /// 429 with `Retry-After` when there is none left.
    pub fn take(&self, caller: Caller) -> Result<(), ApiError> {
        let Some((limiter, clock)) = self.0.as_ref().filter(|_| caller.has_key()) else { return Ok(()) };
        limiter.check_key(&caller).map_err(|until| {
            let wait = until.earliest_possible().duration_since(clock.now());
            ApiError::too_many(Duration::from(wait).as_secs_f64().ceil().max(1.0) as u64)
        })
    }
}
