//! JPEG's application segments of cameras and programs, which are dropped by name.

/// Number of the segment (`None` any), where its signature stands, the signature, what it is.
type Known = (Option<u8>, usize, &'static [u8], &'static str);

/// Segments that are dropped, by their signature (ExifTool's list of JPEG tags).
const KNOWN: [Known; 41] = [
    (Some(0), 6, b"HEAPJPGM", "Canon CIFF"),
    (Some(0), 0, b"AVI1", "Motion JPEG fields"),
    (Some(1), 0, b"Exif\0\0", "a further EXIF block"),
    (Some(1), 0, b"http://ns.adobe.com/xap/1.0/\0", "a further XMP packet"),
    (Some(1), 0, b"FLIR\0", "FLIR thermal data"),
    (Some(1), 0, b"PARROT\0", "Parrot thermal data"),
    (Some(1), 0, b"QVCI\0", "Casio picture info"),
    (Some(2), 4, b"IJPEG\0", INFIRAY),
    (Some(2), 0, b"FPXR\0", "FlashPix data"),
    (Some(2), 0, b"VIDEO\0", "a preview"),
    (Some(3), 0, b"Meta\0", "Kodak Meta data"),
    (Some(3), 0, b"META\0", "Kodak Meta data"),
    (Some(3), 0, b"Exif\0", "Kodak Meta data"),
    (Some(3), 0, b"Stim\0", "stereo image data"),
    (Some(3), 2, b"_JPSJPS_", "stereo image data"),
    (Some(3), 0, b"\xff\xd8\xff", "a preview"),
    (Some(4), 0, b"SCALADO\0", "Scalado data"),
    (Some(4), 0, b"FPXR\0", "FlashPix data"),
    (Some(5), 0, b"RMETA\0", "Ricoh data"),
    (Some(5), 0, b"ssuniqueid\0", "Samsung's unique number"),
    (Some(6), 0, b"EPPIM\0", "Toshiba print data"),
    (Some(6), 0, b"NITF\0", "NITF data"),
    (Some(6), 0, b"TDHD", "HP data"),
    (Some(6), 0, b"HP_TDHD", "HP data"),
    (Some(6), 0, b"GoPro\0", "GoPro data"),
    (Some(7), 0, b"PENTAX \0", "Pentax data"),
    (Some(7), 0, b"HUAWEI\0", "Huawei data"),
    (Some(7), 1, b"Qualcomm Camera Attributes", "Qualcomm camera data"),
    (Some(8), 0, b"SPIFF\0", "SPIFF data"),
    (Some(9), 0, b"Media Jukebox\0", "Media Jukebox data"),
    (Some(10), 0, b"UNICODE\0", "PhotoStudio's comment"),
    (Some(11), 0, b"HDR_RI", "JPEG-HDR's ratio image"),
    (Some(11), 0, b"JP", "JUMBF data"),
    (Some(12), 0, b"Ducky", "Photoshop's save quality (Ducky)"),
    (Some(12), 0, b"[picture info]", "picture info"),
    (Some(12), 0, b"Type=", "picture info"),
    (Some(12), 0, b"OLYMPUS", "picture info"),
    (Some(13), 0, b"Adobe_CM", "Adobe's colour data"),
    (Some(13), 0, b"Adobe_Photoshop2.5:", "Photoshop 2.5's resources"),
    (Some(15), 0, b"Q ", "GraphicConverter's quality"),
    (None, 0, b"DJI", "DJI data"),
];

const INFIRAY: &str = "InfiRay thermal data";

/// Signatures of segments that are dropped without a note: the decoder reads them, or they are about the compression of
/// the old file.
const SILENT: [(u8, &[u8]); 3] = [(0, b"JFIF\0"), (0, b"JFXX\0"), (14, b"Adobe")];

/// Names of dropped segments, each once.
#[derive(Clone, Debug, Default)]
pub(super) struct Dropped {
    names: Vec<String>,
    credentials: bool,
}

impl Dropped {
    /// Notes segment APP`number`, which nobody else has read.
    pub fn take(&mut self, number: u8, data: &[u8]) {
        if SILENT.iter().any(|&(silent, start)| silent == number && data.starts_with(start)) {
            return;
        }
        // The boxes of content credentials contain the name c2pa.
        if number == 11 && data.starts_with(b"JP") && data.windows(4).any(|part| part == b"c2pa") {
            self.credentials = true;
            return;
        }
        let is = |(of, at, start, _): &&Known| {
            of.is_none_or(|of| of == number) && data.get(*at..).is_some_and(|data| data.starts_with(start))
        };
        let infiray = (3..=9).contains(&number) && self.names.iter().any(|name| name == INFIRAY);
        let name = match KNOWN.iter().find(is) {
            Some((.., name)) => (*name).to_owned(),
            // Segments without a signature follow the one that has it.
            None if infiray => INFIRAY.into(),
            None => {
                let printable = |byte: &&u8| byte.is_ascii_graphic() || **byte == b' ';
                let start: String =
                    data.iter().take(16).take_while(printable).map(|&byte| char::from(byte)).collect();
                let start = if start.is_empty() { start } else { format!(" '{}'", start.trim_end()) };
                format!("unknown application data (APP{number}{start})")
            }
        };
        if !self.names.contains(&name) {
            self.names.push(name);
        }
    }

    /// What is to be said, one sentence each.
    pub fn notes(self) -> impl Iterator<Item = String> {
        let names = self.names.join(", ");
        let names = (!names.is_empty()).then(|| format!("dropped: {names}"));
        names.into_iter().chain(self.credentials.then(|| CREDENTIALS.into()))
    }
}

/// Said of C2PA in any container.
pub(super) const CREDENTIALS: &str = "content credentials (C2PA) are not valid for the new image; dropped";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_named_once_and_unknown_ones_by_their_beginning() {
        let mut dropped = Dropped::default();
        for (number, data) in [
            (0, &b"JFXX\0\x13"[..]),
            (1, b"FLIR\0\x01"),
            (1, b"FLIR\0\x02"),
            (4, b"\0\x01raw"),
            (2, b"\0\0\0\0IJPEG\0"),
            (4, b"\0\x01raw"),
            (5, b"DJI-DBG\0"),
            (10, b"Holiday \0camera"),
            (11, b"JP\0\x01\0\0\0\x01\0\0\0\x40jumb...c2pa"),
            (14, b"Adobe\0\x64"),
        ] {
            dropped.take(number, data);
        }
        assert_eq!(
            dropped.notes().collect::<Vec<_>>(),
            [
                "dropped: FLIR thermal data, unknown application data (APP4), InfiRay thermal data, \
                 DJI data, unknown application data (APP10 'Holiday')",
                "content credentials (C2PA) are not valid for the new image; dropped"
            ]
        );
    }
}
