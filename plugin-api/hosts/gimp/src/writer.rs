//! Results into GIMP. Everything that changes an image is here, and runs after all computing.

use crate::host::{Handle, Host, Rectangle, c, string};
use crate::pixels::{Format, Pixels};
use crate::text::tr;

/// `GIMP_LAYER_MODE_NORMAL`.
const NORMAL: i32 = 28;
/// `GIMP_INTERPOLATION_NONE`.
const NO_INTERPOLATION: i32 = 0;
/// The comment that GIMP writes into files.
const COMMENT: &std::ffi::CStr = c"gimp-comment";

/// Where a layer comes to lie, and how large, when GIMP scales its image from `old` to `new` (width, height).
pub fn scaled_area(area: Rectangle, old: (u32, u32), new: (u32, u32)) -> Rectangle {
    // As libgimp's item scaling: both edges are rounded, the size is what lies between.
    let edge =
        |place: i32, old: u32, new: u32| (f64::from(place) * f64::from(new) / f64::from(old)).round() as i32;
    let side = |start: i32, length: i32, old: u32, new: u32| {
        let first = edge(start, old, new);
        (first, (edge(start + length, old, new) - first).max(1))
    };
    let (x, width) = side(area.x, area.width, old.0, new.0);
    let (y, height) = side(area.y, area.height, old.1, new.1);
    Rectangle { x, y, width, height }
}

/// A new image of `pixels` with all else that `model` has: precision, profile, resolution, metadata.
///
/// # Errors
/// Where GIMP refuses, for instance because `model` was closed meanwhile.
pub fn new_image<H: Handle>(host: &Host<H>, model: H, pixels: &Pixels) -> Result<H, String> {
    let (gimp, glib) = (&host.gimp, &host.glib);
    let (width, height) = (pixels.width as i32, pixels.height as i32);
    // SAFETY: images and layers that GIMP names; objects are released.
    unsafe {
        if (gimp.gimp_image_is_valid)(model) == 0 {
            return Err(tr("The image was closed."));
        }
        let base = (gimp.gimp_image_base_type)(model);
        let precision = (gimp.gimp_image_get_precision)(model);
        let image = (gimp.gimp_image_new_with_precision)(width, height, base, precision);
        if image == H::NONE {
            return Err(tr("GIMP cannot make the new image."));
        }
        (gimp.gimp_image_undo_disable)(image);
        copy_properties(host, model, image, (width, height));
        // Image types come in pairs, with alpha last.
        let kind = 2 * base + i32::from(matches!(pixels.channels, 2 | 4));
        let name = c(&tr("Upscaled"));
        let layer = (gimp.gimp_layer_new)(image, name.as_ptr(), width, height, kind, 100.0, NORMAL);
        let mut done = layer != H::NONE && (gimp.gimp_image_insert_layer)(image, layer, H::NONE, 0) != 0;
        if done {
            let buffer = (gimp.gimp_drawable_get_buffer)(layer);
            let format = Format::new(&host.gegl, (gimp.gimp_drawable_get_format)(layer))?;
            done =
                !buffer.is_null() && (format.channels, format.sample()) == (pixels.channels, pixels.sample);
            if done {
                pixels.write(&host.gegl, buffer, format);
                (glib.g_object_unref)(buffer);
                (gimp.gimp_drawable_update)(layer, 0, 0, width, height);
            }
        }
        (gimp.gimp_image_undo_enable)(image);
        if !done {
            (gimp.gimp_image_delete)(image);
            return Err(tr("GIMP cannot make the new image."));
        }
        Ok(image)
    }
}

/// # Safety
/// Both must be images.
unsafe fn copy_properties<H: Handle>(host: &Host<H>, from: H, to: H, size: (i32, i32)) {
    let (gimp, glib) = (&host.gimp, &host.glib);
    let (mut x, mut y) = (72.0, 72.0);
    // SAFETY: as the caller says; objects are released.
    unsafe {
        let profile = (gimp.gimp_image_get_color_profile)(from);
        if !profile.is_null() {
            (gimp.gimp_image_set_color_profile)(to, profile);
            (glib.g_object_unref)(profile);
        }
        (gimp.gimp_image_get_resolution)(from, &mut x, &mut y);
        (gimp.gimp_image_set_resolution)(to, x, y);
        (gimp.gimp_image_set_unit)(to, (gimp.gimp_image_get_unit)(from));
        let metadata = (gimp.gimp_image_get_metadata)(from);
        if !metadata.is_null() {
            (gimp.gimp_metadata_set_pixel_size)(metadata, size.0, size.1);
            (gimp.gimp_image_set_metadata)(to, metadata);
            (glib.g_object_unref)(metadata);
        }
        let comment = (gimp.gimp_image_get_parasite)(from, COMMENT.as_ptr());
        if !comment.is_null() {
            (gimp.gimp_image_attach_parasite)(to, comment);
            (gimp.gimp_parasite_free)(comment);
        }
    }
}

