//! Route templates: `/v1/orders/81723` is an instance of `/v1/orders/{id}`.

/// Segments of a path that are looked at; the rest becomes one `{rest}`.
const SEGMENTS_MAX: usize = 64;
/// Ids are not longer than this in `object.id`.
const OBJECT_BYTES_MAX: usize = 256;

/// A guessed route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Guess<'p> {
    /// The template; `None` where it equals the path.
    pub template: Option<String>,
    /// The last segment that was replaced.
    pub object: Option<&'p str>,
}

/// Replaces the segments of a path that look like ids by `{id}`.
pub(super) fn guess(path: &str) -> Guess<'_> {
    let mut template: Option<String> = None;
    let mut object = None;
    let mut start = 0;
    for (count, segment) in path.split('/').enumerate() {
        if count > SEGMENTS_MAX {
            let kept = path.get(..start.min(path.len())).unwrap_or_default();
            template
                .get_or_insert_with(|| kept.to_owned())
                .push_str("{rest}");
            break;
        }
        let is_id = is_id(segment);
        if is_id {
            object = Some(segment).filter(|id| id.len() <= OBJECT_BYTES_MAX);
            if template.is_none() {
                let kept = path.get(..start).unwrap_or_default();
                let mut text = String::with_capacity(path.len() + 8);
                text.push_str(kept);
                template = Some(text);
            }
        }
        start += segment.len() + 1;
        if let Some(text) = &mut template {
            text.push_str(if is_id { "{id}" } else { segment });
            if start <= path.len() {
                text.push('/');
            }
        }
    }
    Guess { template, object }
}

/// The segment of a path that stands for the last placeholder of a given route.
pub(super) fn object<'p>(route: &str, path: &'p str) -> Option<&'p str> {
    let mut last = None;
    let mut segments = path.split('/');
    for pattern in route.split('/').take(SEGMENTS_MAX) {
        let segment = segments.next()?;
        let is_placeholder = pattern.starts_with(['{', ':', '<', '*']) || pattern.starts_with("$");
        if is_placeholder && !segment.is_empty() && segment.len() <= OBJECT_BYTES_MAX {
            last = Some(segment);
        }
    }
    last
}

/// Whether a segment names an object rather than a place: numbers, UUIDs, hex, ULIDs, mail addresses,
/// dates, and opaque tokens of at least eight characters with digits among the letters.
fn is_id(segment: &str) -> bool {
    let bytes = segment.as_bytes();
    if bytes.is_empty() {
        return false;
    }
    let mut digits = 0usize;
    let mut hex = 0usize;
    let mut upper = 0usize;
    let mut lower = 0usize;
    let mut breaks = 0usize;
    let mut switches = 0usize;
    let mut was_digit = false;
    for byte in bytes {
        let is_digit = byte.is_ascii_digit();
        match byte {
            b'0'..=b'9' => digits += 1,
            b'a'..=b'z' => lower += 1,
            b'A'..=b'Z' => upper += 1,
            b'-' | b'_' | b'.' | b'~' => breaks += 1,
            b'@' => return is_mail(segment),
            b'%' | b'=' | b'+' | b':' | b',' | b'|' => {}
            _ => return false,
        }
        hex += usize::from(byte.is_ascii_hexdigit());
        switches += usize::from(is_digit != was_digit);
        was_digit = is_digit;
    }
    if digits == 0 {
        // Without digits only long hex or long mixed case is opaque.
        return (hex == bytes.len() && bytes.len() >= 16)
            || (breaks == 0 && bytes.len() >= 20 && upper > 3 && lower > 3);
    }
    if digits == bytes.len() {
        return true;
    }
    if bytes.len() < 8 || is_version(bytes) {
        return false;
    }
    if digits + breaks == bytes.len() || hex + breaks == bytes.len() {
        // Dates, ranges of numbers, hex with or without dashes.
        return digits >= 4;
    }
    if breaks == 0 {
        // One run of digits behind a word (`oauth2login`, `level3support`) is a name.
        return switches >= 3
            || digits * 2 >= bytes.len()
            || (upper > 0 && lower > 0 && digits >= 2);
    }
    // Words joined by dashes (`top-10-list`) are slugs; `usr_8f2k1m9x`, `ord-2026-000123` are ids.
    digits * 3 >= bytes.len() - breaks || last_part_is_opaque(segment)
}

fn last_part_is_opaque(segment: &str) -> bool {
    let last = segment
        .rsplit(['-', '_', '.', '~'])
        .next()
        .unwrap_or_default();
    let count = |kind: fn(&u8) -> bool| last.bytes().filter(kind).count();
    let is_mixed = count(u8::is_ascii_uppercase) > 1 && count(u8::is_ascii_lowercase) > 1;
    let digits = count(u8::is_ascii_digit);
    last.len() >= 8 && (digits >= 2 || (digits == 1 && is_mixed))
}

fn is_mail(segment: &str) -> bool {
    segment
        .split_once('@')
        .is_some_and(|(name, domain)| !name.is_empty() && domain.contains('.'))
}

/// `v1`, `v2beta1`, `2026-11-01` is a date and not one.
fn is_version(bytes: &[u8]) -> bool {
    matches!(bytes, [b'v' | b'V', digit, ..] if digit.is_ascii_digit()) && bytes.len() <= 10
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, template: &str, object: Option<&str>) {
        let found = guess(path);
        assert_eq!(found.template.as_deref().unwrap_or(path), template);
        assert_eq!(found.object, object, "{path}");
    }

    #[test]
    fn ids_are_templated() {
        check("/v1/orders/81723", "/v1/orders/{id}", Some("81723"));
        check("/orders/1/items/2/", "/orders/{id}/items/{id}/", Some("2"));
        let uuid = "6f1c2a9e-0b7d-4f55-9a51-6c5e0f6f7c11";
        check(&format!("/u/{uuid}/keys"), "/u/{id}/keys", Some(uuid));
        for id in [
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "5759e988bd862e3fe1be46a994272793",
            "deadbeefdeadbeef",
            "usr_8f2k1m9x",
            "ann@example.com",
            "2026-11-21",
            "ord-2026-000123",
            "a8Zk29dQ",
            "dGhpcyBpcyBhIHRlc3Q9Cg==",
            "cus_NffrFeUfNV2Hib",
        ] {
            check(&format!("/x/{id}"), "/x/{id}", Some(id));
        }
    }

    #[test]
    fn names_stay() {
        for path in [
            "/",
            "",
            "/v1/health",
            "/v2beta1/x",
            "/oauth2/token",
            "/users/me",
            "/api/v10/top-10-list",
            "/index.html",
            "/.well-known/openid-configuration",
            "/static/app.js",
            "/a/very-long-slug-about-something",
            "*",
            "/level3/support",
            "/s3/buckets",
            "/mfa/totp",
            "/catalog/electronics",
        ] {
            check(path, path, None);
        }
    }

    #[test]
    fn long_paths_are_bounded() {
        let path = "/x".repeat(1000);
        let found = guess(&path).template.unwrap();
        assert!(found.ends_with("/{rest}") && found.len() < 200, "{found}");
        let path = "/1".repeat(1000);
        assert!(guess(&path).template.unwrap().len() < 400);
    }

    #[test]
    fn given_routes_name_the_object() {
        assert_eq!(
            object("/users/{id}/orders/:order", "/users/7/orders/9"),
            Some("9")
        );
        assert_eq!(object("/users", "/users"), None);
        assert_eq!(object("/a/{id}", "/a"), None);
    }

    proptest::proptest! {
        #[test]
        fn any_path_is_safe(path in ".{0,80}") {
            let _template = guess(&path);
        }
    }
}
