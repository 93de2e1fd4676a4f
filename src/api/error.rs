//! The one place where errors become status codes.
//!
//! A handler returns an [`Error`]; the response it becomes carries a [`Problem`] as an extension and no
//! body. The outermost layer ([`super::shell`]) writes the body, since only it knows the correlation id.

use std::borrow::Cow;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// What went wrong, for the caller. Holds neither payload bytes nor secrets nor names of internals.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// No credential, or one that is not valid; never says which.
    #[error("unauthenticated")]
    Unauthenticated,
    /// The credential lacks the scope the route asks for.
    #[error("scope {0} is missing")]
    Forbidden(&'static str),
    /// A cookie was sent without proof that the page is ours.
    #[error("cross-site request")]
    CrossSite,
    /// No such route, or no such object.
    #[error("not found")]
    NotFound,
    /// The route does not know this method.
    #[error("method not allowed")]
    MethodNotAllowed,
    /// The body is not JSON.
    #[error("body is not JSON")]
    JsonInvalid,
    /// The body, a parameter or a path segment does not fit its schema.
    #[error("input does not fit its schema")]
    InputInvalid(Vec<Fault>),
    /// The search query cannot be understood.
    #[error("query is not valid")]
    QueryInvalid(Fault),
    /// The body is longer than the route takes, before or after decompression.
    #[error("body is longer than {bytes_max} bytes")]
    BodyTooLarge {
        /// The bound that bit.
        bytes_max: u64,
    },
    /// The body stopped early or did not arrive in time.
    #[error("body did not arrive")]
    BodyIncomplete,
    /// The compressed body is damaged or cut short.
    #[error("compressed body is damaged: {0}")]
    BodyCorrupt(&'static str),
    /// A content encoding that is not known.
    #[error("content encoding is not supported")]
    EncodingUnsupported,
    /// A JSON route was sent something that does not claim to be JSON.
    #[error("content type is not supported")]
    MediaTypeUnsupported,
    /// A parameter of the ingest route is not valid; the text says what is.
    #[error("parameter is not valid: {0}")]
    ParameterInvalid(String),
    /// The caller asks too often.
    #[error("rate limit {policy}")]
    RateLimited {
        /// The policy that bit.
        policy: &'static str,
        /// Seconds until the next request is let through.
        retry_after_s: u64,
    },
    /// There is no room now, or the log cannot take anything.
    #[error("no room")]
    Busy {
        /// Seconds after which trying again makes sense.
        retry_after_s: u64,
    },
    /// The log stopped taking events in the middle of a large body.
    #[error("stored {stored} events of the request and no more")]
    PartlyStored {
        /// Its first events, which are durable.
        stored: u64,
        /// Seconds after which trying again makes sense.
        retry_after_s: u64,
    },
    /// Took longer than the route may.
    #[error("deadline exceeded")]
    Deadline,
    /// The object is not in a state that allows this.
    #[error("conflict: {0}")]
    Conflict(&'static str),
    /// `If-Match` names another version.
    #[error("version does not match")]
    VersionMismatch,
    /// The request would cost more than one may.
    #[error("too costly: {0}")]
    TooCostly(String),
    /// Our fault. The cause is logged under the correlation id and never sent.
    #[error("internal: {0}")]
    Internal(String),
}

/// One place in the input that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Fault {
    /// JSON pointer into the body, or the name of the parameter.
    pub pointer: String,
    /// What is wrong: `unknown_field`, `missing_field`, `invalid_type`, `invalid_value`, ….
    pub code: Cow<'static, str>,
    /// What would fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Fault {
    /// A fault at a place, without further words.
    #[must_use]
    pub fn at(pointer: impl Into<String>, code: &'static str) -> Self {
        Self {
            pointer: pointer.into(),
            code: code.into(),
            detail: None,
        }
    }

    /// With a sentence that says what would fit.
    #[must_use]
    pub fn saying(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

/// The body of every error (RFC 9457), `application/problem+json`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// `urn:wardline:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code in words.
    pub title: &'static str,
    /// The status code.
    pub status: u16,
    /// A stable word for programs.
    pub code: &'static str,
    /// What to do about it; the same sentence for every failure of our own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The `x-request-id` of this response.
    pub correlation_id: String,
    /// Each place in the input that does not fit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Fault>,
}

/// What an error carries to the outermost layer.
#[derive(Clone, Debug)]
pub(super) struct Carried(pub(super) Error);

impl Error {
    /// A failure of our own: the cause goes to the log.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        Self::Internal(cause.to_string())
    }

    /// One field of the input that does not fit.
    #[must_use]
    pub fn input(pointer: &str, code: &'static str, detail: &str) -> Self {
        Self::InputInvalid(vec![Fault::at(pointer, code).saying(detail)])
    }

    /// Status, code and title.
    #[must_use]
    pub fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::Unauthenticated => (S::UNAUTHORIZED, "unauthenticated", "Credential required"),
            Self::Forbidden(_) => (S::FORBIDDEN, "forbidden", "Not allowed"),
            Self::CrossSite => (S::FORBIDDEN, "cross_site", "Cross-site request refused"),
            Self::NotFound => (S::NOT_FOUND, "not_found", "Not found"),
            Self::MethodNotAllowed => {
                let code = "method_not_allowed";
                (S::METHOD_NOT_ALLOWED, code, "Method not allowed")
            }
            Self::JsonInvalid => (S::BAD_REQUEST, "json_invalid", "Body is not valid JSON"),
            Self::InputInvalid(_) => (S::UNPROCESSABLE_ENTITY, "input_invalid", "Input not valid"),
            Self::QueryInvalid(_) => (S::UNPROCESSABLE_ENTITY, "query_invalid", "Query not valid"),
            Self::BodyTooLarge { .. } => (S::PAYLOAD_TOO_LARGE, "body_too_large", "Body too large"),
            Self::BodyIncomplete => (S::BAD_REQUEST, "body_incomplete", "Body did not arrive"),
            Self::BodyCorrupt(_) => (S::BAD_REQUEST, "body_corrupt", "Compressed body is damaged"),
            Self::EncodingUnsupported => {
                let code = "encoding_unsupported";
                (S::UNSUPPORTED_MEDIA_TYPE, code, "Content encoding unknown")
            }
            Self::MediaTypeUnsupported => {
                let code = "media_type_unsupported";
                (S::UNSUPPORTED_MEDIA_TYPE, code, "Content type unknown")
            }
            Self::ParameterInvalid(_) => {
                (S::BAD_REQUEST, "parameter_invalid", "Parameter not valid")
            }
            Self::RateLimited { .. } => (S::TOO_MANY_REQUESTS, "rate_limited", "Too many requests"),
            Self::Busy { .. } => (S::SERVICE_UNAVAILABLE, "busy", "No room at the moment"),
            Self::PartlyStored { .. } => {
                let code = "partly_stored";
                (S::SERVICE_UNAVAILABLE, code, "Not all of it was stored")
            }
            Self::Deadline => (S::SERVICE_UNAVAILABLE, "deadline", "Took too long"),
            Self::Conflict(_) => (S::CONFLICT, "conflict", "Not possible in this state"),
            Self::VersionMismatch => (
                S::PRECONDITION_FAILED,
                "version_mismatch",
                "Changed by somebody else",
            ),
            Self::TooCostly(_) => (S::UNPROCESSABLE_ENTITY, "too_costly", "Request too costly"),
            Self::Internal(_) => (S::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
        }
    }

    fn detail(&self) -> Option<String> {
        let text: Cow<'static, str> = match self {
            Self::Unauthenticated => {
                "send a valid key as 'Authorization: Bearer KEY', or log in".into()
            }
            Self::Forbidden(scope) => format!("the key needs the scope '{scope}'").into(),
            Self::CrossSite => {
                "a request with the session cookie needs 'x-wardline-csrf: 1' and our own origin"
                    .into()
            }
            Self::BodyTooLarge { bytes_max } => {
                format!("the body may have {bytes_max} bytes, also after decompression").into()
            }
            Self::BodyIncomplete => "the body ended early or came too slowly".into(),
            Self::BodyCorrupt(what) => (*what).into(),
            Self::EncodingUnsupported => "known are gzip, zstd, deflate and identity, one of them and once".into(),
            Self::MediaTypeUnsupported => "send 'Content-Type: application/json'".into(),
            Self::ParameterInvalid(text) => text.clone().into(),
            Self::Busy { .. } => "nothing of this request was stored; send it again".into(),
            Self::PartlyStored { stored, .. } => format!(
                "the first {stored} events of this request are stored; send the others again, or all: then these are stored twice"
            )
            .into(),
            Self::Conflict(why) => (*why).into(),
            Self::TooCostly(why) => why.clone().into(),
            Self::VersionMismatch => "read the object again and repeat the change".into(),
            Self::Internal(_) => "the cause is in the server's log under the correlation id".into(),
            Self::QueryInvalid(fault) => fault.detail.clone()?.into(),
            _ => return None,
        };
        Some(text.into_owned())
    }

    /// The body that answers the request with this correlation id.
    pub(super) fn problem(&self, correlation_id: &str) -> Problem {
        let (status, code, title) = self.kind();
        let errors = match self {
            Self::InputInvalid(faults) => faults.clone(),
            Self::QueryInvalid(fault) => vec![fault.clone()],
            _ => Vec::new(),
        };
        Problem {
            kind: format!("urn:wardline:problem:{code}"),
            title,
            status: status.as_u16(),
            code,
            detail: self.detail(),
            correlation_id: correlation_id.to_owned(),
            errors,
        }
    }

    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::Unauthenticated => Some((
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"wardline\""),
            )),
            Self::RateLimited { retry_after_s, .. }
            | Self::Busy { retry_after_s }
            | Self::PartlyStored { retry_after_s, .. } => {
                Some((header::RETRY_AFTER, HeaderValue::from(*retry_after_s)))
            }
            Self::Deadline => Some((header::RETRY_AFTER, HeaderValue::from(1u64))),
            Self::EncodingUnsupported => Some((
                header::ACCEPT_ENCODING,
                HeaderValue::from_static("gzip, zstd, deflate"),
            )),
            _ => None,
        }
    }
}

