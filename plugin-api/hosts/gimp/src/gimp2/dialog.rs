//! The dialog of GIMP 2.10.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;

use crate::engine::Engine;
use crate::host::{Host, Pointer, Text, c, string};
use crate::preview::Preview;
use crate::settings::{DEVICES, FACTORS, Output, PRESETS, Settings, Size};
use crate::symbols::functions;
use crate::text::{DOMAIN, ctr};
use crate::toolkit::Gtk;

functions! {
    /// What only this dialog needs.
    Widgets {
        gimp_dialog_new: fn(Text, Text, Pointer, c_int, Pointer, Text; ...) -> Pointer;
        gimp_dialog_run: fn(Pointer) -> c_int;
        gimp_window_set_transient: fn(Pointer);
        gtk_spin_button_set_digits: fn(Pointer, c_int);
    }
}

/// `GTK_RESPONSE_OK`.
const OK: c_int = -5;
/// `GTK_RESPONSE_CANCEL`.
const CANCEL: c_int = -6;

/// The widgets whose values make up the settings.
#[derive(Clone, Copy)]
struct Form {
    gtk: Gtk,
    scale: Pointer,
    width: Pointer,
    height: Pointer,
    preset: Pointer,
    steps: Pointer,
    cleanup: Pointer,
    seed: Pointer,
    output: Pointer,
    model: Pointer,
    device: Pointer,
}

impl Form {
    fn settings(&self) -> Settings {
        let gtk = &self.gtk;
        // SAFETY: live widgets of these kinds; the text is copied.
        unsafe {
            let choice = |combo| (gtk.gtk_combo_box_get_active)(combo).max(0) as usize;
            let number = |spin| (gtk.gtk_spin_button_get_value)(spin);
            Settings {
                size: match FACTORS.get(choice(self.scale)) {
                    Some(factor) => Size::Factor(*factor),
                    None => Size::Pixels(number(self.width) as u32, number(self.height) as u32),
                },
                preset: match choice(self.preset) {
                    0 => String::new(),
                    index => PRESETS[(index - 1).min(PRESETS.len() - 1)].into(),
                },
                steps: number(self.steps) as u32,
                cleanup: number(self.cleanup),
                seed: number(self.seed) as u32,
                output: if choice(self.output) == 1 { Output::ThisImage } else { Output::NewImage },
                model: string((gtk.gtk_entry_get_text)(self.model)).trim().into(),
                device: DEVICES[choice(self.device).min(DEVICES.len() - 1)].into(),
            }
        }
    }

    fn fill(&self, settings: &Settings) {
        let gtk = &self.gtk;
        let position = |list: &[&str], name: &str| list.iter().position(|item| *item == name);
        let (scale, width, height) = match settings.size {
            Size::Factor(factor) => (FACTORS.iter().position(|&item| item == factor).unwrap_or(2), 0, 0),
            Size::Pixels(width, height) => (FACTORS.len(), width, height),
        };
        let preset = position(&PRESETS, &settings.preset).map_or(0, |index| index + 1);
        // SAFETY: live widgets of these kinds; GTK copies the text.
        unsafe {
            let choose = |combo, index: usize| (gtk.gtk_combo_box_set_active)(combo, index as c_int);
            let set = |spin, value: f64| (gtk.gtk_spin_button_set_value)(spin, value);
            choose(self.scale, scale);
            set(self.width, width.into());
            set(self.height, height.into());
            choose(self.preset, preset);
            set(self.steps, settings.steps.into());
            set(self.cleanup, settings.cleanup);
            set(self.seed, settings.seed.into());
            choose(self.output, usize::from(settings.output == Output::ThisImage));
            (gtk.gtk_entry_set_text)(self.model, c(&settings.model).as_ptr());
            choose(self.device, position(&DEVICES, &settings.device).unwrap_or(0));
        }
        self.show_sides();
    }

