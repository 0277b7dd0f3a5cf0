//! The service over HTTP: routes by theme, one shape of error, keys, admission, and the OpenAPI document.
//!
//! A request passes `edge` (its id, the form of errors), then its endpoint's `gate` (panics, keys, admission,
//! figures), then a handler. Handlers read the live model, the histories and the catalogue by reference and reach actors
//! through their handles; [`errors::ApiError`] is the one error they answer with. `routes` lists every endpoint.

pub mod admission;
pub mod auth;
mod body;
mod dead_letters;
mod docs;
mod edge;
mod endpoint;
pub mod errors;
mod events;
mod gate;
mod gorse;
mod health;
mod intake;
mod item_body;
mod items;
mod lists;
mod live;
pub mod metrics;
pub mod openapi;
mod page;
mod params;
pub mod ports;
pub mod primary;
mod rates;
pub mod readiness;
mod recommend;
mod recommend_bulk;
mod routes;
mod runs;
mod schedule;
mod score;
pub mod server;
pub mod service;
mod sse;
mod state;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod tf_serving;
mod tf_tensors;
mod times;
mod users;
mod versions;
