//! The doors: bytes of any sender become Payloads.
