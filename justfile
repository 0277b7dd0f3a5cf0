# The house's recipes. `.ci/run` calls the same ones.

set shell := ["bash", "-euo", "pipefail", "-c"]

# What there is to do.
default:
    @just --list --unsorted

# All tests. Those that need a real Kafka or S3 server run when OUZEL_TEST_KAFKA or OUZEL_TEST_S3 name one.
test *args:
    cargo test {{ args }}

# All tests, with a real Kafka, three more nodes of it and a real S3 server on this machine for as long as they take.
test-servers *args:
    #!/usr/bin/env bash
    set -euo pipefail
    trap 'scripts/kafka stop; scripts/kafka-cluster stop; scripts/s3 stop' EXIT
    variables=$(mktemp)
    scripts/kafka start --secure >"$variables"
    scripts/kafka-cluster start >>"$variables"
    scripts/s3 start >>"$variables"
    set -a
    source <(grep '^OUZEL_TEST_' "$variables")
    set +a
    rm "$variables"
    cargo test {{ args }}

# `kills` at random, each fail point `points` times, damages of every file drawn `damages` times, `panics` of each actor, on a
# real Kafka: 20 to 30 minutes on 2 cores once the servers are there. docs/guarantees.md has the latest figures.
# The long forms of the crash tests.
long-crash kills="100" points="4" damages="2" panics="1000":
    OUZEL_TEST_KILLS={{ kills }} OUZEL_TEST_POINTS={{ points }} OUZEL_TEST_DAMAGES={{ damages }} OUZEL_TEST_PANICS={{ panics }} just test-servers --test crash -- --nocapture --test-threads 2

# `nodes` killed one after the other, all away for `away` seconds, replicas that come and go `rebalances` times, a disk filled
# `disk` times, `letters` thousand records with damaged ones among them, `overload` seconds of too much, `soak` seconds near
# its limits. docs/guarantees.md has the latest figures.
# The long forms of the tests of what goes wrong around the service.
long-resilience nodes="9" away="60" rebalances="5" disk="20" letters="1000" overload="60" soak="3600":
    OUZEL_TEST_NODES={{ nodes }} OUZEL_TEST_AWAY={{ away }} OUZEL_TEST_REBALANCES={{ rebalances }} OUZEL_TEST_DISK={{ disk }} OUZEL_TEST_LETTERS={{ letters }} OUZEL_TEST_OVERLOAD={{ overload }} OUZEL_TEST_SOAK={{ soak }} just test-servers --test resilience -- --nocapture --test-threads 1

# All long forms: two hours.
long: long-crash long-resilience

# Every decoder on made-up bytes, each for `seconds`: about a minute when they are built.
fuzz seconds="8" *targets:
    scripts/fuzz {{ seconds }} {{ targets }}

# The same for an hour each; docs/guarantees.md says how long each was run and what that found.
fuzz-long seconds="3600" *targets:
    scripts/fuzz {{ seconds }} {{ targets }}

# The kernels' tests on NEON, built by Debian's Rust for arm64 and run by QEMU.
aarch64 *args:
    scripts/aarch64 {{ args }}

# The kernels' tests under AddressSanitizer, by a flag that stable Rust has behind a variable.
sanitize:
    RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address" cargo test --manifest-path "$(scripts/kernels)" --target x86_64-unknown-linux-gnu --lib

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
    cargo deny --manifest-path fuzz/Cargo.toml --config deny.toml check bans licenses sources

# Whether it builds without S3.
features:
    cargo check --no-default-features --features ndarray

bench_python := env("OUZEL_TOOLS", ".tools") / "bench/bin/python"
bench_data := env("CARGO_TARGET_DIR", "target") / "bench"

# The networks' tests on Burn's other device.
flex:
    cargo test --no-default-features --features flex,s3 --lib model::training::network

