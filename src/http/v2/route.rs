//! What a request to `/v2/` means: method and URL become one value, once, or are refused here.
//!
//! A path is read from its right end, since a repository name may hold any word. It is never decoded: no name
//! of this API needs an escape, so each object has one spelling and nothing in front of us can be fooled by
//! another one. (`%3A` for the colon of a digest is the one exception; some clients write it.)

use crate::http::v2::query::Query;
use crate::oci::digest::{Algorithm, Digest};
use crate::oci::error::{Invalid, shortened};
use crate::oci::page::Page;
use crate::oci::reference::Reference;
use crate::oci::repository::Repository;
use crate::oci::tag::Tag;
use crate::oci::upload::UploadId;
use http::Method;

/// Most tags in one push by digest (distribution-spec asks for at least 10).
pub const TAGS_MAX: usize = 100;

/// A request, typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// end-1
    Version,
    /// The list of repositories; registry:2's, not in the specification.
    Catalog(Page),
    /// end-8
    Tags(Repository, Page),
    /// end-12
    Referrers(Repository, Digest, Option<String>, Page),
    /// end-3
    ManifestGet(Repository, Reference),
    /// end-7
    ManifestPut(Repository, Reference, Vec<Tag>),
    /// end-9
    ManifestDelete(Repository, Reference),
    /// end-2
    BlobGet(Repository, Digest),
    /// end-10
    BlobDelete(Repository, Digest),
    /// end-4a, end-4c
    UploadBegin(Repository, Algorithm),
    /// end-4b
    UploadWhole(Repository, Digest),
    /// end-11
    UploadMount(Repository, Digest, Option<Repository>),
    /// end-13
    UploadStatus(Repository, UploadId),
    /// end-5
    UploadAppend(Repository, UploadId),
    /// end-6
    UploadFinish(Repository, UploadId, Digest),
    /// end-14
    UploadCancel(Repository, UploadId),
}

