//! Whole files of every format, and what becomes of them when they are cut, flipped, and made to lie.

use std::io::{Cursor, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use image::codecs::gif::GifEncoder;
use image::{Delay, Frame, RgbaImage};
use partdiff::image::{
    Density, DensityUnit, EncodeOptions, Image, ImageFormat, Provenance, Raster, SampleDepth, encode,
};

/// A file to be read.
pub struct Hostile {
    /// The format's name and what was done.
    pub name: String,
    pub bytes: Vec<u8>,
}

/// A simple deterministic generator (Knuth's MMIX constants).
struct Lcg(u64);

impl Lcg {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// All hostile files, the same in every run.
pub fn corpus() -> Vec<Hostile> {
    let mut random = Lcg(4);
    let mut files = bombs();
    for (name, seed) in seeds() {
        let mut add =
            |what: String, bytes: Vec<u8>| files.push(Hostile { name: format!("{name} {what}"), bytes });
        for end in (0..seed.len()).step_by(37) {
            add(format!("cut at {end}"), seed[..end].to_vec());
        }
        for round in 0..24 {
            let mut bytes = seed.clone();
            // Headers are short and matter most.
            let reach = if round % 2 == 0 { seed.len().min(160) } else { seed.len() };
            for _ in 0..=random.below(3) {
                bytes[random.below(reach)] ^= 1 << random.below(8);
            }
            add(format!("flips {round}"), bytes);
        }
        // Lengths, counts, offsets and sizes are all somewhere in the first bytes.
        for at in (0..seed.len().saturating_sub(4).min(220)).step_by(2) {
            for value in [[0xff; 4], [0; 4], [0x7f, 0xff, 0xff, 0xff], [0xff, 0xff, 0xff, 0x7f]] {
                let mut bytes = seed.clone();
                bytes[at..at + 4].copy_from_slice(&value);
                add(format!("{value:02x?} at {at}"), bytes);
            }
        }
    }
    files
}

/// A small image with all kinds of metadata in every format that can be written or made here.
fn seeds() -> Vec<(String, Vec<u8>)> {
    let data = (0..3 * 23 * 19).map(|i| ((i * i * 7 + i * 13) % 256) as f32 / 255.0).collect();
    let mut image = Image::new(Raster::from_vec(3, 23, 19, data), None, SampleDepth::U16, ImageFormat::Png);
    image.metadata.icc = moxcms::ColorProfile::new_display_p3().encode().ok();
    image.metadata.density = Some(Density { x: 300.0, y: 300.0, unit: DensityUnit::Inch });
    image.metadata.iptc = Some(b"\x1c\x02\x69\0\x03abc".to_vec());
    Provenance { software: "a test".into(), ..Provenance::default() }.write(&mut image.metadata);
    let write = |image: &Image, format| encode(image, &EncodeOptions::new(format)).unwrap().bytes;
    // WebP writes a resolution as EXIF, which can then go everywhere.
    let webp = write(&image, ImageFormat::WebP);
    let read = partdiff::image::decode(&webp, &partdiff::Limits::default()).unwrap();
    image.metadata.exif = read.metadata.exif;
    assert!(image.metadata.exif.is_some());
    let mut seeds: Vec<_> = ImageFormat::writable()
        .map(|format| (format.name().replace(' ', "-"), write(&image, format)))
        .collect();
    seeds.push(("GIF".into(), gif(3, 9)));
    seeds.push(("APNG".into(), apng(2)));
    seeds.push(("WebP-animation".into(), animated_webp(&webp)));
    seeds.push(("TIFF-pages".into(), pages(3)));
    seeds
}

fn gif(frames: usize, side: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new_with_speed(&mut bytes, 30);
    for i in 0..frames {
        let image = RgbaImage::from_pixel(side, side, image::Rgba([i as u8, 2, 3, 255]));
        encoder.encode_frame(Frame::from_parts(image, 0, 0, Delay::from_numer_denom_ms(1, 1))).unwrap();
    }
    drop(encoder);
    bytes
}

fn apng(frames: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 5, 4);
    encoder.set_animated(frames, 0).unwrap();
    let mut writer = encoder.write_header().unwrap();
    for i in 0..frames {
        writer.write_image_data(&[i as u8; 20]).unwrap();
    }
    writer.finish().unwrap();
    bytes
}

/// A still as the only frame of an animation, twice.
fn animated_webp(still: &[u8]) -> Vec<u8> {
    let chunk = |name: &[u8; 4], data: &[u8]| {
        [name, &(data.len() as u32).to_le_bytes()[..], data, &[0][..data.len() % 2]].concat()
    };
    let at = still.windows(4).position(|part| part == b"VP8L").unwrap();
    let size = u32::from_le_bytes(still[at + 4..at + 8].try_into().unwrap()) as usize;
    let image = chunk(b"VP8L", &still[at + 8..at + 8 + size]);
    let frame = chunk(b"ANMF", &[&[0, 0, 0, 0, 0, 0, 18, 0, 0, 22, 0, 0, 50, 0, 0, 0][..], &image].concat());
    let head = chunk(b"VP8X", &[2, 0, 0, 0, 18, 0, 0, 22, 0, 0]);
    let body = [&b"WEBP"[..], &head, &chunk(b"ANIM", &[0; 6]), &frame, &frame].concat();
    [&b"RIFF"[..], &(body.len() as u32).to_le_bytes(), &body].concat()
}

fn pages(count: usize) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let mut encoder = tiff::encoder::TiffEncoder::new(&mut bytes).unwrap();
    for i in 0..count {
        encoder.write_image::<tiff::encoder::colortype::Gray8>(4, 3, &[i as u8; 12]).unwrap();
    }
    bytes.into_inner()
}

