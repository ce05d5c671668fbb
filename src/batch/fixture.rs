//! An engine without ONNX Runtime, and files to make with it.

use std::io::Cursor;

use crate::engine::Upscaler;
use crate::fake_network::{FakeNetwork, manifest, test_image};
use crate::image::{EncodeOptions, Image, ImageFormat, PageWriter, SampleDepth};

/// An engine of factor 2.
pub fn fake() -> Upscaler {
    Upscaler::with_networks(&manifest(serde_json::json!({})), vec![FakeNetwork::boxed(2)]).unwrap()
}

/// A TIFF file of so many pages, 6 pixels wide, 4, 5, 6... high.
pub fn tiff(pages: usize) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let encoding = EncodeOptions::new(ImageFormat::Tiff);
    let mut writer = PageWriter::new(&mut bytes, encoding, 1000).unwrap();
    for page in 0..pages {
        let color = test_image(3, 4 + page, 6);
        writer.add(&Image::new(color, None, SampleDepth::U8, ImageFormat::Tiff)).unwrap();
    }
    bytes.into_inner()
}
