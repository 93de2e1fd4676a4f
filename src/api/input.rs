//! The only ways input reaches a handler: bounded, against a schema, and refused with a pointer to what
//! does not fit. Messages of the JSON reader are never passed on, since they quote the input.

use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use super::error::{Error, Fault};
use super::gate::BodyLimit;

/// Deepest nesting of a JSON body.
const DEPTH_MAX: usize = 32;

/// A JSON body of this type. No body stands for `{}`.
#[derive(Clone, Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Error> {
        let limit = request.extensions().get::<BodyLimit>().copied();
        let BodyLimit(bytes_max) =
            limit.ok_or_else(|| Error::internal("a body without a limit"))?;
        is_json(request.headers())?;
        let text = read(request.into_body(), bytes_max).await?;
        let text = if text.is_empty() { b"{}" } else { &text[..] };
        parse(text).map(Self)
    }
}

/// Whether the body claims to be JSON. `curl -d` claims a form, so that is let through to the reader:
/// what keeps foreign pages out is the check of the session cookie, not this one.
fn is_json(headers: &HeaderMap) -> Result<(), Error> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return Ok(());
    };
    let text = value.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    match essence.as_str() {
        "application/json" | "application/x-www-form-urlencoded" => Ok(()),
        other if other.ends_with("+json") => Ok(()),
        _ => Err(Error::MediaTypeUnsupported),
    }
}

/// The whole body, at most `bytes_max` of it.
async fn read(body: Body, bytes_max: u64) -> Result<Bytes, Error> {
    let limit = usize::try_from(bytes_max).unwrap_or(usize::MAX);
    match Limited::new(body, limit).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Error::BodyTooLarge { bytes_max }),
        Err(_) => Err(Error::BodyIncomplete),
    }
}

/// Reads a JSON text against a type.
fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, Error> {
    if depth(text) > DEPTH_MAX {
        return Err(Error::JsonInvalid);
    }
    // The members of an object could be given as a list in the order of our own code; nobody may rely on that.
    if text.trim_ascii_start().first() == Some(&b'[') {
        let fault = Fault::at("", "invalid_type").saying("expected an object");
        return Err(Error::InputInvalid(vec![fault]));
    }
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| fault(&error))?;
    reader.end().map_err(|_| Error::JsonInvalid)?;
    Ok(value)
}

fn fault(error: &serde_path_to_error::Error<serde_json::Error>) -> Error {
    if !error.inner().is_data() {
        return Error::JsonInvalid;
    }
    let mut pointer = String::new();
    for segment in error.path() {
        pointer.push('/');
        let name = segment.to_string();
        let name = name.trim_start_matches('[').trim_end_matches(']');
        pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
    }
    let message = error.inner().to_string();
    let code = code_of(&message);
    let mut fault = Fault::at(pointer, code);
    // What stands behind "expected" and the name of a missing field are words of ours.
    fault.detail = match code {
        "missing_field" => between(&message, "missing field `", "`").map(str::to_owned),
        "duplicate_field" => between(&message, "duplicate field `", "`").map(str::to_owned),
        _ => expected(&message),
    };
    Error::InputInvalid(vec![fault])
}

fn code_of(message: &str) -> &'static str {
    const CODES: [(&str, &str); 7] = [
        ("unknown field", "unknown_field"),
        ("missing field", "missing_field"),
        ("duplicate field", "duplicate_field"),
        ("invalid type", "invalid_type"),
        ("invalid length", "invalid_length"),
        ("unknown variant", "invalid_value"),
        ("invalid value", "invalid_value"),
    ];
    CODES
        .iter()
        .find_map(|(start, code)| message.starts_with(start).then_some(*code))
        .unwrap_or("invalid_value")
}

/// What the JSON reader expected, in words for people who do not read our code.
fn expected(message: &str) -> Option<String> {
    let text = between(message, ", expected ", " at line ")?;
    Some(format!("expected {}", words(text)))
}

/// The name of a type as the readers of JSON and TOML give it, in words.
pub(crate) fn words(text: &str) -> &str {
    let kind = text.split_whitespace().next().unwrap_or_default();
    match kind {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, not negative",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "struct" | "internally" | "adjacently" => "an object",
        _ => match text {
            "a map" => "an object",
            "a sequence" => "a list",
            "a boolean" => "true or false",
            other => other,
        },
    }
}

fn between<'t>(text: &'t str, before: &str, behind: &str) -> Option<&'t str> {
    // The last occurrence: what the client sent stands in front of our own words.
    let (_, rest) = text.rsplit_once(before)?;
    Some(rest.split_once(behind).map_or(rest, |(found, _)| found))
}

