//! The part of GTK that versions 2 and 3 have in common.

use std::ffi::{c_char, c_double, c_int, c_uint};

use crate::host::{Pointer, Text};
use crate::symbols::functions;

functions! {
    /// GTK, GDK and GdkPixbuf.
    pub Gtk {
        gtk_dialog_get_content_area: fn(Pointer) -> Pointer;
        gtk_container_add: fn(Pointer, Pointer);
        gtk_container_set_border_width: fn(Pointer, c_uint);
        gtk_box_pack_start: fn(Pointer, Pointer, c_int, c_int, c_uint);
        gtk_hbox_new: fn(c_int, c_int) -> Pointer;
        gtk_vbox_new: fn(c_int, c_int) -> Pointer;
        gtk_table_new: fn(c_uint, c_uint, c_int) -> Pointer;
        gtk_table_attach: fn(Pointer, Pointer, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint);
        gtk_alignment_new: fn(f32, f32, f32, f32) -> Pointer;
        gtk_frame_new: fn(Text) -> Pointer;
        gtk_label_new: fn(Text) -> Pointer;
        gtk_label_new_with_mnemonic: fn(Text) -> Pointer;
        gtk_label_set_text: fn(Pointer, Text);
        gtk_label_set_line_wrap: fn(Pointer, c_int);
        gtk_label_set_mnemonic_widget: fn(Pointer, Pointer);
        gtk_misc_set_alignment: fn(Pointer, f32, f32);
        gtk_button_new_with_mnemonic: fn(Text) -> Pointer;
        gtk_combo_box_text_new: fn() -> Pointer;
        gtk_combo_box_text_append_text: fn(Pointer, Text);
        gtk_combo_box_set_active: fn(Pointer, c_int);
        gtk_combo_box_get_active: fn(Pointer) -> c_int;
        gtk_spin_button_new_with_range: fn(c_double, c_double, c_double) -> Pointer;
        gtk_spin_button_set_value: fn(Pointer, c_double);
        gtk_spin_button_get_value: fn(Pointer) -> c_double;
        gtk_entry_new: fn() -> Pointer;
        gtk_entry_set_text: fn(Pointer, Text);
        gtk_entry_get_text: fn(Pointer) -> Text;
        gtk_entry_set_activates_default: fn(Pointer, c_int);
        gtk_event_box_new: fn() -> Pointer;
        gtk_image_new: fn() -> Pointer;
        gtk_image_set_from_pixbuf: fn(Pointer, Pointer);
        gtk_widget_set_sensitive: fn(Pointer, c_int);
        gtk_widget_set_size_request: fn(Pointer, c_int, c_int);
        gtk_widget_set_tooltip_text: fn(Pointer, Text);
        gtk_widget_show_all: fn(Pointer);
        gtk_widget_destroy: fn(Pointer);
        gdk_event_get_coords: fn(Pointer, *mut c_double, *mut c_double) -> c_int;
        gdk_pixbuf_new: fn(c_int, c_int, c_int, c_int, c_int) -> Pointer;
        gdk_pixbuf_get_pixels: fn(Pointer) -> *mut c_char;
        gdk_pixbuf_get_rowstride: fn(Pointer) -> c_int;
        gdk_pixbuf_new_subpixbuf: fn(Pointer, c_int, c_int, c_int, c_int) -> Pointer;
        gdk_pixbuf_scale_simple: fn(Pointer, c_int, c_int, c_int) -> Pointer;
    }
}
