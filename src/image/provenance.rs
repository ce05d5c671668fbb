//! A record of how an image was made, inside the image.

use quick_xml::escape::escape;
use serde::{Deserialize, Serialize};

use super::Metadata;
use super::metadata::xmp_edit::{Edit, Name};
use super::metadata::{RECORD, xmp};

/// The XMP property that holds the record.
const PROPERTY: Name<'_> = Name { space: "urn:partdiff:1.0#", local: "record" };

/// IPTC's property for what made an image.
const DIGITAL_SOURCE_TYPE: Name<'_> =
    Name { space: "http://iptc.org/std/Iptc4xmpExt/2008-02-29/", local: "DigitalSourceType" };

/// IPTC's NewsCode for an image that generative AI has worked on.
const SOURCE_TYPE: &str =
    "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia";

/// How an image was made: enough to make it again from its source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Provenance {
    /// Program and version.
    pub software: String,
    /// Name and version of the model bundle.
    pub model: String,
    /// SHA-256 of the bundle, in hexadecimal.
    pub model_sha256: String,
    /// The step K where denoising began.
    pub start_step: u32,
    /// Denoising steps; 0 where the image was only shrunk and no model ran.
    pub steps: u32,
    /// Sampler.
    pub sampler: String,
    /// Share of fresh noise.
    pub eta: f64,
    /// Where the steps lie: `uniform` or `quadratic`.
    pub spacing: String,
    /// Rounds of back-projection at most.
    pub consistency: u32,
    /// Clean-up level.
    pub cleanup: f32,
    /// The factor by which the image was made smaller first, against blur.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deblur: Option<usize>,
    /// Seed of the noise.
    pub seed: u64,
    /// Execution provider that ran the model.
    pub provider: String,
    /// Factor from the source's size to this one's.
    pub scale: f64,
    /// SHA-256 of the source file, in hexadecimal.
    pub source_sha256: String,
    /// The plane of a volume's slices by the names of its axes, such as `ij`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plane: Option<String>,
    /// Whether a volume was enlarged through that plane, and not in it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub through: bool,
    /// Millimetres of the thickness that slices were taken to have, where they were made finer through the plane and that is
    /// not their distance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thickness: Option<f64>,
    /// The sides along i, j and k to which a volume was reduced in k-space first; `scale` is from there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native: Option<[usize; 3]>,
    /// Whether the band of k-space that a volume holds was put back into its slices.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub kspace: bool,
    /// Millimetres over which the noise of a volume's slices is alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise_length: Option<f64>,
    /// SHA-256 of the mask, in hexadecimal, outside of which a volume was only interpolated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask_sha256: Option<String>,
    /// Page of the source, counted from 0.
    pub page: usize,
    /// Quality of a lossy file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality: Option<u8>,
    /// The colour (red, green, blue; 0 to 1) that transparency was laid over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub background: Option<[f32; 3]>,
}

impl Provenance {
    /// Puts the record into the XMP packet and, for PNG, a text chunk; replaces an older one.
    ///
    /// Returns a note if an XMP packet was too damaged to keep.
    pub fn write(&self, metadata: &mut Metadata) -> Option<String> {
        let record = serde_json::to_string(self).unwrap_or_default();
        // What the source was stays true of an image that no model has touched.
        let (told, replaced) = if self.steps == 0 {
            (String::new(), &[PROPERTY][..])
        } else {
            let (space, local) = (DIGITAL_SOURCE_TYPE.space, DIGITAL_SOURCE_TYPE.local);
            let told = format!("xmlns:Iptc4xmpExt=\"{space}\" Iptc4xmpExt:{local}=\"{SOURCE_TYPE}\" ");
            (told, &[DIGITAL_SOURCE_TYPE, PROPERTY][..])
        };
        let description = format!(
            "<rdf:Description xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" rdf:about=\"\" {told}\
             xmlns:partdiff=\"{}\" partdiff:{}=\"{}\"/>",
            PROPERTY.space,
            PROPERTY.local,
            escape(record.as_str())
        );
        let edit = Edit { remove: replaced, add: Some(description.clone()), ..Edit::default() };
        let old = metadata.xmp.take();
        let edited = old.as_ref().and_then(|packet| xmp::edit(packet, &edit));
        let lost = old.is_some() && edited.is_none();
        metadata.xmp = Some(edited.map_or_else(|| xmp::packet(&description), |edited| edited.packet));
        metadata.text.retain(|(keyword, _)| keyword != RECORD);
        metadata.text.push((RECORD.into(), record));
        lost.then(|| "the XMP packet is damaged, or not plain XML in UTF-8; dropped".into())
    }

    /// The record of an image that was made by this program.
    pub fn read(metadata: &Metadata) -> Option<Self> {
        let chunk = metadata.text.iter().find(|(keyword, _)| keyword == RECORD).map(|(_, text)| text.clone());
        let record = chunk.or_else(|| xmp::property(metadata.xmp.as_deref()?, PROPERTY))?;
        serde_json::from_str(&record).ok()
    }

    /// Takes an older record out of `metadata`; that AI has worked on the image stays true, and told.
    pub fn remove(metadata: &mut Metadata) {
        metadata.text.retain(|(keyword, _)| keyword != RECORD);
        let edit = Edit { remove: &[PROPERTY], ..Edit::default() };
        if let Some(edited) = metadata.xmp.as_deref().and_then(|packet| xmp::edit(packet, &edit)) {
            metadata.xmp = Some(edited.packet);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_from_either_place_and_replaces_an_older_one() {
        let record = Provenance {
            software: "PartDiff 0.1.0".into(),
            model: "natural \"x4\" & <more>".into(),
            steps: 3,
            seed: u64::MAX,
            eta: 0.1,
            scale: 4.0,
            ..Provenance::default()
        };
        let mut metadata = Metadata::default();
        assert_eq!(Provenance::default().write(&mut metadata), None);
        let packet = String::from_utf8(metadata.xmp.clone().unwrap()).unwrap();
        assert!(!packet.contains("DigitalSourceType"), "no step of a model: {packet}");
        assert_eq!(record.write(&mut metadata), None);
        assert_eq!(metadata.text.len(), 1);
        let packet = String::from_utf8(metadata.xmp.clone().unwrap()).unwrap();
        assert_eq!(packet.matches("DigitalSourceType").count(), 1, "{packet}");
        assert_eq!(Provenance::read(&metadata), Some(record.clone()));
        metadata.text.clear();
        assert_eq!(Provenance::read(&metadata), Some(record.clone()));
        assert_eq!(Provenance::read(&Metadata::default()), None);
        Provenance::default().write(&mut metadata);
        Provenance::remove(&mut metadata);
        assert_eq!(Provenance::read(&metadata), None);
        assert!(String::from_utf8(metadata.xmp.unwrap()).unwrap().contains(SOURCE_TYPE));
        metadata.xmp = Some(b"<broken".to_vec());
        assert!(record.write(&mut metadata).unwrap().contains("damaged"));
        assert_eq!(Provenance::read(&metadata), Some(record));
    }
}
