//! XMP packets (ISO 16684-1): edited as XML events, so that all else stays byte for byte.

use std::borrow::Cow;

use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};
use quick_xml::name::{QName, ResolveResult};
use quick_xml::reader::NsReader;
use quick_xml::{Writer, escape};

use super::xmp_edit::{Edit, Name};

/// Deepest nesting that is followed.
const DEPTH: usize = 200;

/// A packet that was edited.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::image) struct Edited {
    /// The packet.
    pub packet: Vec<u8>,
    /// Whether a property is no longer there.
    pub dropped: bool,
}

/// The packet with `edit` applied; `None` if it is not well-formed XML in UTF-8 with an RDF element.
pub(in crate::image) fn edit(packet: &[u8], edit: &Edit<'_>) -> Option<Edited> {
    Editor::new(packet, edit)?.run()
}

/// The value of a simple property, in either of its forms.
pub(in crate::image) fn property(packet: &[u8], wanted: Name<'_>) -> Option<String> {
    let mut reader = reader(packet)?;
    loop {
        match reader.read_event().ok()? {
            Event::Start(element) | Event::Empty(element) => {
                if name_of(&reader, element.name(), true) == wanted {
                    return unescaped(reader.read_text(element.name()).ok()?.trim());
                }
                for attribute in element.attributes() {
                    let attribute = attribute.ok()?;
                    if name_of(&reader, attribute.key, false) == wanted {
                        return unescaped(&attribute.value);
                    }
                }
            }
            Event::Eof => return None,
            _ => {}
        }
    }
}

fn unescaped(text: &str) -> Option<String> {
    escape::unescape(text).ok().map(Cow::into_owned)
}

fn reader(packet: &[u8]) -> Option<NsReader<&[u8]>> {
    // Some writers end the packet with a zero byte.
    Some(NsReader::from_str(std::str::from_utf8(packet).ok()?.trim_end_matches('\0')))
}

/// The name that `name` stands for at the reader's place.
fn name_of<'a>(reader: &'a NsReader<&[u8]>, name: QName<'a>, element: bool) -> Name<'a> {
    let resolver = reader.resolver();
    let (space, local) =
        if element { resolver.resolve_element(name) } else { resolver.resolve_attribute(name) };
    let space = if let ResolveResult::Bound(space) = space { space.into_inner() } else { "" };
    Name { space, local: local.into_inner() }
}

/// One way through a packet.
struct Editor<'a> {
    edit: &'a Edit<'a>,
    reader: NsReader<&'a [u8]>,
    writer: Writer<Vec<u8>>,
    depth: usize,
    /// How deep the size of marked regions lies, while inside.
    regions: Option<usize>,
    found: bool,
    dropped: bool,
}

impl<'a> Editor<'a> {
    fn new(packet: &'a [u8], edit: &'a Edit<'a>) -> Option<Self> {
        let writer = Writer::new(Vec::with_capacity(packet.len() + 1024));
        let reader = reader(packet)?;
        Some(Self { edit, reader, writer, depth: 0, regions: None, found: false, dropped: false })
    }

    fn run(mut self) -> Option<Edited> {
        loop {
            match self.reader.read_event().ok()? {
                Event::Start(element) => self.start(&element)?,
                Event::Empty(element) => self.empty(&element)?,
                Event::End(element) => {
                    self.depth = self.depth.checked_sub(1)?;
                    if self.regions == Some(self.depth) {
                        self.regions = None;
                    }
                    if element.local_name().into_inner() == "RDF" {
                        self.add();
                    }
                    self.write(Event::End(element))?;
                }
                Event::DocType(_) => return None,
                Event::Eof => break,
                event => self.write(event)?,
            }
        }
        let whole = self.found && self.depth == 0;
        whole.then(|| Edited { packet: self.writer.into_inner(), dropped: self.dropped })
    }