/// Why a request means nothing here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unroutable {
    /// No such path.
    #[error("no such page")]
    NotFound,
    /// The path does not know the method; it knows these.
    #[error("the method is not supported here; supported are {0}")]
    Method(&'static str),
    /// A parameter does not read.
    #[error("{0}")]
    Query(String),
    /// More tags than one push may set.
    #[error("more than {TAGS_MAX} tags in one push")]
    TagsTooMany,
    /// A name, tag or digest does not read.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

/// What the path alone says.
enum Place<'a> {
    Version,
    Catalog,
    Tags(&'a str),
    Referrers(&'a str, &'a str),
    Manifest(&'a str, &'a str),
    Blob(&'a str, &'a str),
    Uploads(&'a str),
    Upload(&'a str, &'a str),
}

impl Route {
    /// Reads a request. `entries_max` bounds, and is the default of, `n`.
    pub fn parse(
        method: &Method,
        path: &str,
        query: Option<&str>,
        entries_max: u64,
    ) -> Result<Self, Unroutable> {
        let query = Query::new(query);
        let page = || page(query, entries_max);
        let read = matches!(*method, Method::GET | Method::HEAD);
        match place(path).ok_or(Unroutable::NotFound)? {
            Place::Version if read => Ok(Self::Version),
            Place::Catalog if read => Ok(Self::Catalog(page()?)),
            Place::Tags(name) if read => Ok(Self::Tags(name.parse()?, page()?)),
            Place::Referrers(name, digest) if read => Ok(Self::Referrers(
                name.parse()?,
                digest_of(digest)?,
                query.first("artifactType").filter(|t| !t.is_empty()).map(Into::into),
                page()?,
            )),
            Place::Version | Place::Catalog | Place::Tags(_) | Place::Referrers(..) => {
                Err(Unroutable::Method("GET, HEAD"))
            }
            Place::Manifest(name, reference) => Self::manifest(method, name, reference, query),
            Place::Blob(name, digest) => {
                let (name, digest) = (name.parse()?, digest_of(digest)?);
                match *method {
                    Method::GET | Method::HEAD => Ok(Self::BlobGet(name, digest)),
                    Method::DELETE => Ok(Self::BlobDelete(name, digest)),
                    _ => Err(Unroutable::Method("GET, HEAD, DELETE")),
                }
            }
            Place::Uploads(name) if *method == Method::POST => Self::begin(name, query),
            Place::Uploads(_) => Err(Unroutable::Method("POST")),
            Place::Upload(name, id) => Self::upload(method, name, id, query),
        }
    }

    fn manifest(method: &Method, name: &str, reference: &str, query: Query<'_>) -> Result<Self, Unroutable> {
        let (name, reference) = (name.parse()?, colon(reference).parse()?);
        match *method {
            Method::GET | Method::HEAD => Ok(Self::ManifestGet(name, reference)),
            Method::DELETE => Ok(Self::ManifestDelete(name, reference)),
            Method::PUT => {
                let mut tags = Vec::new();
                for tag in query.all("tag") {
                    tags.push(tag.parse()?);
                    if tags.len() > TAGS_MAX {
                        return Err(Unroutable::TagsTooMany);
                    }
                }
                if matches!(reference, Reference::Tag(_)) && !tags.is_empty() {
                    return Err(Unroutable::Query("`tag` goes with a push by digest".into()));
                }
                Ok(Self::ManifestPut(name, reference, tags))
            }
            _ => Err(Unroutable::Method("GET, HEAD, PUT, DELETE")),
        }
    }

    fn begin(name: &str, query: Query<'_>) -> Result<Self, Unroutable> {
        let name = name.parse()?;
        if let Some(digest) = query.first("mount") {
            let from = query.first("from").filter(|from| !from.is_empty());
            let from = from.map(|from| from.parse()).transpose()?;
            return Ok(Self::UploadMount(name, digest_of(&digest)?, from));
        }
        if let Some(digest) = query.first("digest") {
            return Ok(Self::UploadWhole(name, digest_of(&digest)?));
        }
        let algorithm = query.first("digest-algorithm").filter(|algorithm| !algorithm.is_empty());
        let algorithm = algorithm.map_or(Ok(Algorithm::Sha256), |algorithm| algorithm.parse())?;
        Ok(Self::UploadBegin(name, algorithm))
    }

    fn upload(method: &Method, name: &str, id: &str, query: Query<'_>) -> Result<Self, Unroutable> {
        let name = name.parse()?;
        match *method {
            Method::GET | Method::HEAD => Ok(Self::UploadStatus(name, id.parse()?)),
            Method::PATCH => Ok(Self::UploadAppend(name, id.parse()?)),
            Method::DELETE => Ok(Self::UploadCancel(name, id.parse()?)),
            Method::PUT => {
                let digest = query.first("digest").ok_or_else(|| {
                    Invalid::Digest(String::new(), "the last request of an upload names it in `digest`")
                })?;
                Ok(Self::UploadFinish(name, id.parse()?, digest_of(&digest)?))
            }
            _ => Err(Unroutable::Method("GET, HEAD, PATCH, PUT, DELETE")),
        }
    }
}

fn place(path: &str) -> Option<Place<'_>> {
    let rest = match path.strip_prefix("/v2")? {
        "" | "/" => return Some(Place::Version),
        rest => rest.strip_prefix('/')?,
    };
    if let "_catalog" | "_catalog/" = rest {
        return Some(Place::Catalog);
    }
    for uploads in ["/blobs/uploads/", "/blobs/uploads"] {
        if let Some(name) = rest.strip_suffix(uploads) {
            return Some(Place::Uploads(name));
        }
    }
    // registry:2 answers with or without a slash at the end; so do we.
    let (head, last) = rest.strip_suffix('/').unwrap_or(rest).rsplit_once('/')?;
    if last == "list"
        && let Some(name) = head.strip_suffix("/tags")
    {
        return Some(Place::Tags(name));
    }
    if let Some(name) = head.strip_suffix("/blobs/uploads") {
        return Some(Place::Upload(name, last));
    }
    if let Some(name) = head.strip_suffix("/blobs") {
        return Some(Place::Blob(name, last));
    }
    if let Some(name) = head.strip_suffix("/manifests") {
        return Some(Place::Manifest(name, last));
    }
    head.strip_suffix("/referrers").map(|name| Place::Referrers(name, last))
}

/// A reference with its colon, if it came escaped.
fn colon(reference: &str) -> std::borrow::Cow<'_, str> {
    if reference.contains('%') {
        reference.replace("%3A", ":").replace("%3a", ":").into()
    } else {
        reference.into()
    }
}