impl From<crate::store::Error> for Error {
    fn from(error: crate::store::Error) -> Self {
        use crate::store::Error as Store;
        match error {
            Store::Missing("cursor") => Self::input("cursor", "invalid_value", "an old cursor"),
            Store::Missing(_) => Self::NotFound,
            Store::Conflict { .. } => Self::VersionMismatch,
            Store::Illegal { .. } => Self::Conflict("the alert's status does not allow this"),
            Store::Full { .. } => Self::Conflict("there are as many as there may be"),
            Store::Sealed => Self::Conflict("the secret cannot be read any more; rotate it"),
            Store::Io(_) => {
                tracing::error!(%error, "state not written");
                Self::Busy { retry_after_s: 5 }
            }
            other => Self::internal(other),
        }
    }
}

impl From<crate::index::Error> for Error {
    fn from(error: crate::index::Error) -> Self {
        use crate::index::Error as Index;
        match error {
            Index::Query(refused) => refused.into(),
            Index::Cursor => Self::input(
                "/cursor",
                "invalid_value",
                "take next_cursor of the same search",
            ),
            Index::TooSlow(_)
            | Index::TooManyBuckets(_)
            | Index::TooManyCandidates(_)
            | Index::TooManyEvents(_)
            | Index::TooManyValues(_) => Self::TooCostly(error.to_string()),
            // Whoever asked is not there to read it.
            Index::Gone => Self::Deadline,
            Index::NoColumn(_) => Self::input(
                "/aggs",
                "invalid_value",
                "this field is kept in the events' text only and cannot be aggregated",
            ),
            other => Self::internal(other),
        }
    }
}

impl From<crate::index::query::QueryError> for Error {
    fn from(error: crate::index::query::QueryError) -> Self {
        let mut detail = error.to_string();
        if let Some(suggestion) = error.suggestion {
            detail.push_str("; did you mean ");
            detail.push_str(&suggestion);
            detail.push('?');
        }
        Self::QueryInvalid(Fault::at("/query", "query_invalid").saying(detail))
    }
}

impl From<crate::wal::Error> for Error {
    fn from(error: crate::wal::Error) -> Self {
        Self::internal(error)
    }
}

impl From<super::key::NoRandom> for Error {
    fn from(error: super::key::NoRandom) -> Self {
        Self::internal(error)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = self.kind().0.into_response();
        if let Some((name, value)) = self.header() {
            response.headers_mut().insert(name, value);
        }
        response.extensions_mut().insert(Carried(self));
        response
    }
}
