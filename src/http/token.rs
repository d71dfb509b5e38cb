//! The token issuer on the wire: GET with Basic or with nothing (docker-auth-token), POST with a password or a
//! refresh token (docker-auth-oauth). Answers JSON alone, errors too: some clients fall over anything else.

use crate::auth::error::Error as AuthError;
use crate::auth::exchange::{self, Asked, Issued};
use crate::auth::gate::{Gate, Refusal, Word};
use crate::auth::scope;
use crate::auth::session::Session;
use crate::http::body::{self, Incoming, Outgoing};
use crate::http::credentials::{self, Presented};
use crate::http::error::Problem;
use crate::http::form::Form;
use crate::http::peer::Peer;
use crate::http::state::Door;
use crate::http::v2::answer::to_the_end;
use crate::http::v2::route::Unroutable;
use crate::secret::Secret;
use chrono::{DateTime, SecondsFormat};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde_json::json;
use std::net::IpAddr;
use std::sync::Arc;

/// Largest form that is read.
const FORM_BYTES_MAX: u64 = 64 << 10;

/// Why no token is given.
enum Refused {
    /// A parameter: what is wrong with it, in OAuth's words (RFC 6749, section 5.2) and in a sentence.
    Request(&'static str, String),
    /// The credential.
    Credential,
    /// Anything that is answered as everywhere else.
    Problem(Problem),
}

impl<E: Into<Problem>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Problem(error.into())
    }
}

