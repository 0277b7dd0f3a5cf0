# The house's recipes. `.ci/run` calls the same ones.

set shell := ["bash", "-euo", "pipefail", "-c"]

# What there is to do.
default:
    @just --list --unsorted

# All tests. Those that need a real Kafka or S3 server run when OUZEL_TEST_KAFKA or OUZEL_TEST_S3 name one.
test *args:
    cargo test {{ args }}

# All tests, with a real Kafka and a real S3 server on this machine for as long as they take.
test-servers *args:
    #!/usr/bin/env bash
    set -euo pipefail
    trap 'scripts/kafka stop; scripts/s3 stop' EXIT
    variables=$(mktemp)
    scripts/kafka start >"$variables"
    scripts/s3 start >>"$variables"
    set -a
    source <(grep '^OUZEL_TEST_' "$variables")
    set +a
    rm "$variables"
    cargo test {{ args }}

# Clippy over everything, warnings denied.
lint:
    cargo clippy --all-targets -- -D warnings

# Formats the sources.
fmt:
    cargo fmt

# Whether the sources are formatted.
fmt-check:
    cargo fmt --check

# The documentation of the crate, warnings denied.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps

# Licences, sources and bans of the dependencies; advisories are not asked for, see deny.toml.
deny:
    cargo deny check bans licenses sources

# Whether it builds without S3.
features:
    cargo check --no-default-features --features ndarray

# The Python environment of `bench/`.
bench-tools:
    test -x "${OUZEL_TOOLS:-.tools}/bench/bin/python" || python3 -m venv "${OUZEL_TOOLS:-.tools}/bench"
    "${OUZEL_TOOLS:-.tools}/bench/bin/pip" install --quiet --disable-pip-version-check -r bench/requirements.txt

# Whether the figures of `ouzel evaluate` are those of an independent implementation, on a generated file and on `files`.
check-metrics *files: bench-tools
    cargo test --no-run --test commands
    "${OUZEL_TOOLS:-.tools}/bench/bin/python" bench/metrics.py "${CARGO_TARGET_DIR:-target}/debug/ouzel" {{ files }}

# The shell scripts.
shell:
    shellcheck .ci/run scripts/*

# What CI does, from installing its tools on.
ci:
    .ci/run
