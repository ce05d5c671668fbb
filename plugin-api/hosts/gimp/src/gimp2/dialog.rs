//! The dialog of GIMP 2.10.

use std::collections::BTreeMap;
use std::ffi::{c_char, c_int, c_uint, c_void};
use std::ptr;

use crate::engine::Engine;
use crate::host::{Host, Pointer, Text, c, string};
use crate::preview::Preview;
use crate::settings::{FIELDS, Field, Kind, Settings};
use crate::symbols::functions;
use crate::text::{DOMAIN, ctr};
use crate::toolkit::Gtk;

functions! {
    /// What only this dialog needs.
    Widgets {
        gimp_dialog_new: fn(Text, Text, Pointer, c_int, Pointer, Text; ...) -> Pointer;
        gimp_dialog_run: fn(Pointer) -> c_int;
        gimp_window_set_transient: fn(Pointer);
    }
}

/// `GTK_RESPONSE_OK`.
const OK: c_int = -5;
/// `GTK_RESPONSE_CANCEL`.
const CANCEL: c_int = -6;

/// The settings from top to bottom, first left, then right.
const LAYOUT: [&str; 10] =
    ["scale", "width", "height", "output", "model", "preset", "steps", "cleanup", "seed", "device"];

/// The widgets whose values make up the settings, by name.
struct Form {
    gtk: Gtk,
    widgets: BTreeMap<&'static str, Pointer>,
}

impl Form {
    fn settings(&self) -> Settings {
        let gtk = &self.gtk;
        Settings::from_values(|field| {
            let widget = self.widgets[field.name];
            // SAFETY: a live widget of that kind; the text is copied.
            unsafe {
                match field.kind {
                    Kind::Choice(choices) => {
                        let place = (gtk.gtk_combo_box_get_active)(widget).max(0) as usize;
                        choices.get(place).map_or(field.default, |choice| choice.0).to_owned()
                    }
                    Kind::Whole(_) => (gtk.gtk_spin_button_get_value)(widget).to_string(),
                    Kind::Text => string((gtk.gtk_entry_get_text)(widget)).trim().to_owned(),
                }
            }
        })
    }

    fn fill(&self, settings: &Settings) {
        let gtk = &self.gtk;
        for field in &FIELDS {
            let (widget, value) = (self.widgets[field.name], settings.get(field.name));
            // SAFETY: a live widget of that kind; GTK copies the text.
            unsafe {
                match field.kind {
                    Kind::Choice(choices) => {
                        let place = |value| choices.iter().position(|choice| choice.0 == value);
                        let place = place(value).or(place(field.default)).unwrap_or(0);
                        (gtk.gtk_combo_box_set_active)(widget, place as c_int);
                    }
                    Kind::Whole(_) => {
                        (gtk.gtk_spin_button_set_value)(widget, value.parse().unwrap_or(0.0));
                    }
                    Kind::Text => (gtk.gtk_entry_set_text)(widget, c(value).as_ptr()),
                }
            }
        }
        self.show_sides();
    }

    /// Width and height count only where no factor is chosen.
    fn show_sides(&self) {
        let own = self.settings().get("scale") == "size";
        for side in ["width", "height"] {
            // SAFETY: live widgets.
            unsafe { (self.gtk.gtk_widget_set_sensitive)(self.widgets[side], own.into()) };
        }
    }
}

/// Asks for settings, `last` being shown first, with a preview of `layer`. `None` if the user cancels.
///
/// # Errors
/// Where the toolkit lacks a function.
pub fn ask(
    host: &'static Host<i32>,
    (image, layer): (i32, i32),
    last: &Settings,
) -> Result<Option<(Settings, Option<Engine>)>, String> {
    let own = Widgets::load(&host.library)?;
    let gtk = Gtk::load(&host.library)?;
    // SAFETY: GTK on the main thread, after gimp_ui_init; `form` is leaked for the signal.
    unsafe {
        let dialog = (own.gimp_dialog_new)(
            ctr("Upscale with PartDiff").as_ptr(),
            c(DOMAIN).as_ptr(),
            ptr::null_mut(),
            0,
            ptr::null_mut(),
            ptr::null(),
            c"gtk-cancel".as_ptr(),
            CANCEL,
            c"gtk-ok".as_ptr(),
            OK,
            ptr::null::<c_char>(),
        );
        (own.gimp_window_set_transient)(dialog);
        let content = (gtk.gtk_dialog_get_content_area)(dialog);
        let table = (gtk.gtk_table_new)(5, 4, 0);
        (gtk.gtk_container_set_border_width)(table, 12);
        (gtk.gtk_box_pack_start)(content, table, 0, 0, 0);
        let add = |field: &Field| {
            let widget = match field.kind {
                Kind::Choice(choices) => {
                    let combo = (gtk.gtk_combo_box_text_new)();
                    for (_, label) in choices {
                        (gtk.gtk_combo_box_text_append_text)(combo, ctr(label).as_ptr());
                    }
                    combo
                }
                Kind::Whole(most) => (gtk.gtk_spin_button_new_with_range)(0.0, most.into(), 1.0),
                Kind::Text => (gtk.gtk_entry_new)(),
            };
            if !matches!(field.kind, Kind::Choice(_)) {
                (gtk.gtk_entry_set_activates_default)(widget, 1);
            }
            // GIMP 2.10 hands over one layer.
            let tip = match field.name {
                "output" => "The layer chosen is upscaled by the model, the others by GIMP",
                _ => field.tip,
            };
            let label = (gtk.gtk_label_new_with_mnemonic)(ctr(field.label).as_ptr());
            (gtk.gtk_label_set_mnemonic_widget)(label, widget);
            (gtk.gtk_misc_set_alignment)(label, 0.0, 0.5);
            (gtk.gtk_widget_set_tooltip_text)(widget, ctr(tip).as_ptr());
            let place = LAYOUT.iter().position(|&name| name == field.name).unwrap_or(0) as c_uint;
            let (column, row) = (2 * (place / 5), place % 5);
            // GTK_FILL, and GTK_EXPAND for the widgets.
            (gtk.gtk_table_attach)(table, label, column, column + 1, row, row + 1, 4, 4, 6, 3);
            (gtk.gtk_table_attach)(table, widget, column + 1, column + 2, row, row + 1, 5, 4, 6, 3);
            (field.name, widget)
        };
        let widgets = FIELDS.iter().map(add).collect();
        let form: &'static Form = Box::leak(Box::new(Form { gtk, widgets }));
        form.fill(last);
        (host.glib.g_signal_connect_data)(
            form.widgets["scale"],
            c"changed".as_ptr(),
            scale_changed as *mut c_void,
            ptr::from_ref(form).cast_mut().cast(),
            None,
            0,
        );
        let preview = Preview::add(host, (image, layer), content, Box::new(|| form.settings()))?;
        (gtk.gtk_widget_show_all)(table);
        let response = (own.gimp_dialog_run)(dialog);
        let settings = form.settings();
        let engine = preview.finish(&settings);
        (gtk.gtk_widget_destroy)(dialog);
        Ok((response == OK).then_some((settings, engine)))
    }
}

/// # Safety
/// `data` is a [`Form`].
unsafe extern "C" fn scale_changed(_: Pointer, data: Pointer) {
    // SAFETY: forms live for good.
    unsafe { &*data.cast::<Form>() }.show_sides();
}
