//! What the ledger of a watch knows, as a web page: the page of `upscale --report`, with other states.

use std::path::Path;

use serde_json::{Value, json};

use super::report_page::{merged, write};
use crate::batch::naming::shown;
use crate::error::Result;
use crate::watch::Ledger;
use crate::watch::ledger::entry::{Entry, State};
use crate::watch::ledger::store::{PICTURED, timestamp};

/// Writes the page of `ledger` to `path`: the inputs that changed last, and how many are not on it.
///
/// # Errors
/// As reading the ledger fails; `Output` where the page cannot be written, or something else lies there.
pub fn write_page(ledger: &Ledger, path: &Path) -> Result<()> {
    let counts = ledger.counts()?;
    let all: u64 = counts.values().flat_map(|counts| counts.values()).sum();
    let entries = ledger.list(None, PICTURED)?;
    let parts = State::ALL.into_iter().filter_map(|state| {
        let count: u64 = counts.values().filter_map(|counts| counts.get(&state)).sum();
        (count > 0).then(|| format!("{count} {state}"))
    });
    let mut title = parts.collect::<Vec<_>>().join(", ");
    if title.is_empty() {
        title = "No file has come yet".to_owned();
    }
    let mut about: Vec<String> = counts.keys().map(|watch| format!("watch {watch}")).collect();
    if let Some(more) = all.checked_sub(entries.len() as u64).filter(|&more| more > 0) {
        about.push(format!("{more} older ones are not shown"));
    }
    let rows: Vec<Value> = entries.iter().map(row).collect();
    write(path, "--html", &json!({ "run": { "title": title, "made": about }, "rows": rows, "others": {} }))
}

fn row(entry: &Entry) -> Value {
    // An earlier result is not the one of what failed or waits.
    let made = entry.made().filter(|_| entry.state == State::Done);
    let waits = !matches!(entry.state, State::Done | State::Failed | State::Ignored);
    let mut row = json!({
        "state": entry.state,
        "waits": waits,
        "input": format!("{}: {}", entry.watch, shown(&entry.path)),
        "output": entry.result.as_ref().filter(|_| made.is_some()).map(|result| shown(&result.output).to_string()),
        "reason": entry.reason,
        "time": timestamp(entry.updated),
        "notes": [],
    });
    let Some(made) = made else { return row };
    let notes: Vec<_> = made.warnings.iter().chain(&made.damage).collect();
    row["notes"] = json!(notes);
    let size = json!({ "width": made.width, "height": made.height, "seconds": made.seconds });
    merged(merged(row, size), json!(made.shown))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::shown::{Shown, Thumbnails};
    use crate::watch::ledger::entry::Placed;
    use crate::watch::worker::protocol::Made;

    #[test]
    fn rows_have_what_is_known() {
        let mut entry = Entry::sample("a.png");
        let waiting = row(&entry);
        assert_eq!((&waiting["state"], &waiting["waits"]), (&json!("running"), &json!(true)));
        assert_eq!((&waiting["input"], &waiting["output"]), (&json!("in: a.png"), &Value::Null));
        let thumbnails = Thumbnails { before: Some("data:1".into()), after: None };
        let made = Made {
            width: 8,
            damage: Some("half is missing".into()),
            shown: Shown { thumbnails, steps: Some(2), mean: Some(0.5), ..Shown::default() },
            ..Made::default()
        };
        let details = serde_json::to_string(&made).unwrap();
        entry.state = State::Done;
        entry.result = Some(Placed { output: "/out/a_x4.png".into(), hash: String::new(), details });
        let done = row(&entry);
        assert_eq!((&done["output"], &done["before"]), (&json!("/out/a_x4.png"), &json!("data:1")));
        assert_eq!((&done["steps"], &done["mean"], &done["width"]), (&json!(2), &json!(0.5), &json!(8)));
        assert_eq!((&done["notes"], &done["waits"]), (&json!(["half is missing"]), &json!(false)));
    }
}
