//! A registry, as its client: a request with what it needs to be let in, and redirects followed without showing that to
//! anybody else. It must not know what the answers mean.

use crate::upstream::address::Address;
use crate::upstream::authorization::Authorization;
use crate::upstream::challenge;
use crate::upstream::error::{Error, Told};
use crate::upstream::options::Options;
use crate::upstream::wire::{Ask, Reply, Traffic, Wire};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use reqwest::Url;
use serde_json::Value;

/// Most redirects that are followed for one request.
const REDIRECTS_MAX: u32 = 5;
/// Largest answer to a call of the JSON API.
const JSON_BYTES_MAX: u64 = 8 << 20;

/// A client of one registry.
pub struct Client {
    address: Address,
    wire: Wire,
    authorization: Authorization,
}

/// What is asked of a registry.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// The method.
    pub method: Method,
    /// The path, with its query.
    pub path: &'a str,
    /// What rights it needs, in docker's words, if the registry does not tell (docker-auth-scope).
    pub scope: &'a str,
    /// What kinds of answer are taken; any if empty.
    pub accept: &'a str,
    /// A body in JSON.
    pub json: Option<&'a Value>,
    /// Most bytes that the answer may have.
    pub bytes_max: u64,
}

impl Client {
    /// A client. If nobody said whether the registry speaks TLS, it is tried.
    pub async fn open(mut options: Options) -> Result<Self, Error> {
        if options.address.scheme_is_open() {
            let probe = Wire::new(&Options { watch: None, ..options.clone() });
            if !probe.speaks_tls(&options.address.url("/v2/")).await {
                options.address = options.address.plain();
            }
        }
        let (wire, authorization) = (Wire::new(&options), Authorization::new(&options));
        Ok(Self { address: options.address, wire, authorization })
    }

    /// Where the registry is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What has gone over the wire so far.
    pub fn traffic(&self) -> Traffic {
        self.wire.traffic()
    }

    /// Whether it has asked us to log in, and lets us in as nobody, since there is nothing to log in with.
    pub async fn is_nobody(&self) -> bool {
        self.authorization.is_nobody().await
    }

    /// A call of the JSON API. Any answer that is not a refusal of who we are is handed back as it is, whatever its status.
    pub async fn send(&self, method: Method, path: &str, json: Option<&Value>) -> Result<Reply, Error> {
        let (scope, accept) = ("registry:api:*", "application/json");
        self.call(&Call { method, path, scope, accept, json, bytes_max: JSON_BYTES_MAX }).await
    }

    /// A GET that must succeed; `None` if there is no such thing.
    pub async fn get(
        &self,
        path: &str,
        scope: &str,
        accept: &str,
        bytes_max: u64,
    ) -> Result<Option<Reply>, Error> {
        let reply =
            self.call(&Call { method: Method::GET, path, scope, accept, json: None, bytes_max }).await?;
        match reply.status {
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::OK => Ok(Some(reply)),
            _ => Err(self.no_success(&reply)),
        }
    }

    /// A request, with what it takes to be let in. The answer may have any status but 401.
    pub async fn call(&self, call: &Call<'_>) -> Result<Reply, Error> {
        let mut headers = HeaderMap::new();
        if !call.accept.is_empty() {
            headers.insert(ACCEPT, header(call.accept)?);
        }
        let body = call.json.map(|json| Bytes::from(json.to_string()));
        if body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let url = self.address.url(call.path);
        let mut ask = Ask { method: call.method.clone(), url, headers, body, bytes_max: call.bytes_max };
        let mut reply = self.known(&ask, call.scope).await?;
        let harmless = ask.method == Method::GET || ask.method == Method::HEAD;
        let mut at_home = true;
        for _ in 0..REDIRECTS_MAX {
            if !is_redirect(reply.status) {
                return Ok(reply);
            }
            let to = self.target(&reply)?;
            if !harmless {
                return Err(
                    self.unusable(&reply, format!("it sends us on to {to}, and only what reads goes on"))
                );
            }
            // Who has once been sent elsewhere does not come back with credentials.
            at_home = at_home && self.address.owns(&to);
            ask.url = to;
            reply = if at_home { self.known(&ask, call.scope).await? } else { self.unknown(&ask).await? };
        }
        Err(self.unusable(&reply, format!("it sends us on more than {REDIRECTS_MAX} times")))
    }

    /// The error that an answer without success is.
    pub fn no_success(&self, reply: &Reply) -> Error {
        let at = self.wire.at(&reply.url);
        Error::Answer { at, status: reply.status.as_u16(), told: Told::read(&reply.body) }
    }

    /// The error that an answer is that makes no sense.
    pub fn unusable(&self, reply: &Reply, why: String) -> Error {
        Error::Unusable { at: self.wire.at(&reply.url), why }
    }

