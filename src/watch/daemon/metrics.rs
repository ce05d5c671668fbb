//! Figures about the service as Prometheus reads them, for a file that node_exporter or a person collects.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::folder::Folder;
use crate::watch::ledger::entry::State;
use crate::watch::ledger::views::Counts;
use crate::watch::source::filesystem::free_bytes;

/// The text of the file: how many inputs stand where, by watch, and what was done since the start.
pub fn render(folders: &[Folder], counts: &BTreeMap<String, Counts>, deaths: u64) -> String {
    let mut text = String::new();
    let mut family = |name: &str, kind: &str, help: &str, lines: Vec<(String, String)>| {
        let _ = writeln!(text, "# HELP partdiff_watch_{name} {help}\n# TYPE partdiff_watch_{name} {kind}");
        for (labels, value) in lines {
            let _ = writeln!(text, "partdiff_watch_{name}{labels} {value}");
        }
    };
    let mut inputs = Vec::new();
    for folder in folders {
        let known = counts.get(&folder.settings.name);
        for state in State::ALL {
            let count = known.and_then(|counts| counts.get(&state)).copied().unwrap_or(0);
            let labels = format!("{{watch=\"{}\",state=\"{state}\"}}", escaped(&folder.settings.name));
            inputs.push((labels, count.to_string()));
        }
    }
    family("inputs", "gauge", "Inputs by state.", inputs);
    let per_folder = |value: &dyn Fn(&Folder) -> Option<String>| {
        let line = |folder: &Folder| {
            Some((format!("{{watch=\"{}\"}}", escaped(&folder.settings.name)), value(folder)?))
        };
        folders.iter().filter_map(line).collect()
    };
    let totals = |value: fn(&Folder) -> u64| per_folder(&|folder| Some(value(folder).to_string()));
    family("results_total", "counter", "Results that were placed.", totals(|folder| folder.totals.done));
    let reused = totals(|folder| folder.totals.reused);
    family(
        "reused_total",
        "counter",
        "Results that are copies of earlier ones of the same contents.",
        reused,
    );
    family("failures_total", "counter", "Files that were given up.", totals(|folder| folder.totals.failed));
    let seconds = per_folder(&|folder| Some(format!("{:.6}", folder.totals.engine_seconds)));
    family(
        "engine_seconds_total",
        "counter",
        "Seconds that results spent in the engine, several at a time.",
        seconds,
    );
    let paused = totals(|folder| u64::from(folder.trouble.is_some()));
    family("paused", "gauge", "Whether nothing is done, because of the surroundings or the hours.", paused);
    let free = per_folder(&|folder| free_bytes(&folder.settings.output).map(|bytes| bytes.to_string()));
    family("free_bytes", "gauge", "Free space for results.", free);
    let deaths = vec![(String::new(), deaths.to_string())];
    family("worker_deaths_total", "counter", "Worker processes that died.", deaths);
    text
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::daemon::totals::Totals;
    use crate::watch::fixture::Fixture;
    use crate::watch::settings::watch_settings::WatchSettings;

    #[test]
    fn each_watch_has_a_line_for_every_figure_even_if_nothing_is_known_of_it() {
        let fixture = Fixture::new();
        let mut folder = fixture.folder(WatchSettings { name: "a \"b\"\\c\nd".into(), ..fixture.settings() });
        folder.totals = Totals { done: 5, reused: 2, failed: 1, engine_seconds: 1.5 };
        folder.trouble = Some("disk full".into());
        let mut away = fixture.folder(fixture.settings());
        away.settings.output = fixture.path("nowhere");
        let counts = BTreeMap::from([("w".into(), Counts::from([(State::Done, 7)]))]);
        let text = render(&[folder, away], &counts, 3);
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let name = r#"a \"b\"\\c\nd"#;
        for line in [
            r#"inputs{watch="w",state="done"} 7"#.to_owned(),
            r#"inputs{watch="w",state="failed"} 0"#.to_owned(),
            format!("inputs{{watch=\"{name}\",state=\"done\"}} 0"),
            format!("results_total{{watch=\"{name}\"}} 5"),
            format!("reused_total{{watch=\"{name}\"}} 2"),
            format!("failures_total{{watch=\"{name}\"}} 1"),
            format!("engine_seconds_total{{watch=\"{name}\"}} 1.500000"),
            format!("paused{{watch=\"{name}\"}} 1"),
            r#"paused{watch="w"} 0"#.to_owned(),
            "worker_deaths_total 3".to_owned(),
        ] {
            let line = format!("partdiff_watch_{line}");
            assert_eq!(lines.iter().filter(|found| **found == line).count(), 1, "{line} in {text}");
        }
        // What cannot be known has no line, rather than 0.
        assert!(!text.contains(r#"free_bytes{watch="w"}"#), "{text}");
        let families = text.lines().filter(|line| line.starts_with("# TYPE ")).count();
        assert_eq!((families, lines.len()), (8, 14 + 5 * 2 + usize::from(cfg!(unix)) + 1));
    }
}
