//! The dialog of GIMP 3.

use std::ffi::{c_char, c_int};
use std::ptr;

use super::read_settings;
use crate::engine::Engine;
use crate::host::{Host, Pointer, Text};
use crate::preview::Preview;
use crate::symbols::functions;
use crate::text::ctr;
use crate::toolkit::Gtk;

/// `GValue`.
#[repr(C)]
#[derive(Default)]
struct Value {
    kind: usize,
    data: [u64; 2],
}

functions! {
    /// What only this dialog needs.
    Widgets {
        gimp_procedure_dialog_new: fn(Pointer, Pointer, Text) -> Pointer;
        gimp_procedure_dialog_fill: fn(Pointer; ...);
        gimp_procedure_dialog_set_sensitive_if_in: fn(Pointer, Text, Pointer, Text, Pointer, c_int);
        gimp_procedure_dialog_run: fn(Pointer) -> c_int;
        gimp_value_array_new: fn(c_int) -> Pointer;
        gimp_value_array_append: fn(Pointer, *const Value) -> Pointer;
        g_value_init: fn(*mut Value, usize) -> *mut Value;
        g_value_set_string: fn(*mut Value, Text);
    }
}

/// `G_TYPE_STRING`.
const STRING: usize = 16 << 2;

/// Asks for settings, which `config` then holds, with a preview of `layer`. `None` if the user cancels.
///
/// # Errors
/// Where the toolkit lacks a function.
pub(super) fn ask(
    host: &'static Host<Pointer>,
    (procedure, config): (Pointer, Pointer),
    (image, layer): (Pointer, Pointer),
) -> Result<Option<Option<Engine>>, String> {
    let widgets = Widgets::load(&host.library)?;
    let gtk = Gtk::load(&host.library)?;
    // SAFETY: GTK on the main thread, after gimp_ui_init.
    unsafe {
        let title = ctr("Upscale with PartDiff");
        let dialog = (widgets.gimp_procedure_dialog_new)(procedure, config, title.as_ptr());
        (widgets.gimp_procedure_dialog_fill)(dialog, ptr::null::<c_char>());
        for side in [c"width", c"height"] {
            let mut value = Value::default();
            (widgets.g_value_init)(&mut value, STRING);
            (widgets.g_value_set_string)(&mut value, c"size".as_ptr());
            let values = (widgets.gimp_value_array_new)(1);
            (widgets.gimp_value_array_append)(values, &value);
            // The dialog takes `values` over.
            (widgets.gimp_procedure_dialog_set_sensitive_if_in)(
                dialog,
                side.as_ptr(),
                ptr::null_mut(),
                c"scale".as_ptr(),
                values,
                1,
            );
        }
        let content = (gtk.gtk_dialog_get_content_area)(dialog);
        let config_address = config as usize;
        let current = Box::new(move || read_settings(host, config_address as Pointer));
        let preview = Preview::add(host, (image, layer), content, current)?;
        let chosen = (widgets.gimp_procedure_dialog_run)(dialog) != 0;
        let engine = preview.finish(&read_settings(host, config));
        (gtk.gtk_widget_destroy)(dialog);
        Ok(chosen.then_some(engine))
    }
}
