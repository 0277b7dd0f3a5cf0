//! What stands beside a version's weights: its manifest, ids, and `live.json`.
#![no_main]

ouzel_fuzz::target!(64 MiB, ouzel::store::versions::fuzzing::VERSIONS);