/// Answers `/token` and `/auth/token`.
pub async fn answer(
    door: &Door,
    request: Request<Incoming>,
    peer: Peer,
) -> Result<Response<Outgoing>, Problem> {
    let Some(gate) = &door.gate else { return Err(Problem::Route(Unroutable::NotFound)) };
    if !door.registry.readiness.is_ready() {
        return Err(Problem::NotReady);
    }
    let (head, incoming) = request.into_parts();
    let address = door.proxies.client_address(peer, &head.headers);
    let told = match head.method {
        Method::GET | Method::HEAD => get(gate, &head, address).await.map(|issued| (issued, false)),
        Method::POST => post(door, gate, &head, incoming, address).await.map(|issued| (issued, true)),
        _ => return Err(Problem::Route(Unroutable::Method("GET, HEAD, POST"))),
    };
    match told {
        Ok((issued, oauth)) => Ok(granted(&issued, oauth)),
        Err(Refused::Problem(problem)) => Err(problem),
        Err(Refused::Credential) => {
            let mut response = refused(
                StatusCode::UNAUTHORIZED,
                "invalid_grant",
                "UNAUTHORIZED",
                "the name, the password or the token is wrong",
            );
            let basic = HeaderValue::from_static(r#"Basic realm="holdfast", charset="UTF-8""#);
            response.headers_mut().insert(WWW_AUTHENTICATE, basic);
            Ok(response)
        }
        Err(Refused::Request(kind, why)) => Ok(refused(StatusCode::BAD_REQUEST, kind, "UNSUPPORTED", &why)),
    }
}

async fn get(gate: &Arc<Gate>, head: &Parts, address: Option<IpAddr>) -> Result<Issued, Refused> {
    let form = Form::read(head.uri.query().unwrap_or_default());
    let session = match credentials::presented(&head.headers) {
        Presented::Nothing => enter(gate, Word::Nothing, address).await?,
        Presented::Basic(name, password) => {
            if form.first("account").is_some_and(|account| account != name) {
                let why = "`account` is another one than that of the Authorization header";
                return Err(Refused::Request("invalid_request", why.into()));
            }
            enter(gate, Word::Password(name, password), address).await?
        }
        // A token is got for a password or a refresh token, not for another token.
        Presented::Bearer(_) | Presented::Unreadable => enter(gate, Word::Unreadable, address).await?,
    };
    let offline = form.first("offline_token").is_some_and(|text| text.eq_ignore_ascii_case("true"));
    issue(gate, session, &form, offline, address).await
}

async fn post(
    door: &Door,
    gate: &Arc<Gate>,
    head: &Parts,
    incoming: Incoming,
    address: Option<IpAddr>,
) -> Result<Issued, Refused> {
    let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind
        .split(';')
        .next()
        .is_none_or(|kind| !kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"))
    {
        let why = "the body is a form: Content-Type application/x-www-form-urlencoded";
        return Err(Refused::Request("invalid_request", why.into()));
    }
    let bytes = tokio::time::timeout(door.stall, body::whole(incoming, FORM_BYTES_MAX, door.stall)).await;
    let bytes = bytes.map_err(|_| body::Refused::Cut(std::io::ErrorKind::TimedOut.into()))??;
    let form = Form::read(&String::from_utf8_lossy(&bytes));
    let required = |name: &str| {
        let why = format!("`{name}` is missing");
        form.first(name).map(ToOwned::to_owned).ok_or(Refused::Request("invalid_request", why))
    };
    let word = match form.first("grant_type") {
        Some("password") => Word::Password(required("username")?, Secret::new(required("password")?)),
        Some("refresh_token") => Word::Refresh(Secret::new(required("refresh_token")?)),
        Some(_) => {
            let why = "`grant_type` is password or refresh_token";
            return Err(Refused::Request("unsupported_grant_type", why.into()));
        }
        None => return Err(Refused::Request("invalid_request", "`grant_type` is missing".into())),
    };
    let session = enter(gate, word, address).await?;
    let offline = form.first("access_type") == Some("offline");
    issue(gate, session, &form, offline, address).await
}

async fn enter(gate: &Gate, word: Word, address: Option<IpAddr>) -> Result<Arc<Session>, Refused> {
    let nothing = word == Word::Nothing;
    if nothing && !gate.anonymous() {
        return Err(Refused::Credential);
    }
    match gate.enter(word, address).await? {
        Ok(session) => Ok(session),
        Err(Refusal::Throttled(secs)) => Err(Problem::Throttled(secs).into()),
        Err(Refusal::Password | Refusal::Token) => Err(Refused::Credential),
    }
}

async fn issue(
    gate: &Arc<Gate>,
    session: Arc<Session>,
    form: &Form,
    offline: bool,
    address: Option<IpAddr>,
) -> Result<Issued, Refused> {
    let bad = |why: String| Refused::Request("invalid_scope", why);
    if form.is_full() {
        return Err(bad("too many parameters; ask for fewer scopes at once".into()));
    }
    let scopes =
        scope::parse_all(&form.all("scope").collect::<Vec<_>>()).map_err(|error| bad(error.to_string()))?;
    let service = form.first("service").unwrap_or(gate.service());
    if !gate.serves(service) {
        let why = "`service` is not one that this issuer gives tokens for";
        return Err(Refused::Request("invalid_request", why.into()));
    }
    let client = form.first("client_id").unwrap_or_default().to_owned();
    let (gate, service) = (Arc::clone(gate), service.to_owned());
    // A refresh token is a change of what is stored.
    let issued = to_the_end(async move {
        let asked = Asked { service: &service, scopes: &scopes, offline, client: &client, address };
        Ok(exchange::exchange(&gate, &session, asked).await?)
    });
    issued.await.map_err(|problem| match problem {
        // The token for all of it would not fit into a header.
        Problem::Auth(AuthError::Invalid(why)) => bad(why),
        problem => problem.into(),
    })
}

/// A full reply: clients differ in which of the two names of the token they read.
fn granted(issued: &Issued, oauth: bool) -> Response<Outgoing> {
    let at = DateTime::from_timestamp(i64::try_from(issued.issued_at).unwrap_or_default(), 0);
    let mut reply = json!({
        "token": issued.token.expose(),
        "access_token": issued.token.expose(),
        "expires_in": issued.expires_in,
        "issued_at": at.unwrap_or_default().to_rfc3339_opts(SecondsFormat::Secs, true),
    });
    if let Some(reply) = reply.as_object_mut() {
        if oauth {
            reply.insert("token_type".into(), "Bearer".into());
        }
        reply.insert("scope".into(), issued.scope.clone().into());
        if let Some(refresh) = &issued.refresh_token {
            reply.insert("refresh_token".into(), refresh.expose().into());
        }
    }
    json_response(StatusCode::OK, &reply)
}

fn refused(status: StatusCode, oauth: &str, code: &str, why: &str) -> Response<Outgoing> {
    let body = json!({
        "error": oauth,
        "error_description": why,
        "errors": [{ "code": code, "message": why }],
    });
    json_response(status, &body)
}

fn json_response(status: StatusCode, body: &serde_json::Value) -> Response<Outgoing> {
    let mut response = Response::new(Outgoing::whole(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