fn deflated(zeros: usize) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    for _ in 0..zeros >> 20 {
        encoder.write_all(&[0; 1 << 20]).unwrap();
    }
    encoder.finish().unwrap()
}

fn png_chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(kind);
    crc.update(data);
    [&(data.len() as u32).to_be_bytes()[..], kind, data, &crc.sum().to_be_bytes()].concat()
}

/// A grey PNG file that says it is `width` x `height`, with other chunks before its data.
fn png(width: u32, height: u32, chunks: &[Vec<u8>], zeros: usize) -> Vec<u8> {
    let head = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 0, 0, 0, 0]].concat();
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    bytes.extend(png_chunk(b"IHDR", &head));
    chunks.iter().for_each(|chunk| bytes.extend(chunk));
    bytes.extend(png_chunk(b"IDAT", &deflated(zeros)));
    bytes.extend(png_chunk(b"IEND", b""));
    bytes
}

/// Little-endian TIFF fields (tag, type, count, value) as one directory at `at`, followed by the next one's offset.
fn directory(fields: &[(u16, u16, u32, u32)], next: u32) -> Vec<u8> {
    let mut bytes = (fields.len() as u16).to_le_bytes().to_vec();
    for (tag, kind, count, value) in fields {
        bytes.extend(
            [&tag.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes(), &value.to_le_bytes()]
                .concat(),
        );
    }
    bytes.extend(next.to_le_bytes());
    bytes
}

fn tiff_of(width: u32, height: u32, counts: u32, next: u32) -> Vec<u8> {
    let fields = [
        (0x100, 4, 1, width),
        (0x101, 4, 1, height),
        (0x102, 3, 1, 8),
        (0x103, 3, 1, 8),
        (0x106, 3, 1, 1),
        (0x111, 4, counts, 200),
        (0x115, 3, 1, 1),
        (0x116, 4, 1, height),
        (0x117, 4, counts, 60),
    ];
    let mut bytes = [&b"II*\0\x08\0\0\0"[..], &directory(&fields, next)].concat();
    bytes.resize(200, 0);
    bytes.extend(deflated(100 << 20));
    bytes
}

/// A small image whose EXIF directory lists the whole file 20,000 times.
fn overlapping() -> Vec<u8> {
    let (count, exif) = (20_000u32, 300);
    let size = exif + 2 + 12 * count + 4;
    let fields = [
        (0x100, 4, 1, 2),
        (0x101, 4, 1, 2),
        (0x102, 3, 1, 8),
        (0x103, 3, 1, 1),
        (0x106, 3, 1, 1),
        (0x111, 4, 1, 200),
        (0x116, 4, 1, 2),
        (0x117, 4, 1, 4),
        (0x8769, 4, 1, exif),
    ];
    let mut bytes = [&b"II*\0\x08\0\0\0"[..], &directory(&fields, 0)].concat();
    bytes.resize(exif as usize, 0);
    let list: Vec<_> = (0..count).map(|tag| (tag as u16, 1, size, 0)).collect();
    bytes.extend(directory(&list, 0));
    bytes
}

/// A small image with tags of millions of bytes, each a number.
fn many_values() -> Vec<u8> {
    let (count, at) = (12_000_000, 200);
    let fields = [
        (0x100, 4, 1, 4),
        (0x101, 4, 1, 4),
        (0x102, 1, count, at),
        (0x103, 3, 1, 1),
        (0x106, 3, 1, 1),
        (0x111, 1, count, at),
        (0x115, 3, 1, 1),
        (0x117, 1, count, at),
        (0x140, 1, count, at),
        (0x152, 1, count, at),
        (0x153, 1, count, at),
        (0x212, 1, count, at),
    ];
    let mut bytes = [&b"II*\0\x08\0\0\0"[..], &directory(&fields, 0)].concat();
    bytes.resize(at as usize, 0);
    bytes.resize((at + count) as usize, 8);
    bytes
}

