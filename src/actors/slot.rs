//! An actor's address that outlives the actor: the overseer puts the fresh one in after each restart.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Handler, MailboxError, Message};
use arc_swap::ArcSwapOption;
use tokio::sync::Semaphore;

use super::errors::CallError;

/// The swappable address of one actor, with a bound on the calls that wait for it.
pub struct Slot<A: Actor> {
    addr: Arc<ArcSwapOption<Addr<A>>>,
    permits: Arc<Semaphore>,
    refused: Arc<AtomicU64>,
}

/// Calls to one actor that may wait at once; control messages only, bulk goes by bounded queues.
const WAITING_CALLS: usize = 256;

impl<A: Actor> Clone for Slot<A> {
    fn clone(&self) -> Self {
        Self { addr: self.addr.clone(), permits: self.permits.clone(), refused: self.refused.clone() }
    }
}

impl<A: Actor> Default for Slot<A> {
    fn default() -> Self {
        Self { addr: Arc::default(), permits: Arc::new(Semaphore::new(WAITING_CALLS)), refused: Arc::default() }
    }
}

impl<A: Actor> Slot<A> {
    /// Puts a fresh actor's address in.
    pub fn fill(&self, addr: Addr<A>) {
        self.addr.store(Some(Arc::new(addr)));
    }

    /// Takes the address out; calls answer [`CallError::Away`] until there is a new one.
    pub fn clear(&self) {
        self.addr.store(None);
    }

    /// Counts a call that was turned away because too much waits.
    pub fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// How many calls were turned away, over all lives of the actor.
    #[must_use]
    pub fn refused(&self) -> Arc<AtomicU64> {
        self.refused.clone()
    }

    /// Sends a message that nobody waits for; false when the actor is away or its mailbox is full.
    pub fn tell<M>(&self, message: M) -> bool
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        self.addr.load().as_ref().is_some_and(|addr| addr.try_send(message).is_ok())
    }

    /// Sends a message and waits for its result.
    ///
    /// # Errors
    /// [`CallError::Busy`] when too many calls wait, [`CallError::Away`] when the actor is being rebuilt or crashed over
    /// the message, [`CallError::Deadline`] when `deadline` has passed.
    pub async fn call<M>(&self, message: M, deadline: Duration) -> Result<M::Result, CallError>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        let _permit = self.permits.try_acquire().map_err(|_| {
            self.refuse();
            CallError::Busy
        })?;
        let addr = self.addr.load_full().ok_or(CallError::Away)?;
        match tokio::time::timeout(deadline, addr.send(message)).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(MailboxError::Closed)) => Err(CallError::Away),
            Ok(Err(MailboxError::Timeout)) | Err(_) => Err(CallError::Deadline),
        }
    }
}
