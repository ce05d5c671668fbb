//! A record of how a picture was made, inside the picture.

use quick_xml::Reader;
use quick_xml::escape::escape;
use quick_xml::events::Event;
use serde::{Deserialize, Serialize};

use super::Metadata;
use super::metadata::xmp;

/// Keyword of the PNG text chunk.
const KEYWORD: &str = "PartDiff";

/// The XMP property that holds the record.
const PROPERTY: &str = "partdiff:record";

const NAMESPACE: &str = "urn:partdiff:1.0#";

/// IPTC's NewsCode for a picture that generative AI has worked on.
const SOURCE_TYPE: &str =
    "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia";

/// How a picture was made: enough to make it again from its source.
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
    /// Denoising steps.
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
    /// Seed of the noise.
    pub seed: u64,
    /// Execution provider that ran the model.
    pub provider: String,
    /// Factor from the source's size to this one's.
    pub scale: f64,
    /// SHA-256 of the source file, in hexadecimal.
    pub source_sha256: String,
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
        let description = format!(
            "<rdf:Description rdf:about=\"\" xmlns:partdiff=\"{NAMESPACE}\" \
             xmlns:Iptc4xmpExt=\"http://iptc.org/std/Iptc4xmpExt/2008-02-29/\" \
             Iptc4xmpExt:DigitalSourceType=\"{SOURCE_TYPE}\" {PROPERTY}=\"{}\"/>",
            escape(record.as_str())
        );
        let edit = xmp::Edit {
            remove: &["Iptc4xmpExt:DigitalSourceType", PROPERTY],
            add: Some(description.clone()),
            ..xmp::Edit::default()
        };
        let old = metadata.xmp.take();
        let edited = old.as_ref().and_then(|packet| xmp::edit(packet, &edit));
        let lost = old.is_some() && edited.is_none();
        metadata.xmp = edited.or_else(|| Some(xmp::packet(&description)));
        metadata.text.retain(|(keyword, _)| keyword != KEYWORD);
        metadata.text.push((KEYWORD.into(), record));
        lost.then(|| "the XMP packet is damaged; dropped".into())
    }

    /// The record of a picture that was made by this program.
    pub fn read(metadata: &Metadata) -> Option<Self> {
        let chunk =
            metadata.text.iter().find(|(keyword, _)| keyword == KEYWORD).map(|(_, text)| text.clone());
        let record = chunk.or_else(|| property(metadata.xmp.as_deref()?))?;
        serde_json::from_str(&record).ok()
    }
}

/// The record in an XMP packet.
fn property(packet: &[u8]) -> Option<String> {
    let mut reader = Reader::from_str(std::str::from_utf8(packet).ok()?);
    loop {
        match reader.read_event().ok()? {
            Event::Start(element) | Event::Empty(element) => {
                if let Some(attribute) = element.try_get_attribute(PROPERTY).ok()? {
                    return Some(quick_xml::escape::unescape(&attribute.value).ok()?.into_owned());
                }
            }
            Event::Eof => return None,
            _ => {}
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
            seed: u64::MAX,
            eta: 0.1,
            scale: 4.0,
            ..Provenance::default()
        };
        let mut metadata = Metadata::default();
        assert_eq!(Provenance::default().write(&mut metadata), None);
        assert_eq!(record.write(&mut metadata), None);
        assert_eq!(metadata.text.len(), 1);
        let packet = String::from_utf8(metadata.xmp.clone().unwrap()).unwrap();
        assert_eq!(packet.matches("DigitalSourceType").count(), 1, "{packet}");
        assert_eq!(Provenance::read(&metadata), Some(record.clone()));
        metadata.text.clear();
        assert_eq!(Provenance::read(&metadata), Some(record.clone()));
        assert_eq!(Provenance::read(&Metadata::default()), None);
        metadata.xmp = Some(b"<broken".to_vec());
        assert!(record.write(&mut metadata).unwrap().contains("damaged"));
        assert_eq!(Provenance::read(&metadata), Some(record));
    }
}
