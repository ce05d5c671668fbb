//! The plug-in for GIMP 2.10.

mod dialog;

use std::ffi::{CString, c_char, c_double, c_int};
use std::ptr;
use std::sync::OnceLock;

use crate::host::{Handle, Host, Pointer, Text, c, string};
use crate::job::{Task, run};
use crate::settings::{OUTPUTS, Settings};
use crate::symbols::functions;
use crate::text::{self, DOMAIN};

/// The procedure's name.
const PROCEDURE: &std::ffi::CStr = c"plug-in-partdiff-upscale";

impl Handle for i32 {
    const NONE: Self = -1;
    const LIBRARY: &'static str = "libgimpui-2.0.so.0";

    fn layers(host: &Host<Self>, image: Self) -> Vec<Self> {
        list(host, own().gimp_image_get_layers, image)
    }

    fn channels(host: &Host<Self>, image: Self) -> Vec<Self> {
        list(host, own().gimp_image_get_channels, image)
    }

    fn has_filters(_: &Host<Self>, _: Self) -> bool {
        false
    }
}

/// What `items` lists of `image`.
fn list(host: &Host<i32>, items: unsafe extern "C" fn(i32, *mut c_int) -> *mut i32, image: i32) -> Vec<i32> {
    let mut count = 0;
    // SAFETY: GIMP gives `count` numbers, which are copied and freed.
    unsafe {
        let items = items(image, &mut count);
        let found = (0..count as usize).map(|index| *items.add(index)).collect();
        (host.glib.g_free)(items.cast());
        found
    }
}

/// `GimpPlugInInfo`.
#[repr(C)]
struct PlugInInfo {
    init: Option<unsafe extern "C" fn()>,
    quit: Option<unsafe extern "C" fn()>,
    query: Option<unsafe extern "C" fn()>,
    run: Option<unsafe extern "C" fn(Text, c_int, *const Param, *mut c_int, *mut *const Param)>,
}

/// `GimpParamDef`.
#[repr(C)]
struct ParamDef {
    kind: c_int,
    name: Text,
    description: Text,
}

/// `GimpParam`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Param {
    kind: c_int,
    data: ParamData,
}

/// The members of `GimpParamData` that are used, and its size.
#[repr(C)]
#[derive(Clone, Copy)]
union ParamData {
    number: i32,
    text: Text,
    size: [c_double; 4],
}

/// `GIMP_PDB_INT32` and so on.
mod kind {
    pub const INT32: i32 = 0;
    pub const STRING: i32 = 4;
    pub const IMAGE: i32 = 13;
    pub const DRAWABLE: i32 = 16;
    pub const STATUS: i32 = 21;
}

/// `GIMP_PDB_EXECUTION_ERROR` and so on.
mod status {
    pub const EXECUTION_ERROR: i32 = 0;
    pub const CALLING_ERROR: i32 = 1;
    pub const SUCCESS: i32 = 3;
    pub const CANCEL: i32 = 4;
}

/// `GIMP_RUN_INTERACTIVE` and so on.
mod mode {
    pub const INTERACTIVE: i32 = 0;
    pub const NONINTERACTIVE: i32 = 1;
}

functions! {
    /// What only GIMP 2.10 has.
    Own {
        gimp_main: fn(*const PlugInInfo, c_int, *const *const c_char) -> c_int;
        gimp_install_procedure: fn(Text, Text, Text, Text, Text, Text, Text, Text, c_int, c_int, c_int, *const ParamDef, *const ParamDef);
        gimp_plugin_menu_register: fn(Text, Text) -> c_int;
        gimp_plugin_domain_register: fn(Text, Text) -> c_int;
        gimp_plugin_enable_precision: fn() -> c_int;
        gimp_procedural_db_get_data_size: fn(Text) -> c_int;
        gimp_procedural_db_get_data: fn(Text, Pointer) -> c_int;
        gimp_procedural_db_set_data: fn(Text, *const c_char, c_int) -> c_int;
        gimp_image_get_layers: fn(i32, *mut c_int) -> *mut i32;
        gimp_image_get_channels: fn(i32, *mut c_int) -> *mut i32;
        gimp_ui_init: fn(Text, c_int);
    }
}

static HOST: OnceLock<(Host<i32>, Own)> = OnceLock::new();

fn host() -> &'static Host<i32> {
    &HOST.get().expect("main opens the host before GIMP calls").0
}

fn own() -> &'static Own {
    &HOST.get().expect("main opens the host before GIMP calls").1
}

