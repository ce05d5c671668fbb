//! The service manager: systemd is told when the daemon is ready, how it fares and that it lives.

/// The daemon works.
pub fn ready() {
    #[cfg(target_os = "linux")]
    {
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    }
}

/// The daemon lives; `status` is a new line about it.
pub fn alive(status: Option<&str>) {
    #[cfg(target_os = "linux")]
    {
        use sd_notify::NotifyState;
        if let Some(status) = status {
            let _ = sd_notify::notify(&[NotifyState::Watchdog, NotifyState::Status(status)]);
        } else if sd_notify::watchdog_enabled().is_some() {
            let _ = sd_notify::notify(&[NotifyState::Watchdog]);
        }
    }
    let _ = status;
}

/// The daemon reads its configuration again; [`ready`] ends that.
pub fn reloading() {
    #[cfg(target_os = "linux")]
    {
        use sd_notify::NotifyState;
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            let _ = sd_notify::notify(&[NotifyState::Reloading, now]);
        }
    }
}

/// The daemon ends.
pub fn stopping() {
    #[cfg(target_os = "linux")]
    {
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    }
}
