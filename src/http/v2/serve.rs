//! The way of a request to the distribution API: parse, dispatch, answer.

use crate::http::body::{Incoming, Outgoing};
use crate::http::error::Problem;
use crate::http::state::Door;
use crate::http::v2::answer::{Answer, Asked};
use crate::http::v2::route::Route;
use crate::http::v2::{blobs, listing, manifests, uploads};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};

/// Answers a request whose path begins with `/v2`.
pub async fn serve(door: &Door, request: Request<Incoming>) -> Answer {
    let (head, body) = request.into_parts();
    let uri = &head.uri;
    let entries_max = door.registry.config.page_entries_max;
    let route = Route::parse(&head.method, uri.path(), uri.query(), entries_max).map_err(Problem::Route)?;
    if !door.registry.readiness.is_ready() && route != Route::Version {
        return Err(Problem::NotReady);
    }
    match route {
        Route::Version => Ok(version()),
        Route::Catalog(page) => listing::catalog(door, page).await,
        Route::Tags(name, page) => listing::tags(door, name, page).await,
        Route::Referrers(name, digest, artifact_type, page) => {
            listing::referrers(door, name, digest, artifact_type, page).await
        }
        Route::ManifestGet(name, reference) => manifests::get(door, &head, name, reference).await,
        Route::ManifestPut(name, reference, tags) => {
            manifests::put(door, Asked { head, body }, name, reference, tags).await
        }
        Route::ManifestDelete(name, reference) => manifests::delete(door, name, reference).await,
        Route::BlobGet(name, digest) => blobs::get(door, &head, name, digest).await,
        Route::BlobDelete(name, digest) => blobs::delete(door, name, digest).await,
        Route::UploadBegin(name, algorithm) => uploads::begin(door, name, algorithm).await,
        Route::UploadWhole(name, digest) => uploads::whole(door, Asked { head, body }, name, digest).await,
        Route::UploadMount(name, digest, from) => uploads::mount(door, name, digest, from).await,
        Route::UploadStatus(name, id) => uploads::status(door, name, id).await,
        Route::UploadAppend(name, id) => uploads::append(door, Asked { head, body }, name, id).await,
        Route::UploadFinish(name, id, digest) => {
            uploads::finish(door, Asked { head, body }, name, id, digest).await
        }
        Route::UploadCancel(name, id) => uploads::cancel(door, name, id).await,
    }
}

fn version() -> Response<Outgoing> {
    let mut response = Response::new(Outgoing::whole("{}"));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
