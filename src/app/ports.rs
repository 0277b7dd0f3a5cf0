//! What HTTP asks of parts that it does not know.

use std::sync::Arc;

use async_trait::async_trait;

use crate::actors::errors::RegistryError;
use crate::actors::handles::RegistryHandle;
use crate::http::ports::VersionLoader;
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
