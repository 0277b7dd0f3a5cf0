//! Objects of an S3 server: the ones behind [`super::artifacts`], and single ones that are imported.
//!
//! Endpoint, region and credentials come from the settings' section `storage`; where it names none, from the environment
//! (`AWS_…`) and from what AWS gives its machines. A build without Cargo feature `s3` has the same face, and every opening
//! ends in [`S3Error::NotBuilt`].

#[cfg(not(feature = "s3"))]
mod absent;
#[cfg(feature = "s3")]
mod client;
mod fetch;

use std::fmt;
use std::path::PathBuf;

#[cfg(not(feature = "s3"))]
pub(super) use absent::Bucket;
#[cfg(feature = "s3")]
pub(super) use client::Bucket;
pub use fetch::{Fetched, ObjectState, TempFile, fetch_to_temp, head};

/// Why an S3 object could not be used.
#[derive(Debug, thiserror::Error)]
pub enum S3Error {
    /// The build has no S3.
    #[error("{0} cannot be used: this build has no S3, build it with the Cargo feature `s3`")]
    NotBuilt(S3Url),
    /// The address is none.
    #[error("{url} is no address of S3 ({reason}): write s3://bucket/path")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The settings do not make a client.
    #[error(
        "S3 cannot be used with these settings ({0}): see storage.s3_endpoint, s3_region, s3_access_key and s3_secret_key"
    )]
    Settings(String),
    /// There is no such object.
    #[error("there is no object {0}")]
    Missing(String),
    /// The server refused, failed or cannot be reached.
    #[error("{url} cannot be used: {reason}")]
    Request {
        /// The object or prefix.
        url: String,
        /// What the client said, and in it the beginning of the server's own words, without the credentials.
        reason: String,
    },
    /// The local copy could not be written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// An address `s3://bucket/key`; the key may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Url {
    bucket: String,
    key: String,
}

impl S3Url {
    /// Whether a path is meant for S3.
    #[must_use]
    pub fn is_one(path: &str) -> bool {
        path.starts_with("s3://")
    }

    /// Reads an address. Slashes at the key's ends are left out.
    ///
    /// # Errors
    /// [`S3Error::Url`].
    pub fn parse(url: &str) -> Result<Self, S3Error> {
        let wrong = |reason: &str| S3Error::Url { url: url.to_owned(), reason: reason.to_owned() };
        let rest = url.strip_prefix("s3://").ok_or_else(|| wrong("it does not begin with s3://"))?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(wrong("it names no bucket"));
        }
        let key = key.trim_matches('/');
        object_store::path::Path::parse(key).map_err(|error| wrong(&error.to_string()))?;
        Ok(Self { bucket: bucket.to_owned(), key: key.to_owned() })
    }

    /// The bucket's name.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The key or prefix, without slashes at its ends.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for S3Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        if self.key.is_empty() { Ok(()) } else { write!(f, "/{}", self.key) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_bucket_and_a_key() {
        let url = S3Url::parse("s3://shop/in/transactions.csv").unwrap();
        assert_eq!((url.bucket(), url.key()), ("shop", "in/transactions.csv"));
        assert_eq!(url.to_string(), "s3://shop/in/transactions.csv");
        let whole = S3Url::parse("s3://shop/").unwrap();
        assert_eq!((whole.bucket(), whole.key()), ("shop", ""));
        assert_eq!(whole.to_string(), "s3://shop");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for url in ["s3:///key", "shop/key", "s3://shop/a/../b", "s3://shop/a//b"] {
            let message = S3Url::parse(url).unwrap_err().to_string();
            assert!(message.contains(url) && message.contains("s3://bucket/path"), "{message}");
        }
    }
}
