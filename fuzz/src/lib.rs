//! What the targets share.

use std::alloc::System;

use cap::Cap;

/// Bounds what is asked for, as the fuzzer itself cannot: memory that was never touched is not resident. A request over
/// the bound ends the process, which the fuzzer takes for a crash.
#[global_allocator]
pub static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// A target that holds lists of laws against every input, in so many MiB of memory.
#[macro_export]
macro_rules! target {
    ($mib:literal MiB, $($laws:expr),+) => {
        libfuzzer_sys::fuzz_target!(
            init: {
                // The fuzzer's own hook ends the process at a panic, also at one that a reader of Parquet is caught in;
                // a panic that nobody catches ends it all the same.
                drop(std::panic::take_hook());
                $crate::ALLOCATOR.set_limit($mib << 20).expect("less is allocated at the start");
            },
            |bytes: &[u8]| {
                $(ouzel::model::fuzzing::hold(&$laws, bytes);)+
            }
        );
    };
}
