//! What a watch would do with what is in its folder now, without doing it.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::fs::hash::hash_file;
use crate::watch::ledger::entry::{Entry, State};
use crate::watch::ledger::store::Ledger;
use crate::watch::settings::watch_settings::WatchSettings;
use crate::watch::source::scan::{Kind, left_alone, scan};
use crate::watch::source::selection::Selection;
use crate::watch::source::settle::Role;
use crate::watch::source::stamp::Stamp;

/// What would be done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It would be made.
    Take,
    /// It waits for its contents.
    Wait,
    /// It is left alone.
    Skip,
    /// It was given up.
    Failed,
    /// Its result was made.
    Done,
}

/// The name in JSON.
impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// A file and what becomes of it.
#[derive(Clone, Debug)]
pub struct Previewed {
    /// Path below the watched folder.
    pub path: PathBuf,
    /// What would be done.
    pub fate: Fate,
    /// Why, where that is not plain.
    pub reason: Option<String>,
}

/// What a watch, prepared, would do; without a `ledger` nothing was done before. `state` is not watched.
///
/// # Errors
/// `Input` where the folder cannot be read; as the ledger fails.
pub fn preview(watch: &WatchSettings, state: &Path, ledger: Option<&Ledger>) -> Result<Vec<Previewed>> {
    let selection = Selection::new(&watch.include, &watch.exclude)?;
    let own = [Some(state), Some(watch.output.as_path()), watch.move_to.as_deref()];
    let own: Vec<_> = own.into_iter().flatten().map(Path::to_path_buf).collect();
    let found = scan(&watch.input, watch.recursive, &selection, &own).map_err(|error| {
        Error::with_source(ErrorKind::Input, format!("cannot read {}", watch.input.display()), error)
    })?;
    let begun = ledger.map_or(Ok(false), |ledger| ledger.knows(&watch.name))?;
    let digest = watch.digest()?;
    let mut files = Vec::new();
    for file in found.files {
        let reason = left_alone(file.kind, &file.relative, &selection, watch.recursive);
        let (fate, reason) = match file.kind {
            _ if reason.is_some() => (Fate::Skip, reason),
            Kind::File(Role::Image, stamp) => {
                let path = &file.relative;
                let known = ledger.map_or(Ok(None), |ledger| ledger.get(&watch.name, path))?;
                match ledger {
                    Some(ledger) if begun || known.is_some() => {
                        judge(watch, &digest, ledger, path, known.as_ref(), stamp)?
                    }
                    _ if watch.ignore_existing => (Fate::Skip, Some("is there at the first start".into())),
                    _ => fresh(stamp),
                }
            }
            _ => continue,
        };
        files.push(Previewed { path: file.relative, fate, reason });
    }
    Ok(files)
}

type Verdict = (Fate, Option<String>);

fn fresh(stamp: Stamp) -> Verdict {
    if stamp.len > 0 { (Fate::Take, None) } else { (Fate::Wait, Some("empty".into())) }
}

