//! A version's files as one archive, made as it is sent: a file at a time in memory.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use crate::actors::errors::RegistryError;
use crate::actors::releases::store_error;
use crate::http::ports::{Download, Downloads};
use crate::model::ids::Version;
use crate::store::versions::{MANIFEST, MANIFEST_SUM, VersionStore};

/// The size in which an archive counts.
const BLOCK: usize = 512;

/// Gives out the files of the registry's versions.
pub struct Files(pub Arc<VersionStore>);

#[async_trait]
impl Downloads for Files {
    async fn open(&self, version: Version) -> Result<Download, RegistryError> {
        let manifest = self.0.manifest(version).await.map_err(store_error)?;
        let made = u64::try_from(manifest.created_ms / 1000).unwrap_or(0);
        let files = manifest.files.iter().map(|(name, file)| file.place(name).to_owned());
        let names: Vec<String> = files.chain([MANIFEST, MANIFEST_SUM].map(str::to_owned)).collect();
        let store = self.0.clone();
        let entries = stream::iter(names).then(move |name| {
            let store = store.clone();
            async move {
                let bytes = store.file(version, &name).await.map_err(io::Error::other)?;
                entry(&format!("version-{version}/{name}"), bytes, made)
            }
        });
        let end = stream::iter([Ok(Bytes::from_static(&[0; 2 * BLOCK]))]);
        let chunks = entries.flat_map(|entry| match entry {
            Ok(parts) => stream::iter(Vec::from(parts.map(Ok))),
            Err(error) => stream::iter(vec![Err(error)]),
        });
        Ok(Download {
            file_name: format!("ouzel-version-{version}.tar"),
            content_type: "application/x-tar",
            bytes: chunks.chain(end).boxed(),
        })
    }
}

/// A file's head, its bytes, and what fills up the last block.
fn entry(name: &str, bytes: Bytes, made: u64) -> io::Result<[Bytes; 3]> {
    let mut header = tar::Header::new_gnu();
    header.set_path(name)?;
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(made);
    header.set_cksum();
    let padding = bytes.len().next_multiple_of(BLOCK) - bytes.len();
    Ok([Bytes::copy_from_slice(header.as_bytes()), bytes, Bytes::from(vec![0; padding])])
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn an_archive_is_read_back_by_others() {
        let files = [("a/manifest.json", vec![b'x'; 700]), ("a/empty", Vec::new()), ("a/block", vec![7; BLOCK])];
        let mut archive = Vec::new();
        for (name, bytes) in &files {
            for part in entry(name, Bytes::from(bytes.clone()), 5).unwrap() {
                archive.extend_from_slice(&part);
            }
        }
        archive.extend_from_slice(&[0; 2 * BLOCK]);
        let mut read = Vec::new();
        for file in tar::Archive::new(&archive[..]).entries().unwrap() {
            let mut file = file.unwrap();
            let (name, mut bytes) = (file.path().unwrap().to_string_lossy().into_owned(), Vec::new());
            file.read_to_end(&mut bytes).unwrap();
            read.push((name, bytes));
        }
        let wanted: Vec<(String, Vec<u8>)> =
            files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone())).collect();
        assert_eq!(read, wanted);
    }
}
