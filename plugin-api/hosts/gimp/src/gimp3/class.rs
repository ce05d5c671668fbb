//! The subclass of `GimpPlugIn`, made by hand at run time.

use std::ffi::{c_char, c_int, c_void};
use std::mem;
use std::ptr;

use super::{Own, PROCEDURE, TypeQuery, create, host, own};
use crate::host::{Pointer, Text};
use crate::text::{self, DOMAIN};

/// `G_TYPE_OBJECT`.
const OBJECT: usize = 20 << 2;

/// What `GimpPlugInClass` has after its parent's members.
#[repr(C)]
struct Methods {
    query_procedures: Option<unsafe extern "C" fn(Pointer) -> Pointer>,
    init_procedures: Option<unsafe extern "C" fn(Pointer) -> Pointer>,
    create_procedure: Option<unsafe extern "C" fn(Pointer, Text) -> Pointer>,
    quit: Option<unsafe extern "C" fn(Pointer)>,
    set_i18n: Option<unsafe extern "C" fn(Pointer, Text, *mut *mut c_char, *mut *mut c_char) -> c_int>,
}

/// Registers the class and returns its type.
///
/// # Panics
/// If the class is smaller than its known members: then this is not GIMP 3.
pub(super) fn register(own: &Own) -> usize {
    let (mut object, mut plug_in) = (TypeQuery::default(), TypeQuery::default());
    // SAFETY: both types exist, and both structs are filled.
    unsafe {
        let parent = (own.gimp_plug_in_get_type)();
        (own.g_type_query)(OBJECT, &mut object);
        (own.g_type_query)(parent, &mut plug_in);
        let room = plug_in.class_size as usize - object.class_size as usize;
        assert!(room >= mem::size_of::<Methods>(), "GIMP's plug-in class is unknown");
        (own.g_type_register_static_simple)(
            parent,
            c"PartDiff".as_ptr(),
            plug_in.class_size,
            class_init,
            plug_in.instance_size,
            None,
            0,
        )
    }
}

unsafe extern "C" fn class_init(class: Pointer, _: Pointer) {
    let mut object = TypeQuery::default();
    // SAFETY: the class begins with that of GObject, as `register` has checked.
    unsafe {
        (own().g_type_query)(OBJECT, &mut object);
        let methods = &mut *class.cast::<u8>().add(object.class_size as usize).cast::<Methods>();
        methods.query_procedures = Some(query_procedures);
        methods.create_procedure = Some(create_procedure);
        methods.set_i18n = Some(set_i18n);
    }
}

unsafe extern "C" fn query_procedures(_: Pointer) -> Pointer {
    // SAFETY: a list of one copied name, which GIMP frees.
    unsafe {
        let name: *mut c_void = (host().glib.g_strdup)(PROCEDURE.as_ptr()).cast();
        (host().glib.g_list_append)(ptr::null_mut(), name)
    }
}

unsafe extern "C" fn create_procedure(plug_in: Pointer, name: Text) -> Pointer {
    // SAFETY: GIMP's plug-in object.
    unsafe { create(plug_in, name) }
}

/// Translations lie in `locale` beside the program; without that folder GIMP would complain at every start.
unsafe extern "C" fn set_i18n(
    _: Pointer,
    _: Text,
    domain: *mut *mut c_char,
    folder: *mut *mut c_char,
) -> c_int {
    if !text::locale().is_dir() {
        return 0;
    }
    // SAFETY: GIMP frees both copies.
    unsafe {
        *domain = (host().glib.g_strdup)(crate::host::c(DOMAIN).as_ptr());
        *folder = (host().glib.g_strdup)(c"locale".as_ptr());
    }
    1
}
