//! Parquet files that may be damaged: over some of them their reader panics instead of saying so.

use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::errors::ParquetError;

/// Reads; a panic of the reader is an error like any other. What was read with must not be used behind an error.
pub fn guarded<T, E: From<ParquetError>>(read: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        let said = said.unwrap_or("it makes no sense");
        Err(ParquetError::General(format!("the file contradicts itself: {said}")).into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error() {
        let read = |length: i64| {
            assert!(length >= 0, "a length of {length}");
            Ok::<_, ParquetError>(length)
        };
        assert!(guarded(|| read(-1)).unwrap_err().to_string().contains("a length of -1"));
        assert_eq!(guarded(|| read(7)).unwrap(), 7);
    }
}
