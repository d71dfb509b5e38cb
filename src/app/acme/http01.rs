//! The plain port beside the TLS port: it answers HTTP-01 challenges (RFC 8555, section 8.3) and sends everything
//! else to https. It serves nothing of the registry, and must not know it.

use crate::app::acme::answers::Answers;
use crate::http::origin::is_host;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, LOCATION};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

const CHALLENGES: &str = "/.well-known/acme-challenge/";
const CONNECTIONS: usize = 128;
/// One connection, whatever it does.
const CONNECTION: Duration = Duration::from_secs(20);
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What the plain port answers.
pub struct Plain {
    /// The answers to challenges.
    pub answers: Arc<Answers>,
    /// Our names: redirects go to one of them, and nowhere else.
    pub domains: Vec<String>,
    /// `https://NAME[:PORT]`, if it is configured.
    pub external: Option<String>,
}

/// Serves the plain port for as long as the server runs.
#[allow(clippy::disallowed_methods)] // one of the few homes of tasks
pub async fn serve(listener: TcpListener, plain: Plain) {
    let plain = Arc::new(plain);
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let plain = Arc::clone(&plain);
                tokio::spawn(async move {
                    let _ = tokio::time::timeout(CONNECTION, converse(stream, plain)).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted on server.acme.http_listen");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, plain: Arc<Plain>) {
    let service = service_fn(|request: Request<hyper::body::Incoming>| {
        let answer = plain.answer(request.uri(), request.headers());
        async move { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(CONNECTION)
        .max_buf_size(16 << 10)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection to server.acme.http_listen broke");
    }
}

impl Plain {
    fn answer(&self, uri: &Uri, headers: &HeaderMap) -> Response<Full<Bytes>> {
        if let Some(token) = uri.path().strip_prefix(CHALLENGES) {
            return match self.answers.text(token) {
                Some(text) => told(StatusCode::OK, text),
                None => told(StatusCode::NOT_FOUND, "no such challenge\n".into()),
            };
        }
        let path = uri.path_and_query().map_or("/", |it| it.as_str());
        let target = format!("{}{}", self.origin(headers), if path.starts_with('/') { path } else { "/" });
        let mut response = told(StatusCode::PERMANENT_REDIRECT, format!("{target}\n"));
        if let Ok(target) = HeaderValue::from_str(&target) {
            response.headers_mut().insert(LOCATION, target);
        }
        response
    }

    fn origin(&self, headers: &HeaderMap) -> String {
        if let Some(external) = &self.external {
            return external.clone();
        }
        let asked = headers.get(HOST).and_then(|host| host.to_str().ok()).filter(|host| is_host(host));
        let asked = asked.map(|host| host.split_once(':').map_or(host, |(name, _)| name));
        let ours =
            self.domains.iter().find(|name| asked.is_some_and(|asked| name.eq_ignore_ascii_case(asked)));
        format!("https://{}", ours.or(self.domains.first()).map_or("localhost", String::as_str))
    }
}

fn told(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::acme::selfmade;
    use crate::app::tls::shown::Shown;

    fn plain(external: Option<&str>) -> Plain {
        let shown = Arc::new(Shown::new(selfmade::temporary(&["a.example".into()]).unwrap()));
        let domains = vec!["a.example".into(), "b.example".into()];
        Plain { answers: Arc::new(Answers::new(shown)), domains, external: external.map(str::to_owned) }
    }

    fn asked(plain: &Plain, host: &str, uri: &str) -> (u16, String) {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        let answer = plain.answer(&uri.parse().unwrap(), &headers);
        let to = answer.headers().get(LOCATION).map_or("", |to| to.to_str().unwrap()).to_owned();
        (answer.status().as_u16(), to)
    }

    #[test]
    fn challenges_are_answered_while_their_order_runs() {
        let plain = plain(None);
        let open = plain.answers.until_dropped();
        plain.answers.on_http("token", "token.thumb");
        assert_eq!(asked(&plain, "a.example", "/.well-known/acme-challenge/token").0, 200);
        for other in ["other", "", "token/", "../token", "token%00"] {
            assert_eq!(asked(&plain, "a.example", &format!("{CHALLENGES}{other}")).0, 404, "{other:?}");
        }
        drop(open);
        assert_eq!(asked(&plain, "a.example", "/.well-known/acme-challenge/token").0, 404);
    }

    #[test]
    fn redirects_go_to_our_own_names_only() {
        let named = plain(None);
        for (host, uri, to) in [
            ("b.example", "/v2/?n=1", "https://b.example/v2/?n=1"),
            ("B.EXAMPLE:80", "/", "https://b.example/"),
            ("evil.example", "//evil.example/", "https://a.example//evil.example/"),
            ("evil.example/\"", "/", "https://a.example/"),
            ("a.example", "http://evil.example/x", "https://a.example/x"),
            ("a.example", "*", "https://a.example/"),
        ] {
            assert_eq!(asked(&named, host, uri), (308, to.to_owned()), "{host} {uri}");
        }
        let elsewhere = plain(Some("https://r.example:8443"));
        assert_eq!(asked(&elsewhere, "b.example", "/v2/").1, "https://r.example:8443/v2/");
    }
}
