//! Ouzel, a streaming recommender: one process that takes in what people buy, trains, replaces its model while requests
//! go on, and answers. `ARCHITECTURE.md` is the map of the rooms.

pub mod actors;
pub mod app;
pub mod cli;
pub mod http;
pub mod kafka;
pub mod model;
pub mod settings;
pub mod store;
