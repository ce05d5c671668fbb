//! The user's language, through the gettext of GIMP's own process.

use std::ffi::CString;
use std::path::Path;
use std::sync::OnceLock;

use crate::host::{Glib, c, string};

/// The name of the plug-in's folder, program and message catalogue.
pub const DOMAIN: &str = "partdiff-gimp";

static CATALOGUE: OnceLock<Glib> = OnceLock::new();

/// From here on, [`tr`] looks into GIMP's process for translations.
pub fn use_catalogue(glib: &Glib) {
    let _ = CATALOGUE.set(*glib);
}

/// Where the plug-in's translations lie: `locale` beside the program.
pub fn bind(glib: &Glib, folder: &Path) {
    let (domain, folder) = (c(DOMAIN), c(&folder.to_string_lossy()));
    // SAFETY: gettext copies both strings.
    unsafe {
        (glib.bindtextdomain)(domain.as_ptr(), folder.as_ptr());
        (glib.bind_textdomain_codeset)(domain.as_ptr(), c"UTF-8".as_ptr());
    }
}

/// `message` in the user's language.
pub fn tr(message: &str) -> String {
    let Some(glib) = CATALOGUE.get() else { return message.to_owned() };
    let (domain, id) = (c(DOMAIN), c(message));
    // SAFETY: gettext returns `id` or a string that it owns for good.
    unsafe { string((glib.g_dgettext)(domain.as_ptr(), id.as_ptr())) }
}

/// [`tr`] for C.
pub fn ctr(message: &str) -> CString {
    c(&tr(message))
}
