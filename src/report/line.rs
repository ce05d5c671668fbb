//! Events as lines of a log.

use super::event::{Event, Files, Notice};
use crate::batch::naming::shown;
use crate::settings::values::show_seconds;

/// An event of the daemon as a line such as `done: scans: a.png: out/a.png (1.2 s)`; `None` for the command's own.
pub fn line(event: &Event<'_>) -> Option<String> {
    Some(match event {
        Event::Placed { files, seconds, reused, .. } => {
            let how = if *reused { "as an earlier one".into() } else { format!("{seconds:.1} s") };
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
