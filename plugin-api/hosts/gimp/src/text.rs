//! The user's language, through the gettext of GIMP's own process.

use std::env;
use std::ffi::CString;
use std::path::PathBuf;
use std::sync::OnceLock;

use crate::host::{Glib, c, string};

/// The name of the plug-in's folder, program and message catalogue.
pub const DOMAIN: &str = "partdiff-gimp";

static CATALOGUE: OnceLock<Glib> = OnceLock::new();

/// From here on, [`tr`] looks into GIMP's process for translations.
pub fn use_catalogue(glib: &Glib) {
    let _ = CATALOGUE.set(*glib);
}

/// The directory of the plug-in's translations, beside the program.
pub fn locale() -> PathBuf {
    env::current_exe().unwrap_or_default().with_file_name("locale")
}

/// Has gettext look into [`locale`].
pub fn bind(glib: &Glib) {
    let (domain, folder) = (c(DOMAIN), c(&locale().to_string_lossy()));
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

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs;
    use std::path::Path;

    /// Messages and their translations.
    fn catalogue(language: &str) -> BTreeMap<String, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../src/cli/gimp/po");
        let text = fs::read_to_string(root.join(format!("{language}.po"))).unwrap();
        let strings = |start: &str| -> Vec<String> {
            let quoted = text.lines().filter_map(|line| line.strip_prefix(start)?.strip_suffix('"'));
            quoted.map(str::to_owned).collect()
        };
        let pairs = strings("msgid \"").into_iter().zip(strings("msgstr \""));
        pairs.filter(|(id, _)| !id.is_empty()).collect()
    }

    fn messages(language: &str) -> BTreeSet<String> {
        catalogue(language).into_keys().collect()
    }

    fn source(folder: &Path) -> String {
        let entries = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
        entries
            .map(|path| if path.is_dir() { source(&path) } else { fs::read_to_string(path).unwrap() })
            .collect()
    }

    #[test]
    fn every_message_is_translated_and_every_translation_used() {
        let source = source(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
        let german = messages("de");
        assert_eq!(german, messages("fr"));
        // Gettext would show nothing at all.
        assert!(
            ["de", "fr"].iter().all(|language| catalogue(language).values().all(|text| !text.is_empty()))
        );
        for id in &german {
            assert!(source.contains(&format!("\"{id}\"")), "nobody says {id:?}");
        }
        // Calls with the text itself; labels reach `ctr` through helpers, and are listed by hand.
        for call in ["tr(\"", "ctr(\""] {
            for rest in source.split(call).skip(1) {
                let id = rest.split('"').next().unwrap();
                assert!(german.contains(id) || id.contains('\\') || id.is_empty(), "not translated: {id:?}");
            }
        }
    }

    #[test]
    fn no_letter_leads_to_two_places_of_the_dialog() {
        let english = catalogue("de").into_keys().map(|id| (id.clone(), id)).collect();
        // With the letters of the buttons that GIMP 2.10 and 3 add.
        for (language, texts, taken) in
            [("en", english, "ocrhls"), ("de", catalogue("de"), "oczgsha"), ("fr", catalogue("fr"), "nvrcse")]
        {
            let mut seen: BTreeSet<char> = taken.chars().collect();
            for (id, text) in texts {
                // The menu is another place.
                if !id.contains('_') || id == "Upscale _with PartDiff…" {
                    continue;
                }
                let letter = text.split('_').nth(1).and_then(|rest| rest.chars().next());
                let letter = letter.unwrap_or_else(|| panic!("{language}: {text:?} has no letter"));
                assert!(seen.insert(letter.to_ascii_lowercase()), "{language}: {text:?}");
            }
        }
    }
}
