//! Message catalogues: gettext's text form compiled to its binary form, so that no gettext is needed to install.

/// The binary catalogue (`.mo`) of a text one (`.po`) without plurals, contexts and fuzzy entries.
///
/// # Errors
/// Names the line that is not understood.
pub fn compile(text: &str) -> Result<Vec<u8>, String> {
    let mut entries = parse(text)?;
    // Readers search by halves.
    entries.sort();
    let count = entries.len() as u32;
    const HEADER: u32 = 28;
    let tables = 2 * 8 * count;
    let mut header = Vec::new();
    // Magic, revision, entries, both tables' offsets, and an empty hash table.
    for number in [0x9504_12de, 0, count, HEADER, HEADER + 8 * count, 0, HEADER + tables] {
        header.extend(u32::to_le_bytes(number));
    }
    let mut strings = Vec::new();
    for side in [0, 1] {
        for entry in &entries {
            let string = if side == 0 { &entry.0 } else { &entry.1 };
            header.extend((string.len() as u32).to_le_bytes());
            header.extend((HEADER + tables + strings.len() as u32).to_le_bytes());
            strings.extend(string.as_bytes());
            strings.push(0);
        }
    }
    header.extend(strings);
    Ok(header)
}

/// The entries of a text catalogue: message and translation.
fn parse(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut entries: Vec<(String, String)> = Vec::new();
    let mut translating = false;
    for (index, line) in text.lines().enumerate() {
        let wrong = || format!("line {}: expected msgid, msgstr, a comment or a quoted string", index + 1);
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let quoted = if let Some(rest) = line.strip_prefix("msgid ") {
            entries.push(Default::default());
            translating = false;
            rest
        } else if let Some(rest) = line.strip_prefix("msgstr ") {
            translating = true;
            rest
        } else {
            line
        };
        let string = unquote(quoted).ok_or_else(wrong)?;
        let entry = entries.last_mut().ok_or_else(wrong)?;
        if translating { entry.1.push_str(&string) } else { entry.0.push_str(&string) }
    }
    // What nobody has translated yet stays as it is.
    entries.retain(|(_, translation)| !translation.is_empty());
    Ok(entries)
}

fn unquote(text: &str) -> Option<String> {
    let inside = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut characters = inside.chars();
    let mut plain = String::new();
    while let Some(character) = characters.next() {
        plain.push(match character {
            '\\' => match characters.next()? {
                'n' => '\n',
                't' => '\t',
                other => other,
            },
            '"' => return None,
            other => other,
        });
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_go_on_over_lines_and_carry_escapes() {
        let text = "# note\nmsgid \"\"\nmsgstr \"A: b\\n\"\n\"C: d\\n\"\n\nmsgid \"z \\\"\"\nmsgstr \"y\"\n\nmsgid \"open\"\nmsgstr \"\"\n";
        assert_eq!(
            parse(text).unwrap(),
            [("".to_owned(), "A: b\nC: d\n".to_owned()), ("z \"".to_owned(), "y".to_owned())]
        );
        assert!(parse("msgid \"a\"\nrubbish\n").unwrap_err().starts_with("line 2"));
        assert!(parse("\"alone\"\n").is_err());
        assert!(parse("msgid \"a\" \"b\"\n").is_err());
    }

    /// The layout of the binary form, as gettext's manual gives it.
    #[test]
    fn the_binary_form_is_sorted_and_complete() {
        let bytes = compile("msgid \"b\"\nmsgstr \"B!\"\n\nmsgid \"\"\nmsgstr \"h\"\n").unwrap();
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let string = |at: usize| {
            let (length, start) = (word(at), word(at + 4));
            assert_eq!(bytes[start + length], 0);
            std::str::from_utf8(&bytes[start..start + length]).unwrap()
        };
        assert_eq!((word(0), word(4), word(8)), (0x9504_12de, 0, 2));
        let (ids, translations) = (word(12), word(16));
        assert_eq!([string(ids), string(ids + 8)], ["", "b"]);
        assert_eq!([string(translations), string(translations + 8)], ["h", "B!"]);
    }
}
