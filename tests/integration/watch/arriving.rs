//! Fifty images of all kinds, arriving in every awkward way, through the real model.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use partdiff::Limits;
use partdiff::image::{EncodeOptions, Image, ImageFormat, Raster, SampleDepth, decode, encode};

use super::faults::unprivileged;
use super::place::{Place, ppm};

/// A small image; `seed` makes each another one.
fn test_image(format: ImageFormat, seed: usize) -> Vec<u8> {
    let (height, width, channels) = (7, 9, if seed % 5 == 4 { 1 } else { 3 });
    let value = |at: usize| 0.2 + 0.6 * ((at * 37 + seed * 101) % 97) as f32 / 97.0;
    let color =
        Raster::from_vec(channels, height, width, (0..channels * height * width).map(value).collect());
    let clear =
        matches!(format, ImageFormat::Png | ImageFormat::Tiff | ImageFormat::WebP) && seed.is_multiple_of(3);
    let alpha = clear.then(|| Raster::from_vec(1, height, width, (0..height * width).map(value).collect()));
    let deep =
        matches!(format, ImageFormat::Png | ImageFormat::Tiff | ImageFormat::Pnm) && seed.is_multiple_of(2);
    let depth = match format {
        ImageFormat::OpenExr | ImageFormat::Hdr | ImageFormat::Pfm => SampleDepth::F32,
        _ if deep => SampleDepth::U16,
        _ => SampleDepth::U8,
    };
    let mut image = Image::new(color, alpha, depth, format);
    image.linear = depth == SampleDepth::F32;
    encode(&image, &EncodeOptions::new(format)).unwrap().bytes
}

/// What a test expects and how it puts files into IN.
struct Story {
    input: PathBuf,
    aside: PathBuf,
    good: BTreeSet<Vec<u8>>,
    bad: BTreeSet<String>,
}

