//! Is it one? Checksums and looks, pure.

use super::encoding;

/// Luhn's checksum (ISO/IEC 7812-1, annex B) over digits.
pub(super) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let value = u32::from(digit.wrapping_sub(b'0'));
            match (at % 2, value) {
                (0, value) => value,
                (_, value) if value > 4 => value * 2 - 9,
                (_, value) => value * 2,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether digits are a card number: an issuer's range, its length, and Luhn. Ranges are the
/// issuers' published ones: Visa, Mastercard, American Express, Diners, Discover, JCB, UnionPay,
/// Maestro, UATP in part.
pub(super) fn is_card(digits: &[u8]) -> bool {
    if !(13..=19).contains(&digits.len()) {
        return false;
    }
    let head = |n: usize| {
        digits.iter().take(n).fold(0u32, |head, digit| {
            head * 10 + u32::from(digit.wrapping_sub(b'0'))
        })
    };
    let (two, three, four) = (head(2), head(3), head(4));
    let fits = match digits.len() {
        13 => digits.first() == Some(&b'4'),
        14 => matches!(three, 300..=305) || matches!(two, 36 | 38 | 39),
        15 => matches!(two, 34 | 37) || matches!(four, 1220 | 1800 | 2131),
        16 => {
            digits.first() == Some(&b'4')
                || matches!(two, 51..=55 | 62 | 65)
                || matches!(four, 2221..=2720 | 3528..=3589 | 6011)
                || matches!(three, 644..=649)
                || is_maestro(two, four)
        }
        17 | 18 => is_maestro(two, four) || two == 62,
        19 => digits.first() == Some(&b'4') || two == 62 || is_maestro(two, four),
        _ => false,
    };
    // A row of one digit passes Luhn for some digits and is never a card.
    fits && luhn(digits) && digits.iter().any(|d| Some(d) != digits.get(5))
}

fn is_maestro(two: u32, four: u32) -> bool {
    two == 50 || matches!(four, 5600..=5899 | 6304 | 6390 | 6700..=6799)
}

/// Lengths of IBANs by country (SWIFT IBAN registry).
const IBANS: &[(&[u8; 2], usize)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

/// How long an IBAN of the country is; `None` where no country has these letters.
pub(super) fn iban_length(country: &[u8]) -> Option<usize> {
    IBANS
        .iter()
        .find(|(code, _)| code[..].eq_ignore_ascii_case(country))
        .map(|(_, length)| *length)
}

/// ISO 7064 mod 97-10 over an IBAN without spaces.
pub(super) fn is_iban(text: &[u8]) -> bool {
    let Some((head, tail)) = text.split_at_checked(4) else {
        return false;
    };
    let mut rest = 0u32;
    for byte in tail.iter().chain(head) {
        rest = match byte {
            b'0'..=b'9' => rest * 10 + u32::from(byte - b'0'),
            b'A'..=b'Z' => rest * 100 + u32::from(byte - b'A') + 10,
            b'a'..=b'z' => rest * 100 + u32::from(byte - b'a') + 10,
            _ => return false,
        } % 97;
    }
    rest == 1
}

/// Whether `ddd dd dddd` can be a US social security number: area, group and serial the issuer
/// gives out.
pub(super) fn is_ssn(area: &[u8], group: &[u8], serial: &[u8]) -> bool {
    area != b"000"
        && area != b"666"
        && area.first() != Some(&b'9')
        && group != b"00"
        && serial != b"0000"
}

/// Whether base64url text begins a JOSE header: decoded, it is an object that names an algorithm or
/// a type.
pub(super) fn is_jose_header(text: &[u8]) -> bool {
    let mut plain = [0u8; 512];
    let length = encoding::base64_into(text, &mut plain);
    let plain = plain.get(..length).unwrap_or_default();
    let holds = |word: &[u8]| memchr::memmem::find(plain, word).is_some();
    plain.trim_ascii_start().first() == Some(&b'{')
        && (holds(b"\"alg\"")
            || holds(b"\"enc\"")
            || holds(b"\"typ\"")
            || holds(b"\"kid\"")
            || holds(b"\"alg"))
}

/// Whether base64 text is the `user:password` of Basic authentication.
pub(super) fn is_basic(text: &[u8]) -> bool {
    let mut plain = [0u8; 256];
    let length = encoding::base64_into(text, &mut plain);
    let plain = plain.get(..length).unwrap_or_default();
    plain.len() >= 3 && plain.contains(&b':') && plain.iter().all(|b| !b.is_ascii_control())
}

/// Accepts everything.
pub(super) fn any(_: &[u8]) -> bool {
    true
}

/// Has a digit.
pub(super) fn digit(text: &[u8]) -> bool {
    text.iter().any(u8::is_ascii_digit)
}

/// Has a digit and a letter, and neither is rare.
pub(super) fn mixed(text: &[u8]) -> bool {
    let digits = text.iter().filter(|b| b.is_ascii_digit()).count();
    let letters = text.iter().filter(|b| b.is_ascii_alphabetic()).count();
    digits >= 2 && letters >= 2
}

/// A credential behind `Bearer` or `token`: long, or with digits.
pub(super) fn is_credential(text: &[u8]) -> bool {
    text.len() >= 12 && mixed(text) || text.len() >= 24 && switches(text) >= 3
}

/// Whether text was drawn by a machine rather than written: long, of pieces that mix letters and
/// digits or change between cases, and neither a path, a host, a date nor words.
pub(super) fn is_random(text: &[u8]) -> bool {
    if text.len() < 16 || text.len() > 4096 || memchr::memmem::find(text, b"://").is_some() {
        return false;
    }
    if !text.iter().all(|b| b.is_ascii_graphic()) {
        return false;
    }
    if is_uuid(text) {
        return true;
    }
    let weight: usize = text
        .split(|b| b"-_./:=+@,;".contains(b))
        .filter(|piece| {
            let digits = piece.iter().filter(|b| b.is_ascii_digit()).count();
            let letters = piece.len() - digits;
            piece.len() >= 4 && digits >= 1 && letters >= 1
                || piece.len() >= 16 && switches(piece) >= 3
        })
        .map(<[u8]>::len)
        .sum();
    weight >= 12 && weight * 2 >= text.len()
}

/// Changes between upper and lower case.
fn switches(text: &[u8]) -> usize {
    text.windows(2)
        .filter(|pair| match pair {
            [a, b] => a.is_ascii_lowercase() && b.is_ascii_uppercase(),
            _ => false,
        })
        .count()
}

/// 8-4-4-4-12 hex digits.
pub(super) fn is_uuid(text: &[u8]) -> bool {
    text.len() == 36
        && text.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Stands for a value instead of being one: a mask, a template, a literal, a variable, a call.
pub(super) fn is_placeholder(text: &[u8]) -> bool {
    const LITERALS: &[&[u8]] = &[
        b"null",
        b"none",
        b"nil",
        b"undefined",
        b"true",
        b"false",
        b"redacted",
        b"[redacted]",
        b"<redacted>",
        b"filtered",
        b"[filtered]",
        b"masked",
        b"[masked]",
        b"hidden",
        b"[hidden]",
        b"removed",
        b"[removed]",
        b"(redacted)",
        b"***redacted***",
        b"protected",
        b"omitted",
        b"[omitted]",
        b"string",
        b"required",
        b"empty",
        b"n/a",
    ];
    const OPENERS: &[&[u8]] = &[
        b"${", b"{{", b"$(", b"%(", b"#{", b"<%", b"@{", b"%s", b"%d", b"{}", b"()",
    ];
    let Some(first) = text.first() else {
        return true;
    };
    LITERALS.iter().any(|word| text.eq_ignore_ascii_case(word))
        || OPENERS.iter().any(|opener| text.starts_with(opener))
        || (*first == b'<' && text.last() == Some(&b'>'))
        || (b"*xX.-_?#=".contains(first) && text.iter().all(|b| b == first))
        || text.iter().all(|b| b"*.".contains(b))
        || is_variable(text)
}

fn is_variable(text: &[u8]) -> bool {
    const CALLS: &[&[u8]] = &[
        b"os.environ",
        b"process.env",
        b"getenv(",
        b"System.getenv",
        b"System.getProperty",
        b"ENV[",
        b"env(",
        b"vault(",
        b"os.getenv",
        b"config.",
        b"settings.",
        b"secrets.",
        b"self.",
        b"this.",
        b"props.",
        b"params.",
        b"request.",
        b"var.",
        b"data.",
        b"module.",
        b"local.",
    ];
    CALLS.iter().any(|call| text.starts_with(call))
        || text.strip_prefix(b"$").is_some_and(|name| {
            !name.is_empty() && name.iter().all(|b| b.is_ascii_uppercase() || *b == b'_')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_need_range_length_and_checksum() {
        for card in [
            "4111111111111111",
            "378282246310005",
            "30569309025904",
            "6011000990139424",
            "3530111333300000",
        ] {
            assert!(is_card(card.as_bytes()), "{card}");
        }
        for other in [
            "4111111111111112",
            "1234567890123452",
            "0000000000000000",
            "7640553108230474",
            "1626717505125909000",
        ] {
            assert!(!is_card(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn ibans_need_their_checksum() {
        assert!(is_iban(b"AT611904300234573201"));
        assert!(is_iban(b"BR9700360305000010009795493P1"));
        assert!(!is_iban(b"AT611904300234573202"));
        assert_eq!(iban_length(b"NO"), Some(15));
        assert_eq!(iban_length(b"ZZ"), None);
    }

    #[test]
    fn random_is_told_from_written() {
        for text in [
            "a1b2c3d4e5f6g7h8i9j0",
            "d37a8b9e09642cb73cfcf4e128481",
            "123e4567-e89b-12d3-a456-426614174000",
            "Az9xV2pLm6QtRs8Bn",
            "qWeRtYuIoPaSdFgHjKlZ",
        ] {
            assert!(is_random(text.as_bytes()), "{text}");
        }
        for text in [
            "validated",
            "user:12345:profile",
            "2026-11-21T19:00:00Z",
            "https://example.com/a1b2c3d4e5f6",
            "orders-service-production-eu",
            "api.internal.example.net",
            "application/json;charset=utf-8",
            "sk",
        ] {
            assert!(!is_random(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn placeholders_are_not_secrets() {
        for text in [
            "",
            "****",
            "xxxx",
            "${TOKEN}",
            "<your-token>",
            "null",
            "[REDACTED]",
            "$TOKEN",
            "os.environ['X']",
        ] {
            assert!(is_placeholder(text.as_bytes()), "{text}");
        }
        for text in ["hunter2", "$2b$12$abc", "x1x", "none1"] {
            assert!(!is_placeholder(text.as_bytes()), "{text}");
        }
    }
}
