//! A server with accounts: how a test starts one, logs in, and speaks to the token issuer and the admin API. It must
//! not know how accounts are kept.

use super::answer::Answer;
use super::client::{Client, Connection, GUARD, Request, get, request};
use super::server::{Home, Running, running};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};

/// The administrator's password in tests.
pub const ADMIN_PASSWORD: &str = "the administrator's canary-9a1c";

/// The value of a Basic `Authorization` header.
pub fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

/// A server with accounts on a fresh folder, whose administrator has [`ADMIN_PASSWORD`].
#[track_caller]
pub fn guarded() -> Running {
    guarded_with(Home::new())
}

/// The same, with the settings of this home.
#[track_caller]
pub fn guarded_with(home: Home) -> Running {
    running(home.with_accounts())
}

impl Client {
    /// The same client, which logs in with a password on every request.
    #[must_use]
    pub fn login(self, name: &str, password: &str) -> Self {
        self.authorized(&basic(name, password))
    }

    /// The same client, which is the administrator.
    #[must_use]
    pub fn admin(self) -> Self {
        self.login("admin", ADMIN_PASSWORD)
    }

    /// The same client, which shows a token on every request.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.authorized(&format!("Bearer {token}"))
    }

    /// A request to the admin API.
    #[track_caller]
    pub fn api(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let mut call: Request = request(method, format!("/api/v1{path}"));
        if let Some(body) = body {
            call = call.header("Content-Type", "application/json").body(body.to_string());
        }
        self.send(&call)
    }

    /// The reply of the token issuer to these parameters (of a query), which must be a success.
    #[track_caller]
    pub fn token_reply(&self, query: &str) -> Value {
        self.send(&get(format!("/token?service=holdfast{query}"))).expect(200).json()
    }

    /// An access token for these scopes.
    #[track_caller]
    pub fn token(&self, scopes: &[&str]) -> String {
        let query: String = scopes.iter().map(|scope| format!("&scope={scope}")).collect();
        self.token_reply(&query)["token"].as_str().expect("a token").to_owned()
    }

    /// Makes a user, as this administrator, and gives a client that is logged in as them.
    #[track_caller]
    pub fn new_user(&self, name: &str) -> Client {
        let password = format!("password of {name}");
        let body = serde_json::json!({ "name": name, "password": password });
        self.api("POST", "/users", Some(&body)).expect(201);
        self.login(name, &password)
    }

    /// Grants actions on repositories, as this administrator; `subject` as in the API, `{"kind":"user","name":"a"}`.
    /// Gives the grant's id.
    #[track_caller]
    pub fn grant(&self, subject: &Value, repository: &str, actions: &[&str]) -> String {
        let body = serde_json::json!({ "subject": subject, "repository": repository, "actions": actions });
        let made = self.api("POST", "/grants", Some(&body)).expect(201).json();
        made["id"].as_str().expect("an id").to_owned()
    }
}

/// A user as the subject of a grant.
pub fn user(name: &str) -> Value {
    serde_json::json!({ "kind": "user", "name": name })
}

/// A service account as the subject of a grant.
pub fn service(name: &str) -> Value {
    serde_json::json!({ "kind": "service-account", "name": name })
}

impl Client {
    /// Sends a request from another address of this machine, such as 127.0.0.2.
    #[track_caller]
    pub fn send_from(&self, source: impl Into<IpAddr>, call: &Request) -> Answer {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
        let socket = runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4()?;
            socket.bind(SocketAddr::new(source.into(), 0))?;
            socket.connect(self.addr).await?.into_std()
        });
        let socket = socket.expect("a socket from another address");
        socket.set_nonblocking(false).expect("a blocking socket");
        socket.set_read_timeout(Some(GUARD)).expect("a timeout");
        let call = match self.authorization {
            Some(value) if !call.has("Authorization") => call.clone().header("Authorization", value),
            _ => call.clone(),
        };
        Connection::over(socket).exchange(&call).unwrap_or_else(|e| panic!("{call:?}: {e}"))
    }

    /// Posts a form to the token issuer.
    #[track_caller]
    pub fn token_form(&self, form: &str) -> Answer {
        let kind = "application/x-www-form-urlencoded";
        self.send(&request("POST", "/token").header("Content-Type", kind).body(form))
    }

    /// Makes a personal access token as whoever this client is; gives its id and its text.
    #[track_caller]
    pub fn mint(&self, form: &Value) -> (String, String) {
        minted(&self.api("POST", "/me/tokens", Some(form)))
    }
}

/// The id and the text of a token that was made.
#[track_caller]
pub fn minted(answer: &Answer) -> (String, String) {
    let made = answer.clone().expect(201).json();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    (text(&made["token"]["id"]), text(&made["secret"]))
}
