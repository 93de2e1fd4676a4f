//! Golden samples and properties.
