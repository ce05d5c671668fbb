//! `partdiff gimp` in a home that has profiles of every kind, with programs that are only names.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use assert_cmd::Command;
use partdiff::runtime::{Device, find};

use super::{Place, Ran};

/// The profiles, and the program that each must get; the last folder is of a version too old for plug-ins of ours.
const PROFILES: [(&str, &str, &str); 4] = [
    ("GIMP 2.10", "home/.config/GIMP/2.10", "partdiff-gimp2"),
    ("GIMP 3.0", "home/.config/GIMP/3.0", "partdiff-gimp3"),
    ("GIMP 3.2", "home/.config/GIMP/3.2", "partdiff-gimp3"),
    ("GIMP in Flatpak 3.2", "home/.var/app/org.gimp.GIMP/config/GIMP/3.2", "partdiff-gimp3"),
];
const TOO_OLD: &str = "home/.config/GIMP/2.8";

/// A copy of the command in `bin`, and an empty home.
fn place() -> Place {
    let place = Place::new();
    fs::create_dir_all(place.path("home")).unwrap();
    place.put_command("bin/partdiff");
    place
}

fn with_profiles(place: Place) -> Place {
    for folder in PROFILES.map(|(_, folder, _)| folder).into_iter().chain([TOO_OLD]) {
        fs::create_dir_all(place.path(folder)).unwrap();
    }
    place
}

/// The plug-ins and the library in `folders`, as names.
fn with_plug_ins(place: Place, [programs, library]: [&str; 2]) -> Place {
    for name in [&format!("{programs}/partdiff-gimp2"), &format!("{programs}/partdiff-gimp3"), library] {
        place.put(name, Path::new(name).file_name().unwrap().as_encoded_bytes());
    }
    place
}

/// Runs `partdiff gimp` with the place's home and a runtime that is not there.
fn gimp(place: &Place, arguments: &[&str]) -> Ran {
    command(place).arg("gimp").args(arguments).output().unwrap().into()
}

fn command(place: &Place) -> Command {
    let mut command = Command::new(place.path("bin/partdiff"));
    command.current_dir(place.path("")).env("HOME", place.path("home"));
    command.env("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so");
    for variable in ["XDG_CONFIG_HOME", "GIMP2_DIRECTORY", "GIMP3_DIRECTORY"] {
        command.env_remove(variable);
    }
    command
}

/// What was said of each profile, in order.
fn said(ran: &Ran, place: &Place) -> Vec<String> {
    let text = String::from_utf8(ran.stdout.clone()).unwrap();
    let lines: Vec<_> = text.lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), PROFILES.len(), "{text}");
    let pairs = lines.into_iter().zip(PROFILES);
    pairs
        .map(|(line, (name, folder, _))| {
            let start = format!("{name} ({}): ", place.path(folder).display());
            line.strip_prefix(&start).unwrap_or_else(|| panic!("{line:?} without {start:?}")).to_owned()
        })
        .collect()
}

#[test]
fn every_profile_gets_its_plug_in_and_loses_it_again() {
    let place = with_plug_ins(with_profiles(place()), ["bin", "bin/libpartdiff_capi.so"]);
    let before = place.files();
    let absent = said(&gimp(&place, &["status"]).expect(0), &place);
    assert!(absent.iter().all(|line| line.starts_with("no plug-in")), "{absent:?}");
    let ran = gimp(&place, &["install"]).expect(0);
    ran.says("The plug-in will not run yet");
    for (line, (_, folder, program)) in said(&ran, &place).iter().zip(PROFILES) {
        let folder = place.path(folder).join("plug-ins/partdiff-gimp");
        assert_eq!(*line, format!("installed in {}", folder.display()));
        assert_eq!(fs::read_to_string(folder.join("partdiff-gimp")).unwrap(), program);
        let mode = fs::metadata(folder.join("partdiff-gimp")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
        assert_eq!(fs::read_to_string(folder.join("libpartdiff.so.1")).unwrap(), "libpartdiff_capi.so");
        for language in ["de", "fr"] {
            let catalogue = folder.join(format!("locale/{language}/LC_MESSAGES/partdiff-gimp.mo"));
            assert_eq!(fs::read(catalogue).unwrap()[..4], 0x9504_12de_u32.to_le_bytes());
        }
    }
    assert_eq!(fs::read_dir(place.path(TOO_OLD)).unwrap().count(), 0);
    let current = said(&gimp(&place, &["status"]).expect(0), &place);
    assert_eq!(current, ["has this version of the plug-in"; 4]);

    place.put(format!("{}/plug-ins/partdiff-gimp/libpartdiff.so.1", PROFILES[2].1), b"older");
    let older = said(&gimp(&place, &["status"]).expect(0), &place);
    assert!(older[2].starts_with("has another version") && older[3] == current[3], "{older:?}");
    gimp(&place, &["install"]).expect(0);
    assert_eq!(said(&gimp(&place, &["status"]).expect(0), &place), current);

    assert_eq!(said(&gimp(&place, &["uninstall"]).expect(0), &place), ["removed"; 4]);
    assert_eq!(place.files(), before);
    assert_eq!(said(&gimp(&place, &["uninstall"]).expect(0), &place), ["had no plug-in"; 4]);
}

#[test]
fn the_plug_ins_of_an_installed_package_are_found() {
    let place = with_profiles(place());
    let place = with_plug_ins(place, ["lib/partdiff", "lib/libpartdiff.so.1"]);
    gimp(&place, &["install"]).expect(0);
    let folder = place.path(PROFILES[1].1).join("plug-ins/partdiff-gimp");
    assert_eq!(fs::read_to_string(folder.join("libpartdiff.so.1")).unwrap(), "libpartdiff.so.1");
}

#[test]
fn onnx_runtime_is_linked_to_where_it_is_found() {
    let Ok(library) = find(None, Device::Cpu) else {
        skipped!("no ONNX Runtime");
        return;
    };
    let place = with_plug_ins(with_profiles(place()), ["bin", "bin/libpartdiff_capi.so"]);
    let install = command(&place).env("ORT_DYLIB_PATH", &library.path).args(["gimp", "install"]).output();
    Ran::from(install.unwrap()).expect(0);
    for (_, folder, _) in PROFILES {
        let link = place.path(folder).join("plug-ins/partdiff-gimp/libonnxruntime.so");
        assert_eq!(fs::read_link(link).unwrap(), library.path);
    }
}

#[test]
fn variables_name_profiles_elsewhere() {
    let place = with_plug_ins(place(), ["bin", "bin/libpartdiff_capi.so"]);
    let install =
        command(&place).env("GIMP3_DIRECTORY", place.path("mine")).args(["gimp", "install"]).output();
    Ran::from(install.unwrap()).expect(0);
    let program = place.path("mine/plug-ins/partdiff-gimp/partdiff-gimp");
    assert_eq!(fs::read_to_string(program).unwrap(), "partdiff-gimp3");
}

#[test]
fn what_is_missing_is_named_and_nothing_is_made() {
    let place = place();
    gimp(&place, &["install"]).expect(2).says("start GIMP once");
    let place = with_profiles(place);
    let before = place.files();
    let ran = gimp(&place, &["install"]).expect(2);
    ran.says("partdiff-gimp2 is neither in");
    ran.says("cargo build --release");
    assert_eq!(place.files(), before);
}
