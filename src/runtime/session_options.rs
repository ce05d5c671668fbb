//! How sessions are set up for a provider.

use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};

use super::environment::Runtime;
use super::nvidia;
use super::provider::Provider;
use crate::error::{Error, ErrorKind, Result};

impl Runtime {
    /// Session options for `provider`.
    ///
    /// On the processor: one thread (the engine runs one network per thread instead), all graph optimisations.
    /// Subnormal numbers are left alone: flushing them gains nothing here, and would change the calling thread's
    /// arithmetic for good.
    pub(super) fn session_builder(&self, provider: Provider) -> Result<SessionBuilder> {
        self.try_session_builder(provider).map_err(|error| {
            Error::with_source(ErrorKind::Runtime, format!("{provider} cannot be set up"), error)
        })
    }

    fn try_session_builder(&self, provider: Provider) -> ort::Result<SessionBuilder> {
        let builder = ort::session::Session::builder(self.environment())?
            .with_optimization_level(GraphOptimizationLevel::All)?
            .with_intra_threads(1)?
            .with_inter_threads(1)?
            .with_parallel_execution(false)?
            .with_intra_op_spinning(false)?
            .with_memory_pattern(true)?;
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
            Provider::Cuda => {
                nvidia::preload(&self.library().path);
                Ok(builder.with_execution_providers([cuda()])?)
            }
            Provider::TensorRt => {
                nvidia::preload(&self.library().path);
                let tensorrt = ort::ep::TensorRT::default().with_device_id(0).build().error_on_failure();
                Ok(builder.with_execution_providers([tensorrt, cuda()])?)
            }
        }
    }
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
