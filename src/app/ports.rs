//! What HTTP asks of parts that it does not know.

use std::sync::Arc;

use async_trait::async_trait;

use crate::actors::errors::RegistryError;
use crate::actors::handles::RegistryHandle;
use crate::http::ports::{DeadLetter, DeadLetters, PortError, Replayed, VersionLoader};
use crate::kafka::dead_letters::{DeadLetterReader, DeadLettersError, DeadRecord};
use crate::model::ids::Version;
use crate::model::serving::live::LiveModel;

/// Loads versions that are not live by the registry.
pub struct Loader(pub RegistryHandle);

#[async_trait]
impl VersionLoader for Loader {
    async fn load(&self, version: Version) -> Result<Arc<LiveModel>, RegistryError> {
        self.0.load(version).await
    }
}

/// The dead letters of Kafka.
pub struct Letters(pub DeadLetterReader);

/// Bytes of a dead letter's value that are shown.
const SHOWN: usize = 4096;

#[async_trait]
impl DeadLetters for Letters {
    async fn list(&self, limit: usize) -> Result<Vec<DeadLetter>, PortError> {
        let letters = self.0.list(limit).await.map_err(port_error)?;
        Ok(letters.into_iter().map(shown).collect())
    }

    async fn replay(&self, topic: Option<String>, limit: usize) -> Result<Replayed, PortError> {
        let replayed = self.0.replay(topic.as_deref(), limit).await.map_err(port_error)?;
        Ok(Replayed { replayed })
    }
}

fn shown(letter: DeadRecord) -> DeadLetter {
    let start = letter.value.get(..SHOWN).unwrap_or(&letter.value);
    DeadLetter {
        topic: letter.topic,
        partition: letter.partition,
        offset: letter.offset,
        timestamp: letter.timestamp_ms,
        reason: letter.reason,
        value: String::from_utf8_lossy(start).into_owned(),
        bytes: letter.value.len() as u64,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err hands it")]
fn port_error(error: DeadLettersError) -> PortError {
    let text = error.to_string();
    match error {
        DeadLettersError::UnknownTopic { .. } => PortError::Unknown(text),
        DeadLettersError::Client(_) | DeadLettersError::Refused(_) => PortError::Refused(text),
        DeadLettersError::Away(_) | DeadLettersError::Unsent { .. } | DeadLettersError::Stopped => PortError::Away(text),
    }
}
