//! How candidates are judged: splits, ranking, metrics.
//!
//! One code path judges a run's candidates and those of `ouzel evaluate`: a [`split`] divides the rows into train and
//! held-out items, a [`ranking::TestSet`] ranks the whole catalogue for each test user by a fitted model, [`metrics`] are
//! taken from the lists, and [`report`] writes the table.

pub mod compare;
pub mod coverage;
pub mod filters;
pub mod given;
pub mod lists;
pub mod metrics;
pub mod ranking;
pub mod report;
pub mod split;
pub mod top;

#[cfg(test)]
mod real_data;
