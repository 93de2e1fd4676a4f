use super::*;

#[test]
fn encodings_are_read_from_the_header() {
    for (header, coding, expected) in [
        ("gzip, deflate, br, zstd", "br", true),
        ("gzip, deflate", "br", false),
        ("br;q=0, gzip", "br", false),
        ("br; Q=0.000, *", "br", false),
        ("*", "gzip", true),
        ("*;q=0", "gzip", false),
        ("GZIP;q=0.5", "gzip", true),
        ("", "gzip", false),
    ] {
        assert_eq!(accepts(header, coding), expected, "{header:?} {coding}");
    }
}

#[test]
fn only_vites_hashed_names_are_immutable() {
    for (name, expected) in [
        ("assets/index-DiwrgTda.js", true),
        ("assets/index-a_-4gTda.css", true),
        ("assets/theme.js", false),
        ("index-DiwrgTda.js", false),
        ("index.html", false),
        ("assets/é-é234567.js", false),
    ] {
        assert_eq!(is_hashed(name), expected, "{name}");
    }
}

#[test]
fn the_start_page_is_there_and_answers_conditional_requests() {
    let page = asset("/", "").expect("index.html is always embedded");
    assert_eq!(page.content_type, "text/html; charset=utf-8");
    assert_eq!(page.encoding, None);
    assert!(!page.immutable);
    assert_eq!(page, asset("index.html", "identity").unwrap());
    assert!(page.etag.starts_with('"') && page.etag.len() == 34);
    let small = asset("/", "br").unwrap();
    assert!(small.encoding.is_none() || small.etag != page.etag);
}

#[test]
fn what_is_not_a_file_of_ours_is_not_served() {
    for path in [
        "/nope.js",
        "/../Cargo.toml",
        "/assets/",
        "/index.html.br",
        "/index",
        "/etc/passwd",
    ] {
        assert_eq!(asset(path, "br, gzip"), None, "{path}");
    }
}

#[test]
fn pages_are_told_from_files_and_calls() {
    for (path, expected) in [
        ("/search", true),
        ("/requests/req-1.2", true),
        ("/requests/bundle.js", true),
        ("/alerts/alt_1", true),
        ("/", true),
        ("/api/v1/search", false),
        ("/assets/x.js", false),
        ("/favicon.svg", false),
    ] {
        assert_eq!(is_page(path), expected, "{path}");
    }
}

#[test]
fn pages_bring_nothing_inline() {
    let page = asset("/", "").unwrap();
    let text = String::from_utf8(page.bytes.into_owned()).unwrap();
    for bad in [
        "<style",
        "style=",
        "javascript:",
        "onload=",
        "http://",
        "https://",
    ] {
        assert!(!text.contains(bad), "{bad} in index.html");
    }
    for script in text.split("<script").skip(1) {
        assert!(script.contains("src="), "inline script: {script}");
    }
}
