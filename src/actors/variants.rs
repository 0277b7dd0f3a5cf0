//! Keeps the versions at hand that the variants of a test are answered by, so that no question waits for one.
//!
//! Looks at the start and after each change of the live version. A version that cannot be had leaves its variant to the live
//! one, is named in the log, and is looked for again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::errors::RegistryError;
use super::handles::RegistryHandle;
use super::serving::Activated;
use crate::model::ids::Version;
use crate::model::serving::experiment::{Answers, Variant};
use crate::model::serving::live::LiveModel;
use crate::model::serving::recommend::Recommending;

/// Pause before a version that could not be had is looked for again.
const AGAIN: Duration = Duration::from_secs(10);

/// Keeps them until nothing goes live any more.
pub async fn keep(
    recommending: Arc<Recommending>,
    registry: RegistryHandle,
    mut activated: broadcast::Receiver<Activated>,
) {
    let mut models = vec![None; recommending.experiment.variants().len()];
    loop {
        let mut whole = true;
        for (variant, model) in recommending.experiment.variants().iter().zip(&mut models) {
            match wanted(variant, model.as_ref(), &registry).await {
                Ok(found) => *model = found,
                Err(error) => {
                    whole = false;
                    tracing::warn!(variant = &*variant.name, %error, "the live version answers this variant");
                    *model = None;
                }
            }
        }
        recommending.experiment.hold(models.clone());
        let changed = async {
            match activated.recv().await {
                Ok(_) | Err(RecvError::Lagged(_)) => true,
                Err(RecvError::Closed) => false,
            }
        };
        let goes_on = match whole {
            true => changed.await,
            false => tokio::time::timeout(AGAIN, changed).await.unwrap_or(true),
        };
        if !goes_on {
            return;
        }
    }
}

/// The model of a variant that is not answered by the live version or by none.
async fn wanted(
    variant: &Variant,
    held: Option<&Arc<LiveModel>>,
    registry: &RegistryHandle,
) -> Result<Option<Arc<LiveModel>>, RegistryError> {
    let version: Version = match variant.answers {
        Answers::Live | Answers::None => return Ok(None),
        Answers::Version(version) => version,
        // Before there is a previous version, there is one answer for all.
        Answers::Previous => match registry.list().await?.previous {
            Some(version) => version,
            None => return Ok(None),
        },
    };
    match held.filter(|held| held.version() == version) {
        Some(held) => Ok(Some(held.clone())),
        None => registry.load(version).await.map(Some),
    }
}
