//! The pages, from the binary, under a policy that lets nothing inline run.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::error::Error;
use super::routes::{RouteSpec, Routes};

static START: RouteSpec = RouteSpec::get("/", "ui_start")
    .summary("The start page.")
    .public("the pages hold no data; they ask this API for it")
    .gives_raw("text/html");
static ASSETS: RouteSpec = RouteSpec::get("/assets/{*path}", "ui_asset")
    .summary("Scripts, styles, fonts and images of the pages.")
    .public("the same for every installation of this version")
    .gives_raw("application/octet-stream");
/// What no other route has: a page of the application, a file beside it, or nothing.
static OTHER: RouteSpec = RouteSpec::get("/{*path}", "ui_page")
    .summary("Pages by their own address.")
    .public("the pages hold no data; they ask this API for it")
    .gives_raw("text/html");

pub(super) fn register(routes: &mut Routes) {
    routes.add(&START, file);
    routes.add(&ASSETS, file);
    routes.fallback(&OTHER, other);
}

async fn file(request: Request) -> Result<Response, Error> {
    serve(request.uri().path(), request.headers())
}

async fn other(request: Request) -> Result<Response, Error> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Error::NotFound);
    }
    let (path, headers) = (request.uri().path(), request.headers());
    let wants_page = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|text| text.contains("text/html"));
    if wants_page && wardline_web::is_page(path) {
        return serve("/", headers);
    }
    serve(path, headers)
}

fn serve(path: &str, headers: &HeaderMap) -> Result<Response, Error> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let accepted = text(header::ACCEPT_ENCODING).unwrap_or_default();
    let asset = wardline_web::asset(path, accepted).ok_or(Error::NotFound)?;
    let is_known = text(header::IF_NONE_MATCH)
        .is_some_and(|known| known.split(',').any(|tag| tag.trim() == asset.etag));
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Response::new(match asset.bytes {
            std::borrow::Cow::Borrowed(bytes) => Body::from(bytes),
            std::borrow::Cow::Owned(bytes) => Body::from(bytes),
        })
    };
    let kept = if asset.immutable {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let to = response.headers_mut();
    let mut put = |name: HeaderName, value: &'static str| {
        to.insert(name, HeaderValue::from_static(value));
    };
    put(header::CONTENT_TYPE, asset.content_type);
    put(header::CACHE_CONTROL, kept);
    put(header::VARY, "Accept-Encoding");
    put(header::CONTENT_SECURITY_POLICY, wardline_web::CSP);
    if let Some(encoding) = asset.encoding {
        put(header::CONTENT_ENCODING, encoding);
    }
    for (name, value) in wardline_web::HEADERS {
        put(HeaderName::from_static(name), value);
    }
    if let Ok(etag) = HeaderValue::from_str(&asset.etag) {
        to.insert(header::ETAG, etag);
    }
    Ok(response)
}
