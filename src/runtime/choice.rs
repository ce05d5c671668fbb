//! Which provider a device means here: the proof that one runs, and the choice.

use super::canary;
use super::environment::Runtime;
use super::network_spec::{NetworkBytes, NetworkSpec};
use super::plugin::{NOT_INSTALLED, too_old};
use super::provider::{Device, Provider, ProviderReport};
use super::speed::seconds_per_tile;
use super::trial;
use crate::error::{Error, ErrorKind, Result};
use crate::model::Bundle;

impl Runtime {
    /// Whether this ONNX Runtime was built with `provider`; says nothing about its working here.
    pub fn has(&self, provider: Provider) -> bool {
        provider.compiled_in()
    }

    /// Whether `provider` is built in, or a plug-in is installed for it; says nothing about its working here.
    pub fn can_try(&self, provider: Provider) -> bool {
        provider.compiled_in() || self.plugin_library(provider).is_some()
    }

    /// Proves that `provider` runs, by an inference on it whose result is compared; `Err` says what is missing.
    ///
    /// A plug-in is tried in another process first, once for the same files. The first call for a GPU takes up to some
    /// seconds; later calls repeat the outcome.
    pub fn probe(&self, provider: Provider) -> Result<(), String> {
        self.canaries.outcome(provider, || {
            if !provider.compiled_in() {
                if provider.plugin().is_none() {
                    return Err("this ONNX Runtime was built without it".to_owned());
                }
                let path = self.plugin_library(provider).ok_or(NOT_INSTALLED)??;
                if self.plugin_api().is_none() {
                    return Err(too_old(self.version()));
                }
                trial::survived(&self.library().path, &path, provider)?;
            }
            canary::run(self, provider).map_err(|error| brief(&error.report()))
        })
    }

    /// Decides what `device` means here for a bundle on `workers` threads.
    ///
    /// # Errors
    /// `ErrorKind::Runtime` with the reason and the remedy where a provider was named and does not run.
    pub fn choose(
        &self,
        device: Device,
        spec: &NetworkSpec,
        bytes: NetworkBytes<'_>,
        workers: usize,
    ) -> Result<ProviderReport> {
        let Some(provider) = device.provider() else {
            let speed = |provider, expected| {
                seconds_per_tile(self, provider, spec, bytes, workers, expected)
                    .map_err(|error| brief(&error.report()))
            };
            return Ok(self.fastest(speed));
        };
        if provider != Provider::Cpu {
            self.probe(provider).map_err(|reason| {
                let message = format!("device {device} cannot be used: {reason}; {}", provider.remedy());
                Error::new(ErrorKind::Runtime, message)
            })?;
        }
        Ok(ProviderReport { device, provider, note: None, failed: false })
    }

    /// Seconds for a tile of `bundle` on `own` and on each other provider that `auto` would take, as far as they run
    /// here; on `workers` threads of the processor. What was measured before is not measured again.
    pub fn speeds(&self, bundle: &Bundle, own: Provider, workers: usize) -> Vec<(Provider, f64)> {
        let spec = NetworkSpec::from(bundle.manifest());
        let bytes = NetworkBytes::from(bundle);
        let speed =
            |provider, expected| seconds_per_tile(self, provider, &spec, bytes, workers, expected).ok();
        let processor = speed(Provider::Cpu, None);
        let others =
            Provider::AUTOMATIC.into_iter().chain([own]).filter(|&provider| provider != Provider::Cpu);
        let mut speeds: Vec<_> = processor.map(|seconds| (Provider::Cpu, seconds)).into_iter().collect();
        for provider in others {
            let known = speeds.iter().any(|(known, _)| *known == provider);
            if !known && self.can_try(provider) && self.probe(provider).is_ok() {
                speeds.extend(speed(provider, processor).map(|seconds| (provider, seconds)));
            }
        }
        speeds
    }

    /// The fastest of those that run; the processor where none is faster.
    fn fastest(&self, speed: impl Fn(Provider, Option<f64>) -> Result<f64, String>) -> ProviderReport {
        let candidates = Provider::AUTOMATIC.into_iter().filter(|&provider| self.can_try(provider));
        let tried: Vec<_> = candidates.map(|provider| (provider, self.probe(provider))).collect();
        let failed = tried.iter().any(|(_, outcome)| outcome.is_err());
        // Where nothing else runs, the processor's speed does not matter.
        let runs = tried.iter().any(|(_, outcome)| outcome.is_ok());
        let (provider, note) = match if runs { speed(Provider::Cpu, None) } else { Ok(0.0) } {
            Ok(processor) => {
                let measured = tried.into_iter().map(|(provider, outcome)| {
                    (provider, outcome.and_then(|()| speed(provider, Some(processor))))
                });
                choice(processor, &measured.collect::<Vec<_>>())
            }
            Err(reason) => (Provider::Cpu, format!("its speed cannot be measured: {reason}")),
        };
        ProviderReport { device: Device::Auto, provider, note: Some(note), failed }
    }
}

