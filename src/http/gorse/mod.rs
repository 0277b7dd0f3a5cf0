//! Gorse's REST face, as its published clients call it: `/api/…`.
//!
//! Its feedback is our events, its items are our item data, its users are who has events, with what was said of them kept
//! beside. `docs/neighbours.md` tells where the two differ.

pub mod feedback;
pub mod items;
pub mod lists;
pub mod users;
mod wire;
mod write_back;

pub use write_back::MOST_WAITING as MOST_WRITE_BACKS;
