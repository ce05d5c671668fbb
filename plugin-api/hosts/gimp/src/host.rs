//! GIMP as the plug-in sees it: libgimp, GEGL, babl and GLib.

use std::ffi::{CStr, CString, c_char, c_double, c_int, c_uint, c_void};

use libloading::Library;

use crate::symbols::functions;

/// A pointer to something of GIMP's or GLib's.
pub type Pointer = *mut c_void;
/// A C string.
pub type Text = *const c_char;

/// A rectangle in pixels.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rectangle {
    /// Left edge.
    pub x: c_int,
    /// Upper edge.
    pub y: c_int,
    /// Columns.
    pub width: c_int,
    /// Rows.
    pub height: c_int,
}

functions! {
    /// GLib and GObject.
    pub Glib {
        g_free: fn(Pointer);
        g_object_unref: fn(Pointer);
        g_object_get: fn(Pointer, Text; ...);
        g_strdup: fn(Text) -> *mut c_char;
        g_list_append: fn(Pointer, Pointer) -> Pointer;
        g_quark_from_string: fn(Text) -> c_uint;
        g_error_new_literal: fn(c_uint, c_int, Text) -> Pointer;
        g_dgettext: fn(Text, Text) -> Text;
        bindtextdomain = "libintl_bindtextdomain": fn(Text, Text) -> Text;
        bind_textdomain_codeset = "libintl_bind_textdomain_codeset": fn(Text, Text) -> Text;
        g_signal_connect_data: fn(Pointer, Text, Pointer, Pointer, Option<extern "C" fn(Pointer, Pointer)>, c_int) -> usize;
        g_timeout_add: fn(c_uint, extern "C" fn(Pointer) -> c_int, Pointer) -> c_uint;
    }
}

functions! {
    /// GEGL's buffers and babl's pixel formats.
    pub Gegl {
        gegl_init: fn(Pointer, Pointer);
        gegl_buffer_get: fn(Pointer, *const Rectangle, c_double, Pointer, Pointer, c_int, c_int);
        gegl_buffer_set: fn(Pointer, *const Rectangle, c_int, Pointer, *const c_void, c_int);
        gegl_buffer_flush: fn(Pointer);
        gegl_buffer_get_extent: fn(Pointer) -> *const Rectangle;
        babl_format: fn(Text) -> Pointer;
        babl_format_get_n_components: fn(Pointer) -> c_int;
        babl_format_get_type: fn(Pointer, c_int) -> Pointer;
        babl_get_name: fn(Pointer) -> Text;
    }
}

