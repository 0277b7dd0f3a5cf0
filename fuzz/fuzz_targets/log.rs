//! The log's rows, its list of segments, its mark and the journals below it.
#![no_main]

ouzel_fuzz::target!(64 MiB, ouzel::store::log::fuzzing::LOG);
