//! What the daemon and its worker process say to each other: JSON, one object a line.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::failure::Fault;
use crate::engine::RuntimeOptions;
use crate::report::shown::Shown;
use crate::settings::Settings;
use crate::volume::DEFAULT_MODEL;
use crate::volume::nifti::is_volume;

/// The first line to the worker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// Where and with what to run. The memory is for images outside the engine, too.
    pub runtime: RuntimeOptions,
    /// Niceness to take on, 0 to 19.
    pub nice: i32,
}

impl Setup {
    /// How many jobs a worker has at most, so that its networks need not wait for reading and writing: those in the
    /// engine, two that wait before and behind it, and what is read and written.
    pub fn window(&self) -> usize {
        RuntimeOptions { memory: None, ..self.runtime.clone() }.cpu_threads() + 8
    }
}

/// A line to the worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Order {
    /// Load this model, and say whether it works.
    Load {
        /// An embedded model's name or the path of a bundle.
        model: String,
    },
    /// Make an image.
    Make(Box<Job>),
}

/// An image to make.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Key that the answer carries.
    pub id: i64,
    /// The file to read.
    #[serde(with = "crate::fs::path_bytes")]
    pub input: PathBuf,
    /// SHA-256 that the file must have, in hexadecimal.
    pub hash: String,
    /// The file to write; it must not exist.
    #[serde(with = "crate::fs::path_bytes")]
    pub temporary: PathBuf,
    /// What to make.
    pub settings: Settings,
    /// An earlier result of the same contents.
    pub ready: Option<Ready>,
}

impl Job {
    /// The model, an embedded name or the path of a bundle: that of volumes where none was chosen.
    pub fn model(&self) -> &str {
        let is_default = self.settings.model.is_none() && is_volume(&self.input);
        if is_default { DEFAULT_MODEL } else { self.settings.model() }
    }
}

/// Where the sidecar of a result is written that is written to `temporary`.
pub fn sidecar_temporary(temporary: &Path) -> PathBuf {
    let mut name = temporary.as_os_str().to_os_string();
    name.push(".json");
    name.into()
}

/// Removes a result that was written to `temporary`, or may have been, and its sidecar.
pub fn remove_temporaries(temporary: &Path) {
    for path in [temporary, &sidecar_temporary(temporary)] {
        let _ = fs::remove_file(path);
    }
}

/// A result that only has to be copied, if it still is what was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ready {
    /// Where it lies.
    #[serde(with = "crate::fs::path_bytes")]
    pub path: PathBuf,
    /// How it was made.
    pub made: Made,
}

/// A line from the worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Reply {
    /// The model is loaded and runs on this.
    Loaded {
        /// The execution provider.
        provider: String,
    },
    /// The model cannot be used.
    Refused {
        /// Why.
        reason: String,
    },
    /// Work goes on.
    Alive,
    /// The temporary is written and flushed.
    Made {
        /// The job's key.
        id: i64,
        /// What was made.
        made: Box<Made>,
    },
    /// The job failed; there is no temporary.
    Failed {
        /// The job's key.
        id: i64,
        /// Whose fault it is.
        fault: Fault,
        /// Why.
        reason: String,
    },
}

/// An image that was made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Made {
    /// SHA-256 of the result's bytes, in hexadecimal.
    pub hash: String,
    /// Width of the result in pixels.
    pub width: usize,
    /// Height of the result in pixels.
    pub height: usize,
    /// Extension of the result's name, without the dot.
    pub ext: String,
    /// Factor between input and result.
    pub scale: String,
    /// The model's name.
    pub model: String,
    /// Seconds from reading to writing.
    pub seconds: f64,
    /// When the engine began, in seconds since 1970.
    pub engine_began: f64,
    /// Seconds in the engine.
    pub engine_seconds: f64,
    /// Seconds inside the networks, summed over threads.
    pub network_seconds: f64,
    /// Whether it is a copy of an earlier result.
    pub reused: bool,
    /// What could not be kept.
    pub warnings: Vec<String>,
    /// What is wrong with the input, of which the result holds what could be read.
    pub damage: Option<String>,
    /// SHA-256 of the result's sidecar, in hexadecimal, if it has one.
    pub sidecar: Option<String>,
    /// For the page of `status --html`.
    pub shown: Shown,
}

#[cfg(test)]
mod tests {
    use proptest::option::of;
    use proptest::prelude::*;

    use super::*;
    use crate::fs::path_bytes::from_bytes;
    use crate::runtime::Device;