    fn start(&mut self, element: &BytesStart<'_>) -> Option<()> {
        let name = name_of(&self.reader, element.name(), true);
        if self.edit.drops(name) {
            self.dropped = true;
            self.reader.read_to_end(element.name()).ok()?;
            return Some(());
        }
        // Most values need not be known to be replaced; text within is asked for only where one is.
        if self.edit.value(name, self.regions.is_some(), "0").is_some() {
            let space = name.space.to_owned();
            let old = self.reader.read_text(element.name()).ok()?;
            let name = Name { space: &space, local: element.local_name().into_inner() };
            let value = self.edit.value(name, self.regions.is_some(), &old);
            self.write(Event::Start(element.borrow()))?;
            self.write(Event::Text(value.map_or(old, |value| BytesText::new(&value).into_owned())))?;
            return self.write(Event::End(BytesEnd::new(element.name().into_inner())));
        }
        if name.is_region_size() {
            self.regions = Some(self.depth);
        }
        let edited = self.element(element)?;
        self.depth += 1;
        if self.depth > DEPTH {
            return None;
        }
        self.write(Event::Start(edited))
    }

    fn empty(&mut self, element: &BytesStart<'_>) -> Option<()> {
        let name = name_of(&self.reader, element.name(), true);
        if self.edit.drops(name) {
            self.dropped = true;
            return Some(());
        }
        let outside = self.regions;
        if name.is_region_size() {
            self.regions = Some(self.depth);
        }
        let edited = self.element(element)?;
        self.regions = outside;
        if element.local_name().into_inner() == "RDF" {
            // Nothing inside: opened to take what is added.
            self.write(Event::Start(edited))?;
            self.add();
            return self.write(Event::End(BytesEnd::new(element.name().into_inner())));
        }
        self.write(Event::Empty(edited))
    }

