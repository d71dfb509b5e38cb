//! Manifests on the wire: HEAD, GET, PUT, DELETE (distribution-spec, end-3, end-7 and end-9).

use crate::http::body::{self, Outgoing, Refused};
use crate::http::headers::{CONTENT_DIGEST, OCI_SUBJECT, OCI_TAG, entity_tag, is_known, value};
use crate::http::state::Door;
use crate::http::v2::answer::{Answer, Asked, empty, to_the_end};
use crate::oci::reference::Reference;
use crate::oci::repository::Repository;
use crate::oci::tag::Tag;
use crate::registry::{delete, manifests, pull};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, LOCATION};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};

const TAGS_A_LINE: usize = 16;

/// HEAD and GET. `Accept` is not weighed: the bytes are given as they were pushed, since any other form would
/// have another digest.
pub async fn get(door: &Door, request: &Parts, repository: Repository, reference: Reference) -> Answer {
    let resolved = pull::resolve(&door.registry, &repository, &reference).await?;
    let known = is_known(&request.headers, &resolved.digest);
    let mut response = empty(if known { StatusCode::NOT_MODIFIED } else { StatusCode::OK });
    let headers = response.headers_mut();
    headers.insert(CONTENT_DIGEST, value(resolved.digest.to_string()));
    headers.insert(ETAG, entity_tag(&resolved.digest));
    if known {
        return Ok(response);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(resolved.kind.media_type()));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(resolved.size));
    if request.method != Method::HEAD {
        *response.body_mut() = Outgoing::whole(pull::manifest(&door.registry, &repository, &resolved).await?);
    }
    Ok(response)
}

/// PUT.
pub async fn put(
    door: &Door,
    asked: Asked,
    repository: Repository,
    reference: Reference,
    tags: Vec<Tag>,
) -> Answer {
    let bytes_max = door.registry.config.manifest_bytes_max;
    if content_length(&asked.head.headers).is_some_and(|length| length > bytes_max) {
        return Err(Refused::TooLarge.into()); // before a byte of it is read
    }
    let length = content_length(&asked.head.headers).unwrap_or(bytes_max);
    let whole = async {
        // Held until the manifest is stored: the bytes are in memory for as long.
        let room = door.manifest_room.acquire(length).await;
        Ok::<_, Refused>((body::whole(asked.body, bytes_max, door.stall).await?, room))
    };
    // A manifest is small; one that trickles in takes room from others.
    let (bytes, _room) = match tokio::time::timeout(door.stall, whole).await {
        Ok(whole) => whole?,
        Err(_) => return Err(Refused::Cut(std::io::ErrorKind::TimedOut.into()).into()),
    };
    let content_type =
        asked.head.headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).map(ToOwned::to_owned);
    let mut response = empty(StatusCode::CREATED);
    let headers = response.headers_mut();
    // Few lines with many tags each: some clients take no more than a hundred header lines.
    for tags in tags.chunks(TAGS_A_LINE) {
        let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
        headers.append(OCI_TAG, value(tags.join(", ")));
    }
    let registry = door.registry.clone();
    let name = repository.clone();
    let pushed = to_the_end(async move {
        let content_type = content_type.as_deref();
        Ok(manifests::put(&registry, &name, &reference, tags, content_type, bytes).await?)
    })
    .await?;
    headers.insert(LOCATION, value(format!("/v2/{repository}/manifests/{}", pushed.digest)));
    headers.insert(CONTENT_DIGEST, value(pushed.digest.to_string()));
    if let Some(subject) = pushed.subject {
        headers.insert(OCI_SUBJECT, value(subject.to_string()));
    }
    Ok(response)
}

/// DELETE: of a tag alone, or of a manifest with all of its tags.
pub async fn delete(door: &Door, repository: Repository, reference: Reference) -> Answer {
    let registry = door.registry.clone();
    to_the_end(async move {
        match reference {
            Reference::Tag(tag) => Ok(delete::tag(&registry, &repository, &tag).await?),
            Reference::Digest(digest) => Ok(delete::manifest(&registry, &repository, &digest).await?),
        }
    })
    .await?;
    Ok(empty(StatusCode::ACCEPTED))
}

/// `Content-Length`, if there is one that reads.
pub fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
