//! Files to import but Parquet: CSV, NDJSON, baskets, lists of users, plain and packed.
#![no_main]

ouzel_fuzz::target!(64 MiB, ouzel::store::import::fuzzing::TEXT);
