//! What stands behind `token:` in programs and packages and is no secret: a type, the kind of machine.

/// Kinds of machines that packages are named for (`python3-jwt:amd64`), as Debian and its like write them.
const MACHINES: &[&[u8]] = &[
    b"all",
    b"amd64",
    b"arm64",
    b"armel",
    b"armhf",
    b"armv7",
    b"aarch64",
    b"hppa",
    b"i386",
    b"i686",
    b"ia64",
    b"loong64",
    b"m68k",
    b"mips",
    b"mips64",
    b"mips64el",
    b"mipsel",
    b"native",
    b"noarch",
    b"powerpc",
    b"ppc64",
    b"ppc64el",
    b"ppc64le",
    b"riscv64",
    b"s390x",
    b"sparc64",
    b"x32",
    b"x86_64",
];

/// Most digits of a number that a program wraps in a type.
const NUMBER_MAX: usize = 6;

/// Whether what is written without quotes is a kind of machine, a path of types (`mio::Token`) or a small number in
/// a type of its own (`Token(1024)`, whose bracket may be cut off).
pub(super) fn is_type(text: &[u8]) -> bool {
    MACHINES.contains(&text) || is_path(text) || is_wrapped(text)
}

fn is_path(text: &[u8]) -> bool {
    let Some(first) = memchr::memmem::find(text, b"::") else {
        return false;
    };
    let (mut part, mut rest) = text.split_at_checked(first).unwrap_or_default();
    loop {
        let is_name = part.len() >= 2 && part.iter().all(|b| b.is_ascii_alphabetic() || *b == b'_');
        if !is_name {
            return false;
        }
        let Some(behind) = rest.strip_prefix(b"::") else {
            return rest.is_empty();
        };
        let end = memchr::memmem::find(behind, b"::").unwrap_or(behind.len());
        (part, rest) = behind.split_at_checked(end).unwrap_or_default();
    }
}

fn is_wrapped(text: &[u8]) -> bool {
    let Some(open) = memchr::memchr(b'(', text) else {
        return false;
    };
    let (name, rest) = text.split_at_checked(open).unwrap_or_default();
    let number = rest.get(1..).unwrap_or_default();
    let number = number.strip_suffix(b")").unwrap_or(number);
    name.first().is_some_and(u8::is_ascii_uppercase)
        && name.iter().all(u8::is_ascii_alphabetic)
        && (1..=NUMBER_MAX).contains(&number.len())
        && number.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::is_type;

    #[test]
    fn types_are_told_from_secrets() {
        for text in [
            "amd64",
            "mio::Token",
            "std::sync::Arc",
            "Token(7)",
            "Token(1024",
        ] {
            assert!(is_type(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            "::",
            "a::b",
            "mio::",
            "::Token",
            "mio:Token",
            "amd64x",
            "mio::T0ken1",
            "Token()",
            "token(1)",
            "Token(1234567)",
            "Token(1)x",
            "hunter(2)",
            "ab::cd:",
        ] {
            assert!(!is_type(text.as_bytes()), "{text}");
        }
    }
}
