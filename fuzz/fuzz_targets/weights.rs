//! Weights: safetensors files, the models of all kinds in them, and factors trained elsewhere.
#![no_main]

ouzel_fuzz::target!(64 MiB, ouzel::model::fuzzing::WEIGHTS, [ouzel::store::factors::fuzzing::TENSORS]);
