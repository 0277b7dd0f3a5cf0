//! The actors from outside: async methods with deadlines and typed errors, the same over any number of restarts.

use std::sync::Arc;

use super::messages::ActorStatus;
use super::overseer::Board;

pub use super::eraser::EraserHandle;
pub use super::ingestor::IngestHandle;
pub use super::registry::RegistryHandle;
pub use super::trainer::TrainerHandle;

/// The overseer.
#[derive(Clone)]
pub struct OverseerHandle {
    board: Arc<Board>,
}

impl OverseerHandle {
    /// A handle that reads `board`.
    #[must_use]
    pub const fn new(board: Arc<Board>) -> Self {
        Self { board }
    }

    /// Every actor, in a fixed order; reads memory, waits on nobody.
    #[must_use]
    pub fn actors(&self) -> Vec<ActorStatus> {
        self.board.actors()
    }
}