# The Python environment of `bench/`.
bench-tools requirements="bench/requirements.txt":
    test -x "{{ bench_python }}" || python3 -m venv "{{ parent_directory(parent_directory(bench_python)) }}"
    "{{ bench_python }}" -m pip install --quiet --disable-pip-version-check -r "{{ requirements }}"

# What the peers of the benches need, some gigabytes of it PyTorch, and a folder for what they read.
bench-peers: (bench-tools "bench/peers/requirements.txt")
    mkdir -p "{{ bench_data }}"

# `ials` on ten million pairs beside implicit: seconds per iteration, on each instruction set.
bench-ials rounds="3": bench-peers
    test -f "{{ bench_data }}/pairs" || "{{ bench_python }}" bench/data.py pairs "{{ bench_data }}/pairs" --users 100000 --items 20000 --pairs 10000000
    cargo bench --no-run --bench ials
    "{{ bench_python }}" bench/compare.py --rounds {{ rounds }} vs "{{ bench_python }}" bench/peers/ials.py "{{ bench_data }}/pairs" vs cargo bench --quiet --bench ials -- "{{ absolute_path(bench_data) }}/pairs"

# A whole fit of `ease` on ten thousand items beside numpy.
bench-ease rounds="3": bench-peers
    test -f "{{ bench_data }}/catalogue" || "{{ bench_python }}" bench/data.py pairs "{{ bench_data }}/catalogue" --users 50000 --items 10000 --pairs 1000000
    cargo bench --no-run --bench ease
    "{{ bench_python }}" bench/compare.py --rounds {{ rounds }} vs "{{ bench_python }}" bench/peers/ease.py "{{ bench_data }}/catalogue" vs cargo bench --quiet --bench ease -- "{{ absolute_path(bench_data) }}/catalogue"

# The original's network on its own data beside PyTorch: seconds per epoch.
bench-neural batch="64" rounds="3": bench-peers
    test -f "{{ bench_data }}/held-out" || "{{ bench_python }}" bench/data.py purchases "${OUZEL_DATA:-../shared/data}/seed-transactions/transactions.csv" "{{ bench_data }}/learnt" "{{ bench_data }}/held-out"
    cargo bench --no-run --bench neural_cf
    "{{ bench_python }}" bench/compare.py --rounds {{ rounds }} vs "{{ bench_python }}" bench/peers/neural_cf.py "{{ bench_data }}/learnt" "{{ bench_data }}/held-out" {{ batch }} vs cargo bench --quiet --bench neural_cf -- "{{ absolute_path(bench_data) }}/learnt" "{{ absolute_path(bench_data) }}/held-out" {{ batch }}

# Users folded in beside the same users trained on, and what a question costs.
bench-fold-in file format="events" one_in="8" kinds="ease,item-knn,ials,sequence,blend":
    cargo bench --quiet --bench fold_in -- "{{ absolute_path(file) }}" {{ format }} {{ one_in }} {{ kinds }}

# All cases, or those named (300, 10k, 100k, 1m, reused, score, peer, filters, p99, swaps, run, events, import, start, million,
# growth, intake, kafka); the generated shops stay in target/bench/serving. OUZEL_BENCH_PYTHON names the Python of the peer.
# What requests cost, as ratios to the service's own `/health/live` in the same run.
bench-serving rounds="5" *cases:
    cargo build --release
    cargo bench --quiet --bench serving -- "{{ absolute_path(env("CARGO_TARGET_DIR", "target")) }}/release/ouzel" "{{ absolute_path(bench_data) }}/serving" {{ rounds }} {{ cases }}

# The gain from training anew each day, on the last fifth of a file's events replayed into two services; draws `picture`.
replay file picture="target/replay.svg": (bench-tools "bench/peers/requirements.txt")
    cargo build --release
    "{{ bench_python }}" bench/replay.py run "${CARGO_TARGET_DIR:-target}/release/ouzel" "{{ file }}" "{{ without_extension(picture) }}.ndjson"
    "{{ bench_python }}" bench/replay.py plot "{{ without_extension(picture) }}.ndjson" "{{ picture }}"

