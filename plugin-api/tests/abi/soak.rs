//! A hundred jobs in one process: no growth, and nothing that valgrind minds in our part.

use std::process::{Command, Output};

use crate::installed::{Installed, STRICT, good};
use crate::support::{data, model};

/// Bytes that ONNX Runtime's arenas and the allocator's own habits may add between the marks.
const SLACK: u64 = 256 << 10;

fn run(installed: &Installed, valgrind: &[&str], jobs: u32) -> Option<Output> {
    let flags = [&STRICT[..], &["-g"]].concat();
    let program = installed.program(&["gcc", "-std=c99"], "../tests/soak.c", &flags)?;
    let mut command = installed.run(valgrind.first().copied().map_or(program.as_os_str(), AsRef::as_ref));
    if let Some((_, options)) = valgrind.split_first() {
        command.args(options).arg(&program);
    }
    Some(command.arg(data("plain.partdiff")).arg(jobs.to_string()).output().unwrap())
}

#[test]
fn memory_does_not_grow_over_a_hundred_jobs() {
    if model().is_none() {
        return;
    }
    let installed = Installed::new();
    let Some(output) = run(&installed, &[], 100) else { return };
    let text = good(&output);
    let held: Vec<u64> = text.split_whitespace().map(|number| number.parse().unwrap()).collect();
    assert!(held[1] < held[0] + SLACK, "{} bytes after 20 jobs, {} after 100", held[0], held[1]);
}

/// Takes a minute or two; run with `-- --ignored`.
#[test]
#[ignore = "slow: ONNX Runtime under valgrind"]
fn valgrind_finds_nothing_of_ours() {
    if model().is_none() {
        return;
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        skipped!("valgrind is not installed");
        return;
    }
    let installed = Installed::new();
    let suppressions = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/valgrind.supp");
    let suppressions = format!("--suppressions={}", suppressions.display());
    let options = [
        "valgrind",
        "--quiet",
        "--error-exitcode=99",
        "--leak-check=full",
        // What is reachable to the end (the runtime, thread pools) is meant to live as long as the process.
        "--show-leak-kinds=definite",
        "--errors-for-leak-kinds=definite",
        &suppressions,
    ];
    let Some(output) = run(&installed, &options, 100) else { return };
    good(&output);
}
