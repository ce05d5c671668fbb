//! The plug-in for GIMP 3.

mod class;
mod dialog;

use std::ffi::{CString, c_char, c_int};
use std::ptr;
use std::sync::OnceLock;

use crate::host::{Handle, Host, Pointer, Text, c, string};
use crate::job::{Task, run};
use crate::settings::{FIELDS, Kind, Settings};
use crate::symbols::functions;
use crate::text::{self, DOMAIN, ctr};

/// The procedure's name.
const PROCEDURE: &std::ffi::CStr = c"plug-in-partdiff-upscale";

impl Handle for Pointer {
    const NONE: Self = ptr::null_mut();
    const LIBRARY: &'static str = "libgimpui-3.0.so.0";

    fn layers(host: &Host<Self>, image: Self) -> Vec<Self> {
        // SAFETY: a list that is ours.
        unsafe { take(host, (own().gimp_image_get_layers)(image)) }
    }

    fn channels(host: &Host<Self>, image: Self) -> Vec<Self> {
        // SAFETY: as above.
        unsafe { take(host, (own().gimp_image_get_channels)(image)) }
    }

    fn has_filters(host: &Host<Self>, layer: Self) -> bool {
        // SAFETY: as above.
        unsafe { !take(host, (own().gimp_drawable_get_filters)(layer)).is_empty() }
    }
}

/// The items of a list that ends in null, which is freed.
///
/// # Safety
/// `items` must be null or such a list of GLib's memory.
unsafe fn take(host: &Host<Pointer>, items: *mut Pointer) -> Vec<Pointer> {
    // SAFETY: as the caller says.
    unsafe {
        let found = list(items);
        (host.glib.g_free)(items.cast());
        found
    }
}

/// The items of a list that ends in null.
///
/// # Safety
/// `items` must be null or such a list.
unsafe fn list(items: *mut Pointer) -> Vec<Pointer> {
    if items.is_null() {
        return Vec::new();
    }
    // SAFETY: as the caller says.
    (0..).map(|index| unsafe { *items.add(index) }).take_while(|item| !item.is_null()).collect()
}

/// `GTypeQuery`.
#[repr(C)]
#[derive(Default)]
struct TypeQuery {
    kind: usize,
    name: usize,
    class_size: u32,
    instance_size: u32,
}

type RunImage = unsafe extern "C" fn(Pointer, c_int, Pointer, *mut Pointer, Pointer, Pointer) -> Pointer;
type ClassInit = unsafe extern "C" fn(Pointer, Pointer);

functions! {
    /// What only GIMP 3 has.
    Own {
        g_type_query: fn(usize, *mut TypeQuery);
        g_type_register_static_simple: fn(usize, Text, u32, ClassInit, u32, Option<ClassInit>, u32) -> usize;
        g_value_set_object: fn(Pointer, Pointer);
        gimp_plug_in_get_type: fn() -> usize;
        gimp_main: fn(usize, c_int, *const *const c_char) -> c_int;
        gimp_image_procedure_new: fn(Pointer, Text, c_int, RunImage, Pointer, Pointer) -> Pointer;
        gimp_procedure_set_image_types: fn(Pointer, Text);
        gimp_procedure_set_sensitivity_mask: fn(Pointer, c_int);
        gimp_procedure_set_menu_label: fn(Pointer, Text);
        gimp_procedure_add_menu_path: fn(Pointer, Text);
        gimp_procedure_set_documentation: fn(Pointer, Text, Text, Text);
        gimp_procedure_set_attribution: fn(Pointer, Text, Text, Text);
        gimp_procedure_add_int_argument: fn(Pointer, Text, Text, Text, c_int, c_int, c_int, c_int);
        gimp_procedure_add_string_argument: fn(Pointer, Text, Text, Text, Text, c_int);
        gimp_procedure_add_choice_argument: fn(Pointer, Text, Text, Text, Pointer, Text, c_int);
        gimp_procedure_add_image_return_value: fn(Pointer, Text, Text, Text, c_int, c_int);
        gimp_choice_new: fn() -> Pointer;
        gimp_choice_add: fn(Pointer, Text, c_int, Text, Text);
        gimp_procedure_new_return_values: fn(Pointer, c_int, Pointer) -> Pointer;
        gimp_value_array_index: fn(Pointer, c_int) -> Pointer;
        gimp_image_get_layers: fn(Pointer) -> *mut Pointer;
        gimp_image_get_channels: fn(Pointer) -> *mut Pointer;
        gimp_drawable_get_filters: fn(Pointer) -> *mut Pointer;
        gimp_ui_init: fn(Text);
    }
}