/// Deepest nesting of brackets outside strings.
fn depth(text: &[u8]) -> usize {
    let (mut now, mut deepest, mut in_string, mut is_escaped) = (0usize, 0usize, false, false);
    for byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                now = now.saturating_add(1);
                deepest = deepest.max(now);
            }
            b'}' | b']' if !in_string => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Query parameters of this type.
#[derive(Clone, Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Error> {
        let read: Result<_, QueryRejection> = axum::extract::Query::try_from_uri(&parts.uri);
        match read {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(rejection) => {
                let text = rejection.body_text();
                let message = text
                    .split_once(": ")
                    .map_or(text.as_str(), |(_, rest)| rest);
                let fault = Fault::at("?", code_of(message));
                Err(Error::InputInvalid(vec![Fault {
                    detail: expected(message),
                    ..fault
                }]))
            }
        }
    }
}

/// The one `{id}` of the path.
#[derive(Clone, Debug)]
pub(crate) struct Id(pub(crate) String);

/// Longest id in a path.
const ID_LENGTH_MAX: usize = 512;

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let read: Result<axum::extract::Path<String>, PathRejection> =
            axum::extract::Path::from_request_parts(parts, state).await;
        match read {
            Ok(axum::extract::Path(id)) if id.len() <= ID_LENGTH_MAX => Ok(Self(id)),
            _ => Err(Error::NotFound),
        }
    }
}

/// The two ids of the path, in order.
#[derive(Clone, Debug)]
pub(crate) struct Pair(pub(crate) String, pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Pair {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let read: Result<axum::extract::Path<(String, String)>, PathRejection> =
            axum::extract::Path::from_request_parts(parts, state).await;
        match read {
            Ok(axum::extract::Path((first, second)))
                if first.len().max(second.len()) <= ID_LENGTH_MAX =>
            {
                Ok(Self(first, second))
            }
            _ => Err(Error::NotFound),
        }
    }
}

/// Longest reason that somebody gives for what is kept, in characters.
const REASON_CHARS_MAX: usize = 500;

/// Whether a reason is there, and no novel.
///
/// # Errors
/// [`Error::InputInvalid`] at `/reason`.
pub(super) fn is_reason(reason: &str) -> Result<(), Error> {
    let length = reason.trim().chars().count();
    if (1..=REASON_CHARS_MAX).contains(&length) {
        return Ok(());
    }
    let expected = "expected 1 to 500 characters: why, a case or a ticket";
    Err(Error::input("/reason", "invalid_length", expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only reading is tested")]
    struct Sample {
        name: String,
        #[serde(default)]
        list: Vec<u8>,
    }

    fn check(text: &str, expected: &[(&str, &str, Option<&str>)]) {
        let Err(Error::InputInvalid(faults)) = parse::<Sample>(text.as_bytes()) else {
            panic!("{text} was not refused against its schema");
        };
        let faults: Vec<_> = faults
            .iter()
            .map(|fault| (&*fault.pointer, &*fault.code, fault.detail.as_deref()))
            .collect();
        assert_eq!(faults, expected, "{text}");
    }

    #[test]
    fn faults_point_at_their_place_and_quote_nothing() {
        check(r#"{}"#, &[("", "missing_field", Some("name"))]);
        check(
            r#"{"name":"a","hunter2":1}"#,
            &[(
                "/hunter2",
                "unknown_field",
                Some("expected `name` or `list`"),
            )],
        );
        check(
            r#"{"name":"a","list":[1,"hunter2"]}"#,
            &[(
                "/list/1",
                "invalid_type",
                Some("expected a whole number, not negative"),
            )],
        );
        check(
            r#"{"name":"a","name":"b"}"#,
            &[("", "duplicate_field", Some("name"))],
        );
    }

    #[test]
    fn a_body_is_an_object() {
        for text in ["[]", " [\"a\",[]]", "\"a\"", "7"] {
            check(text, &[("", "invalid_type", Some("expected an object"))]);
        }
    }

    #[test]
    fn what_is_not_json_is_told_apart() {
        for text in ["", "{", "nul", "{\"name\":\"a\"} x", "\u{0}"] {
            assert!(
                matches!(parse::<Sample>(text.as_bytes()), Err(Error::JsonInvalid)),
                "{text}"
            );
        }
    }

    #[test]
    fn nesting_is_bounded_before_it_is_read() {
        assert_eq!(depth(br#"{"a":[{"b":"]]]\"]"}]}"#), 3);
        let deep = "[".repeat(100_000);
        assert!(matches!(
            parse::<Sample>(deep.as_bytes()),
            Err(Error::JsonInvalid)
        ));
    }
}
