//! The networks, in Burn, trained fast: the original system's, and one that reads a history in its order.
//!
//! What is slow in a stock training loop is avoided: the embedding tables live on the host and only the rows of a batch
//! enter the graph as a leaf, so that no step walks whole tables; dropout masks are made on the host; small operations
//! stay on one thread, unless a batch is large enough for a shard on each.

mod device;
mod net;
mod sequence;
mod shards;
mod slopes;
mod table;
mod train;

pub use sequence::{HEADS, Order, PLACES, Parent, SequenceSettings, Step, Weights, dot, train as train_sequence};
pub use train::{Example, Folded, NetworkSettings, train};

/// Length of a user's and of an item's embedding.
pub const EMBEDDING: usize = 50;
/// Width of the dense layer.
pub const HIDDEN: usize = 50;