/// `GIMP_PDB_EXECUTION_ERROR` and so on.
mod status {
    pub const EXECUTION_ERROR: i32 = 0;
    pub const SUCCESS: i32 = 3;
    pub const CANCEL: i32 = 4;
}

/// `GIMP_RUN_INTERACTIVE` and so on.
mod mode {
    pub const INTERACTIVE: i32 = 0;
    pub const NONINTERACTIVE: i32 = 1;
}

/// `GIMP_PROCEDURE_SENSITIVE_DRAWABLE` and `..._DRAWABLES`.
const SENSITIVE: c_int = 1 | 4;
/// `G_PARAM_READWRITE`.
const READWRITE: c_int = 3;

static HOST: OnceLock<(Host<Pointer>, Own)> = OnceLock::new();

fn host() -> &'static Host<Pointer> {
    &HOST.get().expect("main opens the host before GIMP calls").0
}

fn own() -> &'static Own {
    &HOST.get().expect("main opens the host before GIMP calls").1
}

/// Runs the plug-in that GIMP 3 has started; returns the exit code.
///
/// # Errors
/// Where GIMP's library cannot be used, as from a terminal.
pub fn main() -> Result<i32, String> {
    let host = Host::<Pointer>::open()?;
    let own = Own::load(&host.library)?;
    text::use_catalogue(&host.glib);
    let _ = HOST.set((host, own));
    let arguments: Vec<CString> = std::env::args().map(|argument| c(&argument)).collect();
    let pointers: Vec<Text> =
        arguments.iter().map(|argument| argument.as_ptr()).chain([ptr::null()]).collect();
    // SAFETY: the arguments outlive the call, and their list ends in null.
    Ok(unsafe { (own.gimp_main)(class::register(&own), arguments.len() as c_int, pointers.as_ptr()) })
}

/// Makes the procedure with its menu entry and arguments.
///
/// # Safety
/// `plug_in` must be GIMP's plug-in object.
unsafe fn create(plug_in: Pointer, name: Text) -> Pointer {
    let own = own();
    // SAFETY: GIMP copies all texts.
    unsafe {
        let procedure =
            (own.gimp_image_procedure_new)(plug_in, name, 1, run_procedure, ptr::null_mut(), ptr::null_mut());
        (own.gimp_procedure_set_image_types)(procedure, c"RGB*, GRAY*".as_ptr());
        (own.gimp_procedure_set_sensitivity_mask)(procedure, SENSITIVE);
        (own.gimp_procedure_set_menu_label)(procedure, ctr("Upscale _with PartDiff…").as_ptr());
        (own.gimp_procedure_add_menu_path)(procedure, c"<Image>/Image/[Scale]".as_ptr());
        (own.gimp_procedure_set_documentation)(
            procedure,
            ctr("Upscale the image with a diffusion model").as_ptr(),
            ctr("Enlarges photographs with a diffusion model that runs only the last part of its denoising chain. One step is the most faithful; more steps add texture.").as_ptr(),
            PROCEDURE.as_ptr(),
        );
        (own.gimp_procedure_set_attribution)(
            procedure,
            c"The PartDiff authors".as_ptr(),
            c"MIT or Apache-2.0".as_ptr(),
            c"2026".as_ptr(),
        );
        for field in &FIELDS {
            let (name, label, tip) = (c(field.name), ctr(field.label), ctr(field.tip));
            let (name, label, tip) = (name.as_ptr(), label.as_ptr(), tip.as_ptr());
            let default = c(field.default);
            match field.kind {
                Kind::Choice(choices) => {
                    let list = (own.gimp_choice_new)();
                    for (index, (name, label)) in choices.iter().enumerate() {
                        let (name, label) = (c(name), ctr(label));
                        let index = index as c_int;
                        (own.gimp_choice_add)(list, name.as_ptr(), index, label.as_ptr(), c"".as_ptr());
                    }
                    let add = own.gimp_procedure_add_choice_argument;
                    add(procedure, name, label, tip, list, default.as_ptr(), READWRITE);
                }
                Kind::Whole(most) => {
                    let most = c_int::try_from(most).unwrap_or(c_int::MAX);
                    let add = own.gimp_procedure_add_int_argument;
                    add(procedure, name, label, tip, 0, most, 0, READWRITE);
                }
                Kind::Text => {
                    let add = own.gimp_procedure_add_string_argument;
                    add(procedure, name, label, tip, default.as_ptr(), READWRITE);
                }
            }
        }
        (own.gimp_procedure_add_image_return_value)(
            procedure,
            c"result".as_ptr(),
            c"result".as_ptr(),
            c"The upscaled image".as_ptr(),
            0,
            READWRITE,
        );
        procedure
    }
}

