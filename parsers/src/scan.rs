//! Shared scanning of JSON bytes.
