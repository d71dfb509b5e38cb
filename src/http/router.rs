//! Which part of the house answers a request.

use crate::http::api::serve as api;
use crate::http::body::{Incoming, Outgoing};
use crate::http::challenge::{TOKEN_PATH, TOKEN_PATH_OTHER};
use crate::http::error::Problem;
use crate::http::observe::Observed;
use crate::http::peer::Peer;
use crate::http::state::Door;
use crate::http::v2::route::Unroutable;
use crate::http::v2::serve;
use crate::http::{headers, ops, protect, token};
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Method, Request, Response};
use http_body::Body as _;

/// Answers a request. Infallible: every problem is a response.
pub async fn answer(door: &Door, request: Request<Incoming>, peer: Peer) -> Response<Outgoing> {
    let observed = Observed::begin(&request, peer);
    let bare = *request.method() == Method::HEAD;
    let path = request.uri().path();
    let of_api = path == "/v2" || path.starts_with("/v2/");
    let answer = match path {
        _ if of_api => serve::serve(door, request, peer, &observed).await,
        TOKEN_PATH | TOKEN_PATH_OTHER => token::answer(door, request, peer).await,
        "/.well-known/jwks.json" => ops::jwks(door, request.method()),
        _ if path.strip_prefix(api::PREFIX).is_some_and(|rest| rest.starts_with('/')) => {
            // Its future is large, and the others need not carry its room.
            Box::pin(api::serve(door, request, peer, &observed)).await
        }
        "/healthz" | "/readyz" if !matches!(*request.method(), Method::GET | Method::HEAD) => {
            Err(Problem::Route(Unroutable::Method("GET, HEAD")))
        }
        "/healthz" => Ok(ops::healthz()),
        "/readyz" => Ok(ops::readyz(door).await),
        _ => Err(Problem::Route(Unroutable::NotFound)),
    };
    let mut response = match answer {
        Ok(response) => response,
        Err(problem) => {
            if problem.is_fault() {
                observed.fault(&problem);
            }
            problem.respond()
        }
    };
    if of_api {
        response.headers_mut().insert(headers::API_VERSION, HeaderValue::from_static("registry/2.0"));
    }
    protect::protect(response.headers_mut(), of_api, door.hsts && peer.is_tls());
    observed.end(if bare { without_body(response) } else { response })
}

/// The answer to a HEAD: what a GET would be told, without its body. Over HTTP/1 hyper keeps a body back by itself; over
/// HTTP/2 it does not, and the client takes the whole connection for broken.
fn without_body(mut response: Response<Outgoing>) -> Response<Outgoing> {
    if let Some(size @ 1..) = response.body().size_hint().exact() {
        response.headers_mut().entry(CONTENT_LENGTH).or_insert(HeaderValue::from(size));
    }
    response.map(|_| Outgoing::whole(""))
}
