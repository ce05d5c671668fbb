//! What holds for any input and any options.

mod cuts;
#[cfg(feature = "cli")]
mod records;

use proptest::test_runner::Config;

/// So many cases that all properties take a few seconds.
fn cases(cases: u32) -> Config {
    Config { cases, ..Config::default() }
}
