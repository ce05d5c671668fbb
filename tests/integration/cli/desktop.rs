//! `partdiff desktop`: the entries in a home, and what they run, with a notification that is written down.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use assert_cmd::Command;

use super::{Place, Ran};

fn desktop(place: &Place, arguments: &[&str]) -> Ran {
    let mut command = Command::new(place.path("bin/partdiff"));
    command.current_dir(place.path("")).env("HOME", place.path("home")).env_remove("XDG_DATA_HOME");
    command.env("PATH", place.path("tools")).arg("desktop").args(arguments).output().unwrap().into()
}

fn place() -> Place {
    let place = Place::new();
    place.put_command("bin/partdiff");
    place.put("tools/notify-send", b"#!/bin/sh\nprintf '%s\\n' \"$@\" > said\n");
    fs::set_permissions(place.path("tools/notify-send"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir_all(place.path("home")).unwrap();
    place
}

#[test]
fn the_entries_come_and_go() {
    let place = place();
    let before = place.files();
    desktop(&place, &["status"]).expect(0).prints("no entries");
    desktop(&place, &["install"]).expect(0);
    desktop(&place, &["status"]).expect(0).prints("has this version of the entries");
    let share = place.path("home/.local/share");
    for path in ["applications", "kio/servicemenus", "Thunar/sendto"] {
        let path = share.join(path).join("partdiff-upscale.desktop");
        let check = std::process::Command::new("desktop-file-validate").arg(&path).output();
        match check {
            // Dolphin's file is of a kind that the specification does not know.
            Ok(check) if !path.to_string_lossy().contains("kio") => {
                assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
            }
            Ok(_) => {}
            Err(_) => skipped!("no desktop-file-validate"),
        }
        let program = place.path("bin/partdiff");
        assert!(fs::read_to_string(&path).unwrap().contains(&format!("\"{}\"", program.display())));
    }
    desktop(&place, &["uninstall"]).expect(0).prints("removed");
    assert_eq!(place.files(), before);
    desktop(&place, &["uninstall"]).expect(0).prints("had no entries");
}

#[test]
fn an_entry_ends_with_a_notification() {
    let place = place();
    place.put("bad.png", b"no image");
    desktop(&place, &["upscale", "bad.png"]).expect(1);
    let said = fs::read_to_string(place.path("said")).unwrap();
    assert!(said.contains("critical\n--\nNothing was upscaled\n"), "{said}");
    assert!(said.contains("bad.png"), "{said}");
}
