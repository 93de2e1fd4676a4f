//! Whole-crate tests.

mod conformance;
mod correlations;
mod properties;
mod shipped;