/// Scales `image` with all its layers, masks, channels, paths and guides to `size`, and puts `results` in place of
/// what GIMP made of their layers. One step of undo.
///
/// # Errors
/// Where GIMP refuses; what was done by then is still one step of undo.
pub fn this_image<H: Handle>(
    host: &Host<H>,
    image: H,
    size: (u32, u32),
    results: &[(H, Pixels)],
) -> Result<(), String> {
    let gimp = &host.gimp;
    // SAFETY: images and layers that GIMP named; their validity is asked.
    unsafe {
        if (gimp.gimp_image_is_valid)(image) == 0 {
            return Err(tr("The image was closed."));
        }
        for (layer, _) in results {
            if (gimp.gimp_item_is_valid)(*layer) == 0 {
                return Err(tr("The layer was deleted."));
            }
        }
        (gimp.gimp_image_undo_group_start)(image);
        (gimp.gimp_context_push)();
        if nothing_else_to_scale(host, image, results) {
            // What GIMP makes of the layers is replaced, so the quickest way will do.
            (gimp.gimp_context_set_interpolation)(NO_INTERPOLATION);
        }
        let outcome = if (gimp.gimp_image_scale)(image, size.0 as i32, size.1 as i32) == 0 {
            Err(tr("GIMP cannot scale the image."))
        } else {
            results.iter().try_for_each(|(layer, pixels)| replace(host, *layer, pixels))
        };
        (gimp.gimp_context_pop)();
        (gimp.gimp_image_undo_group_end)(image);
        outcome
    }
}

/// Whether `image` has no pixels but those of `results`' layers: no other layer, mask, channel or selection.
///
/// # Safety
/// All must be what they are called.
unsafe fn nothing_else_to_scale<H: Handle>(host: &Host<H>, image: H, results: &[(H, Pixels)]) -> bool {
    let gimp = &host.gimp;
    // SAFETY: as the caller says.
    unsafe {
        let unmasked = |layer: H| (gimp.gimp_layer_get_mask)(layer) == H::NONE;
        let ours = |layer: H| results.iter().any(|(result, _)| *result == layer);
        H::layers(host, image).into_iter().all(|layer| ours(layer) && unmasked(layer))
            && H::channels(host, image).is_empty()
            && (gimp.gimp_selection_is_empty)(image) != 0
    }
}

/// Puts `pixels` into a layer that was scaled in the same step of undo.
///
/// That step holds the old pixels as a buffer of their own, so the new buffer can be written without GIMP's
/// blending, which rounds, respects the selection, and needs a third copy.
///
/// # Safety
/// `layer` must be a layer.
unsafe fn replace<H: Handle>(host: &Host<H>, layer: H, pixels: &Pixels) -> Result<(), String> {
    let gimp = &host.gimp;
    let (width, height) = (pixels.width as i32, pixels.height as i32);
    // SAFETY: as the caller says; the buffer is released.
    unsafe {
        if ((gimp.gimp_drawable_width)(layer), (gimp.gimp_drawable_height)(layer)) != (width, height) {
            (gimp.gimp_layer_scale)(layer, width, height, 0);
        }
        let format = Format::new(&host.gegl, (gimp.gimp_drawable_get_format)(layer))?;
        let buffer = (gimp.gimp_drawable_get_buffer)(layer);
        let fits = (format.channels, format.sample()) == (pixels.channels, pixels.sample);
        if buffer.is_null() || !fits {
            let name = string((gimp.gimp_item_get_name)(layer));
            return Err(format!("{} ({name})", tr("The layer was changed meanwhile.")));
        }
        pixels.write(&host.gegl, buffer, format);
        (host.glib.g_object_unref)(buffer);
        (gimp.gimp_drawable_update)(layer, 0, 0, width, height);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_keep_their_edges() {
        let whole = Rectangle { x: 0, y: 0, width: 33, height: 21 };
        let scaled = scaled_area(whole, (33, 21), (50, 32));
        assert_eq!(scaled, Rectangle { x: 0, y: 0, width: 50, height: 32 });
        let part = Rectangle { x: -3, y: 5, width: 7, height: 1 };
        assert_eq!(scaled_area(part, (33, 21), (50, 32)), Rectangle { x: -5, y: 8, width: 11, height: 1 });
        // Nothing vanishes.
        assert_eq!(scaled_area(part, (33, 21), (3, 2)).height, 1);
    }
}
