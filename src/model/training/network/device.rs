//! The one place that names Burn's device. Moving to another is a change of this file and of a Cargo feature.

#[cfg(not(any(feature = "ndarray", feature = "flex")))]
compile_error!("no device for training: enable the feature ndarray or the feature flex");
#[cfg(all(feature = "ndarray", feature = "flex"))]
compile_error!(
    "two devices for training: enable either the feature ndarray or the feature flex (--no-default-features)"
);

/// The device that networks are trained on, without automatic differentiation.
#[cfg(feature = "ndarray")]
#[expect(
    deprecated,
    reason = "burn-ndarray is the device that was asked for; flex is its successor and a feature here"
)]
pub fn plain() -> burn::tensor::Device {
    burn::tensor::Device::ndarray()
}

/// The device that networks are trained on, without automatic differentiation.
#[cfg(all(feature = "flex", not(feature = "ndarray")))]
pub fn plain() -> burn::tensor::Device {
    burn::tensor::Device::flex()
}