# Whether the figures of `ouzel evaluate` are those of an independent implementation, on a generated file and on `files`.
check-metrics *files: bench-tools
    cargo test --no-run --test commands
    "${OUZEL_TOOLS:-.tools}/bench/bin/python" bench/metrics.py "${CARGO_TARGET_DIR:-target}/debug/ouzel" {{ files }}

# Calls every route as the OpenAPI document says, and judges each answer by it; `examples` are those drawn a route. OUZEL_BIN
# names another binary than the debug build.
api examples="15":
    #!/usr/bin/env bash
    set -euo pipefail
    if [[ -z "${OUZEL_BIN:-}" ]]; then
      cargo build
      export OUZEL_BIN="${CARGO_TARGET_DIR:-$PWD/target}/debug/ouzel"
    fi
    OUZEL_API_EXAMPLES={{ examples }} scripts/schemathesis

# The same with many more examples, and another seed each day.
api-long:
    cargo build --release
    OUZEL_API_EXAMPLES=1000 OUZEL_API_SEED="$(date -u +%Y%m%d)" scripts/schemathesis

page_tools := env("OUZEL_TOOLS", ".tools") / "page"
axe_version := "4.14.1"
axe_sha256 := "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"

# What the tests of the page need beside Chromium and npm: Playwright, pytest and axe-core, in a folder that git ignores.
page-tools:
    #!/usr/bin/env bash
    set -euo pipefail
    tools="{{ page_tools }}"
    mkdir -p "$tools"
    if ! cmp -s tests/page/requirements.txt "$tools/requirements.txt"; then
      python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --upgrade --target "$tools" -r tests/page/requirements.txt
      cp tests/page/requirements.txt "$tools/requirements.txt"
    fi
    if ! echo "{{ axe_sha256 }}  $tools/axe.min.js" | sha256sum --check --status 2>/dev/null; then
      unpacked=$(mktemp -d)
      trap 'rm -r "$unpacked"' EXIT
      npm pack --silent --pack-destination "$unpacked" "axe-core@{{ axe_version }}" >/dev/null
      tar -xzf "$unpacked"/axe-core-*.tgz -C "$unpacked" package/axe.min.js
      echo "{{ axe_sha256 }}  $unpacked/package/axe.min.js" | sha256sum --check --status
      cp "$unpacked/package/axe.min.js" "$tools/axe.min.js"
    fi

# The page in a real browser, at desk and phone size, light and dark; OUZEL_BIN names another binary than the debug build.
page *args: page-tools
    #!/usr/bin/env bash
    set -euo pipefail
    if [[ -z "${OUZEL_BIN:-}" ]]; then
      cargo build
      export OUZEL_BIN="${CARGO_TARGET_DIR:-$PWD/target}/debug/ouzel"
    fi
    export PYTHONPATH="{{ page_tools }}" PYTHONDONTWRITEBYTECODE=1 OUZEL_AXE="{{ page_tools }}/axe.min.js"
    python3 -m pytest -q -p no:cacheprovider tests/page {{ args }}

# The README's pictures of the page, taken anew.
page-pictures:
    OUZEL_PICTURES=docs/pictures just page -k picture

neighbours_tools := env("OUZEL_TOOLS", ".tools") / "neighbours"

