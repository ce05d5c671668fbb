//! What blocks without end: a share that hangs.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::Path;

use super::place::{Notified, Place, ppm};

/// As <fcntl.h> has it, and the crate has not.
const F_SETSIG: libc::c_int = 10;

/// A lease on a file: until it is dropped, or the kernel's patience ends (45 s), opening the file blocks.
struct Lease(File);

impl Lease {
    /// `None`, told on standard error, where the file system has no leases.
    fn take(path: &Path) -> Option<Self> {
        let file = File::open(path).unwrap();
        // A signal that is ignored tells that somebody wants the file; the usual one ends the process.
        // SAFETY: the descriptor is open, and neither command takes a pointer.
        let taken = unsafe {
            libc::fcntl(file.as_raw_fd(), F_SETSIG, libc::SIGURG) == 0
                && libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_WRLCK) == 0
        };
        if !taken {
            skipped!("no lease on {}: {}", path.display(), std::io::Error::last_os_error());
        }
        taken.then_some(Self(file))
    }

    /// Whether somebody wants to read the file.
    fn is_awaited(&self) -> bool {
        // SAFETY: the descriptor is open, and the command takes no argument.
        unsafe { libc::fcntl(self.0.as_raw_fd(), libc::F_GETLEASE) == libc::F_RDLCK }
    }
}

#[test]
fn a_read_that_blocks_holds_up_neither_the_watchdog_nor_signals() {
    let place = Place::new();
    let notified = Notified::new(&place);
    fs::write(place.path("in/a.ppm"), ppm(8, 1)).unwrap();
    let Some(lease) = Lease::take(&place.path("in/a.ppm")) else { return };
    let mut command = place.stub("");
    let mut daemon = place.spawn(notified.by(&mut command));
    place.until("the read", || lease.is_awaited());
    notified.forget();
    notified.hear("WATCHDOG=1");
    assert_eq!(daemon.end(), Some(0));
    notified.hear("STOPPING=1");
    // The read was not over.
    assert!(place.status().contains("1 settling"), "{}", place.status());
}
