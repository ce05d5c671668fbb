//! The configuration file of a service with several watches.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::watch_settings::{WatchSettings, refuse_loops};
use crate::engine::RuntimeOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::runtime::Device;
use crate::watch::worker::protocol::Setup;

/// What a configuration file says.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The state folder.
    pub state: Option<PathBuf>,
    /// Device, library, threads and niceness.
    pub setup: Setup,
    /// A file for metrics.
    pub metrics: Option<PathBuf>,
    /// The watches, prepared.
    pub watches: Vec<WatchSettings>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    state: Option<PathBuf>,
    #[serde(default)]
    device: Device,
    library: Option<PathBuf>,
    threads: Option<usize>,
    #[serde(default)]
    nice: i32,
    metrics: Option<PathBuf>,
    #[serde(default)]
    watch: Vec<Spanned<WatchSettings>>,
}

impl Config {
    /// Reads the file at `path`, and checks and prepares its watches.
    ///
    /// # Errors
    /// `InvalidOption` naming file and line; `Input` where the file cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|error| {
            Error::with_source(ErrorKind::Input, format!("cannot read {}", path.display()), error)
        })?;
        Self::parse(&text).map_err(|error| error.context(path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let wrong = |line: usize, what: &str| Error::invalid_option(format!("line {line}: {what}"));
        let line = |offset: usize| text[..offset.min(text.len())].matches('\n').count() + 1;
        let file: File = toml::from_str(text)
            .map_err(|error| wrong(line(error.span().map_or(0, |span| span.start)), error.message()))?;
        if file.watch.is_empty() {
            return Err(wrong(line(text.len()), "expected at least one [[watch]]"));
        }
        let mut watches = Vec::new();
        for spanned in file.watch {
            let at = line(spanned.span().start);
            let mut watch = spanned.into_inner();
            watch.prepare().map_err(|error| wrong(at, &format!("in this watch: {}", error.report())))?;
            watches.push(watch);
        }
        refuse_loops(&watches)?;
        if !(0..=19).contains(&file.nice) {
            return Err(wrong(1, "nice is out of range: expected 0 to 19"));
        }
        if file.threads == Some(0) {
            return Err(wrong(1, "threads is 0: expected at least 1"));
        }
        let File { device, library, threads, .. } = file;
        let setup =
            Setup { runtime: RuntimeOptions { library, device, threads, memory: None }, nice: file.nice };
        Ok(Self { state: file.state, setup, metrics: file.metrics, watches })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_two_watches() {
        let root = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            fs::create_dir(root.path().join(name)).unwrap();
        }
        let text = "nice = 5\n[[watch]]\nin = \"@/a\"\nout = \"@/x\"\nsettle = \"5s\"\nhours = \"22:00-6:00\"\n\
                    upscale = { steps = 2, format = \"png\" }\n[[watch]]\nin = \"@/b\"\nout = \"@/y\"\n";
        let text = text.replace('@', root.path().to_str().unwrap());
        let config = Config::parse(&text).unwrap();
        assert_eq!((config.setup.nice, config.watches.len()), (5, 2));
        assert_eq!(config.watches[0].upscale.steps, Some(2));
        assert_eq!((config.watches[0].name.as_str(), config.watches[1].name.as_str()), ("a", "b"));
        for (good, bad, line) in [
            ("settle = \"5s\"", "settle = \"5 apples\"", "line 5: time \"5 apples\""),
            ("hours = \"22:00-6:00\"", "hours = \"late\"", "line 6: hours \"late\""),
            ("steps = 2", "stops = 2", "line 7: unknown field `stops`"),
            ("steps = 2", "steps = 0", "line 2: in this watch: steps is 0"),
            ("steps = 2", "steps = 5000", "line 2: in this watch: steps is 5000, expected 1 to"),
            (
                "steps = 2",
                "preset = \"nope\"",
                "line 2: in this watch: no preset \"nope\" in model natural-x4",
            ),
            ("/b\"", "/none\"", "line 8: in this watch: cannot use the folder"),
            ("nice = 5", "nice = \"x\"", "line 1"),
            ("nice = 5", "device = \"toaster\"", "toaster"),
            ("nice = 5", "threads = 0", "threads is 0"),
        ] {
            let error = Config::parse(&text.replacen(good, bad, 1)).unwrap_err().to_string();
            assert!(error.contains(line), "{bad}: {error}");
        }
        assert!(Config::parse("").unwrap_err().to_string().contains("at least one"));
    }
}
