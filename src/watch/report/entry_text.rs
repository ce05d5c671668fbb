//! What the ledger knows of an input, in words and for programs.

use serde::Serialize;

use crate::batch::naming::shown;
use crate::report::event::Files;
use crate::settings::values::show_seconds;
use crate::watch::ledger::entry::{Entry, State};
use crate::watch::ledger::store::timestamp;
use crate::watch::worker::protocol::Made;

/// A line such as `failed scans: a.png: the file is empty (3 tries)`.
pub fn line(entry: &Entry) -> String {
    let reason = entry.reason.as_deref();
    let mut text = match entry.state {
        State::Seen => reason.unwrap_or("empty; waits for its contents").into(),
        State::Settling => "waits until it stops changing".into(),
        State::Queued => reason.unwrap_or("waits for its turn").into(),
        State::Running => "is being processed".into(),
        State::Done => result(entry).unwrap_or_else(|| "no result known".into()),
        State::Failed | State::Ignored => reason.unwrap_or("no reason known").into(),
    };
    let mut more = Vec::new();
    match entry.attempts {
        0 => {}
        1 => more.push("1 try".into()),
        tries => more.push(format!("{tries} tries")),
    }
    if entry.crashes > 0 {
        more.push(format!("{} worker deaths", entry.crashes));
    }
    if let Some(next) = entry.next_try {
        more.push(format!("the next not before {}", timestamp(next)));
    }
    if let Some(earlier) = result(entry).filter(|_| entry.state != State::Done) {
        more.push(format!("earlier result: {earlier}"));
    }
    if !more.is_empty() {
        text = format!("{text} ({})", more.join(", "));
    }
    format!("{} {}: {}: {text}", entry.state, entry.watch, shown(&entry.path))
}

/// The last result and how it was made.
fn result(entry: &Entry) -> Option<String> {
    let output = shown(&entry.result.as_ref()?.output);
    Some(match entry.made() {
        Some(Made { width, height, model, seconds, .. }) => {
            format!("{output}, {width} x {height}, {model}, {}", show_seconds(seconds))
        }
        None => output,
    })
}

/// The same for programs; what does not apply is absent.
#[derive(Debug, Serialize)]
pub struct Object<'a> {
    #[serde(flatten)]
    files: Files<'a>,
    state: State,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_try: Option<String>,
    #[serde(flatten)]
    result: Option<ResultObject>,
    updated: String,
}

#[derive(Debug, Serialize)]
struct ResultObject {
    width: usize,
    height: usize,
    model: String,
    seconds: f64,
}

impl<'a> From<&'a Entry> for Object<'a> {
    fn from(entry: &'a Entry) -> Self {
        let output = entry.result.as_ref().map(|result| result.output.as_path());
        Self {
            files: Files::of_watch(&entry.watch, &entry.path, output),
            state: entry.state,
            attempts: entry.attempts,
            reason: entry.reason.as_deref(),
            next_try: entry.next_try.map(timestamp),
            result: entry.made().map(|Made { width, height, model, seconds, .. }| ResultObject {
                width,
                height,
                model,
                seconds,
            }),
            updated: timestamp(entry.updated),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line_with_its_reason() {
        let mut entry = Entry::sample("a.png");
        assert_eq!(line(&entry), "running in: a.png: is being processed");
        (entry.state, entry.attempts, entry.crashes) = (State::Failed, 3, 1);
        entry.reason = Some("the file is empty".into());
        assert_eq!(line(&entry), "failed in: a.png: the file is empty (3 tries, 1 worker deaths)");
        let object = serde_json::to_value(Object::from(&entry)).unwrap();
        assert_eq!((&object["state"], &object["reason"]), (&"failed".into(), &"the file is empty".into()));
        assert!(object.get("output").is_none());
    }
}
