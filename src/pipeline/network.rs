//! What an address is by itself, and the country codes as static text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// private, loopback, link_local, reserved or public (IANA special-purpose registries).
pub(super) fn class(address: IpAddr) -> &'static str {
    match address.to_canonical() {
        IpAddr::V4(v4) => class_v4(v4),
        IpAddr::V6(v6) => class_v6(v6),
    }
}

fn class_v4(address: Ipv4Addr) -> &'static str {
    let [a, b, c, _] = address.octets();
    if address.is_loopback() {
        "loopback"
    } else if address.is_private() || (a == 100 && b & 0xc0 == 64) {
        // 100.64.0.0/10 is the shared space behind carriers' NAT.
        "private"
    } else if address.is_link_local() {
        "link_local"
    } else if a == 0
        || a >= 224
        || address.is_documentation()
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && b & 0xfe == 18)
    {
        "reserved"
    } else {
        "public"
    }
}

fn class_v6(address: Ipv6Addr) -> &'static str {
    let [first, second, ..] = address.segments();
    if address.is_loopback() {
        "loopback"
    } else if first & 0xfe00 == 0xfc00 {
        "private"
    } else if first & 0xffc0 == 0xfe80 {
        "link_local"
    } else if first & 0xe000 != 0x2000 || (first == 0x2001 && second == 0x0db8) {
        "reserved"
    } else {
        "public"
    }
}

/// `AA` to `ZZ` side by side.
const CODES: [u8; 26 * 26 * 2] = {
    let mut codes = [b'A'; 26 * 26 * 2];
    let mut at = 0;
    while at < 26 * 26 {
        #[expect(
            clippy::indexing_slicing,
            clippy::cast_possible_truncation,
            reason = "evaluated by the compiler"
        )]
        {
            codes[at * 2] = b'A' + (at / 26) as u8;
            codes[at * 2 + 1] = b'A' + (at % 26) as u8;
        }
        at += 1;
    }
    codes
};

/// Two letters as upper-case static text.
pub(super) fn country(code: &str) -> Option<&'static str> {
    let letter = |byte: u8| {
        let upper = byte.to_ascii_uppercase();
        upper
            .is_ascii_uppercase()
            .then(|| usize::from(upper - b'A'))
    };
    let &[first, second] = code.as_bytes() else {
        return None;
    };
    let at = (letter(first)? * 26 + letter(second)?) * 2;
    std::str::from_utf8(CODES.get(at..at + 2)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_their_class() {
        for (address, expected) in [
            ("10.1.2.3", "private"),
            ("172.31.0.1", "private"),
            ("100.64.0.1", "private"),
            ("fd00::1", "private"),
            ("127.0.0.9", "loopback"),
            ("::1", "loopback"),
            ("169.254.1.1", "link_local"),
            ("fe80::1", "link_local"),
            ("0.0.0.0", "reserved"),
            ("203.0.113.9", "reserved"),
            ("224.0.0.1", "reserved"),
            ("2001:db8::1", "reserved"),
            ("::", "reserved"),
            ("8.8.8.8", "public"),
            ("100.128.0.1", "public"),
            ("2606:4700::1111", "public"),
            ("::ffff:8.8.8.8", "public"),
        ] {
            assert_eq!(class(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn country_codes_are_static() {
        assert_eq!(country("de"), Some("DE"));
        assert_eq!(country("ZZ"), Some("ZZ"));
        for bad in ["", "D", "DEU", "D1", "é"] {
            assert_eq!(country(bad), None, "{bad}");
        }
    }
}
