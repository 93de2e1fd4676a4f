//! Splitting a body into records.

use crate::Format;

/// The records of a body, see [`records`].
#[derive(Clone, Debug)]
pub struct Records<'a>(std::slice::Split<'a, u8, fn(&u8) -> bool>);

impl<'a> Iterator for Records<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.0.find(|line| !line.trim_ascii().is_empty())
    }
}

/// Splits a body into records without copying.
#[must_use]
pub fn records(_format: Format, body: &[u8]) -> Records<'_> {
    Records(body.split(|byte| *byte == b'\n'))
}