unsafe extern "C" fn run_procedure(
    procedure: Pointer,
    run_mode: c_int,
    image: Pointer,
    drawables: *mut Pointer,
    config: Pointer,
    _: Pointer,
) -> Pointer {
    let (host, own) = (host(), own());
    // SAFETY: GIMP's objects, live during the call; GEGL is started before it is used.
    unsafe {
        (host.gegl.gegl_init)(ptr::null_mut(), ptr::null_mut());
        let drawables = list(drawables);
        let error = |message: &str| {
            let domain = (host.glib.g_quark_from_string)(c(DOMAIN).as_ptr());
            (host.glib.g_error_new_literal)(domain, 0, c(message).as_ptr())
        };
        match answer(host, (procedure, config), run_mode, image, &drawables) {
            Ok(Some(result)) => {
                let values =
                    (own.gimp_procedure_new_return_values)(procedure, status::SUCCESS, ptr::null_mut());
                (own.g_value_set_object)((own.gimp_value_array_index)(values, 1), result);
                values
            }
            Ok(None) => (own.gimp_procedure_new_return_values)(procedure, status::CANCEL, ptr::null_mut()),
            Err(message) => {
                (own.gimp_procedure_new_return_values)(procedure, status::EXECUTION_ERROR, error(&message))
            }
        }
    }
}

/// The image that has the result, or `None` if the user changed their mind.
fn answer(
    host: &'static Host<Pointer>,
    (procedure, config): (Pointer, Pointer),
    run_mode: c_int,
    image: Pointer,
    drawables: &[Pointer],
) -> Result<Option<Pointer>, String> {
    let mut engine = None;
    if run_mode == mode::INTERACTIVE {
        // SAFETY: once, before any widget.
        unsafe { (own().gimp_ui_init)(c(DOMAIN).as_ptr()) };
        let Some(&layer) = drawables.first() else { return Err(text::tr("Choose a layer.")) };
        match dialog::ask(host, (procedure, config), (image, layer))? {
            None => return Ok(None),
            Some(opened) => engine = opened,
        }
    }
    let settings = read_settings(host, config);
    let show = run_mode != mode::NONINTERACTIVE;
    let result = run(host, &Task { image, drawables, settings: &settings, show }, engine)?;
    if show {
        // SAFETY: a call without arguments.
        unsafe { (host.gimp.gimp_displays_flush)() };
    }
    Ok(Some(result))
}

/// The settings that `config`, an object of GIMP's, holds.
fn read_settings(host: &Host<Pointer>, config: Pointer) -> Settings {
    let get = host.glib.g_object_get;
    Settings::from_values(|field| {
        let name = c(field.name);
        let end = ptr::null::<c_char>();
        // SAFETY: the properties have these types, as `create` registered them; texts are copied and freed.
        unsafe {
            match field.kind {
                Kind::Whole(_) => {
                    let mut number: c_int = 0;
                    get(config, name.as_ptr(), &raw mut number, end);
                    number.max(0).to_string()
                }
                Kind::Choice(_) | Kind::Text => {
                    let mut text: *mut c_char = ptr::null_mut();
                    get(config, name.as_ptr(), &raw mut text, end);
                    let copy = string(text).trim().to_owned();
                    (host.glib.g_free)(text.cast());
                    copy
                }
            }
        }
    })
}
