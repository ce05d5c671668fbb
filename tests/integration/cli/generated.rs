//! Manual pages and completions, as packages get them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::Place;
use crate::program::are_there;

/// Subcommands that the help of `words` lists.
fn subcommands(place: &Place, words: &[String]) -> Vec<String> {
    let help = help(place, words);
    let Some((_, list)) = help.split_once("Commands:\n") else { return Vec::new() };
    let names = list.lines().take_while(|line| line.starts_with("  "));
    let names =
        names.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

fn help(place: &Place, words: &[String]) -> String {
    let output = place.command().args(words).arg("--help").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// `command` and all subcommands below it, each as its words.
fn tree(place: &Place, words: Vec<String>, all: &mut Vec<Vec<String>>) {
    for name in subcommands(place, &words) {
        tree(place, [words.clone(), vec![name]].concat(), all);
    }
    all.push(words);
}

/// What of `text` starts with `--`.
fn long_options(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    words.filter(|word| word.len() > 2 && word.starts_with("--")).map(str::to_owned).collect()
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn every_subcommand_has_a_page_that_says_what_its_help_says() {
    let place = Place::new();
    // Twice: the second replaces the first.
    for _ in 0..2 {
        place.command().args(["generate", "man", "share/man1"]).assert().success();
    }
    let folder = place.path("share/man1");
    let mut commands = Vec::new();
    tree(&place, Vec::new(), &mut commands);
    let page = |words: &[String]| [&["partdiff".to_owned()], words].concat().join("-") + ".1";
    assert!(commands.len() > 15 && commands.contains(&vec!["watch".into(), "status".into()]), "{commands:?}");
    assert_eq!(names(&folder), commands.iter().map(|words| page(words)).collect());
    for words in &commands {
        let text = fs::read_to_string(folder.join(page(words))).unwrap();
        let text = ["\\fB", "\\fI", "\\fR"]
            .iter()
            .fold(text.replace("\\-", "-"), |text, font| text.replace(font, " "));
        let missing: Vec<_> =
            long_options(&help(&place, words)).difference(&long_options(&text)).cloned().collect();
        assert!(missing.is_empty(), "{words:?} lacks {missing:?}");
    }
    if !are_there(&["man"]) {
        return;
    }
    for words in &commands {
        let output = Command::new("man")
            .args(["--warnings=w", "--encoding=UTF-8", "--local-file"])
            .arg(folder.join(page(words)))
            .env("MANWIDTH", "80")
            .output()
            .unwrap();
        let (text, warnings) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && warnings.is_empty(), "{words:?}: {warnings}");
        assert!(text.contains(&format!("PartDiff {}", env!("CARGO_PKG_VERSION"))), "{text}");
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(80), "{words:?} has lines of {widest:?}");
    }
}

#[test]
fn completions_parse_and_offer_what_there_is() {
    let place = Place::new();
    place.command().args(["generate", "completions", "."]).assert().success();
    let files = ["_partdiff", "_partdiff.ps1", "partdiff.bash", "partdiff.elv", "partdiff.fish"];
    assert_eq!(place.files(), files);
    for file in files {
        let text = fs::read_to_string(place.path(file)).unwrap();
        assert!(text.contains("skip-existing") && !text.contains("watch-worker"), "{file}");
    }
    let run = |program: &str, script: &str| {
        let output = Command::new(program).current_dir(place.path("")).args(["-c", script]).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{program}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    if are_there(&["bash"]) {
        let script = "source partdiff.bash; COMP_WORDS=(partdiff upscale --skip) COMP_CWORD=2; \
                      _partdiff partdiff --skip upscale; printf '%s\n' \"${COMPREPLY[@]}\"";
        assert_eq!(run("bash", script), "--skip-existing\n");
    }
    if are_there(&["fish"]) {
        let script = "source partdiff.fish; complete --do-complete 'partdiff upscale --skip'";
        assert!(run("fish", script).starts_with("--skip-existing\t"));
    }
    if are_there(&["zsh"]) {
        run(
            "zsh",
            "autoload -U compinit && compinit -D && source ./_partdiff && whence _partdiff > /dev/null",
        );
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let place = Place::new();
    place.put("file", b"");
    let ran: super::Ran = place.command().args(["generate", "man", "file/in"]).output().unwrap().into();
    ran.expect(2).says("cannot make file/in");
}
