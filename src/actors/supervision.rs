//! What supervision is made of: the guard that reports an actor's end, its heartbeat, and the factory that makes it anew.
//!
//! actix neither catches a panic nor rebuilds an actor: a panic drops the actor and closes its address. So every child
//! holds an [`ExitGuard`], whose drop is the report, and is made by a [`Factory`], which the overseer calls again.

use std::cell::RefCell;
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use actix::dev::ToEnvelope;
use actix::{Actor, Arbiter, Context, Handler, Message, Recipient};
use tokio::sync::mpsc::UnboundedSender;

use super::slot::Slot;

thread_local! {
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The text of a planned panic that ends the process as `kill -9` does; only builds for tests know it.
const KILL: &str = "kill";

/// Makes panics log lines, and keeps each for the guard that drops over it. To be called once, at the start.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        let text = info.payload_as_str().unwrap_or("a panic without a text");
        if fail::has_failpoints() && text == KILL {
            kill_this_process();
        }
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panic: {text}");
        LAST_PANIC.with(|last| *last.borrow_mut() = Some(format!("panic: {text} ({place})")));
    }));
}

/// Ends the process where it stands: nothing unwinds, nothing is flushed.
fn kill_this_process() {
    use rustix::process::{Signal, getpid, kill_process};
    if let Err(error) = kill_process(getpid(), Signal::KILL) {
        tracing::error!(%error, "the process cannot kill itself");
    }
}

/// The text of the panic this thread saw last, taken out.
pub fn take_panic() -> Option<String> {
    LAST_PANIC.with(|last| last.borrow_mut().take())
}

/// A child ended.
#[derive(Debug)]
pub struct ChildExited {
    /// Which child, by its place among the overseer's.
    pub child: usize,
    /// Which of its lives, so that a replaced one's late end is known for what it is.
    pub life: u64,
    /// The panic it ended in, if it was one.
    pub error: Option<String>,
}

/// Reports the end of the actor that holds it.
pub struct ExitGuard {
    child: usize,
    life: u64,
    exits: UnboundedSender<ChildExited>,
}

impl ExitGuard {
    /// A guard for life `life` of child `child`.
    #[must_use]
    pub const fn new(child: usize, life: u64, exits: UnboundedSender<ChildExited>) -> Self {
        Self { child, life, exits }
    }
}

impl Drop for ExitGuard {
    fn drop(&mut self) {
        let error = std::thread::panicking().then(|| take_panic().unwrap_or_else(|| "panic".to_owned()));
        // The overseer is gone only when the process is ending.
        self.exits.send(ChildExited { child: self.child, life: self.life, error }).ok();
    }
}

/// A heartbeat. Every child answers it between two messages; silence means that it hangs.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Ping {
    /// When it was sent, milliseconds of the epoch.
    pub sent_ms: i64,
    /// Where the answer goes.
    pub answered_ms: Arc<AtomicI64>,
}

impl Ping {
    /// Answers it.
    pub fn answer(&self) {
        self.answered_ms.store(self.sent_ms, Ordering::Release);
    }
}

/// Lets actors answer heartbeats.
macro_rules! answers_pings {
    ($($actor:ty),+) => {$(
        impl actix::Handler<$crate::actors::supervision::Ping> for $actor {
            type Result = ();
            fn handle(&mut self, ping: $crate::actors::supervision::Ping, _: &mut Self::Context) {
                ping.answer();
            }
        }
    )+};
}
pub(crate) use answers_pings;

/// Makes one child, any number of times, each on the child's own thread.
pub trait Factory {
    /// The child's name, as `/state` shows it.
    fn name(&self) -> &'static str;

    /// Whether it writes what only one may write: hanging, it cannot be replaced, and the process ends.
    fn writes(&self) -> bool;

    /// Starts it. With `fresh_thread` the thread of the life before is left to itself, since it hangs.
    fn start(&mut self, guard: ExitGuard, fresh_thread: bool) -> Recipient<Ping>;

    /// Makes calls to it answer that it is away.
    fn clear(&self);

    /// Stops its thread.
    fn stop(&mut self);

    /// Where calls are counted that were turned away because too much waited.
    fn refused(&self) -> Arc<AtomicU64>;
}

/// The factory of an actor in a slot.
pub struct SlotFactory<A: Actor> {
    name: &'static str,
    writes: bool,
    slot: Slot<A>,
    arbiter: Arbiter,
    make: Arc<dyn Fn(ExitGuard) -> A + Send + Sync>,
}

impl<A: Actor<Context = Context<A>>> SlotFactory<A> {
    /// A factory that fills `slot` with what `make` makes. `make` runs on the child's thread and must not block.
    pub fn new(
        name: &'static str,
        writes: bool,
        slot: Slot<A>,
        make: impl Fn(ExitGuard) -> A + Send + Sync + 'static,
    ) -> Self {
        Self { name, writes, slot, arbiter: Arbiter::new(), make: Arc::new(make) }
    }
}

impl<A> Factory for SlotFactory<A>
where
    A: Actor<Context = Context<A>> + Handler<Ping>,
    A::Context: ToEnvelope<A, Ping>,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn writes(&self) -> bool {
        self.writes
    }

    fn start(&mut self, guard: ExitGuard, fresh_thread: bool) -> Recipient<Ping> {
        if fresh_thread {
            self.arbiter = Arbiter::new();
        }
        let make = self.make.clone();
        let addr = A::start_in_arbiter(&self.arbiter.handle(), move |_| make(guard));
        self.slot.fill(addr.clone());
        addr.recipient()
    }

    fn clear(&self) {
        self.slot.clear();
    }

    fn stop(&mut self) {
        self.slot.clear();
        self.arbiter.stop();
    }

    fn refused(&self) -> Arc<AtomicU64> {
        self.slot.refused()
    }
}