    /// Width and height count only where no factor is chosen.
    fn show_sides(&self) {
        // SAFETY: live widgets.
        unsafe {
            let own = (self.gtk.gtk_combo_box_get_active)(self.scale) as usize == FACTORS.len();
            for side in [self.width, self.height] {
                (self.gtk.gtk_widget_set_sensitive)(side, own.into());
            }
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
    let widgets = Widgets::load(&host.library)?;
    let gtk = Gtk::load(&host.library)?;
    // SAFETY: GTK on the main thread, after gimp_ui_init; `form` is leaked for the signal.
    unsafe {
        let dialog = (widgets.gimp_dialog_new)(
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
        (widgets.gimp_window_set_transient)(dialog);
        let content = (gtk.gtk_dialog_get_content_area)(dialog);
        let table = (gtk.gtk_table_new)(5, 4, 0);
        (gtk.gtk_container_set_border_width)(table, 12);
        (gtk.gtk_box_pack_start)(content, table, 0, 0, 0);
        let mut place = 0;
        let mut add = |label: &str, widget: Pointer, tip: &str| {
            let (column, row) = (2 * (place / 5), place % 5);
            place += 1;
            let name = (gtk.gtk_label_new_with_mnemonic)(ctr(label).as_ptr());
            (gtk.gtk_label_set_mnemonic_widget)(name, widget);
            (gtk.gtk_misc_set_alignment)(name, 0.0, 0.5);
            (gtk.gtk_widget_set_tooltip_text)(widget, ctr(tip).as_ptr());
            // GTK_FILL, and GTK_EXPAND for the widgets.
            (gtk.gtk_table_attach)(table, name, column, column + 1, row, row + 1, 4, 4, 6, 3);
            (gtk.gtk_table_attach)(table, widget, column + 1, column + 2, row, row + 1, 5, 4, 6, 3);
            widget
        };
        let combo = |items: &[&str]| {
            let combo = (gtk.gtk_combo_box_text_new)();
            for item in items {
                (gtk.gtk_combo_box_text_append_text)(combo, ctr(item).as_ptr());
            }
            combo
        };
        let spin = |most: f64, step: f64| (gtk.gtk_spin_button_new_with_range)(0.0, most, step);
        let form: &'static Form = Box::leak(Box::new(Form {
            gtk,
            scale: add("Sc_ale:", combo(&["x2", "x3", "x4", "Width and height"]), "How much larger"),
            width: add("_Width:", spin(262_144.0, 1.0), "In pixels; 0 follows from the height"),
            height: add("Hei_ght:", spin(262_144.0, 1.0), "In pixels; 0 follows from the width"),
            output: add(
                "Res_ult:",
                combo(&["New image from what is visible", "This image with all its layers"]),
                "The layer chosen is upscaled by the model, the others by GIMP",
            ),
            model: add(
                "_Model:",
                (gtk.gtk_entry_new)(),
                "Name or path of a model; empty for the default one",
            ),
            preset: add(
                "_Preset:",
                combo(&["The model's choice", "Faithful", "Balanced", "Detailed"]),
                "Faithful keeps to what is known, detailed adds likely texture",
            ),
            steps: add("S_teps:", spin(1000.0, 1.0), "0 leaves them to the preset; more steps add texture"),
            cleanup: add(
                "Clea_n-up:",
                spin(1.0, 0.05),
                "0 keeps everything, 1 removes noise and JPEG blocks",
            ),
            seed: add("See_d:", spin(4_294_967_295.0, 1.0), "Another seed gives other texture"),
            device: add(
                "De_vice:",
                combo(&["Automatic", "Processor", "CUDA", "TensorRT"]),
                "Where the model runs",
            ),
        }));
        (widgets.gtk_spin_button_set_digits)(form.cleanup, 2);
        for entry in [form.model, form.width, form.height, form.steps, form.cleanup, form.seed] {
            (gtk.gtk_entry_set_activates_default)(entry, 1);
        }
        form.fill(last);
        (host.glib.g_signal_connect_data)(
            form.scale,
            c"changed".as_ptr(),
            scale_changed as *mut c_void,
            ptr::from_ref(form).cast_mut().cast(),
            None,
            0,
        );
        let preview = Preview::add(host, (image, layer), content, Box::new(|| form.settings()))?;
        (gtk.gtk_widget_show_all)(table);
        let response = (widgets.gimp_dialog_run)(dialog);
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
