//! The way of a request to the distribution API: parse, admit, dispatch, answer.

use crate::events::event::{Event, What};
use crate::http::body::{Incoming, Outgoing};
use crate::http::error::Problem;
use crate::http::guard::{self, Guest, Visit};
use crate::http::observe::Observed;
use crate::http::peer::Peer;
use crate::http::state::Door;
use crate::http::v2::answer::{Answer, Asked, to_the_end};
use crate::http::v2::needs::needs;
use crate::http::v2::route::Route;
use crate::http::v2::{blobs, listing, manifests, uploads};
use crate::oci::reference::Reference;
use crate::oci::repository::Repository;
use crate::oci::tag::Tag;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response};

/// Answers a request whose path begins with `/v2`.
pub async fn serve(door: &Door, request: Request<Incoming>, peer: Peer, observed: &Observed) -> Answer {
    let (head, body) = request.into_parts();
    let uri = &head.uri;
    let entries_max = door.registry.config.page_entries_max;
    let route = Route::parse(&head.method, uri.path(), uri.query(), entries_max).map_err(Problem::Route)?;
    if !door.registry.readiness.is_ready() && (door.gate.is_some() || route != Route::Version) {
        return Err(Problem::NotReady);
    }
    let needs = needs(&route);
    let visit = Visit { door, head: &head, peer };
    let guest = guard::enter(visit, || needs.scope()).await?;
    observed.came(&guest.session);
    guard::admit(visit, &guest, needs)?;
    let event = event(&route, &head.method, &guest);
    let asked = Asked { head, body };
    match event {
        None => dispatch(door, &guest, route, asked).await,
        Some(event) if event.what == What::Pull => told(door, &guest, route, asked, event).await,
        // A change runs to its end though the client goes away, and so must what is told of it.
        Some(event) => {
            let (door, guest) = (door.clone(), guest.clone());
            to_the_end(async move { told(&door, &guest, route, asked, event).await }).await
        }
    }
}

/// Does it, and tells the audit trail if it went well.
async fn told(door: &Door, guest: &Guest, route: Route, asked: Asked, event: Event) -> Answer {
    let answer = dispatch(door, guest, route, asked).await?;
    if answer.status().is_success() {
        door.events.emit(event);
    }
    Ok(answer)
}

async fn dispatch(door: &Door, guest: &Guest, route: Route, asked: Asked) -> Answer {
    match route {
        Route::Version => Ok(version()),
        Route::Catalog(page) => listing::catalog(door, guest, page).await,
        Route::Tags(name, page) => listing::tags(door, name, page).await,
        Route::Referrers(name, digest, artifact_type, page) => {
            listing::referrers(door, name, digest, artifact_type, page).await
        }
        Route::ManifestGet(name, reference) => manifests::get(door, &asked.head, name, reference).await,
        Route::ManifestPut(name, reference, tags) => manifests::put(door, asked, name, reference, tags).await,
        Route::ManifestDelete(name, reference) => manifests::delete(door, name, reference).await,
        Route::BlobGet(name, digest) => blobs::get(door, &asked.head, name, digest).await,
        Route::BlobDelete(name, digest) => blobs::delete(door, name, digest).await,
        Route::UploadBegin(name, algorithm) => uploads::begin(door, guest, name, algorithm).await,
        Route::UploadWhole(name, digest) => uploads::whole(door, guest, asked, name, digest).await,
        Route::UploadMount(name, digest, from) => {
            let visit = Visit { door, head: &asked.head, peer: guest.peer };
            uploads::mount(visit, guest, name, digest, from).await
        }
        Route::UploadStatus(name, id) => uploads::status(door, guest, name, id).await,
        Route::UploadAppend(name, id) => uploads::append(door, guest, asked, name, id).await,
        Route::UploadFinish(name, id, digest) => {
            uploads::finish(door, guest, asked, (name, id), digest).await
        }
        Route::UploadCancel(name, id) => uploads::cancel(door, guest, name, id).await,
    }
}

/// What the audit trail tells of a request, should it succeed: manifests that are read, written and removed, and blobs
/// that are removed. Layers come and go with their manifests.
fn event(route: &Route, method: &Method, guest: &Guest) -> Option<Event> {
    let mut detail = String::new();
    let (what, object) = match route {
        Route::ManifestGet(name, reference) if *method == Method::GET => (What::Pull, named(name, reference)),
        Route::ManifestPut(name, reference, tags) => {
            detail = tags.iter().map(Tag::as_str).collect::<Vec<_>>().join(", ");
            (What::Push, named(name, reference))
        }
        Route::ManifestDelete(name, reference) => (What::Delete, named(name, reference)),
        Route::BlobDelete(name, digest) => (What::Delete, format!("{name}@{digest} (blob)")),
        _ => return None,
    };
    let who = guest.session.identity.name.clone();
    Some(Event { what, who, object, detail, address: guest.address })
}

fn named(name: &Repository, reference: &Reference) -> String {
    match reference {
        Reference::Tag(tag) => format!("{name}:{tag}"),
        Reference::Digest(digest) => format!("{name}@{digest}"),
    }
}

fn version() -> Response<Outgoing> {
    let mut response = Response::new(Outgoing::whole("{}"));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
