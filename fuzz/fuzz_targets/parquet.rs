//! Parquet: files to import, factors trained elsewhere, and the log's sealed segments. The reader reserves what the head of a
//! page claims, which is less than 2 GiB, before it unpacks the page.
#![no_main]

ouzel_fuzz::target!(
    4096 MiB,
    [
        ouzel::store::import::fuzzing::PARQUET,
        ouzel::store::log::fuzzing::SEGMENT,
        ouzel::store::factors::fuzzing::PARQUET
    ]
);
