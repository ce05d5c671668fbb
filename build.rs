//! Compiles the message catalogues of the plug-ins for GIMP, so that the command can install them without gettext.

use std::env;
use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=src/cli/gimp/po");
    let out = env::var("OUT_DIR").expect("set by cargo");
    for language in ["de", "fr"] {
        let text = format!("src/cli/gimp/po/{language}.po");
        let catalogue =
            polib::po_file::parse(Path::new(&text)).unwrap_or_else(|error| panic!("{text}: {error}"));
        let binary = Path::new(&out).join(format!("{language}.mo"));
        polib::mo_file::write(&catalogue, &binary).expect("OUT_DIR can be written");
    }
}
