//! Getting an access token (docker-auth-token, docker-auth-oauth): by GET with a name and password or anonymously, by
//! POST with an identity token. It must not know when one is needed, nor which place is right.

use crate::secret::Secret;
use crate::upstream::credentials::{Credential, Found};
use crate::upstream::error::{Error, Told};
use crate::upstream::wire::{Ask, Reply, Wire};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use reqwest::Url;
use serde::Deserialize;

/// Largest answer of a token server that is read.
const ANSWER_BYTES_MAX: u64 = 256 << 10;
/// How long a token lasts that does not say so (docker-auth-token).
const LIFETIME_SECS: u64 = 60;
const CLIENT_ID: &str = "holdfast";

/// Where tokens for a registry are had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The URL, which has been judged.
    pub realm: Url,
    /// What the registry calls itself.
    pub service: Option<String>,
}

/// An access token.
#[derive(Debug, Clone)]
pub struct Token {
    /// The header that shows it.
    pub header: HeaderValue,
    /// Until when it is shown, in seconds since the Unix epoch: a little less than it lasts.
    pub until: u64,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    token: Secret,
    #[serde(default)]
    access_token: Secret,
    #[serde(default)]
    expires_in: Option<f64>,
}

/// Asks for a token for these scopes, which are separated by spaces.
pub async fn fetch(
    wire: &Wire,
    place: &Place,
    scopes: &str,
    found: Option<&Found>,
    now: u64,
) -> Result<Token, Error> {
    let reply = wire.exchange(&ask(place, scopes, found)?).await?;
    let at = wire.at(&place.realm);
    if !reply.status.is_success() {
        return Err(refused(at, &reply, found));
    }
    let unusable = |why: &str| Error::Unusable { at: at.clone(), why: why.to_owned() };
    let answer: Answer =
        serde_json::from_slice(&reply.body).map_err(|_| unusable("it is not a token in JSON"))?;
    let token = if answer.token.is_empty() { answer.access_token } else { answer.token };
    if token.is_empty() {
        return Err(unusable("there is no token in it"));
    }
    #[allow(clippy::cast_sign_loss)] // negative and odd ones become 0 in a cast, and that is what they mean
    let lasts = answer.expires_in.map_or(LIFETIME_SECS, |secs| secs as u64).min(24 * 3600);
    let header = bearer(&token).ok_or_else(|| unusable("its token cannot be sent in a header"))?;
    Ok(Token { header, until: now + lasts - (lasts / 5).min(30) })
}

/// The header that shows a token.
pub fn bearer(token: &Secret) -> Option<HeaderValue> {
    sensitive(&format!("Bearer {}", token.expose()))
}

/// The header that shows a name and password.
pub fn basic(user: &str, password: &Secret) -> Option<HeaderValue> {
    sensitive(&format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.expose()))))
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn ask(place: &Place, scopes: &str, found: Option<&Found>) -> Result<Ask, Error> {
    let mut headers = HeaderMap::new();
    let mut url = place.realm.clone();
    let mut body = None;
    match found.map(|found| &found.credential) {
        Some(Credential::IdentityToken(refresh)) => {
            // A form has the same writing as a query.
            let mut form = place.realm.clone();
            form.query_pairs_mut()
                .clear()
                .append_pair("grant_type", "refresh_token")
                .append_pair("service", place.service.as_deref().unwrap_or_default())
                .append_pair("client_id", CLIENT_ID)
                .append_pair("scope", scopes)
                .append_pair("refresh_token", refresh.expose());
            body = Some(Bytes::from(form.query().unwrap_or_default().to_owned()));
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        }
        other => {
            let mut query = url.query_pairs_mut();
            if let Some(service) = &place.service {
                query.append_pair("service", service);
            }
            for scope in scopes.split_ascii_whitespace() {
                query.append_pair("scope", scope);
            }
            if let Some(Credential::Password { user, password }) = other {
                query.append_pair("account", user).append_pair("client_id", CLIENT_ID);
                let header = basic(user, password);
                headers.insert(
                    AUTHORIZATION,
                    header.ok_or_else(|| {
                        Error::Here("the name or password cannot be sent in a header".into())
                    })?,
                );
            }
        }
    }
    let method = if body.is_some() { Method::POST } else { Method::GET };
    Ok(Ask { method, url, headers, body, bytes_max: ANSWER_BYTES_MAX })
}

fn refused(at: String, reply: &Reply, found: Option<&Found>) -> Error {
    let by_token = found.is_some_and(|found| matches!(found.credential, Credential::IdentityToken(_)));
    match reply.status {
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED if by_token => Error::Login {
            at,
            why: "it takes no identity tokens. Run `docker logout` and `docker login`, or give --user and \
                  --password-stdin"
                .into(),
        },
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Error::Login { at, why: not_accepted(found) },
        // OAuth2 says `invalid_grant` with 400 (RFC 6749, section 5.2).
        StatusCode::BAD_REQUEST if by_token => Error::Login { at, why: not_accepted(found) },
        status if status.is_redirection() => Error::Unusable {
            at,
            why: "it sends us on from where tokens are had, and a password follows nowhere".into(),
        },
        status => Error::Answer { at, status: status.as_u16(), told: Told::read(&reply.body) },
    }
}

/// Why somebody with or without credentials was not let in.
pub fn not_accepted(found: Option<&Found>) -> String {
    let login = "`docker login`, or give --user and --password-stdin";
    match found {
        None => format!("it wants a login. Run {login}"),
        Some(Found { credential: Credential::Password { user, .. }, from }) => {
            format!("the name or password of {user:?} (from {from}) is wrong. Run {login}")
        }
        Some(Found { from, .. }) => format!("the token from {from} is not accepted (any more). Run {login}"),
    }
}