/// Small files that promise or unpack to something enormous.
fn bombs() -> Vec<Hostile> {
    let big = u32::from(u16::MAX);
    let keyword = |kind: &[u8; 4], zeros| png_chunk(kind, &[&b"a key\0\0"[..], &deflated(zeros)].concat());
    let mut laughs = String::from("<!DOCTYPE x [<!ENTITY a0 'ha'>");
    for i in 1..30 {
        laughs += &format!("<!ENTITY a{i} '&a{p};&a{p};'>", p = i - 1);
    }
    laughs += "]><x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='r'>&a29;</rdf:RDF></x:xmpmeta>";
    let deep = format!("<rdf:RDF>{}{}</rdf:RDF>", "<a>".repeat(100_000), "</a>".repeat(100_000));
    let xmp =
        |packet: &str| png_chunk(b"iTXt", &[&b"XML:com.adobe.xmp\0\0\0\0\0"[..], packet.as_bytes()].concat());
    let mut jpeg = b"\xff\xd8\xff\xc0\0\x0b\x08\xff\xff\xff\xff\x01\x01\x11\0".to_vec();
    jpeg.extend(b"\xff\xda\0\x08\x01\x01\0\0\x3f\0\0\0\xff\xd9");
    let mut gif_screen = gif(1, 4);
    gif_screen[6..10].fill(0xff);
    let mut chain = b"II*\0\x08\0\0\0".to_vec();
    for _ in 0..60_000 {
        let next = chain.len() as u32 + 18 + 12;
        chain.extend(directory(&[(0x100, 3, 1, 1), (0x101, 3, 1, 1)], next));
    }
    let exif_loop = directory(&[(0x8769, 4, 1, 8), (0x8825, 4, 1, 8), (0xa005, 4, 1, 8)], 8);
    let exif_loop = png_chunk(b"eXIf", &[&b"II*\0\x08\0\0\0"[..], &exif_loop].concat());
    let webp = |width: u32, height: u32| {
        let mut head = vec![0; 4];
        head.extend(&(width - 1).to_le_bytes()[..3]);
        head.extend(&(height - 1).to_le_bytes()[..3]);
        [&b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0"[..], &head].concat()
    };
    let list: Vec<(&str, Vec<u8>)> = vec![
        ("PNG of all sides", png(i32::MAX as u32, i32::MAX as u32, &[], 0)),
        ("PNG of 225 megapixels", png(15_000, 15_000, &[], 0)),
        ("PNG with a profile of 100 MiB", png(4, 4, &[keyword(b"iCCP", 100 << 20)], 1 << 20)),
        ("PNG with 20 texts of 30 MiB", png(4, 4, &vec![keyword(b"zTXt", 30 << 20); 20], 1 << 20)),
        ("PNG with too much data", png(4, 4, &[], 100 << 20)),
        ("PNG with laughs", png(4, 4, &[xmp(&laughs)], 1 << 20)),
        ("PNG with deep XMP", png(4, 4, &[xmp(&deep)], 1 << 20)),
        ("PNG with EXIF in a circle", png(4, 4, &[exif_loop], 1 << 20)),
        ("APNG of many frames", png(4, 4, &[png_chunk(b"acTL", &[0xff; 8])], 1 << 20)),
        ("JPEG of all sides", jpeg),
        ("GIF of all sides", gif_screen),
        ("GIF of 200 frames", gif(200, 500)),
        ("BMP of all sides", bmp(i32::MAX, i32::MAX)),
        ("BMP of negative height", bmp(70_000, i32::MIN + 1)),
        ("PNM of all sides", b"P6\n4294967295 4294967295\n255\n".to_vec()),
        ("PNM with a long comment", [&b"P6\n#"[..], &[b'a'; 1 << 20], b"\n4 4\n255\n"].concat()),
        ("PAM of all sides", pam(u32::MAX)),
        ("PFM of all sides", b"PF\n4294967295 4294967295\n-1.0\n".to_vec()),
        ("QOI of all sides", [&b"qoif"[..], &[0xff; 8], &[4, 0, 0, 0, 0, 0]].concat()),
        (
            "Radiance-HDR of all sides",
            b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 4000000000 +X 4000000000\n".to_vec(),
        ),
        ("WebP of all sides", webp(1 << 24, 1 << 24)),
        ("TIFF of all sides", tiff_of(u32::MAX, u32::MAX, 1, 0)),
        ("TIFF of 65535 sides", tiff_of(big, big, 1, 0)),
        ("TIFF that unpacks to 100 MiB", tiff_of(4, 4, 1, 0)),
        ("TIFF of all strips", tiff_of(100, 100, u32::MAX, 0)),
        ("TIFF in a circle", tiff_of(4, 4, 1, 8)),
        ("TIFF of 60000 pages", chain),
        ("TIFF with 20000 fields that all mean the whole file", overlapping()),
        ("TIFF of 12 million bits per sample, kinds of sample and colours", many_values()),
        ("JPEG-XL of all sides", [&b"\xff\x0a"[..], &[0xff; 64]].concat()),
    ];
    list.into_iter().map(|(name, bytes)| Hostile { name: name.into(), bytes }).collect()
}

fn bmp(width: i32, height: i32) -> Vec<u8> {
    let mut bytes = b"BM\xff\xff\xff\x7f\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
    bytes.extend(width.to_le_bytes());
    bytes.extend(height.to_le_bytes());
    bytes.extend([1, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes.resize(54 + 64, 0);
    bytes
}

fn pam(side: u32) -> Vec<u8> {
    format!("P7\nWIDTH {side}\nHEIGHT {side}\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n").into_bytes()
}
