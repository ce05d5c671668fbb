//! Pages that the command writes: what they know, and a browser that shows them.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::program::are_there;
use crate::python::python;

/// The data of the page at `path`.
pub fn page_data(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap();
    let (_, rest) = text.split_once("id=\"data\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

/// Uses `page` in Chromium, as `script` of `tests/support` does. With PARTDIFF_SCREENSHOTS, pictures of it go there.
pub fn in_browser(script: &str, page: &Path) {
    let Some(python) = python("selenium") else {
        skipped!("no Python with selenium");
        return;
    };
    if !are_there(&["chromedriver"]) {
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support").join(script);
    let pictures = std::env::var_os("PARTDIFF_SCREENSHOTS");
    let ran = Command::new(python).arg(script).arg(page).args(pictures).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}
