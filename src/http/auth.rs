//! Keys and scopes. Keys are kept as SHA-256 digests and compared in constant time.

use std::fmt;
use std::path::Path;

use actix_web::http::header::{self, HeaderMap};
use sha2::{Digest, Sha256};

use super::errors::{ApiError, Kind};
use crate::settings::Auth;

/// The header for a bare key.
const API_KEY: &str = "x-api-key";

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Ask.
    Read,
    /// Send events and item data.
    Ingest,
    /// Everything.
    Admin,
}

impl Scope {
    /// The scope's name, as settings and errors carry it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Ingest => "ingest",
            Self::Admin => "admin",
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        [Self::Read, Self::Ingest, Self::Admin].into_iter().find(|scope| scope.name() == name)
    }
}

/// Why the keys cannot be used. Never holds a key.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// An entry that is no `scope[+scope]:key`.
    #[error("{origin}: {reason}; write it as scope:key or scope+scope:key with the scopes read, ingest, admin")]
    Entry {
        /// `auth.keys[2]` or the file's line.
        origin: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// The file of keys holds none: without keys everybody would be let in.
    #[error("auth.keys_file {file} holds no key")]
    Empty {
        /// Its path.
        file: String,
    },
    /// The file of keys cannot be read.
    #[error("auth.keys_file {file} cannot be read: {source}")]
    File {
        /// Its path.
        file: String,
        /// Why.
        source: std::io::Error,
    },
}

/// A key's SHA-256.
type Fingerprint = [u8; 32];

#[derive(Clone)]
struct Key {
    digest: Fingerprint,
    scopes: Vec<Scope>,
}

/// The keys that are let in; none of them: everybody is.
#[derive(Clone, Default)]
pub struct Keyring {
    keys: Vec<Key>,
}

/// Who was let in, for audit lines: shown as the first eight hexadecimal digits of the key's digest, or `anonymous`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Caller(Option<[u8; 4]>);

impl Caller {
    fn of(digest: &Fingerprint) -> Self {
        Self(digest.first_chunk::<4>().copied())
    }

    /// Whether a key let it in.
    #[must_use]
    pub const fn has_key(self) -> bool {
        self.0.is_some()
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(start) => f.write_str(&hex::encode(start)),
            None => f.write_str("anonymous"),
        }
    }
}

impl Keyring {
    /// Reads the keys of the settings and of the file they name.
    ///
    /// # Errors
    /// [`KeysError`] naming the entry, never the key.
    pub fn read(auth: &Auth) -> Result<Self, KeysError> {
        let mut keys = Vec::new();
        for (index, entry) in auth.keys.iter().enumerate() {
            keys.push(parse(entry.expose().trim(), || format!("auth.keys[{index}]"))?);
        }
        if !auth.keys_file.as_os_str().is_empty() {
            keys.extend(read_file(&auth.keys_file)?);
        }
        Ok(Self { keys })
    }

    /// The keys that `other` does not let in with the same scopes, as audit lines name them.
    #[must_use]
    pub fn names_beyond(&self, other: &Self) -> String {
        let known = |key: &Key| other.keys.iter().any(|old| old.digest == key.digest && old.scopes == key.scopes);
        let name = |key: &Key| {
            let scopes: Vec<_> = key.scopes.iter().map(|scope| scope.name()).collect();
            format!("{} ({})", Caller::of(&key.digest), scopes.join("+"))
        };
        self.keys.iter().filter(|key| !known(key)).map(name).collect::<Vec<_>>().join(", ")
    }

    /// Whether there is no key, so that everybody is let in.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.keys.is_empty()
    }

    /// Lets a request in that carries a key of the scope.
    ///
    /// # Errors
    /// 401 without a known key, 403 with one whose scopes do not reach.
    pub fn check(&self, headers: &HeaderMap, needed: Scope) -> Result<Caller, ApiError> {
        if self.is_open() {
            return Ok(Caller(None));
        }
        let presented = presented(headers).ok_or_else(|| {
            ApiError::new(Kind::Unauthorized, "send a key as Authorization: Bearer KEY or as X-API-Key: KEY")
        })?;
        let digest = fingerprint(presented.as_bytes());
        // Every key is looked at, so that the time taken does not tell which one was near.
        let found =
            self.keys.iter().fold(None, |found, key| if same(&key.digest, &digest) { Some(key) } else { found });
        let Some(key) = found else {
            return Err(ApiError::new(Kind::Unauthorized, "the key is not known"));
        };
        if key.scopes.contains(&needed) || key.scopes.contains(&Scope::Admin) {
            return Ok(Caller::of(&digest));
        }
        Err(ApiError::new(Kind::Forbidden, format!("the key lacks the scope {}", needed.name())))
    }
}

