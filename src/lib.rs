//! Ouzel, a streaming recommender: one process that takes in what people buy, trains, replaces its model while requests
//! go on, and answers. `ARCHITECTURE.md` is the map of the rooms.

pub mod actors;
pub mod cli;
pub mod model;
pub mod settings;
