//! What a run trains and how it judges, from the settings.

use super::StartError;
use crate::model::candidates::{self, CandidateOptions};
use crate::model::evaluation::metrics::Metric;
use crate::model::evaluation::split::Protocol;
use crate::model::training::pipeline::Plan;
use crate::settings::{self, Settings};

/// The plan of every run of this process.
pub fn of(settings: &Settings) -> Result<Plan, StartError> {
    let metric = settings.gate.metric.parse::<Metric>().map_err(|error| StartError::Gate(error.to_string()))?;
    Ok(Plan {
        specs: candidates::specs(&options(settings))?,
        protocol: match settings.training.protocol {
            settings::Protocol::Auto => Protocol::Auto,
            settings::Protocol::LeaveLastOut => Protocol::LeaveLastOut,
            settings::Protocol::Temporal => Protocol::Temporal,
        },
        metric,
        margin: settings.gate.margin,
        probes: settings.gate.probes,
    })
}

/// What the settings say of the kinds.
pub fn options(settings: &Settings) -> CandidateOptions {
    let training = &settings.training;
    CandidateOptions {
        kinds: training.candidates.clone(),
        ease_max_items: training.ease_max_items,
        ease_lambdas: training.ease_lambdas.clone(),
        neural_epochs: training.neural_epochs,
        neural_batch: training.neural_batch,
        neural_learning_rate: training.neural_learning_rate,
        neural_held_out: training.neural_held_out,
    }
}
