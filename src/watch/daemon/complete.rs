//! Files that are complete: what is to be done about their contents.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::folder::Folder;
use crate::error::Result;
use crate::report::event::Topic;
use crate::settings::values::show_seconds;
use crate::watch::ledger::entry::State;
use crate::watch::ledger::store::Ledger;
use crate::watch::report::log::Log;
use crate::watch::source::scan::{Kind, look};
use crate::watch::source::settle::Sign;
use crate::watch::source::stamp::Stamp;
use crate::watch::worker::failure::backoff;

impl Folder {
    /// A file is complete and was read: what is to be done about its contents?
    ///
    /// # Errors
    /// As the ledger fails.
    pub(crate) fn settled(
        &mut self,
        path: &Path,
        stamp: Stamp,
        hash: io::Result<String>,
        ledger: &Ledger,
        log: &Log,
        now: Duration,
    ) -> Result<()> {
        let hash = match hash {
            Ok(hash) => hash,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.gone(path, ledger),
            Err(error) => return self.cannot_read(path, stamp, &error.to_string(), ledger, log, now),
        };
        if let Kind::File(role, after) = look(&self.settings.input, path, &self.selection)
            && after != stamp
        {
            self.settler.observe(path, after, Sign::Found, role, now);
            return Ok(());
        }
        let watch = &self.settings.name;
        let Some(entry) = ledger.get(watch, path)? else {
            return ledger.see(watch, path, stamp, State::Settling);
        };
        if ledger.is_result(watch, &hash)? {
            let reason = "is a result of this watch";
            if ledger.ignore(watch, path, stamp, Some(&hash), reason)? {
                log.file(Topic::Ignored, watch, path, reason);
            }
            return Ok(());
        }
        if entry.is_made(&hash, &self.digest) {
            return ledger.restore(&entry, stamp, &hash, State::Done);
        }
        if entry.is_given_up(&hash, &self.digest, self.settings.attempts) {
            return ledger.restore(&entry, stamp, &hash, State::Failed);
        }
        ledger.queue(&entry, stamp, &hash, &self.digest)
    }

    /// A file cannot be read now; it is looked at again later, without end.
    ///
    /// # Errors
    /// As the ledger fails.
    pub fn cannot_read(
        &mut self,
        path: &Path,
        stamp: Stamp,
        reason: &str,
        ledger: &Ledger,
        log: &Log,
        now: Duration,
    ) -> Result<()> {
        let wait = backoff(self.settings.retry_delay.0, 3);
        let detail = format!("{reason}; tried again in {}", show_seconds(wait.as_secs_f64()));
        log.complain_file(Topic::Unreadable, &self.settings.name, path, &detail);
        if let Some(entry) = ledger.get(&self.settings.name, path)? {
            ledger.unreadable(&entry, reason)?;
        }
        self.settler.postpone(path, stamp, now + wait);
        Ok(())
    }
}
