//! From a question to a list: the live model, the histories, the filters and the cold-start ladder.

pub mod answer;
pub mod ladder;
pub mod live;
pub mod query;
pub mod recommend;
pub mod stats;
