//! What of an image is upscaled.

use std::ffi::c_int;
use std::slice;

use crate::host::{Handle, Host, Pointer, Rectangle};
use crate::pixels::{Format, Pixels, extent};
use crate::text::tr;

/// `GIMP_LAYER_MODE_NORMAL` and its legacy twin, of equal effect where nothing lies below.
const NORMAL_MODES: [c_int; 2] = [28, 0];

/// A layer's pixels and its place on the canvas.
pub struct Source {
    /// The pixels.
    pub pixels: Pixels,
    /// Left upper corner and size on the canvas.
    pub area: Rectangle,
}

/// The layers that `drawables` stand for, each once: themselves, or those that they are masks of.
///
/// # Errors
/// Where a layer cannot be changed, with what to do about it.
pub fn layers<H: Handle>(host: &Host<H>, drawables: &[H]) -> Result<Vec<H>, String> {
    let gimp = &host.gimp;
    let mut found: Vec<H> = Vec::new();
    for &drawable in drawables {
        // SAFETY: items that GIMP has just named.
        unsafe {
            let layer = if (gimp.gimp_item_is_layer_mask)(drawable) != 0 {
                (gimp.gimp_layer_from_mask)(drawable)
            } else {
                drawable
            };
            if layer == H::NONE || (gimp.gimp_item_is_layer)(layer) == 0 {
                return Err(tr("Choose a layer: channels cannot be upscaled."));
            }
            if (gimp.gimp_item_is_group)(layer) != 0 {
                return Err(tr("Choose a layer inside the group, or have a new image made."));
            }
            if (gimp.gimp_item_get_lock_content)(layer) != 0 {
                return Err(tr("The layer's pixels are locked: unlock them, or have a new image made."));
            }
            if !found.contains(&layer) {
                found.push(layer);
            }
        }
    }
    if found.is_empty() { Err(tr("Choose a layer.")) } else { Ok(found) }
}

/// Reads a layer as it is stored.
///
/// # Errors
/// Where GIMP does not give the pixels.
pub fn read_layer<H: Handle>(host: &Host<H>, layer: H) -> Result<Source, String> {
    let (gimp, gegl) = (&host.gimp, &host.gegl);
    let (mut x, mut y) = (0, 0);
    // SAFETY: a layer; the buffer is released after it was read.
    unsafe {
        let buffer = (gimp.gimp_drawable_get_buffer)(layer);
        let area = extent(gegl, buffer)?;
        let format = Format::new(gegl, (gimp.gimp_drawable_get_format)(layer))?;
        let pixels = Pixels::read(gegl, buffer, area, format);
        (host.glib.g_object_unref)(buffer);
        (gimp.gimp_drawable_offsets)(layer, &mut x, &mut y);
        Ok(Source { pixels, area: Rectangle { x, y, ..area } })
    }
}

/// Reads what is visible of `image`, without alpha where nothing shows through.
///
/// # Errors
/// As [`read_layer`].
pub fn read_visible<H: Handle>(host: &Host<H>, image: H) -> Result<Pixels, String> {
    // Blending goes through floats and may round; one plain layer is the image.
    if let Some(layer) = only_layer(host, image) {
        return Ok(read_layer(host, layer)?.pixels);
    }
    // SAFETY: the layer was never put into the image, so nobody sees it come and go.
    unsafe {
        let layer = (host.gimp.gimp_layer_new_from_visible)(image, image, c"".as_ptr());
        let source = read_layer(host, layer);
        (host.gimp.gimp_item_delete)(layer);
        let pixels = source?.pixels;
        Ok(if pixels.is_opaque() { pixels.without_alpha() } else { pixels })
    }
}

/// The layer that alone makes up what is visible, if one does.
fn only_layer<H: Handle>(host: &Host<H>, image: H) -> Option<H> {
    let gimp = &host.gimp;
    // SAFETY: items and images that GIMP has just named.
    unsafe {
        let visible = |layer: &H| (gimp.gimp_item_get_visible)(*layer) != 0;
        let shown: Vec<H> = H::layers(host, image).into_iter().filter(visible).collect();
        let [layer] = shown[..] else { return None };
        let (mut x, mut y) = (0, 0);
        (gimp.gimp_drawable_offsets)(layer, &mut x, &mut y);
        let size = ((gimp.gimp_drawable_width)(layer), (gimp.gimp_drawable_height)(layer));
        let canvas = ((gimp.gimp_image_width)(image), (gimp.gimp_image_height)(image));
        let plain = (gimp.gimp_item_is_group)(layer) == 0
            && (gimp.gimp_layer_get_opacity)(layer) == 100.0
            && NORMAL_MODES.contains(&(gimp.gimp_layer_get_mode)(layer))
            && (gimp.gimp_layer_get_mask)(layer) == H::NONE
            && !H::has_filters(host, layer);
        (plain && (x, y) == (0, 0) && size == canvas).then_some(layer)
    }
}

/// The ICC profile that says what the image's stored values mean; `None` for plain sRGB.
pub fn profile<H: Handle>(host: &Host<H>, image: H) -> Option<Vec<u8>> {
    let (gimp, glib) = (&host.gimp, &host.glib);
    // SAFETY: an image; profiles are released after they were copied.
    unsafe {
        let attached = (gimp.gimp_image_get_color_profile)(image);
        let linear = (gimp.gimp_image_get_precision)(image) % 100 == 0;
        if attached.is_null() && !linear {
            return None;
        }
        let effective = (gimp.gimp_image_get_effective_color_profile)(image);
        let bytes = icc(host, if effective.is_null() { attached } else { effective });
        for profile in [attached, effective] {
            if !profile.is_null() {
                (glib.g_object_unref)(profile);
            }
        }
        bytes
    }
}

/// The bytes of a profile object.
///
/// # Safety
/// `profile` must be null or a profile.
unsafe fn icc<H: Handle>(host: &Host<H>, profile: Pointer) -> Option<Vec<u8>> {
    if profile.is_null() {
        return None;
    }
    let mut length = 0;
    // SAFETY: the bytes live as long as the profile and are copied at once.
    unsafe {
        let bytes = (host.gimp.gimp_color_profile_get_icc_profile)(profile, &mut length);
        (!bytes.is_null()).then(|| slice::from_raw_parts(bytes, length).to_vec())
    }
}