# Clients that others wrote for other systems (Gorse's, TensorFlow Serving's messages, the CloudEvents SDK), on the service and
# a real Kafka: the one that OUZEL_TEST_KAFKA names, else one started for as long as it takes. OUZEL_BIN as for `page`.
neighbours *args:
    #!/usr/bin/env bash
    set -euo pipefail
    tools="{{ neighbours_tools }}"
    mkdir -p "$tools"
    if ! cmp -s tests/neighbours/requirements.txt "$tools/requirements.txt"; then
      python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --upgrade --target "$tools" -r tests/neighbours/requirements.txt
      cp tests/neighbours/requirements.txt "$tools/requirements.txt"
    fi
    if [[ -z "${OUZEL_BIN:-}" ]]; then
      cargo build
      export OUZEL_BIN="${CARGO_TARGET_DIR:-$PWD/target}/debug/ouzel"
    fi
    if [[ -z "${OUZEL_TEST_KAFKA:-}" ]]; then
      trap 'scripts/kafka stop' EXIT
      variables=$(mktemp)
      scripts/kafka start >"$variables"
      OUZEL_TEST_KAFKA=$(sed -n 's/^OUZEL_TEST_KAFKA=//p' "$variables")
      export OUZEL_TEST_KAFKA
      rm "$variables"
    fi
    export PYTHONPATH="$tools:$PWD/tests/page" PYTHONDONTWRITEBYTECODE=1
    python3 -m pytest -q -p no:cacheprovider tests/neighbours {{ args }}

notebook_tools := env("OUZEL_TOOLS", ".tools") / "notebook"

# The notebook executed on a service with two versions, its numbers checked; as executed it is left in target/notebook.
# OUZEL_BIN as for `page`.
notebook:
    #!/usr/bin/env bash
    set -euo pipefail
    tools="{{ notebook_tools }}"
    if ! cmp -s notebooks/requirements.txt "$tools/requirements.txt"; then
      python3 -m venv --clear "$tools"
      "$tools/bin/python" -m pip install --quiet --disable-pip-version-check -r notebooks/requirements.txt
      cp notebooks/requirements.txt "$tools/requirements.txt"
    fi
    target="${CARGO_TARGET_DIR:-$PWD/target}"
    if [[ -z "${OUZEL_BIN:-}" ]]; then
      cargo build
      export OUZEL_BIN="$target/debug/ouzel"
    fi
    export PYTHONPATH="$PWD/tests/page" PYTHONDONTWRITEBYTECODE=1
    "$tools/bin/python" notebooks/check.py "$target/notebook/explore.ipynb"

spark_tools := env("OUZEL_TOOLS", ".tools") / "spark"

# A real Spark trains on sealed segments, and its factors answer: a minute or two, and half a gigabyte of PyPI's the first time. Needs
# Java 17. OUZEL_BIN as for `page`.
spark *args:
    #!/usr/bin/env bash
    set -euo pipefail
    tools="{{ spark_tools }}"
    if ! cmp -s tests/spark/requirements.txt "$tools/requirements.txt"; then
      python3 -m venv --clear "$tools"
      "$tools/bin/python" -m pip install --quiet --disable-pip-version-check -r tests/spark/requirements.txt
      cp tests/spark/requirements.txt "$tools/requirements.txt"
    fi
    if [[ -z "${OUZEL_BIN:-}" ]]; then
      cargo build
      export OUZEL_BIN="${CARGO_TARGET_DIR:-$PWD/target}/debug/ouzel"
    fi
    export PYTHONPATH="$PWD/tests/page" PYTHONDONTWRITEBYTECODE=1
    export SPARK_LOCAL_IP=127.0.0.1
    export PYSPARK_SUBMIT_ARGS="--master local[2] --driver-memory 1g --conf spark.ui.enabled=false --conf spark.sql.shuffle.partitions=4 pyspark-shell"
    "$tools/bin/python" -m pytest -q -p no:cacheprovider tests/spark {{ args }}

# The manifests of k8s/ rendered and against their schemas, the alerts with their tests, the board's figures.
k8s:
    scripts/k8s

# Each alert set off by processes in trouble that a real Prometheus looks at, with the rules' spans shortened.
alerts:
    #!/usr/bin/env bash
    set -euo pipefail
    OUZEL_TEST_PROMETHEUS=$(scripts/prometheus prometheus)
    export OUZEL_TEST_PROMETHEUS
    cargo test --test faults alerts

# The shell scripts.
shell:
    shellcheck .ci/run fuzz/rustc scripts/*

# What CI does, from installing its tools on.
ci:
    .ci/run
