//! Lists on the wire: repositories, tags, referrers (distribution-spec, "Content Discovery").

use crate::http::body::Outgoing;
use crate::http::guard::{self, Guest};
use crate::http::headers::{FILTERS_APPLIED, value};
use crate::http::state::Door;
use crate::http::v2::answer::Answer;
use crate::oci::digest::Digest;
use crate::oci::media_type::Kind;
use crate::oci::page::Page;
use crate::oci::repository::Repository;
use crate::registry::listing;
use http::header::{CONTENT_TYPE, LINK};
use http::{HeaderValue, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

/// Repositories that are looked at for one page, whether the caller may see them or not.
pub const SCANNED_MAX: usize = 2000;

/// `GET /v2/_catalog`: what the caller may pull.
pub async fn catalog(door: &Door, guest: &Guest, mut page: Page) -> Answer {
    #[derive(Serialize)]
    struct Catalog {
        repositories: Vec<Repository>,
    }
    page.last = door.cursors.open(page.last);
    let keep = |name: &Repository| guard::may_see(door, guest, name);
    let listed = listing::repositories_where(&door.registry, &page, &keep, SCANNED_MAX).await?;
    let next = next_link("/v2/_catalog", &page, door.cursors.seal(listed.next, listed.entries.last()));
    Ok(json(&Catalog { repositories: listed.entries }, next))
}

/// `GET /v2/<name>/tags/list`.
pub async fn tags(door: &Door, repository: Repository, page: Page) -> Answer {
    #[derive(Serialize)]
    struct Tags<'a> {
        name: &'a Repository,
        tags: Vec<crate::oci::tag::Tag>,
    }
    let listed = listing::tags(&door.registry, &repository, &page).await?;
    let path = format!("/v2/{repository}/tags/list");
    let next = next_link(&path, &page, listed.entries.last().filter(|_| listed.more));
    Ok(json(&Tags { name: &repository, tags: listed.entries }, next))
}

/// `GET /v2/<name>/referrers/<digest>`.
pub async fn referrers(
    door: &Door,
    repository: Repository,
    subject: Digest,
    artifact_type: Option<String>,
    page: Page,
) -> Answer {
    let filter = artifact_type.as_deref();
    let listed = listing::referrers(&door.registry, &repository, &subject, filter, &page).await?;
    let index = Kind::OciIndex.media_type();
    // The descriptors are JSON already.
    let body = format!(
        r#"{{"schemaVersion":2,"mediaType":"{index}","manifests":[{}]}}"#,
        listed.descriptors.join(",")
    );
    let mut response = Response::new(Outgoing::whole(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(index));
    let mut path = format!("/v2/{repository}/referrers/{subject}");
    if let Some(artifact_type) = &artifact_type {
        headers.insert(FILTERS_APPLIED, HeaderValue::from_static("artifactType"));
        path.push_str("?artifactType=");
        path.extend(utf8_percent_encode(artifact_type, NON_ALPHANUMERIC));
    }
    if let Some(link) = next_link(&path, &page, listed.next.as_ref()) {
        headers.insert(LINK, link);
    }
    Ok(response)
}

/// The address of the next page (RFC 8288), if there is one after `last`.
fn next_link(path: &str, page: &Page, last: Option<impl ToString>) -> Option<HeaderValue> {
    let last = last?.to_string();
    let last = utf8_percent_encode(&last, NON_ALPHANUMERIC);
    let separator = if path.contains('?') { '&' } else { '?' };
    Some(value(format!("<{path}{separator}n={}&last={last}>; rel=\"next\"", page.entries_max)))
}

fn json(body: &impl Serialize, next: Option<HeaderValue>) -> Response<Outgoing> {
    let mut response = Response::new(Outgoing::whole(serde_json::to_vec(body).unwrap_or_default()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(next) = next {
        response.headers_mut().insert(LINK, next);
    }
    response
}
