//! Weights: safetensors files, and the models of all kinds in them.
#![no_main]

ouzel_fuzz::target!(64 MiB, ouzel::model::fuzzing::WEIGHTS);
