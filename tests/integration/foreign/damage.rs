//! Damaged files of every format: what can be read is read, and never taken for whole.
