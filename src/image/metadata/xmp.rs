//! XMP packets (ISO 16684-1): edited as XML events, so that all else stays byte for byte.

use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};
use quick_xml::{Reader, Writer};

use super::Density;

/// Deepest nesting that is followed.
const DEPTH: usize = 200;

/// What to change in a packet.
#[derive(Clone, Debug, Default)]
pub(in crate::image) struct Edit {
    /// Say that the picture is upright.
    pub upright: bool,
    /// Correct (width, height), where given.
    pub size: Option<(u32, u32)>,
    /// Correct the resolution, where given.
    pub density: Option<Density>,
    /// Remove where the picture was taken.
    pub strip_gps: bool,
    /// Properties to remove, by qualified name.
    pub remove: &'static [&'static str],
    /// `rdf:Description` elements to add.
    pub add: Option<String>,
}

impl Edit {
    /// Whether a property goes: old thumbnails, what `remove` names, places.
    fn drops(&self, name: &str) -> bool {
        let thumbnail = self.size.is_some() && matches!(name, "xmp:Thumbnails" | "xap:Thumbnails");
        let place = self.strip_gps
            && (name.starts_with("exif:GPS")
                || matches!(
                    name,
                    "Iptc4xmpCore:Location"
                        | "Iptc4xmpExt:LocationCreated"
                        | "Iptc4xmpExt:LocationShown"
                        | "photoshop:City"
                        | "photoshop:State"
                        | "photoshop:Country"
                        | "Iptc4xmpCore:CountryCode"
                        | "MicrosoftPhoto:GPSLatitude"
                        | "MicrosoftPhoto:GPSLongitude"
                ));
        thumbnail || place || self.remove.contains(&name)
    }

    /// The new value of a property.
    fn value(&self, name: &str) -> Option<String> {
        let fraction = |value: f64| {
            let (over, under) = super::exif_fields::rational(value);
            format!("{over}/{under}")
        };
        match name {
            "tiff:Orientation" => self.upright.then(|| "1".into()),
            "tiff:ImageWidth" | "exif:PixelXDimension" => self.size.map(|size| size.0.to_string()),
            "tiff:ImageLength" | "exif:PixelYDimension" => self.size.map(|size| size.1.to_string()),
            "tiff:XResolution" => self.density.map(|density| fraction(density.x)),
            "tiff:YResolution" => self.density.map(|density| fraction(density.y)),
            "tiff:ResolutionUnit" => self.density.map(|density| density.unit_code().to_string()),
            _ => None,
        }
    }

