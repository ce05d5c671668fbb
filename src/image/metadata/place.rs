//! Which metadata tell where a picture was taken.

/// Parts of names that no other property has.
const PARTS: [&str; 8] =
    ["gps", "latitude", "longitude", "longtitude", "altitude", "location", "geotag", "geohash"];

/// Whole names.
const NAMES: [&str; 10] = [
    "city",
    "state",
    "country",
    "countrycode",
    "countryname",
    "provincestate",
    "province-state",
    "sub-location",
    "worldregion",
    "coverage",
];

/// Whether a property or text of this name, without its prefix, tells a place; whoever wrote it, in any case.
pub(super) fn is_place(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    PARTS.iter().any(|part| name.contains(part)) || NAMES.contains(&name.as_str())
}
