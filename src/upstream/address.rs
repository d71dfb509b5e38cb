//! Where a registry is: a URL, a name as docker writes it, or the socket of a server on this machine. It must not know
//! what is asked there.

use crate::upstream::error::Error;
use reqwest::Url;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// Docker's hub under all its names. Its API is on another host than its name says.
const HUB: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];
const HUB_API: &str = "https://registry-1.docker.io";

/// The address of a registry: only scheme, host and port, or a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    base: Url,
    socket: Option<PathBuf>,
    scheme_is_open: bool,
}

impl Address {
    /// Reads an address: `https://HOST[:PORT]`, `http://HOST[:PORT]`, `unix:PATH`, or `HOST[:PORT]`, which means
    /// https. Without a scheme, a name of this machine itself may turn out to speak plain HTTP, as with docker.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let refused = |why: &str| Error::Given(format!("{text:?} is not the address of a registry: {why}"));
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.is_empty() {
                Err(refused("no path follows `unix:`"))
            } else {
                Self::local(path.as_ref())
            };
        }
        let said = text.contains("://");
        let url = if said { text.to_owned() } else { format!("https://{text}") };
        let url = Url::parse(&url).map_err(|e| refused(&e.to_string()))?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(refused("it begins with https://, http:// or unix:"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            // Not repeated: it holds a password, which other users can see among the arguments.
            return Err(Error::Given(
                "a name and password do not belong into an address: give --user and --password-stdin".into(),
            ));
        }
        if !matches!(url.path(), "/" | "/v2" | "/v2/" | "/v1/")
            || url.query().is_some()
            || url.fragment().is_some()
        {
            return Err(refused("a registry is at the top of a host, so nothing follows the host and port"));
        }
        let hub = url.host_str().is_some_and(|host| HUB.contains(&host)) && url.port().is_none();
        let mut base = if hub { Url::parse(HUB_API).map_err(|e| refused(&e.to_string()))? } else { url };
        base.set_path("/");
        let scheme_is_open = !said && is_loopback(&base);
        Ok(Self { base, socket: None, scheme_is_open })
    }

    /// The server of this machine that listens on a socket.
    pub fn local(socket: &Path) -> Result<Self, Error> {
        let base = Url::parse("http://localhost").map_err(|e| Error::Given(e.to_string()))?;
        Ok(Self { base, socket: Some(socket.to_owned()), scheme_is_open: false })
    }

    /// The URL of a path there, with its query if it has one.
    pub fn url(&self, path_and_query: &str) -> Url {
        let (path, query) = match path_and_query.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path_and_query, None),
        };
        let mut url = self.base.clone();
        url.set_path(path);
        url.set_query(query);
        url
    }

    /// Whether a URL leads there: same scheme, host and port.
    pub fn owns(&self, url: &Url) -> bool {
        self.base.origin() == url.origin()
    }

    /// Whether a URL leads to the same host, on any port.
    pub fn is_on_the_same_host(&self, url: &Url) -> bool {
        self.socket.is_none() && self.base.host() == url.host()
    }

    /// The host, and the port unless it is the scheme's own: what credentials are filed under.
    pub fn host(&self) -> String {
        let host = self.base.host_str().unwrap_or_default();
        self.base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Whether `text` names this registry's host as it stands before the name of an image.
    pub fn is_named(&self, text: &str) -> bool {
        self.socket.is_none() && Self::parse(text).is_ok_and(|other| other.host() == self.host())
    }

    /// The socket, if it is one.
    pub fn socket(&self) -> Option<&Path> {
        self.socket.as_deref()
    }

    /// Whether it is Docker's hub.
    pub fn is_hub(&self) -> bool {
        self.base.as_str().trim_end_matches('/') == HUB_API
    }

    /// Whether bytes travel there unencrypted, over a network.
    pub fn is_plain(&self) -> bool {
        self.socket.is_none() && self.base.scheme() == "http"
    }

    /// Whether it is this machine itself.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.base)
    }

    /// Whether nobody said if it speaks TLS, and either may be so.
    pub fn scheme_is_open(&self) -> bool {
        self.scheme_is_open
    }

    /// The same address, with plain HTTP.
    #[must_use]
    pub fn plain(&self) -> Self {
        let mut base = self.base.clone();
        // The default port of https is not kept by a URL, so that plain HTTP goes to 80.
        let _ = base.set_scheme("http");
        Self { base, socket: self.socket.clone(), scheme_is_open: false }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.socket {
            Some(path) => write!(f, "the server at {}", path.display()),
            None if self.is_hub() => f.write_str("docker.io"),
            None => f.write_str(&self.host()),
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn base(text: &str) -> String {
        Address::parse(text).unwrap().url("/v2/").to_string()
    }

    #[test]
    fn https_unless_said_otherwise() {
        assert_eq!(base("registry.example.com"), "https://registry.example.com/v2/");
        assert_eq!(base("registry.example.com:5000"), "https://registry.example.com:5000/v2/");
        assert_eq!(base("http://registry.example.com/"), "http://registry.example.com/v2/");
        assert_eq!(base("https://registry.example.com:443/v2/"), "https://registry.example.com/v2/");
        assert_eq!(base("[2001:db8::1]:5000"), "https://[2001:db8::1]:5000/v2/");
    }

    #[test]
    fn only_this_machine_may_turn_out_to_speak_plain_http() {
        for open in
            ["localhost", "localhost:5000", "127.0.0.1:5000", "127.9.9.9", "[::1]:5000", "a.localhost"]
        {
            assert!(Address::parse(open).unwrap().scheme_is_open(), "{open}");
        }
        for closed in
            ["https://localhost:5000", "http://localhost:5000", "10.0.0.1:5000", "localhost.example.com"]
        {
            assert!(!Address::parse(closed).unwrap().scheme_is_open(), "{closed}");
        }
        let plain = Address::parse("localhost:5000").unwrap().plain();
        assert_eq!(plain.url("/v2/").to_string(), "http://localhost:5000/v2/");
        assert!(plain.is_plain() && !plain.scheme_is_open());
    }

    #[test]
    fn the_hub_has_one_address_under_all_its_names() {
        for name in ["docker.io", "index.docker.io", "https://index.docker.io/v1/", "registry-1.docker.io"] {
            let hub = Address::parse(name).unwrap();
            assert!(hub.is_hub(), "{name}");
            assert_eq!(hub.url("/v2/").to_string(), "https://registry-1.docker.io/v2/");
        }
        assert!(!Address::parse("docker.io.example.com").unwrap().is_hub());
        assert!(!Address::parse("http://docker.io:5000").unwrap().is_hub());
    }

    #[test]
    fn what_is_no_registry_is_refused() {
        for bad in [
            "",
            "unix:",
            "ftp://a",
            "https://",
            "https://a/b",
            "a/b",
            "https://a/?x",
            "https://a/#x",
            "a b",
            "a:99999",
        ] {
            assert!(matches!(Address::parse(bad), Err(Error::Given(_))), "{bad:?}");
        }
        let told = Address::parse("https://admin:geheim@a").unwrap_err().to_string();
        assert!(!told.contains("geheim") && told.contains("--password-stdin"), "{told}");
    }

    #[test]
    fn a_socket_is_an_address() {
        for text in ["unix:/data/admin.sock", "unix:///data/admin.sock"] {
            let local = Address::parse(text).unwrap();
            assert_eq!(local.socket(), Some(Path::new("/data/admin.sock")));
            assert!(!local.is_plain() && !local.is_named("localhost"));
        }
    }

    #[test]
    fn a_path_cannot_lead_to_another_host() {
        let address = Address::parse("https://a.example.com").unwrap();
        for path in
            ["//b.example.com/v2/", "/v2/../../x", "https://b.example.com/", "\\\\b", "/v2/a?last=//b"]
        {
            assert!(address.owns(&address.url(path)), "{path}");
        }
        assert_eq!(address.url("/v2/_catalog?n=2&last=a%2Fb").query(), Some("n=2&last=a%2Fb"));
        assert!(!address.owns(&Address::parse("https://a.example.com:444").unwrap().url("/")));
        assert!(!address.owns(&Address::parse("http://a.example.com").unwrap().url("/")));
    }

    #[test]
    fn a_host_before_the_name_of_an_image_may_be_this_one() {
        let address = Address::parse("https://a.example.com").unwrap();
        assert!(address.is_named("a.example.com") && address.is_named("A.example.com:443"));
        assert!(!address.is_named("a.example.com:444") && !address.is_named("b.example.com"));
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC*") {
            let _ = Address::parse(&text);
        }
    }
}
