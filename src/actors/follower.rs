//! Follows the versions that another process writes.
//!
//! Owns: the announcements. In: announcements from the topic of models. Out: `Look` to the registry.
//! On crash: rebuilt; it looks at once. On overload: announcements that wait are one look.
//! An announcement that was lost is made good by the look that time brings (`registry.follow`).

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, WrapFuture};
use tokio::sync::Mutex;

use super::registry::RegistryHandle;
use super::supervision::{ExitGuard, answers_pings};
use crate::kafka::models::Announcements;

/// Time to the next look after one that failed.
const AGAIN: Duration = Duration::from_secs(1);

/// What the follower works on; shared with its next life.
#[derive(Clone)]
pub struct FollowerParts {
    /// The registry of this process, which reads the alias and loads its version.
    pub registry: RegistryHandle,
    /// What is announced; one life at a time reads it.
    pub announced: Arc<Mutex<Announcements>>,
    /// The longest time between looks.
    pub every: Duration,
}

/// The follower.
pub struct Follower {
    parts: FollowerParts,
    _guard: ExitGuard,
}

answers_pings!(Follower);

impl Follower {
    /// A follower on `parts`.
    #[must_use]
    pub const fn new(parts: FollowerParts, guard: ExitGuard) -> Self {
        Self { parts, _guard: guard }
    }
}

impl Actor for Follower {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let parts = self.parts.clone();
        let work = async move {
            let mut announced = parts.announced.lock().await;
            let mut wait = Duration::ZERO;
            let mut heard = true;
            loop {
                tokio::select! {
                    announced = announced.recv(), if heard => match announced {
                        Some(one) if one.version.is_none() => {
                            tracing::info!(url = one.url, "an announcement names no version of ours");
                            continue;
                        }
                        Some(one) => tracing::debug!(version = one.version, "a version is announced"),
                        // The stream ends when the process stops.
                        None => heard = false,
                    },
                    () = tokio::time::sleep(wait) => {}
                }
                wait = match parts.registry.look().await {
                    Ok(()) => parts.every,
                    Err(error) => {
                        tracing::warn!(%error, "the live version cannot be followed, what answers stays");
                        parts.every.min(AGAIN)
                    }
                };
            }
        };
        ctx.spawn(work.into_actor(self));
    }
}
