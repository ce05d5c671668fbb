//! A daemon and a worker of this test binary: all of `partdiff watch` but the networks, which are fakes.
//!
//! The binary starts itself with one test, which takes the part that its environment names.

use std::path::Path;
use std::process::{Command, exit};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use partdiff::image::Raster;
use partdiff::runtime::network::{Condition, Network};
use partdiff::watch::daemon::lock::Lock;
use partdiff::watch::daemon::signals;
use partdiff::watch::report::log::Log;
use partdiff::watch::settings::watch_settings::WatchSettings;
use partdiff::watch::worker::serve;
use partdiff::watch::{Config, Daemon, End, Ledger, Message, Service};
use partdiff::{Result, Upscaler};

use crate::fake_network::{FakeNetwork, manifest};

const PART: &str = "PARTDIFF_TEST_PART";
const CONFIG: &str = "PARTDIFF_TEST_CONFIG";
/// Milliseconds that a network call takes.
const DELAY: &str = "PARTDIFF_TEST_DELAY";
/// Whether to end when nothing is left to do.
const ONCE: &str = "PARTDIFF_TEST_ONCE";

/// The command of a stub daemon.
pub fn daemon(config: &Path) -> Command {
    let mut command = part("daemon");
    command.env(CONFIG, config);
    command
}

pub fn slow(command: &mut Command, millis: u64) -> &mut Command {
    command.env(DELAY, millis.to_string())
}

pub fn once(command: &mut Command) -> &mut Command {
    command.env(ONCE, "1")
}

fn part(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "watch::stub::takes_its_part", "--nocapture"]).env(PART, name);
    command
}

#[test]
fn takes_its_part() {
    match std::env::var(PART).as_deref() {
        Ok("daemon") => exit(serve_folders()),
        Ok("worker") => {
            // The harness has begun a line.
            println!();
            serve::serve_with(&|_, _| {
                let network = Slow { inner: FakeNetwork::boxed(2), delay: number(DELAY) };
                Upscaler::with_networks(&manifest(serde_json::json!({})), vec![Box::new(network)])
            })
            .unwrap();
            exit(0);
        }
        _ => {}
    }
}

fn number(variable: &str) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

struct Slow {
    inner: Box<dyn Network>,
    delay: u64,
}

impl Network for Slow {
    fn encode(&mut self, lr: &Raster, level: f32) -> Result<Raster> {
        self.inner.encode(lr, level)
    }

    fn predict(&mut self, latent: &Raster, condition: Condition<'_>, timestep: f32) -> Result<Raster> {
        std::thread::sleep(Duration::from_millis(self.delay));
        self.inner.predict(latent, condition, timestep)
    }
}

fn serve_folders() -> i32 {
    let path = std::env::var_os(CONFIG).unwrap();
    let read = || Config::read(Path::new(&path)).unwrap();
    let mut config = read();
    let state = config.state.clone().unwrap();
    let _lock = Lock::take(&state).unwrap();
    let state = state.canonicalize().unwrap();
    let ledger = Ledger::open(&state).unwrap();
    let log = Log::new(false);
    let sender = Arc::new(Mutex::new(None));
    let listener = Arc::clone(&sender);
    let once = number(ONCE) > 0;
    signals::listen(once.into(), move |signal| {
        let sender: &Option<std::sync::mpsc::Sender<Message>> = &listener.lock().unwrap();
        if let Some(sender) = sender {
            let _ = sender.send(Message::Signal(signal));
        }
    })
    .unwrap();
    loop {
        config.watches.iter().try_for_each(WatchSettings::make_folders).unwrap();
        let service = Service {
            watches: config.watches.clone(),
            state: state.clone(),
            setup: config.setup.clone(),
            once,
            stall: Duration::from_secs(600),
            metrics: config.metrics.clone(),
        };
        let mut daemon = Daemon::new(service, &ledger, &log, || part("worker")).unwrap();
        *sender.lock().unwrap() = Some(daemon.sender());
        match daemon.run().unwrap() {
            End::Stopped => return once.into(),
            End::Finished { failures } => return i32::from(failures),
            End::Reload => config = read(),
        }
    }
}
