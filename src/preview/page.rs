//! A preview as one web page that holds everything it shows.

use serde_json::{Value, json};

use super::heat::heat;
use super::version::{Preview, Version};
use crate::error::{Error, ErrorKind, Result};
use crate::html;
use crate::image::{EncodeOptions, Image, ImageFormat, Raster, SampleDepth, encode};

/// Levels of 255 that are white in the maps.
const BRIGHTEST: f32 = 48.0;

const TEMPLATE: &str = include_str!("page.html");

/// What the page says besides the preview.
#[derive(Clone, Debug)]
pub struct About {
    /// Name of the image's file.
    pub file: String,
    /// The image's width and height in pixels.
    pub size: (usize, usize),
    /// Name and version of the model.
    pub model: String,
    /// Where the previews were made.
    pub device: String,
    /// Other devices that run here, and how long they take, as a multiple of that one's time.
    pub others: Vec<(String, f64)>,
    /// The format that results will have, and how it is encoded.
    pub encoding: EncodeOptions,
    /// The command line that makes the whole result with each preset; none where it cannot be written down.
    pub commands: Option<Vec<String>>,
}

/// The page, as HTML.
///
/// # Errors
/// `Output` where a picture cannot be encoded.
pub fn page(preview: &Preview, about: &About) -> Result<String> {
    let mut views = vec![view("bicubic", "bicubic", &preview.interpolated)?];
    for version in &preview.versions {
        views.push(view(&format!("preset-{}", version.preset), &version.preset, &version.image)?);
    }
    for Version { preset, added, uncertainty, .. } in &preview.versions {
        let map = heat(added, BRIGHTEST);
        views.push(view(&format!("added-{preset}"), &format!("{preset}: difference from bicubic"), &map)?);
        if let Some(uncertainty) = uncertainty {
            let map = heat(uncertainty, BRIGHTEST);
            views.push(view(&format!("unsure-{preset}"), &format!("{preset}: uncertainty"), &map)?);
        }
    }
    let versions = preview.versions.iter().enumerate();
    let presets = versions.map(|(index, version)| row(index, version, preview, about));
    let presets = presets.collect::<Result<Vec<_>>>()?;
    let devices: Vec<&str> = std::iter::once(&about.device)
        .chain(about.others.iter().map(|(name, _)| name))
        .map(String::as_str)
        .collect();
    let data = json!({
        "file": about.file,
        "size": [about.size.0, about.size.1],
        "crop": preview.crop,
        "scale": preview.scale,
        "model": about.model,
        "devices": devices,
        "brightest": BRIGHTEST,
        "views": views,
        "presets": presets,
    });
    Ok(html::page(TEMPLATE, &data))
}

/// A picture with its name for the page and for people.
fn view(id: &str, label: &str, picture: &Raster) -> Result<Value> {
    let source = html::source(picture, &EncodeOptions::new(ImageFormat::Png))?;
    let (width, height) = (picture.width(), picture.height());
    Ok(json!({ "id": id, "label": label, "width": width, "height": height, "source": source }))
}

/// What a preset costs and does.
fn row(index: usize, version: &Version, preview: &Preview, about: &About) -> Result<Value> {
    let image = Image::new(version.image.clone(), None, SampleDepth::U8, ImageFormat::Png);
    let encoded = encode(&image, &about.encoding)
        .map_err(|error| Error::with_source(ErrorKind::Output, "the preview's file size", error))?;
    let (width, height) = version.size;
    let shown = preview.crop.width * preview.crop.height * preview.scale * preview.scale;
    let bytes = encoded.bytes.len() as f64 * (width * height) as f64 / shown as f64;
    let factors = std::iter::once(1.0).chain(about.others.iter().map(|(_, factor)| *factor));
    let times: Vec<f64> = factors.map(|factor| version.time.as_secs_f64() * factor).collect();
    Ok(json!({
        "preset": version.preset,
        "steps": version.steps,
        "cleanup": version.cleanup,
        "deblur": version.deblur,
        "left_out": version.left_out,
        "width": width,
        "height": height,
        "seconds": times,
        "bytes": bytes.round(),
        "command": about.commands.as_ref().map(|commands| &commands[index]),
    }))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::preview::Crop;

    fn about(file: &str) -> About {
        About {
            file: file.into(),
            size: (40, 30),
            model: "fake 1".into(),
            device: "cpu".into(),
            others: vec![("webgpu".into(), 0.5)],
            encoding: EncodeOptions::new(ImageFormat::Png),
            commands: Some(vec!["partdiff upscale a.png --preset faithful".into(), "another".into()]),
        }
    }

    fn made() -> Preview {
        let version = |preset: &str, steps| Version {
            preset: preset.into(),
            steps,
            cleanup: 0.0,
            deblur: 1,
            left_out: vec!["made without deblurring".into()],
            image: Raster::new(3, 8, 12),
            added: Raster::new(1, 8, 12),
            uncertainty: (steps > 1).then(|| Raster::new(1, 8, 12)),
            time: Duration::from_millis(2040),
            size: (80, 60),
        };
        Preview {
            crop: Crop { x: 1, y: 2, width: 6, height: 4 },
            scale: 2,
            interpolated: Raster::new(3, 8, 12),
            versions: vec![version("faithful", 1), version("detailed", 4)],
        }
    }

    #[test]
    fn the_page_holds_all_it_shows() {
        let page = page(&made(), &about("a </script> b.png")).unwrap();
        let data = html::data(&page);
        assert_eq!(data["file"], "a </script> b.png");
        let ids: Vec<_> =
            data["views"].as_array().unwrap().iter().map(|view| view["id"].as_str().unwrap()).collect();
        assert_eq!(
            ids,
            [
                "bicubic",
                "preset-faithful",
                "preset-detailed",
                "added-faithful",
                "added-detailed",
                "unsure-detailed"
            ]
        );
        let row = &data["presets"][1];
        assert_eq!((&row["seconds"], &row["width"]), (&json!([2.04, 1.02]), &json!(80)));
        assert_eq!(
            (&row["command"], &row["left_out"]),
            (&json!("another"), &json!(["made without deblurring"]))
        );
        assert!(row["bytes"].as_f64().unwrap() > 0.0);
        // Nothing is fetched from elsewhere.
        assert!(!page.contains("http://") && !page.contains("https://"));
    }
}