    /// The element with its attributes edited.
    fn element(&mut self, element: &BytesStart<'_>) -> Option<BytesStart<'static>> {
        let mut out = BytesStart::new(element.name().into_inner().to_owned());
        let mut changed = false;
        for attribute in element.attributes() {
            let attribute = attribute.ok()?;
            // Declarations of namespaces are no properties.
            let declares = attribute.key.as_namespace_binding().is_some();
            let name = name_of(&self.reader, attribute.key, false);
            if !declares && self.edit.drops(name) {
                changed = true;
                self.dropped = true;
                continue;
            }
            match self.edit.value(name, self.regions.is_some(), &attribute.value).filter(|_| !declares) {
                Some(value) => {
                    changed = true;
                    out.push_attribute((attribute.key.into_inner(), value.as_str()));
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

    fn add(&mut self) {
        self.found = true;
        if let Some(text) = &self.edit.add {
            self.writer.get_mut().extend(text.as_bytes());
        }
    }

    fn write(&mut self, event: Event<'_>) -> Option<()> {
        self.writer.write_event(event).ok()
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
        <rdf:RDF xmlns:rdf='r'><rdf:Description rdf:about='' xmlns:tiff='http://ns.adobe.com/tiff/1.0/' \
        xmlns:e='http://ns.adobe.com/exif/1.0/' xmlns:xmp='http://ns.adobe.com/xap/1.0/' xmlns:dc='d' \
        xmlns:drone-dji='dji' xmlns:ps='p' tiff:Orientation='6' xmp:Rating='5' e:GPSLatitude='1' ps:City='Rome' \
        drone-dji:GpsLongtitude='2'><e:PixelXDimension>10</e:PixelXDimension><xmp:Thumbnails><rdf:Alt>\
        <rdf:li>AAAA</rdf:li></rdf:Alt></xmp:Thumbnails><dc:title>A &amp; B</dc:title></rdf:Description></rdf:RDF>\
        </x:xmpmeta><?xpacket end='w'?>";

    fn edited_of(packet: &str, change: &Edit<'_>) -> String {
        String::from_utf8(edit(packet.as_bytes(), change).unwrap().packet).unwrap()
    }

    #[test]
    fn properties_change_in_both_forms_under_any_prefix_and_the_rest_stays() {
        let all = edited_of(
            SAMPLE,
            &Edit {
                upright: true,
                size: Some([(10, 20), (400, 300)]),
                strip_gps: true,
                add: Some("<rdf:Description a='b'/>".into()),
                ..Edit::default()
            },
        );
        assert!(all.contains("tiff:Orientation=\"1\""), "{all}");
        assert!(all.contains("<e:PixelXDimension>400</e:PixelXDimension>"), "{all}");
        assert!(all.contains("A &amp; B"), "{all}");
        assert!(all.contains("<rdf:Description a='b'/></rdf:RDF>"), "{all}");
        for gone in ["Thumbnails", "AAAA", "GPS", "Gps", "Rome"] {
            assert!(!all.contains(gone), "{gone}: {all}");
        }
        assert_eq!(edited_of(SAMPLE, &Edit::default()), SAMPLE);
    }

    #[test]
    fn what_lies_in_the_image_follows_its_size_or_goes() {
        let packet = "<rdf:RDF xmlns:rdf='r' xmlns:m='http://www.metadataworkinggroup.com/schemas/regions/' \
            xmlns:stDim='http://ns.adobe.com/xap/1.0/sType/Dimensions#' \
            xmlns:GPano='http://ns.google.com/photos/1.0/panorama/' \
            xmlns:GCamera='http://ns.google.com/photos/1.0/camera/' \
            xmlns:hdrgm='http://ns.adobe.com/hdr-gain-map/1.0/'>\
            <rdf:Description GCamera:MotionPhoto='1' hdrgm:Version='1.0' GPano:FullPanoWidthPixels='1000'>\
            <m:Regions><m:AppliedToDimensions stDim:w='100' stDim:h='50' stDim:unit='pixel'/>\
            <m:RegionList>faces</m:RegionList></m:Regions><m:Page stDim:w='8' stDim:h='9'/>\
            <GPano:CroppedAreaTopPixels>30</GPano:CroppedAreaTopPixels></rdf:Description></rdf:RDF>";
        let size = Some([(100, 50), (400, 100)]);
        let larger = edited_of(packet, &Edit { size, ..Edit::default() });
        for part in [
            "stDim:w=\"400\" stDim:h=\"100\"",
            "FullPanoWidthPixels=\"4000\"",
            ">60<",
            "faces",
            "<m:Page stDim:w='8' stDim:h='9'/>",
        ] {
            assert!(larger.contains(part), "{part}: {larger}");
        }
        assert!(!larger.contains("MotionPhoto") && !larger.contains("hdrgm:Version"), "{larger}");
        let nested = packet.replace(
            "<m:AppliedToDimensions stDim:w='100' stDim:h='50' stDim:unit='pixel'/>",
            "<m:AppliedToDimensions rdf:parseType='Resource'><stDim:w>100</stDim:w><stDim:h>50</stDim:h>\
             </m:AppliedToDimensions>",
        );
        let larger = edited_of(&nested, &Edit { size, ..Edit::default() });
        assert!(larger.contains("<stDim:w>400</stDim:w><stDim:h>100</stDim:h>"), "{larger}");
        assert!(larger.contains("<m:Page stDim:w='8' stDim:h='9'/>"), "{larger}");
        let turned = edit(packet.as_bytes(), &Edit { turned: true, ..Edit::default() }).unwrap();
        assert!(turned.dropped);
        let turned = String::from_utf8(turned.packet).unwrap();
        assert!(!turned.contains("faces") && !turned.contains("Pano:"), "{turned}");
    }

    #[test]
    fn quotes_within_quotes_survive() {
        let packet = "<rdf:RDF><rdf:Description xmlns:tiff='http://ns.adobe.com/tiff/1.0/' dc:title='say \"hi\"' \
            tiff:Orientation='6'/></rdf:RDF>";
        let out = edited_of(packet, &Edit { upright: true, ..Edit::default() });
        assert!(out.contains("dc:title=\"say &quot;hi&quot;\" tiff:Orientation=\"1\""), "{out}");
        assert_eq!(edited_of(packet, &Edit::default()), packet);
    }

    #[test]
    fn a_property_is_found_in_both_forms_under_any_prefix() {
        let name = Name { space: "urn:a", local: "b" };
        for packet in [
            "<RDF xmlns:p='urn:a'><D p:b='1 &amp; 2'/></RDF>",
            "<RDF><D xmlns:p='urn:a'><p:b>1 &amp; 2</p:b></D></RDF>",
            "<RDF xmlns:p='urn:other' xmlns:q='urn:a'><D p:b='no' b='no'><b>no</b><q:b> 1 &amp; 2 </q:b></D></RDF>",
        ] {
            assert_eq!(property(packet.as_bytes(), name).as_deref(), Some("1 & 2"), "{packet}");
        }
        assert_eq!(property(b"<RDF xmlns:p='urn:a'><p:c/></RDF>", name), None);
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
