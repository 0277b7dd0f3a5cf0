//! Recommendation itself, pure: no actor, no socket, no broker.
//!
//! From the bottom up: ids, events and items; the [`histories`] and the [`catalogue`] in memory; [`interactions`] and the
//! [`dataset`] made of them; [`recommender`], what all kinds of model share, and the [`candidates`]; [`evaluation`],
//! [`training`] and [`serving`].

pub mod artifact;
pub mod candidates;
pub mod catalogue;
pub mod clock;
pub mod dataset;
pub mod erasure;
pub mod evaluation;
pub mod event;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod histories;
pub mod ids;
pub mod interactions;
pub mod item;
pub mod kernels;
pub mod manifest;
pub mod near;
pub mod order;
#[cfg(test)]
pub(crate) mod real_files;
pub mod recommender;
pub mod run;
pub mod selection;
pub mod serving;
pub mod shelves;
pub mod training;
pub mod version_news;
pub mod wire;
