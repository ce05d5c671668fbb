//! JPEG of kinds that cameras do not write.
