//! What a run trains and how it judges, from the settings.

use super::StartError;
use crate::model::artifact::ArtifactError;
use crate::model::candidates::{self, CandidateOptions};
use crate::model::evaluation::metrics::Metric;
use crate::model::evaluation::split::Protocol;
use crate::model::training::pipeline::Plan;
use crate::model::training::search::{Budget, Search};
use crate::settings::{self, Settings};

/// The plan of every run of this process.
pub fn of(settings: &Settings) -> Result<Plan, StartError> {
    let metric = settings.gate.metric.parse::<Metric>().map_err(|error| StartError::Gate(error.to_string()))?;
    Ok(Plan {
        search: search(settings, options(settings))?,
        protocol: match settings.training.protocol {
            settings::Protocol::Auto => Protocol::Auto,
            settings::Protocol::LeaveLastOut => Protocol::LeaveLastOut,
            settings::Protocol::Temporal => Protocol::Temporal,
        },
        metric,
        margin: settings.gate.margin,
        test_users: settings.training.test_users,
        probes: settings.gate.probes,
    })
}

/// How the settings of the kinds in `options` are searched for.
pub fn search(settings: &Settings, options: CandidateOptions) -> Result<Search, ArtifactError> {
    let training = &settings.training;
    let budget = match training.trials {
        0 => Budget::Time(training.budget.duration()),
        trials => Budget::Trials(trials),
    };
    Ok(Search { specs: candidates::specs(&options)?, options, budget })
}

/// What the settings say of the kinds.
pub fn options(settings: &Settings) -> CandidateOptions {
    let training = &settings.training;
    CandidateOptions {
        kinds: training.candidates.clone(),
        half_life_days: (training.half_life.millis() > 0).then(|| training.half_life.millis() as f64 / 86_400_000.0),
        ease_max_items: training.ease_max_items,
        ease_lambdas: training.ease_lambdas.clone(),
        neural_epochs: training.neural_epochs,
        neural_batch: training.neural_batch,
        neural_learning_rate: training.neural_learning_rate,
        neural_held_out: training.neural_held_out,
    }
}
