# Commands of the developers; `just` lists them. The checks are those of .ci/run, which does not need just.

set shell := ["bash", "-euo", "pipefail", "-c"]

[private]
default:
    @just --list --unsorted

# all checks, as before proposing a change
check:
    .ci/run

# format all Rust code
fmt:
    cargo fmt

# formatting, clippy, documentation and dependencies
lint: clippy doc deny
    cargo fmt --check

# clippy, warnings denied
clippy:
    cargo clippy --release --all-targets -- -D warnings

# documentation, warnings denied
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --release --no-deps --quiet

# licences, banned crates and sources of all dependencies; needs cargo-deny
deny:
    cargo deny --all-features check licenses bans sources

# spelling; needs typos (cargo install typos-cli)
spelling:
    typos

# ONNX Runtime for this user, then all tests but the ignored ones; arguments go to `cargo test`
test *arguments:
    cargo run --release -- runtime install && cargo test --release {{ arguments }}

# tests of the plug-ins for GIMP, with all that they install; GIMP 3 is in the tree that PARTDIFF_GIMP3 names
gimp:
    cargo build --release
    cargo test --release -p partdiff-gimp

# make a Debian 13 tree with GIMP 3 at `path` (as root, 1 GB)
gimp3-tree path:
    tests/gimp3/chroot.sh make {{ path }}

# the Debian packages, to target/debian; lintian; install and use them in a fresh tree (as root; bookworm or trixie)
debian release="bookworm":
    cargo build --release
    packaging/debian/build.sh target/debian
    lintian --allow-root --fail-on error target/debian/*.deb
    packaging/debian/try.sh {{ release }} target/debian

# the archive for download, to target/archive
archive:
    cargo build --release
    packaging/archive/build.sh target/archive partdiff-$(uname -s -m | tr 'A-Z ' 'a-z-')

# build the Python wheel into `folder`, and run its lints and tests in a fresh environment there
wheel folder="target/wheel":
    packaging/wheel/build.sh {{ folder }}
    rm -rf {{ folder }}/environment
    packaging/wheel/test.sh {{ folder }}/partdiff-*.whl {{ folder }}/environment

# fetch providers and a GPU made of software to `path` (500 MB), which PARTDIFF_PROVIDERS then names for the tests
providers path:
    cargo build --release
    tests/gpu/software.sh make {{ path }}

# all that a graphics card is needed for, in ten minutes; arguments are devices
gpu *devices:
    cargo build --release
    tests/gpu/run.sh target/release/partdiff {{ devices }}

# checks of the training code; needs the extra `dev` of onnx/pyproject.toml
onnx:
    cd onnx && python3 -m ruff check . && python3 -m ruff format --check . && python3 -m mypy && python3 -m pytest -q

# the long tests: a hundred kills, 20,000 files, valgrind, cargo-c, and ten minutes of fuzzing for each parser
nightly: && (fuzz "600")
    PARTDIFF_KILLS=100 cargo test --release --test integration -- --include-ignored watch::killing watch::many volume::memory
    cargo test --release --test abi -- --ignored

# fuzz every parser; installs cargo-fuzz where it is missing
fuzz seconds="60":
    fuzz/run {{ seconds }}

# all benchmarks, on a machine that does nothing else
bench:
    cargo build --release
    cargo bench --bench end_to_end
    cargo bench --bench providers
    cargo bench --bench watch
    cargo bench -p partdiff-capi --bench overhead
    cargo bench -p partdiff-gimp --bench in_gimp

# time and memory from small images to large ones, plotted to target/growth.svg (`python` has numpy, Pillow and matplotlib)
growth python="python3":
    cargo build --release
    {{ python }} benches/growth.py target/release/partdiff target/growth.svg

# coverage of the tests, to target/llvm-cov/html; needs cargo-llvm-cov and the component llvm-tools
coverage:
    cargo llvm-cov --release --html

# write plugin-api/include/partdiff.h again after a change of the C ABI
header:
    PARTDIFF_WRITE_HEADER=1 cargo test --release -p partdiff-capi --test abi header

# write the images of tests/golden anew after a change that is meant to change them
golden:
    cargo run --release -- runtime install && PARTDIFF_WRITE_GOLDEN=1 cargo test --release --test integration golden
