//! Whether slices are the centre of k-space, as the result of one of them tells.

use std::sync::PoisonError;

use super::kspace;
use super::layout;
use super::slices::{Progress, Slices};
use super::task::Listener;
use crate::engine::Upscaler;
use crate::error::Result;
use crate::progress::CancelToken;

impl Slices<'_> {
    /// Whether the middle slice, enlarged, agrees with truncated k-space. It is kept, and not made again. False where slices
    /// are not magnitudes, or that one is air.
    ///
    /// # Errors
    /// As the input cannot be read or the engine fails; `Cancelled`.
    pub fn are_truncated(
        &self,
        upscaler: &Upscaler,
        listener: &dyn Listener,
        cancel: &CancelToken,
    ) -> Result<bool> {
        let Some(zero) = self.zero else { return Ok(false) };
        let number = self.plan.geometry.sides[self.plan.plane.2] / 2;
        let slice = self.seen(&self.stored(number)?);
        let progress = Progress::new(listener, self.plan.slices());
        let enlarged = self.enlarged(&slice, number, self.options.clone(), upscaler, &progress, cancel)?;
        let is_made = enlarged.report.is_some();
        let are_truncated = is_made && kspace::is_truncated(&enlarged.image, &slice.whole(), zero);
        *self.made_before.lock().unwrap_or_else(PoisonError::into_inner) = Some((number, enlarged));
        Ok(are_truncated)
    }

    /// What is stored of the slice at `index` of the first volume.
    fn stored(&self, index: usize) -> Result<Vec<u8>> {
        let (through, sides) = (self.plan.plane.2, self.plan.stored());
        let voxel = self.plan.source.datatype().bytes();
        let mut data = self.plan.source.data()?;
        if through == 2 {
            let mut bytes = vec![0; sides[0] * sides[1] * voxel];
            (0..=index).try_for_each(|_| data.fill(&mut bytes))?;
            return Ok(bytes);
        }
        let mut volume = vec![0; sides.iter().product::<usize>() * voxel];
        data.fill(&mut volume)?;
        Ok(layout::slice(&volume, sides, through, index, voxel))
    }
}
