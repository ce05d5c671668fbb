//! Web pages that hold everything they show, and fetch nothing.

pub mod thumbnail;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};
use crate::image::{EncodeOptions, Image, ImageFormat, Raster, SampleDepth, encode};

/// What pages have in common, and where it goes in a template.
const SHARED: [(&str, &str); 2] =
    [("/* shared style */", include_str!("style.css")), ("/* shared script */", include_str!("shared.js"))];

/// Where the data goes in a template.
const DATA_PLACE: &str = "{\"replaced\":\"by the data\"}";

/// The page that `template` makes of `data`.
///
/// # Panics
/// If the template lacks a place for data or for what pages have in common.
pub fn page(template: &str, data: &Value) -> String {
    // A tag or a comment inside the data would end it.
    let data = data.to_string().replace('<', "\\u003c");
    let parts = SHARED.into_iter().chain([(DATA_PLACE, data.as_str())]);
    parts.fold(template.to_owned(), |page, (place, text)| {
        assert!(page.contains(place), "a template has a place for {place}");
        page.replacen(place, text, 1)
    })
}

/// The data of a page.
#[cfg(test)]
pub fn data(page: &str) -> Value {
    let (_, rest) = page.split_once("id=\"data\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

/// `picture` (1 or 3 channels, sRGB-coded, 0 to 1) as the source of an `img` element, in PNG, or in 8 bits as `encoding`
/// says.
///
/// # Errors
/// `Output` where it cannot be encoded.
pub fn source(picture: &Raster, encoding: &EncodeOptions) -> Result<String> {
    let image = Image::new(picture.clone(), None, SampleDepth::U8, encoding.format);
    let encoded = encode(&image, encoding)
        .map_err(|error| Error::with_source(ErrorKind::Output, "a picture for a web page", error))?;
    let kind = match encoding.format {
        ImageFormat::Jpeg => "jpeg",
        ImageFormat::WebP => "webp",
        _ => "png",
    };
    Ok(format!("data:image/{kind};base64,{}", STANDARD.encode(&encoded.bytes)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_data_cannot_leave_its_place() {
        let [style, script] = SHARED.map(|(place, _)| place);
        let template =
            format!("<style>{style}</style><script>{script}</script><script>{DATA_PLACE}</script>");
        let page = page(&template, &json!({ "file": "a</script><!--b" }));
        assert!(page.ends_with(r#"<script>{"file":"a\u003c/script>\u003c!--b"}</script>"#), "{page}");
        assert!(page.contains("color-scheme"));
    }

    #[test]
    fn pictures_name_their_format() {
        for (format, start) in [
            (ImageFormat::Png, "data:image/png;base64,iVBOR"),
            (ImageFormat::Jpeg, "data:image/jpeg;base64,/9j/"),
        ] {
            let source = source(&Raster::new(3, 4, 5), &EncodeOptions::new(format)).unwrap();
            assert!(source.starts_with(start), "{source}");
        }
    }
}
