//! ONNX Runtime: finding, installing and loading its library, and running networks on it.
//!
//! The library is loaded at run time; nothing else of the crate touches `ort`.

mod binary_format;
mod canary;
mod candidate;
mod choice;
mod contract;
mod doctor;
mod environment;
mod estimator;
mod fetch;
mod install;
mod library;
mod machine;
pub mod network;
mod network_spec;
mod nvidia;
mod outcomes;
mod packages;
mod places;
mod plugin;
mod plugin_api;
mod provider;
mod record;
mod session;
mod session_options;
mod speed;
mod tensorrt;
mod trial;

pub use candidate::Source;
pub use doctor::{DoctorReport, InstallationReport, LibraryReport, Problem, ProviderHealth, RejectedReport};
pub use environment::Runtime;
pub use estimator::{Estimator, Told};
pub use install::{InstallObserver, InstallPlan, Installation, Installed, install, installations};
pub use library::{Library, Rejected, find};
pub use machine::Machine;
pub use network_spec::{ConditioningKind, DenoiserSpec, EncoderSpec, NetworkBytes, NetworkSpec};
pub use packages::Package;
pub use plugin::PlugIn;
pub use provider::{Device, Provider, ProviderReport};
pub use record::{FileRecord, Flavour, InstallRecord, runtime_folder};
pub(crate) use session::is_out_of_memory;
pub use session::{Networks, OrtNetwork, Terminator, open_networks};
pub use trial::{TRIAL, set_trial_program, try_provider};

/// The runtime for tests; `None`, said past the harness, on a machine without one.
#[cfg(test)]
pub(crate) fn test_runtime() -> Option<&'static Runtime> {
    match Runtime::open(None, Device::Auto) {
        Ok(runtime) => Some(runtime),
        Err(error) => {
            skipped!("{}", error.report());
            None
        }
    }
}
