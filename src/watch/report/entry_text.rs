//! What the ledger knows of an input, in words and for programs.

use serde_json::{Map, Value};

use super::log::{fields, put_path};
use crate::batch::naming::shown;
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
    let result = entry.result.as_ref()?;
    let output = shown(&result.output);
    Some(match serde_json::from_str::<Made>(&result.details) {
        Ok(made) => {
            let Made { width, height, model, seconds, .. } = made;
            format!("{output}, {width} x {height}, {model}, {}", show_seconds(seconds))
        }
        Err(_) => output,
    })
}

/// The same as fields of a JSON object; those that do not apply are absent.
pub fn fields_of(entry: &Entry) -> Map<String, Value> {
    let mut all = fields(&[("watch", entry.watch.as_str().into())]);
    put_path(&mut all, "input", &entry.path);
    all.extend(fields(&[("state", entry.state.name().into()), ("attempts", entry.attempts.into())]));
    if let Some(reason) = &entry.reason {
        all.insert("reason".into(), reason.as_str().into());
    }
    if let Some(next) = entry.next_try {
        all.insert("next_try".into(), timestamp(next).into());
    }
    if let Some(result) = &entry.result {
        put_path(&mut all, "output", &result.output);
        if let Ok(made) = serde_json::from_str::<Made>(&result.details) {
            all.extend(fields(&[
                ("width", made.width.into()),
                ("height", made.height.into()),
                ("model", made.model.into()),
                ("seconds", made.seconds.into()),
            ]));
        }
    }
    all.insert("updated".into(), timestamp(entry.updated).into());
    all
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
        let object = fields_of(&entry);
        assert_eq!((&object["state"], &object["reason"]), (&"failed".into(), &"the file is empty".into()));
        assert!(!object.contains_key("output"));
    }
}