    /// A request to the registry itself. Refused once, it is sent again with what the challenge asks for; a token that was
    /// kept may have ended, so that the answer to a fresh one is the one that counts.
    async fn known(&self, ask: &Ask, scope: &str) -> Result<Reply, Error> {
        let mut shown = self.authorization.before(&self.wire, scope).await?;
        for last in [false, true] {
            let reply = self.exchange(ask, shown.as_ref()).await?;
            if reply.status != StatusCode::UNAUTHORIZED {
                return Ok(reply);
            }
            if last {
                break;
            }
            let lines = reply.headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|line| line.to_str().ok());
            let challenges = challenge::parse(lines);
            shown = Some(self.authorization.after(&self.wire, scope, &challenges, shown.as_ref()).await?);
        }
        Err(self.authorization.not_enough().await)
    }

    /// A request to whom the registry sent us: nothing is shown.
    async fn unknown(&self, ask: &Ask) -> Result<Reply, Error> {
        let reply = self.exchange(ask, None).await?;
        match reply.status {
            StatusCode::UNAUTHORIZED => Err(self.no_success(&reply)),
            _ => Ok(reply),
        }
    }

    async fn exchange(&self, ask: &Ask, shown: Option<&HeaderValue>) -> Result<Reply, Error> {
        let mut ask = ask.clone();
        if let Some(shown) = shown {
            ask.headers.insert(http::header::AUTHORIZATION, shown.clone());
        }
        self.wire.exchange(&ask).await
    }

    fn target(&self, reply: &Reply) -> Result<Url, Error> {
        let location = reply.headers.get(LOCATION).and_then(|value| value.to_str().ok());
        let Some(url) = location.and_then(|location| reply.url.join(location).ok()) else {
            return Err(self.unusable(reply, "it sends us on without saying where".into()));
        };
        if !matches!(url.scheme(), "https" | "http")
            || reply.url.scheme() == "https" && url.scheme() == "http"
        {
            return Err(self.unusable(reply, "it sends us on to where nothing is encrypted".into()));
        }
        Ok(url)
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn header(text: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(text).map_err(|_| Error::Given(format!("{text:?} cannot be sent in a header")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::FixedClock;
    use crate::upstream::credentials::Source;
    use crate::upstream::patience::Patience;
    use crate::upstream::trust::Trust;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;
    use std::sync::{Arc, Mutex};

    /// A server that wants a token without saying which, and hands out `token-0`, `token-1`, ... for 100 seconds each. Its
    /// address, and what it was asked: request line, what was shown, body.
    fn server() -> (Address, Arc<Mutex<Vec<[String; 3]>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (seen, realm) = (Arc::clone(&asked), at.clone());
        std::thread::spawn(move || {
            let mut tokens = 0;
            for stream in listener.incoming().map_while(Result::ok) {
                let mut stream = BufReader::new(stream);
                let (mut head, mut shown, mut length) = (String::new(), String::new(), 0);
                stream.read_line(&mut head).unwrap();
                loop {
                    let mut line = String::new();
                    stream.read_line(&mut line).unwrap();
                    let Some((name, value)) = line.trim().split_once(": ") else { break };
                    match name.to_ascii_lowercase().as_str() {
                        "authorization" => value.clone_into(&mut shown),
                        "content-length" => length = value.parse().unwrap(),
                        _ => {}
                    }
                }
                let mut body = vec![0; length];
                stream.read_exact(&mut body).unwrap();
                let (status, extra, answer) = if head.contains("/token") {
                    tokens += 1;
                    (200, String::new(), format!(r#"{{"token":"token-{}","expires_in":100}}"#, tokens - 1))
                } else if shown.is_empty() {
                    (
                        401,
                        format!("WWW-Authenticate: Bearer realm=\"{realm}/token\",service=\"s\"\r\n"),
                        String::new(),
                    )
                } else {
                    (409, "X-Answer: yes\r\n".to_owned(), r#"{"error":"it exists"}"#.to_owned())
                };
                let text = format!(
                    "HTTP/1.1 {status} x\r\nConnection: close\r\n{extra}Content-Length: {}\r\n\r\n{answer}",
                    answer.len()
                );
                let body = String::from_utf8(body).unwrap();
                seen.lock().unwrap().push([head.trim().to_owned(), shown, body]);
                stream.get_mut().write_all(text.as_bytes()).unwrap();
            }
        });
        (Address::parse(&at).unwrap(), asked)
    }

    #[test]
    fn a_call_of_the_api_is_let_in_by_a_token_and_its_answer_is_handed_back() {
        let (address, asked) = server();
        let clock = Arc::new(FixedClock::at(1_000));
        let options = Options {
            address,
            source: Source::None,
            realm_hosts: Vec::new(),
            trust: Trust::default(),
            requests_max: 1,
            patience: Patience::default(),
            watch: None,
            clock: clock.clone(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = runtime.block_on(Client::open(options)).unwrap();
        let call = || {
            let json = serde_json::json!({"name": "ana"});
            runtime.block_on(client.send(Method::POST, "/api/v1/users?x=1", Some(&json))).unwrap()
        };
        let reply = call();
        assert_eq!((reply.status, reply.header("x-answer")), (StatusCode::CONFLICT, Some("yes")));
        assert_eq!(reply.body, r#"{"error":"it exists"}"#);
        let lines = || -> Vec<String> {
            let asked = asked.lock().unwrap();
            asked.iter().map(|[head, shown, body]| format!("{head} | {shown} | {body}")).collect()
        };
        let post = "POST /api/v1/users?x=1 HTTP/1.1";
        assert_eq!(
            lines(),
            [
                format!(r#"{post} |  | {{"name":"ana"}}"#),
                "GET /token?service=s&scope=registry%3Aapi%3A* HTTP/1.1 |  | ".to_owned(),
                format!(r#"{post} | Bearer token-0 | {{"name":"ana"}}"#),
            ]
        );
        clock.advance(79);
        call();
        assert!(lines()[3].contains("token-0"), "it still lasts: {:?}", lines());
        clock.advance(1);
        call();
        assert!(lines()[5].contains("token-1"), "a new one is had a little before it ends: {:?}", lines());
        assert_eq!((lines().len(), client.traffic().requests), (6, 6));
    }
}