/// The best of those `measured`, in seconds for one tile, against the processor's, and the reason.
fn choice(processor: f64, measured: &[(Provider, Result<f64, String>)]) -> (Provider, String) {
    let runs = measured.iter().filter_map(|(provider, seconds)| Some((*provider, *seconds.as_ref().ok()?)));
    if let Some((provider, seconds)) =
        runs.filter(|(_, seconds)| *seconds < processor).min_by(|one, other| one.1.total_cmp(&other.1))
    {
        return (provider, format!("{:.1} times as fast as cpu", processor / seconds));
    }
    if measured.is_empty() {
        return (Provider::Cpu, "nothing else is installed".to_owned());
    }
    let reasons = measured.iter().map(|(provider, seconds)| match seconds {
        Ok(seconds) => format!("{provider}: takes {:.1} times as long", seconds / processor),
        Err(reason) => format!("{provider}: {reason}"),
    });
    (Provider::Cpu, reasons.collect::<Vec<_>>().join("; "))
}

/// The telling part of ONNX Runtime's message: without source positions, and short for a library that is missing.
pub(super) fn brief(message: &str) -> String {
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let detail = message.rsplit_once(" with error: ").map_or(message.as_str(), |(_, detail)| detail);
    if let Some((library, _)) = detail.split_once(": cannot open shared object file") {
        return format!("{library} was not found");
    }
    // The provider is known where this is shown.
    let detail = detail.split_once(" cannot be set up: ").map_or(detail, |(_, detail)| detail);
    // A failed assertion of the WebGPU provider.
    let detail = detail.rsplit_once(" was false. ").map_or(detail, |(_, detail)| detail);
    detail.to_owned()
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
        assert_eq!(
            brief("openvino cannot be set up: /d/p.so finds no processor"),
            "/d/p.so finds no processor"
        );
        let assertion = "the test inference failed: /src/webgpu_context.cc:136 Initialize() adapter_result.status == \
                         Success was false. Failed to get a WebGPU adapter: No supported adapters";
        assert_eq!(brief(assertion), "Failed to get a WebGPU adapter: No supported adapters");
    }

    #[test]
    fn the_fastest_is_taken_and_a_slower_one_never() {
        use Provider::{Cpu, Cuda, OpenVino, WebGpu};
        let say = |provider, note: &str| (provider, note.to_owned());
        assert_eq!(choice(0.0, &[]), say(Cpu, "nothing else is installed"));
        let both = [(WebGpu, Ok(0.05)), (OpenVino, Ok(0.02)), (Cuda, Err("no GPU".to_owned()))];
        assert_eq!(choice(0.04, &both), say(OpenVino, "2.0 times as fast as cpu"));
        let slow = [(Cuda, Err("no GPU".to_owned())), (WebGpu, Ok(0.5))];
        assert_eq!(choice(0.05, &slow), say(Cpu, "cuda: no GPU; webgpu: takes 10.0 times as long"));
        assert_eq!(choice(0.05, &[(WebGpu, Ok(0.05))]).0, Cpu);
    }

    #[test]
    fn a_named_device_fails_loudly_and_auto_says_why() {
        let Some(runtime) = crate::runtime::test_runtime() else { return };
        runtime.probe(Provider::Cpu).unwrap();
        let bundle = crate::model::Bundle::embedded("natural-x4").unwrap().unwrap();
        let spec = NetworkSpec::from(bundle.manifest());
        let bytes = NetworkBytes::from(&bundle);
        let choose = |device| runtime.choose(device, &spec, bytes, 1);
        let auto = choose(Device::Auto).unwrap();
        assert!(auto.note.is_some(), "{auto}");
        for provider in [Provider::Cuda, Provider::OpenVinoNpu] {
            if runtime.probe(provider).is_ok() {
                continue;
            }
            let error = choose(provider.device()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Runtime);
            assert!(error.to_string().starts_with(&format!("device {provider} cannot be used: ")), "{error}");
            assert!(error.to_string().contains("partdiff runtime install --device "), "{error}");
        }
    }
}