fn read_file(path: &Path) -> Result<Vec<Key>, KeysError> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|source| KeysError::File { file: file.clone(), source })?;
    let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let keys: Vec<Key> =
        lines.map(|(index, line)| parse(line, || format!("{file} line {}", index + 1))).collect::<Result<_, _>>()?;
    if keys.is_empty() { Err(KeysError::Empty { file }) } else { Ok(keys) }
}

fn parse(entry: &str, origin: impl Fn() -> String) -> Result<Key, KeysError> {
    let wrong = |reason| KeysError::Entry { origin: origin(), reason };
    let (scopes, key) = entry.split_once(':').ok_or_else(|| wrong("there is no colon"))?;
    let scopes: Option<Vec<Scope>> = scopes.split('+').map(|name| Scope::of_name(name.trim())).collect();
    let scopes = scopes.ok_or_else(|| wrong("a scope is not known"))?;
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(wrong("the key must be visible ASCII characters without spaces"));
    }
    Ok(Key { digest: fingerprint(key.as_bytes()), scopes })
}

/// The key a request carries.
fn presented(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    bearer.or_else(|| headers.get(API_KEY).and_then(|value| value.to_str().ok()).map(str::trim))
}

fn fingerprint(key: &[u8]) -> Fingerprint {
    Sha256::digest(key).into()
}

/// Compares all bytes whatever they are.
fn same(a: &Fingerprint, b: &Fingerprint) -> bool {
    std::hint::black_box(a.iter().zip(b).fold(0, |differing, (x, y)| differing | (x ^ y))) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Secret;
    use actix_web::ResponseError;
    use actix_web::http::StatusCode;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn auth(keys: &[&str], keys_file: &Path) -> Auth {
        let keys = keys.iter().map(|key| Secret::new(*key)).collect();
        Auth { keys, keys_file: keys_file.to_owned(), allow_anonymous: false, rate: 0, burst: 0 }
    }

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        headers
    }

    #[test]
    fn a_key_reaches_as_far_as_its_scopes() {
        let ring = Keyring::read(&auth(&["read:r1", "read+ingest:b:oth", "admin:a1"], Path::new(""))).unwrap();
        let status = |key: &str, scope| match ring.check(&headers("x-api-key", key), scope) {
            Ok(_) => StatusCode::OK,
            Err(error) => error.status_code(),
        };
        let matrix = [("r1", [200, 403, 403]), ("b:oth", [200, 200, 403]), ("a1", [200, 200, 200]), ("r", [401; 3])];
        for (key, wanted) in matrix {
            let got = [Scope::Read, Scope::Ingest, Scope::Admin].map(|scope| status(key, scope).as_u16());
            assert_eq!(got, wanted, "{key}");
        }
    }

    #[test]
    fn both_headers_carry_a_key_and_bearer_wins() {
        let ring = Keyring::read(&auth(&["read:r1"], Path::new(""))).unwrap();
        assert!(ring.check(&headers("authorization", "bearer r1"), Scope::Read).is_ok());
        assert!(ring.check(&headers("authorization", "Basic r1"), Scope::Read).is_err());
        let mut both = headers("authorization", "Bearer wrong");
        both.insert(HeaderName::from_static("x-api-key"), HeaderValue::from_static("r1"));
        assert!(ring.check(&both, Scope::Read).is_err());
    }

    #[test]
    fn keys_of_a_file_are_added_and_no_key_is_shown() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "# people\n\n ingest:f1 \n").unwrap();
        let ring = Keyring::read(&auth(&["read:r1"], file.path())).unwrap();
        let caller = ring.check(&headers("x-api-key", "f1"), Scope::Ingest).unwrap();
        assert_eq!(caller.to_string().len(), 8);
        for wrong in ["topsecret", "write:topsecret", "read:", "read:top secret"] {
            let error = Keyring::read(&auth(&["read:r1", wrong], Path::new(""))).err().unwrap().to_string();
            assert!(error.contains("auth.keys[1]") && !error.contains("secret"), "{error}");
        }
        assert!(Keyring::read(&auth(&[], Path::new("/nowhere/keys"))).is_err());
    }

    #[test]
    fn without_keys_everybody_is_let_in() {
        let ring = Keyring::read(&auth(&[], Path::new(""))).unwrap();
        assert_eq!(ring.check(&HeaderMap::new(), Scope::Admin).unwrap().to_string(), "anonymous");
    }

    #[test]
    fn fingerprints_differ_where_any_byte_does() {
        let key = fingerprint(b"key");
        assert!(same(&key, &fingerprint(b"key")));
        for place in 0..key.len() {
            let mut other = key;
            other[place] ^= 1;
            assert!(!same(&key, &other));
        }
    }
}
