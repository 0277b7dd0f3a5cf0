# syntax=docker/dockerfile:1
# Ouzel in a container: one binary on an empty file system with the few files it needs.

ARG RUST_VERSION=1.95.0

# Debian's buildpack image has gcc, make and perl, by which OpenSSL and librdkafka are built. Naming the toolchain keeps
# rustup from fetching the components that rust-toolchain.toml lists for development.
FROM rust:${RUST_VERSION}-bookworm AS chef
ARG RUST_VERSION
ENV RUSTUP_TOOLCHAIN=${RUST_VERSION} CARGO_TERM_COLOR=never
RUN cargo install --locked --root /usr/local cargo-chef --version 0.1.78
WORKDIR /build

# What the dependencies are, without a line of our sources: as long as this comes out the same, the next stage's first
# build is taken from the cache.
FROM chef AS plan
COPY . .
RUN cargo chef prepare --recipe-path recipe.json

FROM chef AS build
COPY --from=plan /build/recipe.json .
RUN cargo chef cook --locked --profile dist --recipe-path recipe.json
COPY . .
RUN cargo build --locked --profile dist --bin ouzel && scripts/container-root target/dist/ouzel /root-fs

FROM scratch
COPY --from=build /root-fs/ /
COPY LICENSE /licenses/
# Data in ./data and settings in ./config/local.toml, as anywhere: /data and /config here. A container is reached from
# outside, so that a start without auth.keys is refused.
WORKDIR /
ENV PATH=/usr/local/bin OUZEL__SERVER__ADDRESS=0.0.0.0
# Group 0 may write /data, so that any other user works too, as OpenShift gives one.
USER 65532:0
VOLUME ["/data"]
EXPOSE 5500
# Where keys are set it asks with that of OUZEL_KEY, if there is one; without, only whether requests are answered.
HEALTHCHECK --interval=15s --timeout=5s --start-period=5m --retries=3 CMD ["/usr/local/bin/ouzel", "doctor", "--live"]
ENTRYPOINT ["/usr/local/bin/ouzel"]
CMD ["serve"]
