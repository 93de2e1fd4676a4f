//! Whole-crate tests.

mod conformance;
mod correlations;
mod shipped;