    /// The element with its attributes edited.
    fn start(&self, element: &BytesStart<'_>) -> Option<BytesStart<'static>> {
        let mut out = BytesStart::new(element.name().into_inner().to_owned());
        let mut changed = false;
        for attribute in element.attributes() {
            let attribute = attribute.ok()?;
            let name = attribute.key.into_inner();
            if self.drops(name) {
                changed = true;
                continue;
            }
            match self.value(name) {
                Some(value) => {
                    changed = true;
                    out.push_attribute((name, value.as_str()));
                }
                None => {
                    // Written between double quotes, where single ones may have been.
                    let value = attribute.value.replace('"', "&quot;").into();
                    out.push_attribute(Attribute { value, ..attribute });
                }
            }
        }
        Some(if changed { out } else { element.to_owned() })
    }
}

/// The packet with `edit` applied; `None` if it is not well-formed XML in UTF-8 with an RDF element.
pub(in crate::image) fn edit(packet: &[u8], edit: &Edit) -> Option<Vec<u8>> {
    // Some writers end the packet with a zero byte.
    let text = std::str::from_utf8(packet).ok()?.trim_end_matches('\0');
    let mut reader = Reader::from_str(text);
    let mut writer = Writer::new(Vec::with_capacity(packet.len() + 1024));
    let mut depth = 0usize;
    let mut found = false;
    loop {
        let event = reader.read_event().ok()?;
        match &event {
            Event::Start(element) => {
                let name = element.name().into_inner();
                if edit.drops(name) {
                    reader.read_to_end(element.name()).ok()?;
                    continue;
                }
                if let Some(value) = edit.value(name) {
                    reader.read_to_end(element.name()).ok()?;
                    writer.write_event(Event::Start(element.borrow())).ok()?;
                    writer.write_event(Event::Text(BytesText::new(&value))).ok()?;
                    writer.write_event(Event::End(BytesEnd::new(name))).ok()?;
                    continue;
                }
                depth += 1;
                if depth > DEPTH {
                    return None;
                }
                writer.write_event(Event::Start(edit.start(element)?)).ok()?;
            }
            Event::Empty(element) => {
                let name = element.name().into_inner();
                if element.local_name().into_inner() == "RDF" {
                    // Nothing inside: opened to take what is added.
                    found = true;
                    writer.write_event(Event::Start(edit.start(element)?)).ok()?;
                    add(&mut writer, edit);
                    writer.write_event(Event::End(BytesEnd::new(name))).ok()?;
                } else if !edit.drops(name) {
                    writer.write_event(Event::Empty(edit.start(element)?)).ok()?;
                }
            }
            Event::End(element) => {
                depth = depth.checked_sub(1)?;
                if element.local_name().into_inner() == "RDF" {
                    found = true;
                    add(&mut writer, edit);
                }
                writer.write_event(event.borrow()).ok()?;
            }
            Event::DocType(_) => return None,
            Event::Eof => break,
            _ => writer.write_event(event.borrow()).ok()?,
        }
    }
    (found && depth == 0).then(|| writer.into_inner())
}

fn add(writer: &mut Writer<Vec<u8>>, edit: &Edit) {
    if let Some(text) = &edit.add {
        writer.get_mut().extend(text.as_bytes());
    }
}

/// A packet that holds only `descriptions` (`rdf:Description` elements).
pub(in crate::image) fn packet(descriptions: &str) -> Vec<u8> {
    format!(
        "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\
         <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">{descriptions}</rdf:RDF></x:xmpmeta>\n\
         <?xpacket end=\"w\"?>"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "<?xpacket begin='' id='W5'?><x:xmpmeta xmlns:x='adobe:ns:meta/'>\
        <rdf:RDF xmlns:rdf='r'><rdf:Description rdf:about='' tiff:Orientation='6' xmp:Rating='5' exif:GPSLatitude='1'>\
        <exif:PixelXDimension>10</exif:PixelXDimension><xmp:Thumbnails><rdf:Alt><rdf:li>AAAA</rdf:li></rdf:Alt>\
        </xmp:Thumbnails><dc:title>A &amp; B</dc:title></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end='w'?>";

    fn edited(change: &Edit) -> String {
        String::from_utf8(edit(SAMPLE.as_bytes(), change).unwrap()).unwrap()
    }

    #[test]
    fn properties_change_in_both_forms_and_the_rest_stays() {
        let all = edited(&Edit {
            upright: true,
            size: Some((400, 300)),
            strip_gps: true,
            add: Some("<rdf:Description a='b'/>".into()),
            ..Edit::default()
        });
        assert!(all.contains("tiff:Orientation=\"1\""), "{all}");
        assert!(all.contains("<exif:PixelXDimension>400</exif:PixelXDimension>"), "{all}");
        assert!(all.contains("A &amp; B"), "{all}");
        assert!(all.contains("<rdf:Description a='b'/></rdf:RDF>"), "{all}");
        assert!(!all.contains("Thumbnails") && !all.contains("AAAA") && !all.contains("GPS"), "{all}");
        let none = edited(&Edit::default());
        assert!(none.contains("Thumbnails") && none.contains("GPSLatitude") && none.contains("xmp:Rating"));
    }

    #[test]
    fn quotes_within_quotes_survive() {
        let packet = "<rdf:RDF><rdf:Description dc:title='say \"hi\"' tiff:Orientation='6'/></rdf:RDF>";
        let out = edit(packet.as_bytes(), &Edit { upright: true, ..Edit::default() }).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(out.contains("dc:title=\"say &quot;hi&quot;\" tiff:Orientation=\"1\""), "{out}");
        let same = edit(packet.as_bytes(), &Edit::default()).unwrap();
        assert_eq!(same, packet.as_bytes());
    }

    #[test]
    fn broken_packets_are_refused() {
        for end in 1..SAMPLE.len() - 40 {
            assert_eq!(edit(&SAMPLE.as_bytes()[..end], &Edit::default()), None, "{end}");
        }
        assert_eq!(edit(b"<!DOCTYPE x [<!ENTITY a 'b'>]><rdf:RDF/>", &Edit::default()), None);
        assert_eq!(edit(b"\xff\xfe<", &Edit::default()), None);
        assert!(edit(&packet("<rdf:Description/>"), &Edit::default()).is_some());
    }
}
