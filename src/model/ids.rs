//! Ids as users give them, and the dense indices that stand for them in memory.
//!
//! An id is a string of 1 to 256 bytes. JSON may give an integer, which means its decimal form. Up to 23 bytes, as most are,
//! it is kept in place: nothing is allocated to read one, and comparing two looks nowhere else. Indices are dense from 0
//! and belong to one process or one model: they are never written to an artifact.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use smol_str::{SmolStr, format_smolstr};

/// The longest id, in bytes.
pub const MAX_ID_BYTES: usize = 256;

/// Why a string is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The string has no byte.
    #[error("an id must not be empty")]
    Empty,
    /// The string has more than [`MAX_ID_BYTES`] bytes.
    #[error("an id has at most {MAX_ID_BYTES} bytes, this one has {0}")]
    TooLong(usize),
}

macro_rules! string_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(SmolStr);

        impl $name {
            /// Checks the length and keeps the string.
            ///
            /// # Errors
            /// [`IdError`] when it is empty or longer than [`MAX_ID_BYTES`].
            pub fn new(text: &str) -> Result<Self, IdError> {
                match text.len() {
                    0 => Err(IdError::Empty),
                    n if n > MAX_ID_BYTES => Err(IdError::TooLong(n)),
                    _ => Ok(Self(SmolStr::new(text))),
                }
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Bytes that it holds beside itself: the text and two counters, where it is too long to be kept in place.
            #[must_use]
            pub fn heap_bytes(&self) -> usize {
                if self.0.is_heap_allocated() { self.0.len() + 2 * size_of::<usize>() } else { 0 }
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl From<u64> for $name {
            fn from(number: u64) -> Self {
                Self(format_smolstr!("{number}"))
            }
        }

        impl From<i64> for $name {
            fn from(number: i64) -> Self {
                Self(format_smolstr!("{number}"))
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct IdVisitor;
                impl Visitor<'_> for IdVisitor {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        write!(f, "a string of 1 to {MAX_ID_BYTES} bytes or an integer")
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        $name::new(text).map_err(E::custom)
                    }
                    fn visit_u64<E: de::Error>(self, number: u64) -> Result<$name, E> {
                        Ok($name::from(number))
                    }
                    fn visit_i64<E: de::Error>(self, number: i64) -> Result<$name, E> {
                        Ok($name::from(number))
                    }
                }
                deserializer.deserialize_any(IdVisitor)
            }
        }
    };
}

string_id!(
    /// Who acts: a shopper, an account, a device.
    UserId
);
string_id!(
    /// What is recommended: a product, a film, a page.
    ItemId
);

/// A user's place in this process's histories, dense from 0 in order of first sight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserIndex(pub u32);

/// An item's place in this process's catalogue, dense from 0 in order of first sight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ItemIndex(pub u32);

impl UserIndex {
    /// The index for slices.
    #[must_use]
    pub const fn at(self) -> usize {
        self.0 as usize
    }
}

impl ItemIndex {
    /// The index for slices.
    #[must_use]
    pub const fn at(self) -> usize {
        self.0 as usize
    }
}

/// The number of one trained, immutable model, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u64);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_means_its_decimal_form() {
        let id: UserId = serde_json::from_str("25").unwrap();
        assert_eq!(id.as_str(), "25");
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"25\"");
    }

    #[test]
    fn length_is_bounded_in_bytes() {
        assert_eq!(ItemId::new(""), Err(IdError::Empty));
        assert!(ItemId::new(&"x".repeat(256)).is_ok());
        assert_eq!(ItemId::new(&"é".repeat(129)), Err(IdError::TooLong(258)));
    }
}
