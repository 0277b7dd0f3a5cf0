//! The sequence network: a user is what the user did, with order, ages and weights.
//!
//! It has no user table. Each item has two embeddings, one for its part in a history and one for being recommended; a
//! history is pooled with learnt weights by rank, age and amount, passed through a small residual layer, and compared
//! with every item. It is trained to foretell a part of a user's sequence from what came before it, by the softmax over
//! the catalogue or, for a big one, over a drawn part of it.

mod encoder;
mod rows;
mod slopes;
mod softmax;
mod steps;
#[cfg(test)]
mod tests;
mod train;
mod weights;

pub use rows::Order;
pub use steps::{HEADS, PLACES, Step};
pub use train::{Parent, SequenceSettings, train};
pub use weights::{Weights, dot};
