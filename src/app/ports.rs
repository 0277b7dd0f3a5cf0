//! What HTTP asks of parts that it does not know.

use std::sync::Arc;

use async_trait::async_trait;

use crate::actors::errors::RegistryError;
use crate::actors::handles::RegistryHandle;
use crate::http::ports::{
    DeadLetter, DeadLetterFilter, DeadLetterPage, DeadLetters, DryRun, PortError, Replayed, VersionLoader,
};
use crate::kafka::dead_letters::{Checked, DeadLetterReader, DeadLettersError, DeadRecord, Wanted};
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
    async fn list(
        &self,
        filter: DeadLetterFilter,
        limit: usize,
        next: Option<String>,
    ) -> Result<DeadLetterPage, PortError> {
        let DeadLetterFilter { topic, partition, reason, waiting } = filter;
        let wanted = Wanted { topic, partition, reason, waiting };
        let page = self.0.page(wanted, limit, next.as_deref()).await.map_err(port_error)?;
        Ok(DeadLetterPage { dead_letters: page.letters.into_iter().map(shown).collect(), next: page.next })
    }

    async fn replay(&self, topic: Option<String>, limit: usize) -> Result<Replayed, PortError> {
        let replayed = self.0.replay(topic.as_deref(), limit).await.map_err(port_error)?;
        Ok(Replayed { replayed, dry_run: None })
    }

    async fn check(&self, topic: Option<String>, limit: usize) -> Result<Replayed, PortError> {
        let Checked { readable, unreadable, named } =
            self.0.check(topic.as_deref(), limit).await.map_err(port_error)?;
        let named = named.into_iter().map(shown).collect();
        Ok(Replayed { replayed: 0, dry_run: Some(DryRun { readable, unreadable, named }) })
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
        replayed: letter.replayed,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err hands it")]
fn port_error(error: DeadLettersError) -> PortError {
    let text = error.to_string();
    match error {
        DeadLettersError::UnknownTopic { .. } | DeadLettersError::Page(_) => PortError::Unknown(text),
        DeadLettersError::Client(_) | DeadLettersError::Refused(_) => PortError::Refused(text),
        DeadLettersError::Away(_) | DeadLettersError::Unsent { .. } | DeadLettersError::Stopped => {
            PortError::Away(text)
        }
    }
}
