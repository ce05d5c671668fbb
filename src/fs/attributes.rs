//! Extended attributes of a file: tags, ratings and access lists.

use std::path::Path;

/// Copies to `to` the attributes of `from` that users and programs have set, not those of the system (`security.*`).
/// Returns a sentence on those that could not be copied.
#[cfg(all(feature = "watch", any(target_os = "linux", target_os = "macos")))]
pub fn copy(from: &Path, to: &Path) -> Option<String> {
    use rustix::fs::{XattrFlags, getxattr, listxattr, setxattr};
    let mut failed = Vec::new();
    let mut why = None;
    // On a file system without attributes there is nothing to copy.
    let list = whole(|buffer| listxattr(from, buffer)).unwrap_or_default();
    for name in list.split(|&byte| byte == 0).filter(|name| is_kept(name)) {
        let copied = whole(|buffer| getxattr(from, name, buffer))
            .and_then(|value| setxattr(to, name, &value, XattrFlags::empty()));
        if let Err(error) = copied {
            failed.push(String::from_utf8_lossy(name));
            why = Some(error);
        }
    }
    why.map(|why| format!("extended attributes of the replaced file are lost: {} ({why})", failed.join(", ")))
}

#[cfg(not(all(feature = "watch", any(target_os = "linux", target_os = "macos"))))]
pub fn copy(_: &Path, _: &Path) -> Option<String> {
    None
}

/// The longest value and list of names that Linux allows.
#[cfg(all(feature = "watch", any(target_os = "linux", target_os = "macos")))]
const LONGEST: usize = 1 << 16;

/// Calls `read` with a buffer of [`LONGEST`] bytes.
#[cfg(all(feature = "watch", any(target_os = "linux", target_os = "macos")))]
fn whole(read: impl Fn(&mut [u8]) -> rustix::io::Result<usize>) -> rustix::io::Result<Vec<u8>> {
    let mut buffer = vec![0; LONGEST];
    let size = read(&mut buffer)?;
    buffer.truncate(size);
    Ok(buffer)
}

#[cfg(all(feature = "watch", any(target_os = "linux", target_os = "macos")))]
fn is_kept(name: &[u8]) -> bool {
    match cfg!(target_os = "macos") {
        true => !name.starts_with(b"com.apple.") || name.starts_with(b"com.apple.metadata"),
        false => name.starts_with(b"user.") || name == b"system.posix_acl_access",
    }
}

#[cfg(all(test, feature = "watch", target_os = "linux"))]
mod tests {
    use super::*;
    use rustix::fs::{XattrFlags, getxattr, setxattr};
    use std::fs;

    #[test]
    fn attributes_of_people_go_along_and_others_are_left() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, b"").unwrap();
        fs::write(&to, b"").unwrap();
        assert_eq!(copy(&from, &to), None);
        // An access list of owner, one more user, group, mask, others (Linux's binary form).
        let entries: [(u16, u16, u32); 5] = [(1, 6, !0), (2, 4, 1234), (4, 4, !0), (16, 4, !0), (32, 0, !0)];
        let mut list = 2u32.to_le_bytes().to_vec();
        for (tag, permission, id) in entries {
            list.extend([&tag.to_le_bytes()[..], &permission.to_le_bytes(), &id.to_le_bytes()].concat());
        }
        let given: [(&str, &[u8]); 3] =
            [("user.xdg.tags", b"holiday,sea"), ("user.empty", b""), ("system.posix_acl_access", &list)];
        for (name, value) in given {
            if let Err(error) = setxattr(&from, name, value, XattrFlags::empty()) {
                return skipped!("no extended attributes here: {error}");
            }
        }
        assert_eq!(copy(&from, &to), None);
        for (name, value) in given {
            let read = whole(|buffer| getxattr(&to, name, buffer)).unwrap();
            assert_eq!(read, value, "{name}");
        }
        let lost = copy(&from, &folder.path().join("missing")).unwrap();
        assert!(lost.contains("user.xdg.tags") && lost.contains("lost"), "{lost}");
    }
}
