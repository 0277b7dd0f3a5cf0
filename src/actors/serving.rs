//! Holds the pointer that every answer begins with.
//!
//! Owns: the write side of the live pointer, models that nobody asks any more.
//! In: `Activate`. Out: `Activated`, on a channel that streams watch.
//! On crash: the pointer lives outside, answers go on. On overload: readers never touch the mailbox.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, AsyncContext, Context, Handler, Message};
use arc_swap::ArcSwapOption;
use tokio::sync::broadcast;

use super::meters::Meters;
use super::supervision::{ExitGuard, answers_pings};
use crate::model::clock::Clock;
use crate::model::ids::Version;
use crate::model::serving::live::LiveModel;

/// How often models that were replaced are looked at, to be freed here and not by the last request that held them.
const SWEEP: Duration = Duration::from_millis(100);

/// The pointer and who watches it; shared with the next life.
#[derive(Clone)]
pub struct ServingParts {
    /// The model that answers.
    pub live: Arc<ArcSwapOption<LiveModel>>,
    /// The clock.
    pub clock: Clock,
    /// Every change of the live version.
    pub activated: broadcast::Sender<Activated>,
    /// Where swaps are timed.
    pub meters: Arc<Meters>,
}

/// The serving actor.
pub struct Serving {
    parts: ServingParts,
    retired: Vec<Arc<LiveModel>>,
    _guard: ExitGuard,
}

/// Makes a loaded model answer.
#[derive(Message)]
#[rtype(result = "Activated")]
pub struct Activate(pub Arc<LiveModel>);

/// A version answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activated {
    /// The version.
    pub version: Version,
    /// Since when, milliseconds of the epoch.
    pub since_ms: i64,
}

impl actix::dev::MessageResponse<Serving, Activate> for Activated {
    fn handle(self, _: &mut Context<Serving>, answer: Option<actix::dev::OneshotSender<Self>>) {
        if let Some(answer) = answer {
            // The registry gave up waiting; the version answers all the same.
            answer.send(self).ok();
        }
    }
}

answers_pings!(Serving);

impl Serving {
    /// A serving actor on `parts`.
    #[must_use]
    pub const fn new(parts: ServingParts, guard: ExitGuard) -> Self {
        Self { parts, retired: Vec::new(), _guard: guard }
    }

    fn sweep(&mut self, _: &mut Context<Self>) {
        self.retired.retain(|model| Arc::strong_count(model) > 1);
    }
}

impl Actor for Serving {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(SWEEP, Self::sweep);
    }
}

impl Handler<Activate> for Serving {
    type Result = Activated;

    fn handle(&mut self, Activate(model): Activate, _: &mut Self::Context) -> Activated {
        fail::fail_point!("serving.activate");
        let activated = Activated { version: model.version(), since_ms: self.parts.clock.now_ms() };
        let same = self.parts.live.load().as_ref().is_some_and(|live| Arc::ptr_eq(live, &model));
        if !same {
            let events_to_ms = model.manifest.data.events_to_ms;
            let begun = Instant::now();
            let old = self.parts.live.swap(Some(model));
            self.parts.meters.swap.record(begun.elapsed());
            self.retired.extend(old);
            *self.parts.meters.data_age_at_swap.lock() =
                events_to_ms.map(|newest| (activated.since_ms - newest) as f64 / 1e3);
        }
        fail::fail_point!("serving.activated");
        // Nobody need be watching.
        self.parts.activated.send(activated.clone()).ok();
        activated
    }
}
