//! JSON bodies of HTTP: events, questions, scores, TensorFlow Serving's `:predict`, item data; and queries.
#![no_main]

ouzel_fuzz::target!(64 MiB, ouzel::model::fuzzing::BODIES, ouzel::http::fuzzing::BODIES);
