//! Shared by the tests of all crates.

/// Says why a test is left out: past the harness, which shows what passing tests print with `eprintln!` to nobody.
macro_rules! skipped {
    ($($why:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "skipped: {}", format_args!($($why)*));
    }};
}
