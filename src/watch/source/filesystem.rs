//! What kind of file system a folder lies on, and how full it is.

use std::fs;
use std::path::Path;

/// Whether changes on a file system can be learnt from the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// A disk of this machine: every change is told.
    Local,
    /// A network or unknown file system: changes made elsewhere are not told, so it has to be polled.
    Distant,
}

/// Magic numbers of `statfs` for file systems whose every change passes through this kernel.
#[cfg(target_os = "linux")]
const LOCAL: [u32; 14] = [
    0xef53,      // ext2, ext3, ext4
    0x5846_5342, // XFS
    0x9123_683e, // Btrfs
    0x0102_1994, // tmpfs
    0x8584_58f6, // ramfs
    0xf2f5_2010, // F2FS
    0x2fc1_2fc1, // ZFS
    0xca45_1a4e, // bcachefs
    0x4d44,      // FAT
    0x2011_bab0, // exFAT
    0x7366_746e, // NTFS
    0x3153_464a, // JFS
    0x5265_4973, // ReiserFS
    0x794c_7630, // overlay
];

/// Judges the file system of `path`.
pub fn reach(path: &Path) -> Reach {
    #[cfg(target_os = "linux")]
    {
        match rustix::fs::statfs(path) {
            Ok(data) if LOCAL.contains(&(data.f_type as u32)) => Reach::Local,
            _ => Reach::Distant,
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = path;
        Reach::Distant
    }
}

/// Bytes that may still be written to the file system of `path`; `None` where the platform does not tell.
pub fn free_bytes(path: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        rustix::fs::statvfs(path).ok().map(|data| data.f_bavail.saturating_mul(data.f_frsize))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

/// Whether something is mounted at `path`, so that without it the folder is an empty place on another disk.
pub fn is_mount_point(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let device = |path: &Path| fs::metadata(path).map(|data| data.dev()).ok();
        path.parent().is_some_and(|parent| device(path).is_some() && device(path) != device(parent))
    }
    #[cfg(not(unix))]
    {
        let _ = (path, fs::metadata::<&Path>);
        false
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn kernel_tables_are_not_local_disks() {
        assert_eq!(reach(Path::new("/proc")), Reach::Distant);
        assert_eq!(reach(Path::new("/nowhere")), Reach::Distant);
        assert!(is_mount_point(Path::new("/proc")));
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_mount_point(folder.path()));
        assert!(free_bytes(folder.path()).is_some());
    }
}
