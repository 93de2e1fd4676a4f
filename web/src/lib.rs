//! The user interface, embedded.
