//! How sessions are set up for a provider.

use ort::ep::ArbitrarilyConfigurableExecutionProvider;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};

use super::environment::Runtime;
use super::nvidia;
use super::plugin::PlugIn;
use super::plugin_api::Hardware;
use super::provider::Provider;
use super::tensorrt;
use crate::error::{Error, ErrorKind, Result};

impl Runtime {
    /// Session options for the network `graph` on `provider`.
    ///
    /// On the processor: one thread (the engine runs one network per thread instead), all graph optimisations.
    /// Subnormal numbers are left alone: flushing them gains nothing here, and would change the calling thread's
    /// arithmetic for good.
    pub(super) fn session_builder(&self, provider: Provider, graph: &[u8]) -> Result<SessionBuilder> {
        let failed =
            |cause| Error::with_source(ErrorKind::Runtime, format!("{provider} cannot be set up"), cause);
        let builder = self.plain_builder().map_err(failed)?;
        match provider.plugin() {
            Some(plugin) if !provider.compiled_in() => self.with_plugin(builder, provider, plugin),
            _ => self.with_built_in(builder, provider, graph).map_err(failed),
        }
    }

    fn plain_builder(&self) -> ort::Result<SessionBuilder> {
        Ok(ort::session::Session::builder(self.environment())?
            .with_optimization_level(GraphOptimizationLevel::All)?
            .with_intra_threads(1)?
            .with_inter_threads(1)?
            .with_parallel_execution(false)?
            .with_intra_op_spinning(false)?
            .with_memory_pattern(true)?)
    }

    fn with_built_in(
        &self,
        builder: SessionBuilder,
        provider: Provider,
        graph: &[u8],
    ) -> ort::Result<SessionBuilder> {
        let cuda = || {
            ort::ep::CUDA::default()
                .with_device_id(0)
                // Three decimal digits less, which shows at tile borders.
                .with_tf32(false)
                // Tiles come in a few shapes, and an exhaustive search at each of them costs seconds.
                .with_conv_algorithm_search(ort::ep::cuda::ConvAlgorithmSearch::Heuristic)
                .with_arena_extend_strategy(ort::ep::ArenaExtendStrategy::SameAsRequested)
                .build()
                .error_on_failure()
        };
        match provider {
            Provider::Cpu if int8_sums_overflow() => Ok(builder.with_config_entry(EXACT_INT8, "1")?),
            Provider::Cpu => Ok(builder),
            Provider::OpenVino | Provider::OpenVinoBf16 | Provider::OpenVinoGpu | Provider::OpenVinoNpu => {
                let openvino = ort::ep::OpenVINO::default()
                    .with_device_type(openvino_device(provider))
                    .with_arbitrary_config("load_config", openvino_config(provider))
                    .build()
                    .error_on_failure();
                Ok(builder.with_execution_providers([openvino])?)
            }
            Provider::WebGpu => {
                let webgpu = ort::ep::WebGPU::default().build().error_on_failure();
                Ok(builder.with_execution_providers([webgpu])?)
            }
            Provider::Cuda => {
                nvidia::preload(&self.library().path);
                Ok(builder.with_execution_providers([cuda()])?)
            }
            Provider::TensorRt => {
                nvidia::preload(&self.library().path);
                let tensorrt = tensorrt::provider(&self.library().path, graph).build().error_on_failure();
                Ok(builder.with_execution_providers([tensorrt, cuda()])?)
            }
        }
    }

    fn with_plugin(
        &self,
        mut builder: SessionBuilder,
        provider: Provider,
        plugin: PlugIn,
    ) -> Result<SessionBuilder> {
        let (hardware, options) = match provider {
            Provider::OpenVino | Provider::OpenVinoBf16 => {
                (Hardware::Processor, vec![("load_config", openvino_config(provider))])
            }
            Provider::OpenVinoGpu => (Hardware::Gpu, vec![("load_config", openvino_config(provider))]),
            Provider::OpenVinoNpu => (Hardware::Npu, vec![("load_config", openvino_config(provider))]),
            // WebGPU finds the GPU itself, whichever device it is given.
            _ => (Hardware::Gpu, Vec::new()),
        };
        self.append_plugin(&mut builder, plugin, hardware, &options)
            .map_err(|error| error.context(format!("{provider} cannot be set up")))?;
        Ok(builder)
    }
}

fn openvino_device(provider: Provider) -> &'static str {
    match provider {
        Provider::OpenVinoGpu => "GPU",
        Provider::OpenVinoNpu => "NPU",
        _ => "CPU",
    }
}

/// Settings of OpenVINO: the precision, for left alone it takes 16 bits wherever they are faster; and on the processor one thread, as with ONNX Runtime's own kernels.
fn openvino_config(provider: Provider) -> String {
    let device = openvino_device(provider);
    let precision = if provider == Provider::OpenVinoBf16 { "bf16" } else { "f32" };
    let settings = match device {
        "NPU" => String::new(),
        "GPU" => format!(r#""INFERENCE_PRECISION_HINT":"{precision}""#),
        _ => format!(
            r#""INFERENCE_PRECISION_HINT":"{precision}","INFERENCE_NUM_THREADS":"1","NUM_STREAMS":"1""#
        ),
    };
    format!("{{\"{device}\":{{{settings}}}}}")
}

/// Key for int8 sums that do not overflow on x86 processors without VNNI: their 16-bit sums cost `natural-x4-int8`
/// 0.2 dB. With VNNI the sums are exact anyway, and the key makes them slower than fp32.
const EXACT_INT8: &str = "session.x64quantprecision";

/// Whether ONNX Runtime's fast int8 kernels add in 16 bits on this processor.
fn int8_sums_overflow() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected;
        !(is_x86_feature_detected!("avx512vnni") || is_x86_feature_detected!("avxvnni"))
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}
