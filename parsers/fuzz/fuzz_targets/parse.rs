//! `cargo +nightly fuzz run parse`: splits and parses any bytes as every format.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wardline_parsers::{Format, parse, records, time};

fuzz_target!(|body: &[u8]| {
    for format in Format::ALL {
        for record in records(format, body) {
            let parsed = parse(format, record);
            assert!(parsed.fields.len() <= 1024);
        }
    }
    if let Ok(text) = std::str::from_utf8(body) {
        std::hint::black_box(time(text));
    }
});
