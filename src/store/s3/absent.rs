//! The face of the client in a build without S3: there is never one.

use std::convert::Infallible;
use std::path::Path;

use bytes::Bytes;

use super::{ObjectState, S3Error, S3Url};
use crate::settings::Storage;

/// No bucket can be opened.
#[derive(Debug, Clone)]
pub(crate) struct Bucket(Infallible);

impl Bucket {
    pub(crate) fn open(url: &S3Url, _storage: &Storage) -> Result<Self, S3Error> {
        Err(S3Error::NotBuilt(url.clone()))
    }

    pub(crate) fn place(&self) -> &str {
        match self.0 {}
    }

    pub(crate) async fn put(&self, _path: &str, _bytes: Bytes) -> Result<(), S3Error> {
        match self.0 {}
    }

    pub(crate) async fn replace(&self, _path: &str, _bytes: Bytes, _tag: Option<String>) -> Result<bool, S3Error> {
        match self.0 {}
    }

    pub(crate) async fn get(&self, _path: &str) -> Result<Option<(Bytes, String)>, S3Error> {
        match self.0 {}
    }

    pub(crate) async fn exists(&self, _path: &str) -> Result<bool, S3Error> {
        match self.0 {}
    }

    pub(crate) async fn list(&self, _prefix: &str) -> Result<Vec<String>, S3Error> {
        match self.0 {}
    }

    pub(crate) async fn delete(&self, _path: &str) -> Result<(), S3Error> {
        match self.0 {}
    }

    pub(crate) async fn state(&self) -> Result<ObjectState, S3Error> {
        match self.0 {}
    }

    pub(crate) async fn copy_to(&self, _file: &Path) -> Result<ObjectState, S3Error> {
        match self.0 {}
    }
}
