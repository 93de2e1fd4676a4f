//! Bounds of what one record may become.

/// Bounds of a parsed record. Over a bound the record is cut and noted, never refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Fields kept.
    pub fields_max: usize,
    /// Levels of nesting kept; at most 128 whatever is set.
    pub depth_max: usize,
    /// Bytes of one value.
    pub value_bytes_max: usize,
    /// Bytes of one record read.
    pub record_bytes_max: usize,
    /// Bytes of one dotted name.
    pub name_bytes_max: usize,
}

impl Options {
    /// 1,024 fields, 32 levels, values of 64 KiB, records of 1 MiB, names of 512 bytes.
    pub const DEFAULT: Options = Options {
        fields_max: 1024,
        depth_max: 32,
        value_bytes_max: 64 << 10,
        record_bytes_max: 1 << 20,
        name_bytes_max: 512,
    };
}

impl Default for Options {
    fn default() -> Self {
        Self::DEFAULT
    }
}
