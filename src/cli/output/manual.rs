//! Manual pages: what the help says, as troff.

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

/// Name and contents of the page of `command` and of each of its subcommands, hidden ones left out.
pub fn pages(command: Command) -> Vec<(String, Vec<u8>)> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let version = format!("PartDiff {}", command.get_version().unwrap_or_default());
    let mut pages = Vec::new();
    collect(&command, &version, None, &mut pages);
    pages
}

fn collect(command: &Command, version: &str, parent: Option<&str>, pages: &mut Vec<(String, Vec<u8>)>) {
    let name = command.get_display_name().unwrap_or(command.get_name());
    pages.push((format!("{name}.1"), page(command, name, version, parent)));
    for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
        collect(subcommand, version, Some(name), pages);
    }
}

fn page(command: &Command, name: &str, version: &str, parent: Option<&str>) -> Vec<u8> {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").to_owned();
    let man = Man::new(command.clone().override_usage(usage));
    let mut head = Roff::new();
    // An empty date as "", or the version would take its place.
    head.control("TH", [name.to_uppercase().as_str(), "1", "\"\"", version, "PartDiff"]);
    let mut text = head.to_roff().into_bytes();
    // Writing to memory does not fail.
    let mut write = |section: &dyn Fn(&Man, &mut Vec<u8>) -> std::io::Result<()>| {
        section(&man, &mut text).expect("memory can be written");
    };
    write(&|man, text| man.render_name_section(text));
    write(&|man, text| man.render_synopsis_section(text));
    write(&|man, text| man.render_description_section(text));
    if command.get_arguments().any(|argument| !argument.is_hide_set()) {
        write(&|man, text| man.render_options_section(text));
    }
    if command.get_subcommands().any(|subcommand| !subcommand.is_hide_set()) {
        write(&|man, text| man.render_subcommands_section(text));
    }
    if let Some(after) = command.get_after_long_help().or(command.get_after_help()) {
        write(&|_, text| sections(&after.to_string()).to_writer(text));
    }
    if let Some(parent) = parent {
        let mut also = Roff::new();
        also.control("SH", ["SEE ALSO"]).control("BR", [parent, "(1)"]);
        write(&|_, text| also.to_writer(text));
    }
    text
}

/// The text below the help, in sections. A line that ends in a colon before indented lines is a heading; indented lines
/// are terms, each followed after two spaces by what it means, which may go on in lines that are indented further.
fn sections(text: &str) -> Roff {
    let (mut roff, mut notes, mut exit) = (Roff::new(), String::new(), None);
    for paragraph in text.split("\n\n") {
        let lines: Vec<&str> = paragraph.lines().collect();
        let list = lines.iter().position(|line| line.starts_with(' '));
        match list {
            Some(first) if first > 0 => {
                list_section(&mut roff, &lines[..first].join(" "), &lines[first..]);
            }
            _ => {
                for line in lines {
                    match line.strip_prefix("Exit status: ") {
                        Some(status) => exit = Some(status),
                        None => notes.extend([line, " "]),
                    }
                }
            }
        }
    }
    for (title, text) in [("NOTES", notes.trim()), ("EXIT STATUS", exit.unwrap_or_default())] {
        if !text.is_empty() {
            roff.control("SH", [title]).text([roman(text)]);
        }
    }
    roff
}

fn list_section(roff: &mut Roff, heading: &str, lines: &[&str]) {
    let heading = heading.trim_end_matches(':');
    let title = heading.split([' ', ',']).next().unwrap_or(heading);
    roff.control("SH", [title.to_uppercase().as_str()]);
    if title != heading {
        roff.text([roman(format!("{heading}:"))]);
    }
    let mut is_list = true;
    for line in lines {
        let indent = line.len() - line.trim_start().len();
        match (indent, line.trim().split_once("  ")) {
            (2, Some((term, meaning))) => {
                roff.control("TP", []).text([bold(term)]).text([roman(meaning.trim_start())]);
            }
            (2, None) => {
                roff.control("TP", []).text([bold(line.trim())]);
            }
            (0, _) => {
                if is_list {
                    roff.control("PP", []);
                }
                roff.text([roman(*line)]);
            }
            _ => {
                roff.text([roman(line.trim())]);
            }
        }
        is_list = indent > 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_sentences_below_the_help_become_sections() {
        let text = "Examples:\n  a b.png   makes one\n  a --long\n\nIt is so.\nExit status: 0 if done.\n\n\
                    Events of --json, with \"event\":\n  done      output,\n            seconds\nNames differ.";
        let expected = ".SH EXAMPLES\n.TP\n\\fBa b.png\\fR\nmakes one\n.TP\n\\fBa \\-\\-long\\fR\n.SH EVENTS\n\
                        Events of \\-\\-json, with \"event\":\n.TP\n\\fBdone\\fR\noutput,\nseconds\n.PP\nNames differ.\n\
                        .SH NOTES\nIt is so.\n.SH \"EXIT STATUS\"\n0 if done.\n";
        assert_eq!(sections(text).to_roff(), expected);
    }
}
