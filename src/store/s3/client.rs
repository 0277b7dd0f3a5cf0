//! The client: `object_store` with the settings' endpoint and credentials.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientOptions, Error, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload,
    RetryConfig, UpdateVersion,
};

use super::{ObjectState, S3Error, S3Url};
use crate::settings::{Secret, Storage};

/// A connection that takes longer counts as failed.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// One request, with a version's weights in it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(600);
/// A server that is away is asked again for so long, then its caller hears of it and decides.
const RETRY_TIMEOUT: Duration = Duration::from_secs(20);

/// Characters of an error that are told: what a server answers has no bound.
const MAX_TOLD: usize = 2000;

/// A bucket below a prefix (of an object: the object's key).
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    store: Arc<AmazonS3>,
    url: S3Url,
    place: String,
    /// What no error may repeat, though the server may.
    secrets: Arc<[Secret]>,
}

impl Bucket {
    pub(crate) fn open(url: &S3Url, storage: &Storage) -> Result<Self, S3Error> {
        install_tls();
        let options = ClientOptions::new()
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_timeout(REQUEST_TIMEOUT)
            .with_allow_http(storage.s3_endpoint.starts_with("http://"));
        let retry = RetryConfig {
            backoff: BackoffConfig { max_backoff: Duration::from_secs(5), ..BackoffConfig::default() },
            max_retries: 5,
            retry_timeout: RETRY_TIMEOUT,
        };
        let mut builder = AmazonS3Builder::from_env()
            .with_bucket_name(url.bucket())
            .with_region(&storage.s3_region)
            .with_client_options(options)
            .with_retry(retry);
        if !storage.s3_endpoint.is_empty() {
            builder = builder.with_endpoint(storage.s3_endpoint.trim_end_matches('/'));
        }
        if !storage.s3_access_key.is_empty() {
            builder =
                builder.with_access_key_id(storage.s3_access_key.expose()).with_secret_access_key(secret_key(storage)?);
        }
        let secrets = [storage.s3_access_key.clone(), Secret::new(secret_key(storage)?)];
        let told = |error: Error| S3Error::Settings(Secret::struck_from(&error.to_string(), &secrets));
        let store = builder.build().map_err(told)?;
        Ok(Self { store: Arc::new(store), url: url.clone(), place: url.to_string(), secrets: Arc::new(secrets) })
    }

    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    pub(crate) async fn put(&self, path: &str, bytes: Bytes) -> Result<(), S3Error> {
        let key = self.key(path)?;
        self.store.put(&key, PutPayload::from_bytes(bytes)).await.map(|_| ()).map_err(|error| self.failed(&key, error))
    }

    /// Writes where the object still has `tag` (none: where there is none); false when it does not.
    pub(crate) async fn replace(&self, path: &str, bytes: Bytes, tag: Option<String>) -> Result<bool, S3Error> {
        let key = self.key(path)?;
        let mode = match tag {
            Some(tag) => PutMode::Update(UpdateVersion { e_tag: Some(tag), version: None }),
            None => PutMode::Create,
        };
        match self.store.put_opts(&key, PutPayload::from_bytes(bytes), PutOptions::from(mode)).await {
            Ok(_) => Ok(true),
            Err(Error::Precondition { .. } | Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(self.failed(&key, error)),
        }
    }

    /// The object's bytes and its `ETag`.
    pub(crate) async fn get(&self, path: &str) -> Result<Option<(Bytes, String)>, S3Error> {
        let key = self.key(path)?;
        let result = match self.store.get(&key).await {
            Ok(result) => result,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(self.failed(&key, error)),
        };
        let tag = result.meta.e_tag.clone().unwrap_or_default();
        let bytes = result.bytes().await.map_err(|error| self.failed(&key, error))?;
        Ok(Some((bytes, tag)))
    }

    pub(crate) async fn exists(&self, path: &str) -> Result<bool, S3Error> {
        let key = self.key(path)?;
        match self.store.head(&key).await {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.failed(&key, error)),
        }
    }

    /// Paths below the folder `prefix`, relative to the place, sorted.
    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<String>, S3Error> {
        let key = self.key(prefix)?;
        let found: Vec<ObjectMeta> =
            self.store.list(Some(&key)).try_collect().await.map_err(|error| self.failed(&key, error))?;
        let own = self.url.key();
        let relative = |meta: ObjectMeta| {
            let path = meta.location.as_ref();
            path.strip_prefix(own).unwrap_or(path).trim_start_matches('/').to_owned()
        };
        let mut paths: Vec<String> = found.into_iter().map(relative).collect();
        paths.sort_unstable();
        Ok(paths)
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<(), S3Error> {
        let key = self.key(path)?;
        match self.store.delete(&key).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed(&key, error)),
        }
    }

    /// What is known of the object itself.
    pub(crate) async fn state(&self) -> Result<ObjectState, S3Error> {
        let key = self.key("")?;
        self.store.head(&key).await.map(|meta| state_of(&meta)).map_err(|error| self.failed(&key, error))
    }

    /// Copies the object itself to a new file, piece by piece.
    pub(crate) async fn copy_to(&self, file: &FilePath) -> Result<ObjectState, S3Error> {
        let key = self.key("")?;
        let failed_file = |source| S3Error::Io { path: file.to_owned(), source };
        let result = self.store.get(&key).await.map_err(|error| self.failed(&key, error))?;
        let state = state_of(&result.meta);
        let mut out = File::create_new(file).map_err(failed_file)?;
        let mut pieces = result.into_stream();
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| self.failed(&key, error))?;
            out.write_all(&piece).map_err(failed_file)?;
        }
        Ok(state)
    }

    fn key(&self, path: &str) -> Result<Path, S3Error> {
        let whole = format!("{}/{path}", self.url.key());
        Path::parse(whole.trim_matches('/'))
            .map_err(|error| S3Error::Url { url: format!("{}/{path}", self.place), reason: error.to_string() })
    }

    fn failed(&self, key: &Path, error: Error) -> S3Error {
        let url = format!("s3://{}/{key}", self.url.bucket());
        match error {
            Error::NotFound { .. } => S3Error::Missing(url),
            error => {
                let told = Secret::struck_from(&error.to_string(), &self.secrets);
                S3Error::Request { url, reason: told.chars().take(MAX_TOLD).collect() }
            }
        }
    }
}

fn state_of(meta: &ObjectMeta) -> ObjectState {
    ObjectState {
        etag: meta.e_tag.clone().unwrap_or_default(),
        bytes: meta.size,
        modified_ms: meta.last_modified.timestamp_millis(),
    }
}

fn secret_key(storage: &Storage) -> Result<String, S3Error> {
    let file = &storage.s3_secret_key_file;
    if !storage.s3_secret_key.is_empty() || file.as_os_str().is_empty() {
        return Ok(storage.s3_secret_key.expose().to_owned());
    }
    let text = fs::read_to_string(file).map_err(|source| S3Error::Io { path: file.clone(), source })?;
    Ok(text.trim().to_owned())
}

/// The HTTP client is built without a TLS library of its own and takes the process's; whoever comes first sets it.
fn install_tls() {
    use rustls::crypto::{CryptoProvider, ring};
    if CryptoProvider::get_default().is_none() && ring::default_provider().install_default().is_err() {
        tracing::debug!("another thread set the TLS library first");
    }
}