/// Runs the plug-in that GIMP 2.10 has started; returns the exit code.
///
/// # Errors
/// Where GIMP's library cannot be used, as from a terminal.
pub fn main() -> Result<i32, String> {
    let host = Host::<i32>::open()?;
    let own = Own::load(&host.library)?;
    let _ = HOST.set((host, own));
    let arguments: Vec<CString> = std::env::args().map(|argument| c(&argument)).collect();
    let pointers: Vec<Text> =
        arguments.iter().map(|argument| argument.as_ptr()).chain([ptr::null()]).collect();
    let info = PlugInInfo { init: None, quit: None, query: Some(query), run: Some(run_procedure) };
    // SAFETY: both outlive the call, and the list of arguments ends in null.
    Ok(unsafe { (own.gimp_main)(&info, arguments.len() as c_int, pointers.as_ptr()) })
}

/// Arguments after run mode, image and drawable, as [`read_settings`] takes them.
const ARGUMENTS: [(i32, &std::ffi::CStr, &std::ffi::CStr); 13] = [
    (
        kind::INT32,
        c"run-mode",
        c"The run mode { RUN-INTERACTIVE (0), RUN-NONINTERACTIVE (1), RUN-WITH-LAST-VALS (2) }",
    ),
    (kind::IMAGE, c"image", c"Input image"),
    (kind::DRAWABLE, c"drawable", c"The layer that the model upscales where the image itself is changed"),
    (kind::INT32, c"scale", c"Factor: 2, 3, 4; 0 takes width and height"),
    (kind::INT32, c"width", c"Width in pixels if scale is 0; 0 follows from the height"),
    (kind::INT32, c"height", c"Height in pixels if scale is 0; 0 follows from the width"),
    (kind::STRING, c"preset", c"faithful, balanced, detailed, or \"\" for the model's own choice"),
    (kind::INT32, c"steps", c"Denoising steps; 0 leaves them to the preset"),
    (kind::STRING, c"cleanup", c"Clean-up, 0 to 1, or \"\" for what the image seems to need"),
    (kind::INT32, c"seed", c"Seed of the noise"),
    (
        kind::INT32,
        c"output",
        c"0 makes a new image of what is visible, 1 scales this image with all its layers",
    ),
    (kind::STRING, c"model", c"Name or path of a model; \"\" for the default one"),
    (
        kind::STRING,
        c"device",
        c"auto, cpu, openvino, openvino:bf16, openvino:gpu, openvino:npu, webgpu, cuda or tensorrt",
    ),
];

unsafe extern "C" fn query() {
    let own = own();
    let parameters = ARGUMENTS.map(|(kind, name, description)| ParamDef {
        kind,
        name: name.as_ptr(),
        description: description.as_ptr(),
    });
    let result =
        ParamDef { kind: kind::IMAGE, name: c"result".as_ptr(), description: c"The upscaled image".as_ptr() };
    let locale = c(&text::locale().to_string_lossy());
    // SAFETY: GIMP copies all of it.
    unsafe {
        // GIMP itself translates the menu, with this catalogue.
        (own.gimp_plugin_domain_register)(c(DOMAIN).as_ptr(), locale.as_ptr());
        (own.gimp_install_procedure)(
            PROCEDURE.as_ptr(),
            c"Upscale the image with a diffusion model".as_ptr(),
            c"Enlarges photographs with a diffusion model that runs only the last part of its denoising chain. One step is the most faithful; more steps add texture.".as_ptr(),
            c"The PartDiff authors".as_ptr(),
            c"MIT or Apache-2.0".as_ptr(),
            c"2026".as_ptr(),
            c"Upscale _with PartDiff…".as_ptr(),
            c"RGB*, GRAY*".as_ptr(),
            1,
            parameters.len() as c_int,
            1,
            parameters.as_ptr(),
            &result,
        );
        (own.gimp_plugin_menu_register)(PROCEDURE.as_ptr(), c"<Image>/Image/Scale".as_ptr());
    }
}

