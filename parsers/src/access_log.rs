//! Under construction.

use crate::{Options, Parsed};

pub(crate) fn parse<'a>(_parsed: &mut Parsed<'a>, _text: &'a str, _options: &Options) -> bool {
    false
}