impl Story {
    fn good(&mut self, name: impl AsRef<OsStr>) -> PathBuf {
        let name = name.as_ref();
        assert!(self.good.insert(name.as_bytes().to_vec()), "{name:?} twice");
        let path = self.input.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    fn bad(&mut self, name: &str, bytes: &[u8]) {
        assert!(self.bad.insert(name.into()));
        fs::write(self.input.join(name), bytes).unwrap();
    }

    /// A finished file outside IN.
    fn aside(&self, bytes: &[u8]) -> PathBuf {
        fs::write(&self.aside, bytes).unwrap();
        self.aside.clone()
    }
}

#[test]
fn fifty_files_that_arrive_in_awkward_ways_end_once_in_out_or_in_quarantine() {
    let Some(place) = Place::real() else { return };
    let mut story = Story {
        input: place.path("in"),
        aside: place.path("aside"),
        good: BTreeSet::new(),
        bad: BTreeSet::new(),
    };
    let input = story.input.clone();

    // There at the start: images, a placeholder, links in a circle, a pipe and a socket.
    fs::write(story.good("there.ppm"), ppm(8, 0)).unwrap();
    fs::write(story.good("sub/deep/there.png"), test_image(ImageFormat::Png, 1)).unwrap();
    let placeholder = story.good("placeholder.ppm");
    fs::write(&placeholder, b"").unwrap();
    fs::write(input.join("never-filled.png"), b"").unwrap();
    symlink(&input, input.join("sub/loop")).unwrap();
    symlink("round.png", input.join("round.png")).unwrap();
    assert!(Command::new("mkfifo").arg(input.join("pipe.ppm")).status().unwrap().success());
    let _socket = UnixListener::bind(input.join("socket.png")).unwrap();
    let locked = story.good("locked.ppm");
    fs::write(&locked, ppm(8, 2)).unwrap();
    fs::set_permissions(&locked, Permissions::from_mode(0o000)).unwrap();
    let limited = unprivileged(place.command("--recursive --exclude skip"));
    let locks = limited.is_some();
    let mut daemon = place.spawn(&mut limited.unwrap_or_else(|| place.command("--recursive --exclude skip")));
    place.until("the first result", || !place.visible().is_empty());

    // A burst of every format that can be written, moved and written.
    use ImageFormat::{Bmp, Hdr, Jpeg, OpenExr, Pam, Pfm, Png, Pnm, Qoi, Tiff, WebP};
    for (index, format) in
        [Png, Jpeg, WebP, Tiff, Bmp, Pnm, Pam, Pfm, Qoi, OpenExr, Hdr].into_iter().enumerate()
    {
        let ext = format.extensions()[0];
        fs::write(story.good(format!("burst/written.{ext}")), test_image(format, index)).unwrap();
        let moved = story.good(format!("burst/moved-{index}.{ext}"));
        fs::rename(story.aside(&test_image(format, 20 + index)), moved).unwrap();
    }
    // By hard link, by a link to a file, from a download, with an extension that lies.
    let linked = story.aside(&ppm(8, 40));
    fs::hard_link(&linked, story.good("hard-link.ppm")).unwrap();
    fs::remove_file(&linked).unwrap();
    fs::write(place.path("target.ppm"), ppm(8, 41)).unwrap();
    symlink(place.path("target.ppm"), story.good("soft-link.ppm")).unwrap();
    let download = input.join("download.png.crdownload");
    fs::write(&download, &test_image(Png, 42)[..50]).unwrap();
    fs::write(story.good("really-a-png.jpg"), test_image(Png, 43)).unwrap();
    fs::write(story.good("UPPER.PNG"), test_image(Png, 44)).unwrap();
    // Names.
    fs::write(story.good("naïve ☃ 画像.png"), test_image(Png, 45)).unwrap();
    fs::write(story.good(OsStr::from_bytes(b"caf\xe9.png")), test_image(Png, 46)).unwrap();
    fs::write(story.good("line\nbreak and 'quotes\".png"), test_image(Png, 47)).unwrap();
    fs::write(story.good("-dash.png"), test_image(Png, 48)).unwrap();
    fs::write(story.good(format!("{}.png", "long".repeat(55))), test_image(Png, 49)).unwrap();
    fs::write(story.good("new/deeper/and deeper/nested.jpg"), test_image(Jpeg, 50)).unwrap();
    // The same name twice with other contents, the second before the first was taken; the same contents twice.
    fs::write(input.join("twice.ppm"), ppm(9, 51)).unwrap();
    fs::write(story.good("twice.ppm"), ppm(8, 52)).unwrap();
    fs::write(story.good("same.ppm"), ppm(8, 52)).unwrap();
    // An image and its sidecar.
    fs::write(story.good("raw.jpg"), test_image(Jpeg, 53)).unwrap();
    fs::write(input.join("raw.jpg.xmp"), "<x/>").unwrap();
    // What is nobody's business.
    fs::create_dir(input.join("skip")).unwrap();
    for other in ["skip/not.ppm", "half.ppm.part", ".hidden.ppm", "notes.txt", "backup.ppm~"] {
        fs::write(input.join(other), ppm(8, 54)).unwrap();
    }
    // Defects.
    story.bad("truncated.ppm", &ppm(8, 60)[..100]);
    story.bad("truncated.png", &test_image(Png, 61)[..90]);
    story.bad("truncated.tif", &test_image(Tiff, 62)[..60]);
    story.bad("truncated.webp", &test_image(WebP, 63)[..40]);
    story.bad("text.png", b"no image");
    story.bad("zeros.jpg", &[0; 300]);
    story.bad("empty-header.gif", b"GIF89a");
    story.bad("giant.ppm", b"P6\n4000000 4000000\n255\n");
    let mut crc = test_image(Png, 64);
    let near_the_end = crc.len() - 22;
    crc[near_the_end] ^= 0xff;
    story.bad("bit-rot.png", &crc);
    // Slowly, in pieces: longer than the settle time in all, never closed before the end.
    let slow = ppm(8, 70);
    let mut file = File::create(story.good("slow.ppm")).unwrap();
    for chunk in slow.chunks(30) {
        file.write_all(chunk).unwrap();
        sleep(Duration::from_millis(250));
    }
    drop(file);
    // A scanner that appends: closed and opened again.
    let scan = story.good("scan.ppm");
    for chunk in ppm(8, 71).chunks(80) {
        File::options().create(true).append(true).open(&scan).unwrap().write_all(chunk).unwrap();
        sleep(Duration::from_millis(120));
    }
    fs::write(&placeholder, ppm(8, 72)).unwrap();
    fs::write(&download, test_image(Png, 42)).unwrap();
    fs::rename(&download, story.good("download.png")).unwrap();
    if locks {
        place.until_logged("unreadable: in: locked.ppm");
    }
    fs::set_permissions(&locked, Permissions::from_mode(0o644)).unwrap();

    let count = story.good.len() + story.bad.len();
    assert!(count >= 50, "{count}");
    place.until("all results", || place.visible() == story.good);
    place.until("all bad files", || place.log().matches("\nfailed: ").count() >= story.bad.len());
    assert_eq!(daemon.end(), Some(0));

    // Each good one once, as large as it should be; nothing else.
    let out = place.path("out");
    assert_eq!(place.results(), story.good);
    for name in &story.good {
        let path = Path::new(OsStr::from_bytes(name));
        let size = |path: &Path| {
            let image = decode(&fs::read(path).unwrap(), &Limits::default()).unwrap();
            (image.width(), image.height())
        };
        let (width, height) = size(&input.join(path));
        assert_eq!(size(&out.join(path)), (4 * width, 4 * height), "{path:?}");
    }
    // Each bad one reported once, with its reason in quarantine; odd ones named once.
    let log = place.log();
    assert_eq!(log.matches("\nfailed: ").count(), story.bad.len(), "{log}");
    for bad in &story.bad {
        assert_eq!(log.matches(&format!("failed: in: {bad}: ")).count(), 1, "{bad}: {log}");
        assert!(place.path(&format!("state/quarantine/in/{bad}.reason.txt")).exists(), "{bad}");
        assert!(place.path(&format!("state/quarantine/in/{bad}")).is_symlink(), "{bad}");
    }
    for odd in ["pipe.ppm", "socket.png"] {
        assert_eq!(log.matches(&format!("ignored: in: {odd}")).count(), 1, "{log}");
    }
    let status = place.status();
    assert!(status.contains(&format!("{} done", story.good.len())), "{status}");
    assert!(status.contains(&format!("{} failed", story.bad.len())), "{status}");
}

#[test]
fn changed_mended_and_repeated_files() {
    let Some(place) = Place::real() else { return };
    let input = place.path("in");
    for (name, bytes) in [("a.ppm", ppm(8, 1)), ("b.ppm", ppm(8, 2)), ("text.png", b"no image".to_vec())] {
        fs::write(input.join(name), bytes).unwrap();
    }
    let _daemon = place.start("");
    let done = || place.log().matches("\ndone: ").count();
    place.until("two results", || done() == 2);
    place.until_logged("failed: in: text.png");
    // The same name with other contents is done again; other times alone are not.
    let before = fs::read(place.path("out/a.ppm")).unwrap();
    fs::write(input.join("a.ppm"), ppm(8, 3)).unwrap();
    place.until("the new contents", || fs::read(place.path("out/a.ppm")).is_ok_and(|now| now != before));
    fs::write(input.join("b.ppm"), ppm(8, 2)).unwrap();
    fs::write(input.join("last.ppm"), ppm(8, 4)).unwrap();
    place.until("the last one", || place.path("out/last.ppm").exists());
    place.until("its report", || done() == 4);
    // A mended file is taken from quarantine by itself; another one by hand, while the daemon runs.
    fs::write(input.join("text.png"), ppm(8, 5)).unwrap();
    place.until("the mended file", || place.path("out/text.png").exists());
    fs::write(input.join("short.ppm"), &ppm(8, 6)[..90]).unwrap();
    place.until_logged("failed: in: short.ppm");
    assert!(place.query(&["retry", "short.ppm"]).status.success());
    place.until("the second report", || place.log().matches("failed: in: short.ppm").count() == 2);
    assert!(String::from_utf8_lossy(&place.query(&["history", "text.png"]).stdout).contains("done text.png"));
}
