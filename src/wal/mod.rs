//! The log: append, fsync, read. Every reader owns one Offset.
