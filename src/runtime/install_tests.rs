//! Installation from small wheels made here; the download itself is tested through the command.

use super::*;
use crate::runtime::wheel::tests::{digest, write_wheel};

struct Refusing;

impl InstallObserver for Refusing {
    fn confirm(&mut self, _: &InstallPlan) -> bool {
        false
    }
    fn fetching(&mut self, package: &Package) {
        panic!("{} must not be fetched", package.name);
    }
}

/// No clients at all.
fn nobody() -> Clients {
    Clients { pythons: Vec::new(), search_path: Some("".into()) }
}

/// Says yes and notes what is fetched.
#[derive(Default)]
struct Willing(Vec<&'static str>);

impl InstallObserver for Willing {
    fn confirm(&mut self, _: &InstallPlan) -> bool {
        true
    }
    fn fetching(&mut self, package: &Package) {
        self.0.push(package.name);
    }
}

#[cfg(target_os = "linux")]
const LIBRARY: &str = "libonnxruntime.so.1.32.0";

/// An installation as `install_below` leaves it.
#[cfg(target_os = "linux")]
fn installed(root: &Path) -> PathBuf {
    let wheel = root.join("w.whl");
    write_wheel(&wheel, &[(&format!("onnxruntime/capi/{LIBRARY}"), b"library")], digest);
    let folder = root.join(Flavour::Cpu.folder_name());
    std::fs::create_dir(&folder).unwrap();
    let files = take_libraries(&wheel, &folder).unwrap();
    write_record(&folder, Flavour::Cpu, files).unwrap();
    folder
}

#[cfg(target_os = "linux")]
#[test]
fn only_the_needed_libraries_are_taken() {
    let root = tempfile::tempdir().unwrap();
    let wheel = root.path().join("w.whl");
    let files: [(&str, &[u8]); 6] = [
        ("onnxruntime/capi/libonnxruntime.so.1.31.1", b"a"),
        ("onnxruntime/capi/libonnxruntime_providers_cuda.so", b"b"),
        ("onnxruntime/capi/onnxruntime_pybind11_state.cpython-312-x86_64-linux-gnu.so", b"c"),
        ("nvidia/cu13/lib/libcublas.so.13", b"d"),
        ("nvidia/cu13/lib/libnvblas.so.13", b"e"),
        ("elsewhere/libcublas.so.13", b"f"),
    ];
    write_wheel(&wheel, &files, digest);
    let folder = root.path().join("set");
    std::fs::create_dir(&folder).unwrap();
    let taken = take_libraries(&wheel, &folder).unwrap();
    let mut names: Vec<_> = taken.iter().map(|file| file.name.as_str()).collect();
    names.sort();
    assert_eq!(names, ["libcublas.so.13", "libonnxruntime.so.1.31.1", "libonnxruntime_providers_cuda.so"]);
    assert_eq!(std::fs::read(folder.join("libcublas.so.13")).unwrap(), b"d");
    assert_eq!(write_record(&folder, Flavour::Cuda, taken).unwrap(), "libonnxruntime.so.1.31.1");
    assert_eq!(intact(&folder), Some(Ok(folder.join("libonnxruntime.so.1.31.1"))));

    write_wheel(&wheel, &files[5..], digest);
    let error = take_libraries(&wheel, &folder).unwrap_err();
    assert!(error.to_string().ends_with("holds no library to install"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn an_intact_installation_is_kept_and_a_damaged_one_named() {
    let root = tempfile::tempdir().unwrap();
    let folder = installed(root.path());
    let again =
        install_below(root.path(), Flavour::Cpu, packages(Flavour::Cpu), &nobody(), &mut Refusing).unwrap();
    assert_eq!(again, Installed::AlreadyThere(folder.join(LIBRARY)));

    std::fs::write(folder.join(LIBRARY), b"Library").unwrap();
    struct Asked(Option<InstallPlan>);
    impl InstallObserver for Asked {
        fn confirm(&mut self, plan: &InstallPlan) -> bool {
            self.0 = Some(plan.clone());
            false
        }
        fn fetching(&mut self, _: &Package) {}
    }
    let mut asked = Asked(None);
    let error =
        install_below(root.path(), Flavour::Cpu, packages(Flavour::Cpu), &nobody(), &mut asked).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    let plan = asked.0.unwrap();
    assert!(plan.replaces.unwrap().starts_with("libonnxruntime.so.1.32.0 was changed"));
    assert_eq!(plan.folder, folder);
    // Called off: what was there stays.
    assert_eq!(std::fs::read(folder.join(LIBRARY)).unwrap(), b"Library");
}

#[test]
fn the_cuda_set_is_announced_with_its_size() {
    let root = tempfile::tempdir().unwrap();
    let plan = InstallPlan {
        flavour: Flavour::Cuda,
        folder: root.path().join("cuda"),
        packages: packages(Flavour::Cuda),
        replaces: None,
    };
    assert_eq!(plan.megabytes(), 1260);
    let error =
        install_below(root.path(), Flavour::Cuda, plan.packages, &nobody(), &mut Refusing).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0, "called off, nothing may be written");
}

#[test]
fn work_folders_of_killed_installations_are_removed_when_old() {
    let root = tempfile::tempdir().unwrap();
    let (old, young) = (root.path().join(".installing-old"), root.path().join(".installing-young"));
    let other = root.path().join("other");
    for folder in [&old, &young, &other] {
        std::fs::create_dir(folder).unwrap();
    }
    let past = SystemTime::now() - Duration::from_secs(7200);
    for folder in [&old, &other] {
        File::open(folder).unwrap().set_modified(past).unwrap();
    }
    remove_leftovers(root.path());
    assert_eq!((old.exists(), young.exists(), other.exists()), (false, true, true));
}

/// A stand-in for Python in `folder`, whose pip "downloads" `wheel`: it copies it to the folder after `--dest`.
#[cfg(target_os = "linux")]
fn fake_python(folder: &Path, wheel: &Path) -> Clients {
    use std::os::unix::fs::PermissionsExt;
    let script = format!(
        "#!/bin/sh\n\
         [ \"$1 $2 $3\" = '-m pip download' ] || exit 9\n\
         while [ \"$1\" != --dest ]; do shift; done\n\
         [ \"$3\" = onnxruntime==1.32.0 ] || exit 8\n\
         exec /bin/cp '{}' \"$2/onnxruntime-1.32.0-cp312-cp312-any.whl\"\n",
        wheel.display()
    );
    let python = folder.join("python3");
    std::fs::write(&python, script).unwrap();
    std::fs::set_permissions(&python, std::fs::Permissions::from_mode(0o755)).unwrap();
    Clients { pythons: vec!["python3".into()], search_path: Some(folder.as_os_str().to_owned()) }
}

#[cfg(target_os = "linux")]
#[test]
fn a_download_is_verified_and_takes_its_place_whole() {
    let (tools, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let wheel = tools.path().join("source.whl");
    let inside = format!("onnxruntime/capi/{LIBRARY}");
    let clients = fake_python(tools.path(), &wheel);
    let attempt = |observer: &mut dyn InstallObserver| {
        install_below(root.path(), Flavour::Cpu, packages(Flavour::Cpu), &clients, observer)
    };
    let entries = || {
        let names = std::fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.collect::<Vec<_>>()
    };

    write_wheel(&wheel, &[(&inside, b"library")], |_| digest(b"another"));
    let error = attempt(&mut Willing::default()).unwrap_err();
    assert!(error.to_string().contains("does not agree with the wheel's record"), "{error}");
    assert!(entries().is_empty(), "a failed installation leaves nothing: {:?}", entries());

    write_wheel(&wheel, &[(&inside, b"library")], digest);
    let mut willing = Willing::default();
    let library = root.path().join(Flavour::Cpu.folder_name()).join(LIBRARY);
    assert_eq!(attempt(&mut willing).unwrap(), Installed::Fresh(library.clone()));
    assert_eq!(willing.0, ["onnxruntime"]);
    assert_eq!(std::fs::read(&library).unwrap(), b"library");
    assert_eq!(entries(), [std::ffi::OsString::from(Flavour::Cpu.folder_name())]);
    assert_eq!(attempt(&mut Refusing).unwrap(), Installed::AlreadyThere(library.clone()));

    std::fs::write(&library, b"cut").unwrap();
    assert_eq!(attempt(&mut Willing::default()).unwrap(), Installed::Fresh(library.clone()));
    assert_eq!(std::fs::read(&library).unwrap(), b"library");
    assert_eq!(entries().len(), 1);
}
