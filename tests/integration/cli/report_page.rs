//! The report of a run as a web page.

use std::fs;

use partdiff::image::{EncodeOptions, Image, ImageFormat, Raster, SampleDepth, encode};

use super::web_page::{in_browser, page_data};
use super::{Place, has_runtime, read, waves};
use crate::real_model::data;

#[test]
fn a_report_shows_every_image_and_a_browser_shows_the_report() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    // Drawn waves, whose clean-up is taken back with a note.
    place.put("in/a.png", &waves(40, 30));
    place.put("in/bad.png", b"no image");
    place.put("in/grey.jpg", &{
        let photo = read(&data("dog.png")).color;
        let grey = Raster::from_vec(1, photo.height(), photo.width(), photo.plane(0).to_vec());
        let grey = Image::new(grey, None, SampleDepth::U8, ImageFormat::Jpeg);
        encode(&grey, &EncodeOptions::new(ImageFormat::Jpeg)).unwrap().bytes
    });
    let run = |more: &[&str]| {
        place.upscale(["in", "-o", "out/", "--report", "new/report.html", "-q"].iter().chain(more))
    };
    run(&[]).expect(1);
    let page = page_data(&place.path("new/report.html"));
    assert_eq!((&page["run"]["done"], &page["run"]["failed"]), (&2.into(), &1.into()));
    let rows = page["rows"].as_array().unwrap();
    let row = |name: &str| rows.iter().find(|row| row["input"].as_str().unwrap().ends_with(name)).unwrap();
    assert_eq!((&row("a.png")["state"], &row("a.png")["width"]), (&"done".into(), &160.into()));
    for thumbnail in ["before", "after"] {
        assert!(row("a.png")[thumbnail].as_str().unwrap().starts_with("data:image/"), "{thumbnail}");
    }
    assert!(row("a.png")["mean"].as_f64().is_some() && row("bad.png")["mean"].is_null());
    assert!(
        row("bad.png")["reason"].as_str().unwrap().contains("unknown image format"),
        "{}",
        row("bad.png")
    );
    in_browser("report_page.py", &place.path("new/report.html"));

    // The next run replaces it; something else is not replaced, and nothing is made.
    run(&["--skip-existing"]).expect(1);
    assert_eq!(page_data(&place.path("new/report.html"))["run"]["skipped"], 2);
    fs::remove_dir_all(place.path("out")).unwrap();
    place.put("new/report.html", b"mine");
    run(&[]).expect(2).says("report.html exists and is no report of partdiff");
    assert!(!place.path("out").exists());
    assert_eq!(fs::read(place.path("new/report.html")).unwrap(), b"mine");
    let clash = ["in/a.png", "-o", "b.tif", "--report", "m.tif", "--uncertainty", "m.tif"];
    place.upscale(clash).expect(2).says("--uncertainty and --report name the same file");
    place.upscale(["in/a.png", "--report", "-"]).expect(2).says("--report is -");
}
