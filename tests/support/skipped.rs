//! Shared by the tests of all crates.

/// Says why a test cannot run: past the harness, which shows nobody what passing tests print. Where PARTDIFF_REQUIRE_ALL
/// is set, as in CI, the test fails instead.
macro_rules! skipped {
    ($($why:tt)*) => {{
        use std::io::Write;
        let why = format!($($why)*);
        assert!(std::env::var_os("PARTDIFF_REQUIRE_ALL").is_none(), "this test cannot run: {why}");
        let _ = writeln!(std::io::stderr(), "skipped: {why}");
    }};
}
