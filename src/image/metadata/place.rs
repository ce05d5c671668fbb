//! Which metadata tell where an image was taken.

/// Parts of names that no other property has.
const PARTS: [&str; 8] =
    ["gps", "latitude", "longitude", "longtitude", "altitude", "location", "geotag", "geohash"];

/// Whole names.
const NAMES: [&str; 14] = [
    "city",
    "state",
    "country",
    "countrycode",
    "countryname",
    "country-code",
    "country-name",
    "provincestate",
    "province-state",
    "sub-location",
    "worldregion",
    "coverage",
    "coordinates",
    "place",
];

/// Whether a property or text of this name, without its prefix, tells a place; whoever wrote it, in any case.
pub(super) fn is_place(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    PARTS.iter().any(|part| name.contains(part)) || NAMES.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::is_place;

    #[test]
    fn places_are_told_from_the_rest() {
        for name in [
            "GPSLatitude",
            "GpsLongtitude",
            "Location",
            "LocationShown",
            "City",
            "Country-Code",
            "Sub-location",
        ] {
            assert!(is_place(name), "{name}");
        }
        for name in ["Title", "Author", "FlightYawDegree", "StateOfMind", "Velocity", "DateTimeOriginal"] {
            assert!(!is_place(name), "{name}");
        }
    }
}
