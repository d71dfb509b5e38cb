//! Blobs on the wire: HEAD, GET with ranges, DELETE (distribution-spec, end-2 and end-10).

use crate::http::body::Outgoing;
use crate::http::headers::{CONTENT_DIGEST, Wanted, entity_tag, is_known, value, wanted};
use crate::http::state::Door;
use crate::http::v2::answer::{Answer, empty, to_the_end};
use crate::http::watch::watched;
use crate::oci::digest::Digest;
use crate::oci::repository::Repository;
use crate::registry::pull::Place;
use crate::registry::{delete, pull};
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, LOCATION,
};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, Version};

/// Keeps a browser from guessing that a layer is a page.
const CONTENT_TYPE_OPTIONS: HeaderName = HeaderName::from_static("x-content-type-options");

/// Over HTTP/2 a chunk of 256 KiB is taken piece by piece unseen, so a slow client gets several stalls for it.
const STALLS_A_CHUNK: u32 = 5;

/// HEAD and GET.
pub async fn get(door: &Door, request: &Parts, repository: Repository, digest: Digest) -> Answer {
    let size = pull::blob_size(&door.registry, &repository, &digest).await?;
    let head = request.method == Method::HEAD;
    if is_known(&request.headers, &digest) {
        let mut response = empty(StatusCode::NOT_MODIFIED);
        response.headers_mut().insert(ETAG, entity_tag(&digest));
        return Ok(response);
    }
    let (status, first, length) = match wanted(&request.headers, &digest, size) {
        _ if head => (StatusCode::OK, 0, size), // RFC 9110, section 14.2: ranges are for GET
        Wanted::All => (StatusCode::OK, 0, size),
        Wanted::Part(first, last) => (StatusCode::PARTIAL_CONTENT, first, last - first + 1),
        Wanted::Unsatisfiable => (StatusCode::RANGE_NOT_SATISFIABLE, 0, 0),
    };
    let bytes = match status {
        _ if head || length == 0 => None,
        _ => match pull::place(&door.registry, &digest, first, length).await? {
            Place::At(url) => return Ok(elsewhere(&digest, &url)),
            Place::Here(bytes) => Some(bytes),
        },
    };
    let mut response = empty(status);
    let headers = response.headers_mut();
    match status {
        StatusCode::PARTIAL_CONTENT => {
            headers.insert(CONTENT_RANGE, value(format!("bytes {first}-{}/{size}", first + length - 1)));
        }
        StatusCode::RANGE_NOT_SATISFIABLE => {
            headers.insert(CONTENT_RANGE, value(format!("bytes */{size}")));
            return Ok(response);
        }
        _ => {}
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_DIGEST, value(digest.to_string()));
    headers.insert(ETAG, entity_tag(&digest));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // What a digest names never changes, so a cache may keep it; a private one, since not everybody may read it.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=31536000, immutable"));
    if let Some(mut bytes) = bytes {
        if request.version == Version::HTTP_2 {
            bytes = watched(bytes, door.stall * STALLS_A_CHUNK);
        }
        *response.body_mut() = Outgoing::Stream(bytes, length);
    }
    Ok(response)
}

/// Where the bytes are. The client asks there for the range that it has asked us for: the URL is signed without one. No
/// cache may keep it, since it ends after some minutes, and opens to everybody until then.
fn elsewhere(digest: &Digest, url: &str) -> Response<Outgoing> {
    let mut response = empty(StatusCode::TEMPORARY_REDIRECT);
    let headers = response.headers_mut();
    headers.insert(LOCATION, value(url));
    headers.insert(CONTENT_DIGEST, value(digest.to_string()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// DELETE.
pub async fn delete(door: &Door, repository: Repository, digest: Digest) -> Answer {
    let registry = door.registry.clone();
    to_the_end(async move { Ok(delete::blob(&registry, &repository, &digest).await?) }).await?;
    Ok(empty(StatusCode::ACCEPTED))
}
