//! What the result of a volume tells of how it was made.

use super::dicom::{Making, Series};
use super::nifti::{COMMENT, Extension, Header, Nifti, field};
use super::source::Source;
use super::task::VolumeTask;
use crate::engine::{Report, Upscaler};
use crate::error::Result;
use crate::image::Provenance;

impl VolumeTask<'_, '_> {
    /// The extensions of the result: the input's, and how it was made; `is_put_back`: whether with the k-space of its slices.
    ///
    /// # Errors
    /// `Input` where the mask cannot be read.
    pub(super) fn record(
        &self,
        header: &mut Header,
        upscaler: &Upscaler,
        report: &Report,
        is_put_back: bool,
    ) -> Result<Vec<Extension>> {
        let mut extensions = self.plan.source.extensions().to_vec();
        if let Some(hash) = &self.hash {
            let record = self.provenance(upscaler, report, hash, is_put_back)?;
            let text = serde_json::to_string(&record).unwrap_or_default();
            extensions.push(Extension::comment(&text, header.order()));
            debug_assert_eq!(extensions.last().map(Extension::code), Some(COMMENT));
            if !header.has_text(field::DESCRIP) {
                header.set_text(field::DESCRIP, &record.software);
            }
        }
        Ok(extensions)
    }

    /// How the volume is made, of a source with this hash.
    ///
    /// # Errors
    /// `Input` where the mask cannot be read.
    fn provenance(
        &self,
        upscaler: &Upscaler,
        report: &Report,
        hash: &str,
        is_put_back: bool,
    ) -> Result<Provenance> {
        let (plan, options) = (self.plan, &self.plan.options);
        let mask = plan.mask.as_ref().map(Nifti::hash).transpose();
        Ok(Provenance {
            plane: Some(plan.plane_name()),
            through: plan.is_through(),
            thickness: plan.profile(),
            native: plan.is_native().then_some(plan.geometry.sides),
            kspace: is_put_back,
            noise_length: Some(options.noise_length),
            mask_sha256: mask.map_err(|error| error.context("the mask"))?,
            ..upscaler.provenance(report, plan.factor(), hash.to_owned())
        })
    }

    /// What a DICOM series tells of how it was made.
    ///
    /// # Errors
    /// `Input` where the source cannot be read.
    pub(super) fn making(
        &self,
        series: &Series,
        upscaler: &Upscaler,
        report: &Report,
        is_put_back: bool,
    ) -> Result<Making> {
        let plan = self.plan;
        let [columns, rows, slices] = plan.sides;
        // A series has UIDs, which stand for its pixels.
        let (scaling, source) = match &plan.source {
            Source::Series(_) => (series.scaling, String::new()),
            Source::Nifti(nifti) => {
                (nifti.header.scaling(), self.hash.clone().map_or_else(|| nifti.hash(), Ok)?)
            }
        };
        let settings = self.provenance(upscaler, report, &source, is_put_back)?;
        let text = format!("{:.2}", plan.factor());
        let factor = text.trim_end_matches('0').trim_end_matches('.').to_owned();
        let along = if plan.is_through() { "through" } else { "in" };
        let steps = if settings.steps == 1 { "1 step".into() } else { format!("{} steps", settings.steps) };
        let description = format!(
            "Enlarged x{factor} {along} the plane {} (i: columns, j: rows, k: slices) by {} with the neural network {}, \
             {steps}. What lies between the acquired values is a prediction. Not for diagnosis.",
            plan.plane_name(),
            settings.software,
            settings.model
        );
        let json = |record: &Provenance| serde_json::to_string(record).unwrap_or_default();
        Ok(Making {
            sides: [columns, rows, slices],
            datatype: plan.datatype,
            order: plan.source.header().order(),
            scaling: scaling.unwrap_or((1.0, 0.0)),
            factor,
            description,
            settings: format!("{} {:?}", json(&settings), plan.sides),
            record: self
                .hash
                .as_ref()
                .map(|hash| json(&Provenance { source_sha256: hash.clone(), ..settings })),
        })
    }
}