/// What becomes of the file at `path`, of which the ledger may have an `entry`. As the daemon judges: by the stamp, and
/// where that is new by the contents.
fn judge(
    watch: &WatchSettings,
    digest: &str,
    ledger: &Ledger,
    path: &Path,
    entry: Option<&Entry>,
    stamp: Stamp,
) -> Result<Verdict> {
    let reason = || entry.and_then(|entry| entry.reason.clone());
    match entry.filter(|entry| entry.stamp == stamp).map(|entry| entry.state) {
        Some(State::Done) => return Ok((Fate::Done, None)),
        Some(State::Failed) => return Ok((Fate::Failed, reason())),
        Some(State::Ignored) => return Ok((Fate::Skip, reason())),
        Some(State::Queued | State::Running) => return Ok((Fate::Take, reason())),
        Some(State::Seen | State::Settling) | None => {}
    }
    let hash = match hash_file(&watch.input.join(path)) {
        Ok(hash) => hash,
        Err(error) => return Ok((Fate::Wait, Some(error.to_string()))),
    };
    Ok(if ledger.is_result(&watch.name, &hash)? {
        (Fate::Skip, Some("is a result of this watch".into()))
    } else if entry.is_some_and(|entry| entry.is_made(&hash, digest)) {
        (Fate::Done, None)
    } else if entry.is_some_and(|entry| entry.is_given_up(&hash, digest, watch.attempts)) {
        (Fate::Failed, reason())
    } else {
        fresh(stamp)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use super::*;
    use crate::watch::fixture::{Fixture, WATCH, at};

    fn fates(fixture: &Fixture, watch: &WatchSettings, ledger: Option<&Ledger>) -> BTreeMap<String, Verdict> {
        let files = preview(watch, &fixture.path("state"), ledger).unwrap();
        files.into_iter().map(|file| (file.path.display().to_string(), (file.fate, file.reason))).collect()
    }

    /// What the daemon does with a file, in the words of a preview.
    fn fate(state: State) -> Fate {
        match state {
            State::Seen => Fate::Wait,
            State::Settling | State::Queued | State::Running => Fate::Take,
            State::Done => Fate::Done,
            State::Failed => Fate::Failed,
            State::Ignored => Fate::Skip,
        }
    }

    fn touch(fixture: &Fixture, name: &str) {
        let file = fs::File::options().append(true).open(fixture.path("in").join(name)).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    }

    /// Files in every state that they can be in when a daemon starts.
    fn history() -> Fixture {
        let fixture = Fixture::new();
        fixture.ledger.begin(WATCH).unwrap();
        for name in ["fresh.png", "psd.psd", "raw.xmp"] {
            fixture.write(name, name);
        }
        fixture.write("empty.png", "");
        for name in ["made.png", "made-touched.png", "made-changed.png", "settings.png"] {
            fixture.finish(name, name, &format!("result of {name}"));
        }
        fixture.write("made-changed.png", "another image");
        for name in ["result.png", "result-touched.png"] {
            fixture.write(name, "result of made.png");
        }
        let stamp = fixture.write("result-touched.png", "result of made.png");
        fixture
            .ledger
            .ignore(WATCH, Path::new("result-touched.png"), stamp, None, "is a result of this watch")
            .unwrap();
        for (name, attempts) in
            [("bad.png", 3), ("bad-touched.png", 3), ("few-touched.png", 1), ("mended.png", 3)]
        {
            fixture.ledger.fail(&fixture.queue(name, name), attempts, "no image").unwrap();
        }
        fixture.write("mended.png", "an image");
        fixture.queue("queued.png", "queued");
        let stamp = fixture.write("old.png", "old");
        fixture
            .ledger
            .ignore(WATCH, Path::new("old.png"), stamp, None, "was there at the first start")
            .unwrap();
        // Its original was moved away, and came back.
        for (name, result) in [("back.png", true), ("back-alone.png", false)] {
            let entry = fixture.finish(name, name, &format!("result of {name}"));
            fixture.ledger.dispose(&entry).unwrap();
            touch(&fixture, name);
            if !result {
                fs::remove_file(fixture.path("out").join(name)).unwrap();
            }
        }
        for name in ["made-touched.png", "result-touched.png", "bad-touched.png", "few-touched.png"] {
            touch(&fixture, name);
        }
        fixture
    }

    #[test]
    fn the_list_says_what_the_daemon_then_does() {
        let fixture = history();
        let watch = fixture.settings();
        let listed = fates(&fixture, &watch, Some(&fixture.ledger));
        fixture.look(&mut fixture.folder(watch), at(0));
        let mut done = BTreeMap::new();
        for name in listed.keys() {
            done.insert(name.clone(), (fate(fixture.state(name)), fixture.entry(name).reason));
        }
        for (name, (fate, reason)) in &listed {
            assert_eq!(*fate, done[name].0, "{name}: {reason:?}");
            if matches!(fate, Fate::Skip | Fate::Failed) {
                assert_eq!(*reason, done[name].1, "{name}");
            }
        }
        assert_eq!(listed.len(), 17, "{listed:?}");
    }

    #[test]
    fn without_a_ledger_everything_is_new() {
        let fixture = history();
        let listed = fates(&fixture, &fixture.settings(), None);
        assert_eq!(listed["made.png"], (Fate::Take, None));
        assert_eq!(listed["empty.png"], (Fate::Wait, Some("empty".into())));
        assert_eq!(listed["psd.psd"], (Fate::Skip, Some("Photoshop files cannot be read".into())));
        assert!(!listed.contains_key("raw.xmp"));
    }

    #[test]
    fn only_a_first_start_leaves_alone_what_is_there() {
        let fixture = Fixture::new();
        fixture.write("a.png", "1");
        let watch = WatchSettings { ignore_existing: true, ..fixture.settings() };
        let skipped = (Fate::Skip, Some("is there at the first start".into()));
        assert_eq!(fates(&fixture, &watch, None)["a.png"], skipped);
        assert_eq!(fates(&fixture, &watch, Some(&fixture.ledger))["a.png"], skipped);
        fixture.ledger.begin(WATCH).unwrap();
        assert_eq!(fates(&fixture, &watch, Some(&fixture.ledger))["a.png"], (Fate::Take, None));
    }

    #[test]
    fn folders_of_the_watch_itself_are_not_listed_and_a_missing_one_is_named() {
        let fixture = Fixture::new();
        for name in ["in/out", "in/sub"] {
            fs::create_dir(fixture.path(name)).unwrap();
            fs::write(fixture.path(name).join("a.png"), "1").unwrap();
        }
        let watch = WatchSettings { output: fixture.path("in/out"), recursive: true, ..fixture.settings() };
        assert_eq!(fates(&fixture, &watch, None).into_keys().collect::<Vec<_>>(), ["sub/a.png"]);
        fs::remove_dir_all(fixture.path("in")).unwrap();
        let error = preview(&watch, &fixture.path("state"), None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
        assert!(
            error.to_string().starts_with("cannot read ") && error.to_string().ends_with("/in"),
            "{error}"
        );
    }
}
