//! The actors, their messages and the handles by which everybody else reaches them.

pub mod errors;
pub mod handles;
pub mod messages;