functions! {
    /// What GIMP 2.10 and 3 have in common; `H` is an image, a layer or a unit.
    pub Gimp<H> {
        gimp_image_is_valid: fn(H) -> c_int;
        gimp_image_width = "gimp_image_get_width": fn(H) -> c_int;
        gimp_image_height = "gimp_image_get_height": fn(H) -> c_int;
        gimp_image_base_type = "gimp_image_get_base_type": fn(H) -> c_int;
        gimp_image_get_precision: fn(H) -> c_int;
        gimp_image_get_color_profile: fn(H) -> Pointer;
        gimp_image_get_effective_color_profile: fn(H) -> Pointer;
        gimp_image_set_color_profile: fn(H, Pointer) -> c_int;
        gimp_color_profile_get_icc_profile: fn(Pointer, *mut usize) -> *const u8;
        gimp_image_get_resolution: fn(H, *mut c_double, *mut c_double) -> c_int;
        gimp_image_set_resolution: fn(H, c_double, c_double) -> c_int;
        gimp_image_get_unit: fn(H) -> H;
        gimp_image_set_unit: fn(H, H) -> c_int;
        gimp_image_get_metadata: fn(H) -> Pointer;
        gimp_image_set_metadata: fn(H, Pointer) -> c_int;
        gimp_metadata_set_pixel_size: fn(Pointer, c_int, c_int);
        gimp_image_get_parasite: fn(H, Text) -> Pointer;
        gimp_image_attach_parasite: fn(H, Pointer) -> c_int;
        gimp_parasite_free: fn(Pointer);
        gimp_image_new_with_precision: fn(c_int, c_int, c_int, c_int) -> H;
        gimp_image_insert_layer: fn(H, H, H, c_int) -> c_int;
        gimp_image_scale: fn(H, c_int, c_int) -> c_int;
        gimp_context_push: fn() -> c_int;
        gimp_context_pop: fn() -> c_int;
        gimp_context_set_interpolation: fn(c_int) -> c_int;
        gimp_selection_is_empty: fn(H) -> c_int;
        gimp_image_undo_disable: fn(H) -> c_int;
        gimp_image_undo_enable: fn(H) -> c_int;
        gimp_image_undo_group_start: fn(H) -> c_int;
        gimp_image_undo_group_end: fn(H) -> c_int;
        gimp_image_delete: fn(H) -> c_int;
        gimp_layer_new: fn(H, Text, c_int, c_int, c_int, c_double, c_int) -> H;
        gimp_layer_new_from_visible: fn(H, H, Text) -> H;
        gimp_layer_from_mask: fn(H) -> H;
        gimp_layer_get_mask: fn(H) -> H;
        gimp_layer_get_opacity: fn(H) -> c_double;
        gimp_layer_get_mode: fn(H) -> c_int;
        gimp_layer_scale: fn(H, c_int, c_int, c_int) -> c_int;
        gimp_item_is_valid: fn(H) -> c_int;
        gimp_item_is_layer: fn(H) -> c_int;
        gimp_item_is_layer_mask: fn(H) -> c_int;
        gimp_item_is_group: fn(H) -> c_int;
        gimp_item_get_visible: fn(H) -> c_int;
        gimp_item_get_lock_content: fn(H) -> c_int;
        gimp_item_get_name: fn(H) -> *mut c_char;
        gimp_item_delete: fn(H) -> c_int;
        gimp_drawable_width = "gimp_drawable_get_width": fn(H) -> c_int;
        gimp_drawable_height = "gimp_drawable_get_height": fn(H) -> c_int;
        gimp_drawable_offsets = "gimp_drawable_get_offsets": fn(H, *mut c_int, *mut c_int) -> c_int;
        gimp_drawable_get_buffer: fn(H) -> Pointer;
        gimp_drawable_get_format: fn(H) -> Pointer;
        gimp_drawable_update: fn(H, c_int, c_int, c_int, c_int) -> c_int;
        gimp_display_new: fn(H) -> H;
        gimp_displays_flush: fn() -> c_int;
        gimp_progress_init: fn(Text) -> c_int;
        gimp_progress_set_text: fn(Text) -> c_int;
        gimp_progress_update: fn(c_double) -> c_int;
        gimp_progress_end: fn() -> c_int;
        gimp_message: fn(Text) -> c_int;
    }
}

/// How a generation of GIMP names images and layers: by number in 2.10, by pointer in 3.
pub trait Handle: Copy + PartialEq + 'static {
    /// No such thing.
    const NONE: Self;
    /// The library with all of libgimp and GTK behind it.
    const LIBRARY: &'static str;
    /// The layers at the top of `image`'s stack.
    fn layers(host: &Host<Self>, image: Self) -> Vec<Self>;
    /// The channels that the user has added to `image`.
    fn channels(host: &Host<Self>, image: Self) -> Vec<Self>;
    /// Whether `layer` shows something else than its own pixels, like a filter that GIMP applies on the fly.
    fn has_filters(host: &Host<Self>, layer: Self) -> bool;
}

/// All tables, opened once.
pub struct Host<H> {
    /// The library they come from.
    pub library: Library,
    /// GLib.
    pub glib: Glib,
    /// GEGL.
    pub gegl: Gegl,
    /// libgimp.
    pub gimp: Gimp<H>,
}

impl<H: Handle> Host<H> {
    /// Opens libgimp.
    ///
    /// # Errors
    /// Where it is absent or lacks a function, as seen from a plug-in that GIMP did not start.
    pub fn open() -> Result<Self, String> {
        // SAFETY: GIMP's own library; its initialisers are those that every plug-in runs.
        let library = unsafe { Library::new(H::LIBRARY) }
            .map_err(|error| format!("cannot open {}: {error}", H::LIBRARY))?;
        Ok(Self {
            glib: Glib::load(&library)?,
            gegl: Gegl::load(&library)?,
            gimp: Gimp::load(&library)?,
            library,
        })
    }
}

/// `text` for C; what follows a NUL is cut off.
pub fn c(text: &str) -> CString {
    let bytes = text.split('\0').next().unwrap_or_default();
    CString::new(bytes).unwrap_or_default()
}

/// A copy of a C string; empty for none.
///
/// # Safety
/// `text` must be null or point to a string that ends.
pub unsafe fn string(text: Text) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: as the caller says.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
