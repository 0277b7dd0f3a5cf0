//! Keeps the other actors alive.
//!
//! Owns: the children's factories, the restart policy, the heartbeats, the status board.
//! In: reports of ended children, ticks. Out: fresh children, the board that `/state` reads.
//! On crash: the process ends non-zero. On overload: gets control messages only.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message, Recipient, StreamHandler};
use parking_lot::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::messages::ActorStatus;
use super::restarts::{Decision, RestartPolicy, Restarts};
use super::supervision::{ChildExited, ExitGuard, Factory, Ping, take_panic};
use crate::model::clock::Clock;

/// What `/state` shows of the actors; written by the overseer, read without waiting on it.
#[derive(Default)]
pub struct Board(Mutex<Vec<Row>>);

struct Row {
    status: ActorStatus,
    refused: Arc<AtomicU64>,
}

impl Board {
    /// Every actor, in the order in which they are started.
    pub fn actors(&self) -> Vec<ActorStatus> {
        let shown = |row: &Row| ActorStatus { refused: row.refused.load(Ordering::Relaxed), ..row.status.clone() };
        self.0.lock().iter().map(shown).collect()
    }

    fn update(&self, child: usize, change: impl FnOnce(&mut ActorStatus)) {
        // Place 0 is the overseer's own.
        if let Some(row) = self.0.lock().get_mut(child + 1) {
            change(&mut row.status);
        }
    }
}

/// Says why the process must end; the composition root waits for it.
pub type Fatal = watch::Sender<Option<String>>;

struct Child {
    factory: Box<dyn Factory>,
    restarts: Restarts,
    life: u64,
    ping: Option<Recipient<Ping>>,
    answered_ms: Arc<AtomicI64>,
}

/// The overseer.
pub struct Overseer {
    children: Vec<Child>,
    policy: RestartPolicy,
    heartbeat: Duration,
    clock: Clock,
    board: Arc<Board>,
    fatal: Fatal,
    exits: UnboundedSender<ChildExited>,
    exited: Option<UnboundedReceiver<ChildExited>>,
    stopping: bool,
}

/// Stops every child, in the order given by their factories, last first.
#[derive(Message)]
#[rtype(result = "()")]
pub struct StopChildren;

impl Overseer {
    /// An overseer of `factories`, started in their order when it is.
    pub fn new(
        factories: Vec<Box<dyn Factory>>,
        policy: RestartPolicy,
        heartbeat: Duration,
        clock: Clock,
        board: Arc<Board>,
        fatal: Fatal,
    ) -> Self {
        let (exits, exited) = unbounded_channel();
        let row = |name, refused| Row {
            status: ActorStatus { name, status: "running", restarts: 0, refused: 0, last_error: None },
            refused,
        };
        let children = factories.iter().map(|factory| row(factory.name(), factory.refused()));
        *board.0.lock() = std::iter::once(row("overseer", Arc::default())).chain(children).collect();
        let children = factories
            .into_iter()
            .map(|factory| Child {
                factory,
                restarts: Restarts::default(),
                life: 0,
                ping: None,
                answered_ms: Arc::default(),
            })
            .collect();
        Self { children, policy, heartbeat, clock, board, fatal, exits, exited: Some(exited), stopping: false }
    }

    fn start_child(&mut self, place: usize, fresh_thread: bool) {
        let Some(child) = self.children.get_mut(place) else { return };
        if self.stopping {
            return;
        }
        child.life += 1;
        child.answered_ms = Arc::default();
        let guard = ExitGuard::new(place, child.life, self.exits.clone());
        child.ping = Some(child.factory.start(guard, fresh_thread));
        child.restarts.started(self.clock.now_ms());
        self.board.update(place, |status| status.status = "running");
    }

    /// A child is gone: rebuild it after a pause, or end the process.
    fn lost(&mut self, place: usize, error: &str, fresh_thread: bool, ctx: &mut Context<Self>) {
        let now_ms = self.clock.now_ms();
        let Some(child) = self.children.get_mut(place) else { return };
        let name = child.factory.name();
        child.factory.clear();
        child.ping = None;
        let decision = child.restarts.ended(now_ms, &self.policy);
        tracing::error!(actor = name, error, "an actor ended");
        self.board.update(place, |status| {
            status.status = "restarting";
            status.restarts += 1;
            status.last_error = Some(error.to_owned());
        });
        match decision {
            Decision::After(pause) => {
                ctx.run_later(pause, move |overseer, _| overseer.start_child(place, fresh_thread));
            }
            Decision::GiveUp { restarts } => {
                self.end(format!("{name} ended {restarts} times within ten minutes, last by: {error}"));
            }
        }
    }

    fn end(&self, why: String) {
        self.fatal.send_replace(Some(why));
    }

    fn beat(&mut self, ctx: &mut Context<Self>) {
        let now_ms = self.clock.now_ms();
        let mut hung = Vec::new();
        for (place, child) in self.children.iter().enumerate() {
            let Some(ping) = &child.ping else { continue };
            let answered = child.answered_ms.load(Ordering::Acquire);
            // Before its first answer a child may be loading what it owns.
            if answered != 0 && now_ms - answered > self.policy.hung_after_ms {
                hung.push(place);
            } else if ping.try_send(Ping { sent_ms: now_ms, answered_ms: child.answered_ms.clone() }).is_err() {
                tracing::debug!(actor = child.factory.name(), "mailbox full or closed at a heartbeat");
            }
        }
        for place in hung {
            self.replace_hung(place, ctx);
        }
    }

    fn replace_hung(&mut self, place: usize, ctx: &mut Context<Self>) {
        let Some(child) = self.children.get_mut(place) else { return };
        let name = child.factory.name();
        if child.factory.writes() {
            self.board.update(place, |status| status.status = "hung");
            self.end(format!("{name} hangs; it writes, and two writers must never be"));
        } else {
            child.life += 1;
            self.lost(place, "no heartbeat", true, ctx);
        }
    }
}

impl Actor for Overseer {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if let Some(exited) = self.exited.take() {
            ctx.add_stream(UnboundedReceiverStream::new(exited));
        }
        for place in 0..self.children.len() {
            self.start_child(place, false);
        }
        ctx.run_interval(self.heartbeat, Self::beat);
    }
}

impl StreamHandler<ChildExited> for Overseer {
    fn handle(&mut self, exit: ChildExited, ctx: &mut Self::Context) {
        let current = self.children.get(exit.child).is_some_and(|child| child.life == exit.life);
        if current && !self.stopping {
            self.lost(exit.child, exit.error.as_deref().unwrap_or("it stopped by itself"), false, ctx);
        }
    }

    // The default stops the actor; the stream ends only with it.
    fn finished(&mut self, _: &mut Self::Context) {}
}

impl Handler<StopChildren> for Overseer {
    type Result = ();

    fn handle(&mut self, _: StopChildren, _: &mut Self::Context) {
        self.stopping = true;
        for (place, child) in self.children.iter_mut().enumerate().rev() {
            child.ping = None;
            child.factory.stop();
            self.board.update(place, |status| status.status = "stopped");
        }
    }
}

impl Drop for Overseer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let error = take_panic().unwrap_or_else(|| "panic".to_owned());
            self.fatal.send_replace(Some(format!("the overseer ended: {error}")));
        }
    }
}
