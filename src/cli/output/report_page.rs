//! The report of a run as a web page: every image before and after, its numbers, and what failed and why.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::exit::kind_name;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::atomic_file;
use crate::fs::folder::{folder_of, make_folder};
use crate::html;
use crate::report::event::{Event, Files, Reporter};
use crate::report::shown::Shown;

const TEMPLATE: &str = include_str!("report_page.html");

/// What names the page of a run.
const OPTION: &str = "--report";

/// How pages begin, by which an earlier report is known.
const MARK: &str = "<meta name=\"generator\" content=\"partdiff report\">";

/// Within these bytes the mark stands.
const BEGINNING: u64 = 1024;

/// Rows with pictures, the first ones of a run; so many take about 15 MB.
const PICTURED: usize = 5000;

/// Writes the page of `data` to the `path` that `option` names.
///
/// # Errors
/// `Output` where that fails, or something else lies at `path`.
pub fn write(path: &Path, option: &str, data: &Value) -> Result<()> {
    check_replaceable(path, option)?;
    make_folder(folder_of(path))?;
    atomic_file::write(path, html::page(TEMPLATE, data).as_bytes(), true)
}

/// Refuses to replace what is no report.
fn check_replaceable(path: &Path, option: &str) -> Result<()> {
    let begins_so = || {
        let mut text = Vec::new();
        let file = fs::File::open(path).ok().filter(|_| path.is_file())?;
        file.take(BEGINNING).read_to_end(&mut text).ok()?;
        Some(String::from_utf8_lossy(&text).contains(MARK))
    };
    if path.symlink_metadata().is_err() || begins_so() == Some(true) {
        return Ok(());
    }
    let message =
        format!("{} exists and is no report of partdiff: expected another name for {option}", path.display());
    Err(Error::new(ErrorKind::Output, message))
}

/// An object with the fields of both.
pub fn merged(mut object: Value, more: Value) -> Value {
    if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
        object.extend(more);
    }
    object
}

/// Collects what happens to the images of a run, for a page, and tells it on.
pub struct PageReporter {
    inner: Box<dyn Reporter>,
    path: PathBuf,
    collected: Mutex<Collected>,
}

#[derive(Default)]
struct Collected {
    /// Of the run, as the page's data has it.
    about: BTreeMap<&'static str, Value>,
    /// One for each result, in the order in which they ended.
    rows: Vec<Value>,
    /// Warnings by input, as rows name it.
    notes: BTreeMap<String, Vec<String>>,
}

impl PageReporter {
    /// A reporter whose page goes to `path`, and which tells `inner` of everything.
    ///
    /// # Errors
    /// `Output` where the page cannot be written, or something else is there.
    pub fn new(inner: Box<dyn Reporter>, path: &Path) -> Result<Self> {
        atomic_file::check_writable(path)?;
        check_replaceable(path, OPTION)?;
        Ok(Self { inner, path: path.to_path_buf(), collected: Mutex::default() })
    }

    /// Whether nothing has happened to any image yet.
    pub fn is_empty(&self) -> bool {
        self.collected().rows.is_empty()
    }

    /// Writes the page.
    ///
    /// # Errors
    /// `Output` where that fails, or something else lies there by now.
    pub fn write(&self) -> Result<()> {
        let mut collected = self.collected();
        let Collected { about, rows, notes } = &mut *collected;
        let mut others: BTreeMap<_, _> = notes.iter().collect();
        for row in rows.iter_mut() {
            let input = row["input"].as_str().unwrap_or_default();
            others.remove(&input.to_owned());
            row["notes"] = json!(notes.get(input).cloned().unwrap_or_default());
        }
        let data = json!({ "run": about, "rows": rows, "others": others });
        write(&self.path, OPTION, &data)
    }

