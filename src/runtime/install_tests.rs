//! Installation from small packages made here, the last one with the real pip.

use super::*;

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

/// Writes what a wheel of `files` holds.
#[cfg(target_os = "linux")]
fn unpack(root: &Path, files: &[(&str, &[u8])]) -> PathBuf {
    let unpacked = root.join("unpacked");
    for (name, content) in files {
        let path = unpacked.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    unpacked
}

/// An installation as `install_below` leaves it.
#[cfg(target_os = "linux")]
fn installed(root: &Path) -> PathBuf {
    let unpacked = unpack(root, &[(&format!("onnxruntime/capi/{LIBRARY}"), b"library")]);
    let folder = root.join(Flavour::Cpu.folder_name());
    std::fs::create_dir(&folder).unwrap();
    let files = take_libraries(&unpacked, &folder).unwrap();
    write_record(&folder, Flavour::Cpu, files).unwrap();
    folder
}

#[cfg(target_os = "linux")]
#[test]
fn only_the_needed_libraries_are_taken() {
    let root = tempfile::tempdir().unwrap();
    let files: [(&str, &[u8]); 6] = [
        ("onnxruntime/capi/libonnxruntime.so.1.31.1", b"a"),
        ("onnxruntime/capi/libonnxruntime_providers_cuda.so", b"b"),
        ("onnxruntime/capi/onnxruntime_pybind11_state.cpython-312-x86_64-linux-gnu.so", b"c"),
        ("nvidia/cu13/lib/libcublas.so.13", b"d"),
        ("nvidia/cu13/lib/libnvblas.so.13", b"e"),
        ("elsewhere/libcublas.so.13", b"f"),
    ];
    let unpacked = unpack(root.path(), &files);
    let folder = root.path().join("set");
    std::fs::create_dir(&folder).unwrap();
    let taken = take_libraries(&unpacked, &folder).unwrap();
    let mut names: Vec<_> = taken.iter().map(|file| file.name.as_str()).collect();
    names.sort();
    assert_eq!(names, ["libcublas.so.13", "libonnxruntime.so.1.31.1", "libonnxruntime_providers_cuda.so"]);
    assert_eq!(std::fs::read(folder.join("libcublas.so.13")).unwrap(), b"d");
    assert_eq!(write_record(&folder, Flavour::Cuda, taken).unwrap(), "libonnxruntime.so.1.31.1");
    assert_eq!(intact(&folder), Some(Ok(folder.join("libonnxruntime.so.1.31.1"))));

    // The rest of the same packages.
    let error = take_libraries(&unpacked, &folder).unwrap_err();
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

#[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
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

#[test]
fn platforms_without_a_pinned_wheel_are_told_before_the_download() {
    const NONE: &[Package] =
        &[Package { name: "onnxruntime", version: "1.32.0", megabytes: 28, hashes: &[] }];
    let root = tempfile::tempdir().unwrap();
    let error = install_below(root.path(), Flavour::Cpu, NONE, &nobody(), &mut Refusing).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Runtime);
    assert!(error.to_string().starts_with("onnxruntime: there is no prebuilt library for "), "{error}");
}

/// The user's pip, which sees nothing but the wheels in `folder`; `None` where there is none.
#[cfg(target_os = "linux")]
fn offline_pip(folder: &Path) -> Option<Clients> {
    use std::os::unix::fs::PermissionsExt;
    let ask = ["-c", "import pip, sys; print(sys.executable)"];
    let output = std::process::Command::new("python3").args(ask).output().ok()?;
    let python = String::from_utf8(output.stdout).unwrap();
    if !output.status.success() {
        return None;
    }
    let script = format!(
        "#!/bin/sh\n\
         [ \"$2\" = pip ] || exit 9\n\
         PIP_CONFIG_FILE=/dev/null PIP_NO_INDEX=1 PIP_FIND_LINKS='{}' exec '{}' \"$@\"\n",
        folder.display(),
        python.trim()
    );
    let path = folder.join("python3");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    Some(Clients { pythons: vec![path], search_path: Some("".into()) })
}

/// Writes a wheel of `onnxruntime` that holds the library and what pip asks of a wheel.
#[cfg(target_os = "linux")]
fn write_wheel(path: &Path) {
    use std::io::Write;
    let mut zip = zip::ZipWriter::new(File::create(path).unwrap());
    let library = format!("onnxruntime/capi/{LIBRARY}");
    let info = |name: &str| format!("onnxruntime-1.32.0.dist-info/{name}");
    let metadata = "Metadata-Version: 2.1\nName: onnxruntime\nVersion: 1.32.0\n";
    let wheel = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: py3-none-any\n";
    let record = format!("{library},,\n{},,\n{},,\n{},,\n", info("METADATA"), info("WHEEL"), info("RECORD"));
    let files = [
        (library, "library"),
        (info("METADATA"), metadata),
        (info("WHEEL"), wheel),
        (info("RECORD"), record.as_str()),
    ];
    for (name, content) in files {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    zip.finish().unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_download_is_verified_and_takes_its_place_whole() {
    let (tools, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let Some(clients) = offline_pip(tools.path()) else {
        return skipped!("python3 has no pip");
    };
    let wheel = tools.path().join("onnxruntime-1.32.0-py3-none-any.whl");
    write_wheel(&wheel);
    let attempt = |packages: &'static [Package], observer: &mut dyn InstallObserver| {
        install_below(root.path(), Flavour::Cpu, packages, &clients, observer)
    };
    let entries = || {
        let names = std::fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.collect::<Vec<_>>()
    };

    let error = attempt(packages(Flavour::Cpu), &mut Willing::default()).unwrap_err();
    assert!(error.to_string().contains("DO NOT MATCH THE HASHES"), "{error}");
    assert!(entries().is_empty(), "a failed installation leaves nothing: {:?}", entries());

    let hash: &'static str = sha256(&wheel).unwrap().leak();
    let platform = format!("linux-{}", std::env::consts::ARCH).leak();
    let hashes = Box::leak(Box::new([(&*platform, hash)]));
    let pinned: &'static [Package] = vec![Package { hashes, ..packages(Flavour::Cpu)[0] }].leak();
    let mut willing = Willing::default();
    let library = root.path().join(Flavour::Cpu.folder_name()).join(LIBRARY);
    assert_eq!(attempt(pinned, &mut willing).unwrap(), Installed::Fresh(library.clone()));
    assert_eq!(willing.0, ["onnxruntime"]);
    assert_eq!(std::fs::read(&library).unwrap(), b"library");
    assert_eq!(entries(), [std::ffi::OsString::from(Flavour::Cpu.folder_name())]);
    assert_eq!(attempt(pinned, &mut Refusing).unwrap(), Installed::AlreadyThere(library.clone()));

    std::fs::write(&library, b"cut").unwrap();
    assert_eq!(attempt(pinned, &mut Willing::default()).unwrap(), Installed::Fresh(library.clone()));
    assert_eq!(std::fs::read(&library).unwrap(), b"library");
    assert_eq!(entries().len(), 1);
}
