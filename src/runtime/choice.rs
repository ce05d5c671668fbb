//! Which provider a device means here: the proof that one runs, and the choice.

use super::canary;
use super::environment::Runtime;
use super::provider::{Device, Provider, ProviderReport};
use crate::error::{Error, ErrorKind, Result};

impl Runtime {
    /// Whether this ONNX Runtime was built with `provider`; says nothing about its working here.
    pub fn has(&self, provider: Provider) -> bool {
        provider.compiled_in()
    }

    /// Proves that `provider` runs, by an inference on it whose result is compared; `Err` says what is missing.
    ///
    /// The first call for a GPU takes up to a second; later calls repeat the outcome.
    pub fn probe(&self, provider: Provider) -> Result<(), String> {
        self.canaries.outcome(provider, || {
            if !provider.compiled_in() {
                return Err("this ONNX Runtime was built without it".to_owned());
            }
            canary::run(self, provider).map_err(|error| brief(&error.report()))
        })
    }

    /// Decides what `device` means here.
    ///
    /// # Errors
    /// `ErrorKind::Runtime` with the reason and the remedy where a provider was named and does not run.
    pub fn choose(&self, device: Device) -> Result<ProviderReport> {
        let required = match device {
            Device::Cpu => Provider::Cpu,
            Device::Cuda => Provider::Cuda,
            Device::TensorRt => Provider::TensorRt,
            Device::Auto => {
                return Ok(match self.probe(Provider::Cuda) {
                    Ok(()) => ProviderReport { device, provider: Provider::Cuda, note: None },
                    Err(reason) => ProviderReport {
                        device,
                        provider: Provider::Cpu,
                        note: Some(format!("cuda: {reason}")),
                    },
                });
            }
        };
        if required != Provider::Cpu {
            self.probe(required).map_err(|reason| {
                let message = format!("device {device} cannot be used: {reason}; {}", required.remedy());
                Error::new(ErrorKind::Runtime, message)
            })?;
        }
        Ok(ProviderReport { device, provider: required, note: None })
    }
}

/// The telling part of ONNX Runtime's message: without source positions, and short for a library that is missing.
fn brief(message: &str) -> String {
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let detail = message.rsplit_once(" with error: ").map_or(message.as_str(), |(_, detail)| detail);
    match detail.split_once(": cannot open shared object file") {
        Some((library, _)) => format!("{library} was not found"),
        None => detail.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_cut_to_the_cause() {
        let long = "cuda cannot be set up: /src/bridge.cc:2043 Get() [ONNXRuntimeError] : 1 : FAIL : \
                    Failed to load library /d/libonnxruntime_providers_cuda.so with error: \
                    libcuda.so.1: cannot open shared object file: No such file or directory\n";
        assert_eq!(brief(long), "libcuda.so.1 was not found");
        assert_eq!(brief("CUDA failure 35:\n driver too old"), "CUDA failure 35: driver too old");
    }

    #[test]
    fn a_named_device_fails_loudly_and_auto_says_why() {
        let Some(runtime) = crate::runtime::test_runtime() else { return };
        runtime.probe(Provider::Cpu).unwrap();
        if runtime.probe(Provider::Cuda).is_ok() {
            assert_eq!(runtime.choose(Device::Auto).unwrap().provider, Provider::Cuda);
            return;
        }
        let auto = runtime.choose(Device::Auto).unwrap();
        assert_eq!(auto.provider, Provider::Cpu);
        assert!(auto.to_string().starts_with("cpu (cuda: "), "{auto}");
        let error = runtime.choose(Device::Cuda).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Runtime);
        assert!(error.to_string().starts_with("device cuda cannot be used: "), "{error}");
        assert!(error.to_string().contains("partdiff runtime install --device cuda"), "{error}");
    }
}