    fn collected(&self) -> std::sync::MutexGuard<'_, Collected> {
        self.collected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, files: &Files<'_>, message: &str) {
        let input = files.input.0.display().to_string();
        self.collected().notes.entry(input).or_default().push(message.to_owned());
    }

    fn row(&self, files: &Files<'_>, state: &str, more: Value) {
        let row = json!({ "state": state, "input": files.input, "output": files.output });
        let mut row = merged(row, more);
        let mut collected = self.collected();
        if collected.rows.len() >= PICTURED {
            row["before"] = Value::Null;
            row["after"] = Value::Null;
        }
        collected.rows.push(row);
    }
}

impl Reporter for PageReporter {
    fn tell(&self, event: &Event<'_>) {
        match event {
            Event::Run { version, model, model_version, provider, .. } => {
                let made = format!("PartDiff {version}, {model} {model_version}, on {provider}");
                let mut collected = self.collected();
                // One model for images, and one for volumes.
                let runs = collected.about.entry("made").or_insert_with(|| json!([]));
                runs.as_array_mut().into_iter().for_each(|runs| runs.push(json!(made)));
            }
            Event::Done { files, pages, width, height, seconds, report, thumbnails, volume, .. } => {
                let shown = match volume {
                    Some(volume) => Shown::volume(report, volume.is_copy()),
                    None => Shown::image(report, thumbnails.cloned().unwrap_or_default()),
                };
                let size = json!({ "pages": pages, "width": width, "height": height, "seconds": seconds });
                self.row(files, "done", merged(size, json!(shown)));
            }
            Event::Skipped { files } => self.row(files, "skipped", json!({})),
            Event::Failed { files, kind, reason } => {
                let cancelled = *kind == Some(kind_name(ErrorKind::Cancelled));
                let state = if cancelled { "cancelled" } else { "failed" };
                self.row(files, state, json!({ "reason": reason }));
            }
            Event::Shard { index, count, files, all_files } => {
                let shard = format!("part {index} of {count}: {files} of {all_files} inputs");
                self.collected().about.insert("shard", json!(shard));
            }
            Event::Warning { files, message } | Event::Damaged { files, message } => {
                self.note(files, message)
            }
            Event::Summary { done, skipped, failed, cancelled, seconds, .. } => {
                let about = &mut self.collected().about;
                about.insert("done", json!(done));
                about.insert("skipped", json!(skipped));
                about.insert("failed", json!(failed));
                about.insert("cancelled", json!(cancelled));
                about.insert("seconds", json!(seconds));
            }
            _ => {}
        }
        self.inner.tell(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Silent;

    impl Reporter for Silent {
        fn tell(&self, _: &Event<'_>) {}
    }

    #[test]
    fn only_reports_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/r.html");
        let reporter = || PageReporter::new(Box::new(Silent), &path);
        let files = Files::new(Path::new("a </script>.png"), None);
        let first = reporter().unwrap();
        first.tell(&Event::Warning { files, message: "odd" });
        let other = Files::new(Path::new("folder"), None);
        first.tell(&Event::Warning { files: other, message: "left out" });
        first.tell(&Event::Failed { files, kind: Some("input"), reason: "no image" });
        first.tell(&Event::Failed { files, kind: Some("cancelled"), reason: "cancelled" });
        first.tell(&Event::Skipped { files: Files::new(Path::new("b.png"), Some(Path::new("b_x4.png"))) });
        first.write().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let data = html::data(&text);
        let rows = data["rows"].as_array().unwrap();
        assert_eq!(
            (rows[0]["state"].as_str(), rows[0]["reason"].as_str()),
            (Some("failed"), Some("no image"))
        );
        assert_eq!((&rows[0]["notes"], &rows[0]["input"]), (&json!(["odd"]), &json!("a </script>.png")));
        assert_eq!(
            (&rows[1]["state"], &data["others"]["folder"]),
            (&json!("cancelled"), &json!(["left out"]))
        );
        assert_eq!((&rows[2]["state"], &rows[2]["output"]), (&json!("skipped"), &json!("b_x4.png")));
        let second = reporter().unwrap();
        second.write().unwrap();
        fs::write(&path, "<p>mine</p>").unwrap();
        // Also what came there while the run went on.
        assert!(second.write().is_err());
        assert!(reporter().err().unwrap().to_string().contains("is no report of partdiff"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "<p>mine</p>");
    }
}
