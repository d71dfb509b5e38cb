//! For whoever runs the registry: is it alive, is it ready.

use crate::http::body::Outgoing;
use crate::http::error::Problem;
use crate::http::state::Door;
use crate::http::v2::answer::Answer;
use crate::http::v2::route::Unroutable;
use crate::registry::dependencies;
use crate::registry::heard::Silent;
use crate::registry::readiness::State;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Response, StatusCode};

/// `/healthz`: the process answers.
pub fn healthz() -> Response<Outgoing> {
    told(StatusCode::OK, r#"{"status":"ok"}"#.into())
}

/// `/readyz`: requests are answered; else how far the reading of storage is, or what does not answer us.
pub async fn readyz(door: &Door) -> Response<Outgoing> {
    match door.registry.readiness.state() {
        State::Ready if door.gate.as_ref().is_some_and(|gate| gate.directory.freshness.is_stale()) => {
            unavailable("changes of accounts by other replicas are not seen")
        }
        State::Ready => match dependencies::silent(&door.registry).await {
            None => told(StatusCode::OK, r#"{"status":"ready"}"#.into()),
            Some(Silent::Storage) => unavailable("the storage does not answer"),
            Some(Silent::Metadata) => unavailable("the metadata does not answer"),
        },
        State::Rebuilding { done, total } => told(
            StatusCode::SERVICE_UNAVAILABLE,
            format!(r#"{{"status":"rebuilding","repositories_done":{done},"repositories_total":{total}}}"#),
        ),
        State::Failed => told(StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"failed"}"#.into()),
    }
}

/// `/.well-known/jwks.json`: the public keys of our access tokens (RFC 7517).
pub fn jwks(door: &Door, method: &Method) -> Answer {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Err(Problem::Route(Unroutable::Method("GET, HEAD")));
    }
    let gate = door.gate.as_ref().ok_or(Problem::NoAccounts)?;
    Ok(told(StatusCode::OK, gate.ring.jwks()))
}

fn unavailable(reason: &str) -> Response<Outgoing> {
    told(StatusCode::SERVICE_UNAVAILABLE, format!(r#"{{"status":"unavailable","reason":"{reason}"}}"#))
}

fn told(status: StatusCode, body: String) -> Response<Outgoing> {
    let mut response = Response::new(Outgoing::whole(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