fn digest_of(text: &str) -> Result<Digest, Invalid> {
    colon(text).parse()
}

fn page(query: Query<'_>, entries_max: u64) -> Result<Page, Unroutable> {
    let entries = match query.first("n") {
        None => entries_max,
        Some(n) if n.is_empty() => entries_max,
        Some(n) if n.bytes().all(|c| c.is_ascii_digit()) => n.parse().unwrap_or(u64::MAX).min(entries_max),
        Some(n) => {
            return Err(Unroutable::Query(format!("n={:?} is not a whole number of entries", shortened(&n))));
        }
    };
    let last = query.first("last").filter(|last| !last.is_empty()).map(Into::into);
    Ok(Page { entries_max: entries as usize, last })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn get(path: &str) -> Result<Route, Unroutable> {
        let (path, query) = path.split_once('?').map_or((path, None), |(p, q)| (p, Some(q)));
        Route::parse(&Method::GET, path, query, 1000)
    }

    fn name(text: &str) -> Repository {
        text.parse().unwrap()
    }

    const HEX: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    #[test]
    fn paths_are_read_from_the_right() {
        let digest: Digest = format!("sha256:{HEX}").parse().unwrap();
        for words in ["a", "a/blobs", "blobs/uploads", "a/tags/list", "manifests/x", "v2/v2", "referrers"] {
            assert_eq!(
                get(&format!("/v2/{words}/blobs/sha256:{HEX}")),
                Ok(Route::BlobGet(name(words), digest))
            );
            assert_eq!(
                get(&format!("/v2/{words}/manifests/v1")),
                Ok(Route::ManifestGet(name(words), "v1".parse().unwrap()))
            );
            assert_eq!(
                get(&format!("/v2/{words}/tags/list")),
                Ok(Route::Tags(name(words), Page::first(1000)))
            );
        }
        assert_eq!(get(&format!("/v2/a/blobs/sha256%3A{HEX}")), Ok(Route::BlobGet(name("a"), digest)));
        assert_eq!(get("/v2"), Ok(Route::Version));
        assert_eq!(get("/v2/"), Ok(Route::Version));
        assert_eq!(get("/v2/_catalog/"), Ok(Route::Catalog(Page::first(1000))));
    }

    #[test]
    fn other_spellings_of_a_name_are_refused() {
        for path in [
            "/v2/a%2fb/tags/list",
            "/v2/%65/tags/list",
            "/v2/../x/tags/list",
            "/v2//tags/list",
            "/v2//a/tags/list",
            "/v2/a//b/tags/list",
            "/v2/A/tags/list",
            "/v2/a/./b/tags/list",
        ] {
            assert!(
                matches!(get(path), Err(Unroutable::Invalid(Invalid::Name(..)))),
                "{path}: {:?}",
                get(path)
            );
        }
        for path in ["/", "/v1/", "/v2x/", "//v2/", "/v2/./_catalog", "/v2/a", "/V2/"] {
            assert_eq!(get(path), Err(Unroutable::NotFound), "{path}");
        }
    }

    #[test]
    fn pages_are_bounded() {
        let entries = |n: &str| match get(&format!("/v2/_catalog?n={n}")) {
            Ok(Route::Catalog(page)) => Some(page.entries_max),
            _ => None,
        };
        assert_eq!(entries("0"), Some(0));
        assert_eq!(entries("7"), Some(7));
        assert_eq!(entries("2147483648"), Some(1000));
        assert_eq!(entries("99999999999999999999999"), Some(1000));
        assert_eq!(entries("-1"), None);
        assert_eq!(entries("abc"), None);
        assert_eq!(entries("1e3"), None);
    }

    proptest! {
        #[test]
        fn never_panics(path in "/v2/\\PC{0,60}", query in "\\PC{0,40}") {
            for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                let _ = Route::parse(&method, &path, Some(&query), 10);
            }
        }
    }
}
