//! TIFF of scanners, archives, microscopes and maps.
