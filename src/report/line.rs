//! Events as lines of a log.

use super::event::{Event, Files, Notice};
use crate::batch::naming::shown;
use crate::settings::values::show_seconds;

/// An event of the daemon as a line such as `done: scans: a.png: out/a.png (1.2 s)`; `None` for the command's own.
pub fn line(event: &Event<'_>) -> Option<String> {
    Some(match event {
        Event::Placed { files, seconds, reused, .. } => {
            let how = if *reused { "a copy of an earlier result".into() } else { format!("{seconds:.1} s") };
            let output = files.output.map(|output| shown(output.0)).unwrap_or_default();
            format!("done: {}{output} ({how})", about(files))
        }
        Event::Warning { files, message } => format!("warning: {}{message}", about(files)),
        Event::Damaged { files, message } => format!("damaged: {}{message}", about(files)),
        Event::Failed { files, reason, .. } => format!("failed: {}{reason}", about(files)),
        Event::Attempt { files, detail, attempt, attempts, seconds, .. } => {
            let next = show_seconds(*seconds);
            format!("attempt: {}{detail} (try {attempt} of {attempts}; the next in {next})", about(files))
        }
        Event::Finished { done, failed, waiting } => {
            format!("finished: {done} done, {failed} failed, {waiting} waiting")
        }
        Event::Notice(Notice { event, files, detail }) => {
            format!("{event}: {}{detail}", files.as_ref().map(about).unwrap_or_default())
        }
        _ => return None,
    })
}

fn about(files: &Files<'_>) -> String {
    let watch = files.watch.map(|watch| format!("{watch}: ")).unwrap_or_default();
    format!("{watch}{}: ", shown(files.input.0))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::report::event::Topic;

    fn of_watch(output: Option<&'static str>) -> Files<'static> {
        Files::of_watch("scans", Path::new("sub/a.png"), output.map(Path::new))
    }

    #[test]
    fn each_event_of_the_daemon_is_a_line_that_begins_with_its_name() {
        let files = of_watch(None);
        let placed = |reused| Event::Placed {
            files: of_watch(Some("out/a.png")),
            width: 8,
            height: 6,
            seconds: 1.26,
            reused,
        };
        let attempt = Event::Attempt {
            files,
            detail: "no image",
            attempt: 1,
            attempts: 3,
            next_try: "2026-01-01T00:00:00Z",
            seconds: 90.0,
        };
        for (event, expected) in [
            (placed(false), "done: scans: sub/a.png: out/a.png (1.3 s)"),
            (placed(true), "done: scans: sub/a.png: out/a.png (a copy of an earlier result)"),
            (Event::Warning { files, message: "no room" }, "warning: scans: sub/a.png: no room"),
            (Event::Damaged { files, message: "half" }, "damaged: scans: sub/a.png: half"),
            (Event::Failed { files, kind: Some("input"), reason: "bad" }, "failed: scans: sub/a.png: bad"),
            (attempt, "attempt: scans: sub/a.png: no image (try 1 of 3; the next in 1 min 30 s)"),
            (Event::Finished { done: 1, failed: 2, waiting: 3 }, "finished: 1 done, 2 failed, 3 waiting"),
            (Event::Notice(Notice { event: Topic::Paused, files: None, detail: "why" }), "paused: why"),
            (
                Event::Notice(Notice { event: Topic::Unreadable, files: Some(files), detail: "why" }),
                "unreadable: scans: sub/a.png: why",
            ),
        ] {
            assert_eq!(line(&event).as_deref(), Some(expected));
        }
    }

    #[test]
    fn events_of_the_command_are_no_lines_of_a_log() {
        let files = of_watch(None);
        assert_eq!(line(&Event::Skipped { files }), None);
        assert_eq!(line(&Event::Progress { files, fraction: 0.5, step: 1, steps: 2 }), None);
    }

    #[test]
    fn a_name_with_a_line_break_makes_no_second_line() {
        let files = Files::of_watch("w", Path::new("a\nfailed: b.png"), None);
        let line = line(&Event::Warning { files, message: "why" }).unwrap();
        assert_eq!(line.lines().count(), 1, "{line}");
    }
}
