//! From a question to a list: the live model, the histories, the filters and the cold-start ladder.

pub mod answer;
mod diversity;
mod drift;
pub mod experiment;
mod explain;
mod gather;
mod given_lists;
mod ladder;
mod list;
pub mod live;
mod marks;
pub mod online;
mod past;
pub mod prequential;
pub mod query;
pub mod recommend;
mod reuse;
pub mod stats;
#[cfg(test)]
mod tests;
