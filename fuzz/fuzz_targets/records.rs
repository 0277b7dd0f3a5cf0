//! Values of Kafka's records: events, changes, requests and announcements, in JSON and protobuf, and dead letters.
#![no_main]

ouzel_fuzz::target!(64 MiB, ouzel::kafka::fuzzing::RECORDS);