    fn path() -> impl Strategy<Value = PathBuf> {
        prop::collection::vec(1..=u8::MAX, 1..20).prop_map(|bytes| from_bytes(&bytes))
    }

    fn seconds() -> impl Strategy<Value = f64> {
        use prop::num::f64::{NORMAL, POSITIVE, SUBNORMAL, ZERO};
        POSITIVE | NORMAL | SUBNORMAL | ZERO
    }

    fn made() -> impl Strategy<Value = Made> {
        let texts = (any::<String>(), any::<String>(), any::<String>(), any::<String>());
        let times = (seconds(), seconds(), seconds(), seconds());
        let notes = (prop::collection::vec(any::<String>(), 0..3), of(any::<String>()));
        (texts, any::<(u32, u32)>(), times, any::<bool>(), notes).prop_map(
            |(texts, size, times, reused, notes)| {
                let (hash, ext, scale, model) = texts;
                let (width, height) = (size.0 as usize, size.1 as usize);
                let (seconds, engine_began, engine_seconds, network_seconds) = times;
                let (warnings, damage) = notes;
                Made {
                    hash,
                    width,
                    height,
                    ext,
                    scale,
                    model,
                    seconds,
                    engine_began,
                    engine_seconds,
                    network_seconds,
                    reused,
                    warnings,
                    damage,
                    sidecar: None,
                    shown: Shown::default(),
                }
            },
        )
    }

    fn order() -> impl Strategy<Value = Order> {
        let ready = (path(), made()).prop_map(|(path, made)| Ready { path, made });
        let settings = (of(any::<String>()), any::<u64>(), any::<bool>())
            .prop_map(|(preset, seed, strict)| Settings { preset, seed, strict, ..Settings::default() });
        let job = (any::<i64>(), path(), any::<String>(), path(), settings, of(ready)).prop_map(
            |(id, input, hash, temporary, settings, ready)| {
                Order::Make(Box::new(Job { id, input, hash, temporary, settings, ready }))
            },
        );
        prop_oneof![any::<String>().prop_map(|model| Order::Load { model }), job]
    }

    fn reply() -> impl Strategy<Value = Reply> {
        let fault = prop::sample::select(vec![Fault::File, Fault::Moving, Fault::Unreadable, Fault::Place]);
        prop_oneof![
            any::<String>().prop_map(|provider| Reply::Loaded { provider }),
            any::<String>().prop_map(|reason| Reply::Refused { reason }),
            Just(Reply::Alive),
            (any::<i64>(), made()).prop_map(|(id, made)| Reply::Made { id, made: Box::new(made) }),
            (any::<i64>(), fault, any::<String>()).prop_map(|(id, fault, reason)| Reply::Failed {
                id,
                fault,
                reason
            }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whatever_is_said_arrives_in_one_line(order in order(), reply in reply()) {
            let line = serde_json::to_string(&order).unwrap();
            prop_assert!(!line.contains('\n'));
            prop_assert_eq!(serde_json::from_str::<Order>(&line).unwrap(), order);
            let line = serde_json::to_string(&reply).unwrap();
            prop_assert!(!line.contains('\n'));
            prop_assert_eq!(serde_json::from_str::<Reply>(&line).unwrap(), reply);
        }

        #[test]
        fn the_setup_arrives(nice in 0..20, threads in of(1..99usize), memory in of(any::<u64>())) {
            let library = Some("/lib/onnx".into());
            let setup = Setup { runtime: RuntimeOptions { library, device: Device::Cuda, threads, memory }, nice };
            let line = serde_json::to_string(&setup).unwrap();
            prop_assert_eq!(serde_json::from_str::<Setup>(&line).unwrap(), setup);
        }
    }

    #[test]
    fn details_that_an_earlier_version_wrote_into_the_ledger_are_still_read() {
        let made: Made = serde_json::from_str(r#"{"hash":"1f","width":8,"height":6,"ext":"png"}"#).unwrap();
        let expected = Made { hash: "1f".into(), width: 8, height: 6, ext: "png".into(), ..Made::default() };
        assert_eq!(made, expected);
    }

    #[test]
    fn the_worker_gets_enough_jobs_to_read_and_write_while_its_networks_work() {
        // A limit on the memory takes threads from the engine, not work from the queue.
        let runtime = RuntimeOptions { threads: Some(3), memory: Some(1), ..RuntimeOptions::default() };
        assert_eq!(Setup { runtime, nice: 0 }.window(), 11);
    }
}