/// Runs the procedure; what it returns must live until GIMP has read it.
unsafe extern "C" fn run_procedure(
    _: Text,
    count: c_int,
    parameters: *const Param,
    result_count: *mut c_int,
    results: *mut *const Param,
) {
    let (host, own) = (host(), own());
    // SAFETY: GIMP hands over `count` parameters.
    let parameters = unsafe { std::slice::from_raw_parts(parameters, count.max(0) as usize) };
    // SAFETY: before anything else of GIMP and GEGL, as libgimp wants it.
    unsafe {
        (own.gimp_plugin_enable_precision)();
        (host.gegl.gegl_init)(ptr::null_mut(), ptr::null_mut());
    }
    text::use_catalogue(&host.glib);
    text::bind(&host.glib);
    let (code, second) = match answer(host, parameters) {
        Ok(Some(image)) => {
            (status::SUCCESS, Some(Param { kind: kind::IMAGE, data: ParamData { number: image } }))
        }
        Ok(None) => (status::CANCEL, None),
        Err((code, message)) => {
            let text = c(&message).into_raw();
            (code, Some(Param { kind: kind::STRING, data: ParamData { text } }))
        }
    };
    let first = Param { kind: kind::STATUS, data: ParamData { number: code } };
    let values: Vec<Param> = [Some(first), second].into_iter().flatten().collect();
    // SAFETY: the values are leaked, once per process.
    unsafe {
        *result_count = values.len() as c_int;
        *results = values.leak().as_ptr();
    }
}

/// The image that has the result, or `None` if the user changed their mind.
fn answer(host: &'static Host<i32>, parameters: &[Param]) -> Result<Option<i32>, (i32, String)> {
    let [run_mode, image, drawable, ..] = parameters else {
        return Err((status::CALLING_ERROR, "run-mode, image and drawable are missing".into()));
    };
    // SAFETY: GIMP has checked the types.
    let (run_mode, image, drawable) =
        unsafe { (run_mode.data.number, image.data.number, drawable.data.number) };
    let (settings, engine) = match run_mode {
        mode::NONINTERACTIVE => {
            (read_settings(&parameters[3..]).map_err(|message| (status::CALLING_ERROR, message))?, None)
        }
        mode::INTERACTIVE => {
            let settings = last_settings();
            // SAFETY: once, before any widget.
            unsafe { (own().gimp_ui_init)(c(DOMAIN).as_ptr(), 0) };
            let chosen = dialog::ask(host, (image, drawable), &settings);
            match chosen.map_err(|message| (status::EXECUTION_ERROR, message))? {
                None => return Ok(None),
                Some((settings, engine)) => (settings, engine),
            }
        }
        _ => (last_settings(), None),
    };
    let show = run_mode != mode::NONINTERACTIVE;
    let task = Task { image, drawables: &[drawable], settings: &settings, show };
    let result = run(host, &task, engine).map_err(|message| (status::EXECUTION_ERROR, message))?;
    if show {
        let line = settings.to_line();
        // SAFETY: GIMP copies `line`.
        unsafe {
            (own().gimp_procedural_db_set_data)(
                PROCEDURE.as_ptr(),
                line.as_ptr().cast(),
                line.len() as c_int,
            );
            (host.gimp.gimp_displays_flush)();
        }
    }
    Ok(Some(result))
}

/// The settings in the order of [`ARGUMENTS`]; empty texts are the defaults.
fn read_settings(parameters: &[Param]) -> Result<Settings, String> {
    let arguments = &ARGUMENTS[3..];
    if parameters.len() != arguments.len() {
        return Err(format!("{} arguments are expected", ARGUMENTS.len()));
    }
    let mut settings = Settings::default();
    for (&(kind, name, _), Param { data, .. }) in arguments.iter().zip(parameters) {
        let name = name.to_str().unwrap_or_default();
        // SAFETY: GIMP has checked the types.
        let value = match unsafe { (kind, data.number) } {
            // SAFETY: as above.
            (kind::STRING, _) => unsafe { string(data.text) },
            (_, number) if name == "seed" => (number as u32).to_string(),
            (_, number) if number < 0 => return Err(format!("{name} is {number}: expected 0 or more")),
            (_, number) if name == "output" => match OUTPUTS.get(number as usize) {
                Some(output) => output.0.to_owned(),
                None => return Err(format!("output is {number}: expected 0 or 1")),
            },
            (_, 0) if name == "scale" => "size".to_owned(),
            (_, number) if name == "scale" => format!("x{number}"),
            (_, number) => number.to_string(),
        };
        if !value.is_empty() {
            settings = settings.with(name, &value);
        }
    }
    Ok(settings)
}

/// The settings of the last run in this session of GIMP.
fn last_settings() -> Settings {
    let own = own();
    // SAFETY: `line` is as long as GIMP says.
    let line = unsafe {
        let size = (own.gimp_procedural_db_get_data_size)(PROCEDURE.as_ptr());
        let mut line = vec![0u8; size.max(0) as usize];
        if size > 0 {
            (own.gimp_procedural_db_get_data)(PROCEDURE.as_ptr(), line.as_mut_ptr().cast());
        }
        line
    };
    String::from_utf8(line).ok().and_then(|line| Settings::from_line(&line)).unwrap_or_default()
}
