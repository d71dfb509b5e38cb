//! Who the client is, and what it called us, when proxies may stand between: the socket's word, and the word of
//! proxies that the configuration trusts. Whatever anybody else claims in a header counts for nothing.
//! No rule is here; it must not know what an address may do.

use crate::http::peer::Peer;
use http::header::{HOST, HeaderName};
use http::{HeaderMap, Uri};
use ipnet::{IpNet, Ipv4Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The longest name that DNS has, with the dot at its end.
const NAME_BYTES_MAX: usize = 254;

/// Which proxies are trusted, and what we are called from outside if that is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    trusted: Vec<IpNet>,
    external: Option<String>,
}

impl Proxies {
    /// Reads `server.trusted_proxies` and `server.external_url`. The error is every mistake, in sentences.
    pub fn compile(trusted: &[String], external_url: &str) -> Result<Self, Vec<String>> {
        let mut mistakes = Vec::new();
        let mut compiled = Self::default();
        for text in trusted {
            match network(text) {
                Some(network) => compiled.trusted.push(network),
                None => mistakes.push(format!(
                    "`server.trusted_proxies`: {text:?} is no network; write it as in 10.0.0.0/8, fd00::/8 or 192.0.2.7"
                )),
            }
        }
        if !external_url.is_empty() {
            compiled.external = external(external_url);
            if compiled.external.is_none() {
                mistakes.push(
                    "`server.external_url` has the form https://NAME or https://NAME:PORT, without a path: \
                     clients find a registry only at the root of a name"
                        .to_owned(),
                );
            }
        }
        if mistakes.is_empty() { Ok(compiled) } else { Err(mistakes) }
    }

    /// Whether every address is trusted, so that every client may claim to be any other.
    pub fn trusts_everybody(&self) -> bool {
        self.trusted.iter().any(|network| network.prefix_len() == 0)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(&address))
    }

    /// The client's address. `X-Forwarded-For` is walked from the right, where our own proxy wrote, for as long as
    /// the hops are trusted ones: what stands further left is what clients like to claim. A hop that is no address
    /// ends the walk, and the last one that is known stands for the client. `None`: the peer is on this machine.
    pub fn client_address(&self, peer: Peer, headers: &HeaderMap) -> Option<IpAddr> {
        let mut client = peer.address()?;
        for line in headers.get_all(FORWARDED_FOR).iter().rev() {
            let Ok(line) = line.to_str() else { return Some(client) };
            for claimed in line.rsplit(',') {
                if !self.trusts(client) {
                    return Some(client);
                }
                let Some(hop) = hop(claimed.trim()) else { return Some(client) };
                client = hop;
            }
        }
        Some(client)
    }

    /// What the client calls us, as `scheme://host[:port]`: `external_url` if it is set, else what a trusted proxy
    /// says it was asked for, else what we were asked for. `None`: that is not the name of any host.
    pub fn origin(&self, peer: Peer, headers: &HeaderMap, uri: &Uri) -> Option<String> {
        if let Some(external) = &self.external {
            return Some(external.clone());
        }
        let trusted = peer.address().is_some_and(|address| self.trusts(address));
        let forwarded = |name| if trusted { nearest(headers, name) } else { None };
        let scheme = match forwarded(FORWARDED_PROTO) {
            Some(proto) if proto.eq_ignore_ascii_case("https") => "https",
            Some(proto) if proto.eq_ignore_ascii_case("http") => "http",
            _ if peer.is_tls() => "https",
            _ => "http",
        };
        let host = match forwarded(FORWARDED_HOST) {
            Some(host) => host,
            None => asked_for(headers, uri)?,
        };
        is_host(host).then(|| format!("{scheme}://{host}"))
    }
}

/// The value that the nearest proxy wrote: the last one.
fn nearest(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get_all(name).iter().next_back()?.to_str().ok()?.rsplit(',').next().map(str::trim)
}

/// The host of the request: of its target (HTTP/2's `:authority`), which comes before the header (RFC 9112, 3.2.2).
fn asked_for<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    if let Some(authority) = uri.authority() {
        return Some(authority.as_str());
    }
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next()?.to_str().ok()?;
    hosts.next().is_none().then_some(host)
}

/// Whether a text is a host with a port or without, and nothing more: no user, no path, nothing that could end a
/// quoted string or a line.
pub fn is_host(text: &str) -> bool {
    let (name, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            let port = match rest.strip_prefix(':') {
                Some(port) => Some(port),
                None if rest.is_empty() => None,
                None => return false,
            };
            (address.parse::<Ipv6Addr>().is_ok(), port)
        }
        None => match text.split_once(':') {
            Some((name, port)) => (is_name(name), Some(port)),
            None => (is_name(text), None),
        },
    };
    name && port.is_none_or(is_port)
}

fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (1..=NAME_BYTES_MAX).contains(&text.len())
        && text.bytes().all(plain)
        && text.bytes().any(|byte| byte.is_ascii_alphanumeric())
}

fn is_port(text: &str) -> bool {
    (1..=5).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && text.parse::<u16>().is_ok_and(|port| port > 0)
}

/// A hop of `X-Forwarded-For`: an address, and perhaps its port.
fn hop(text: &str) -> Option<IpAddr> {
    let address: IpAddr = if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']')?;
        if !rest.is_empty() && !rest.strip_prefix(':').is_some_and(is_port) {
            return None;
        }
        address.parse::<Ipv6Addr>().ok()?.into()
    } else if let Ok(address) = text.parse() {
        address
    } else {
        let (address, port) = text.split_once(':')?;
        is_port(port).then_some(())?;
        address.parse::<Ipv4Addr>().ok()?.into()
    };
    Some(address.to_canonical())
}

/// A network, or one address; IPv4 inside IPv6 becomes IPv4, as the addresses do that are compared with it.
fn network(text: &str) -> Option<IpNet> {
    let network = match text.trim().parse::<IpNet>() {
        Ok(network) => network,
        Err(_) => IpNet::from(text.trim().parse::<IpAddr>().ok()?),
    };
    let mapped = match network {
        IpNet::V6(six) => six.addr().to_ipv4_mapped().zip(six.prefix_len().checked_sub(96)),
        IpNet::V4(_) => None,
    };
    match mapped {
        Some((four, prefix)) => Ipv4Net::new(four, prefix).ok().map(IpNet::V4),
        None => Some(network),
    }
}

fn external(text: &str) -> Option<String> {
    let text = text.trim_end_matches('/');
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    is_host(host).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn proxies(trusted: &[&str], external: &str) -> Proxies {
        let trusted: Vec<String> = trusted.iter().map(|text| (*text).to_owned()).collect();
        Proxies::compile(&trusted, external).unwrap()
    }

    fn peer(address: &str, tls: bool) -> Peer {
        Peer::Tcp { address: (address.parse::<IpAddr>().unwrap(), 40_000).into(), tls }
    }

    fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    fn client(proxies: &Proxies, from: &str, lines: &[&str]) -> String {
        let lines: Vec<_> = lines.iter().map(|line| (FORWARDED_FOR, *line)).collect();
        proxies.client_address(peer(from, false), &headers(&lines)).unwrap().to_string()
    }

    #[test]
    fn the_walk_goes_from_the_right_through_trusted_hops_only() {
        let proxies = proxies(&["10.0.0.0/8", "fd00::/8"], "");
        for (lines, expected) in [
            (&[][..], "10.0.0.1"),
            (&["203.0.113.9"], "203.0.113.9"),
            (&["1.1.1.1, 203.0.113.9"], "203.0.113.9"),
            (&["1.1.1.1, 203.0.113.9, 10.0.0.2"], "203.0.113.9"),
            (&["1.1.1.1", "203.0.113.9", "10.0.0.2 , 10.0.0.3"], "203.0.113.9"),
            (&["203.0.113.9,10.0.0.2", "fd00::5"], "203.0.113.9"),
            (&["10.0.0.9, 10.0.0.2"], "10.0.0.9"),
            (&["203.0.113.9:4711"], "203.0.113.9"),
            (&["[2001:db8::7]:4711"], "2001:db8::7"),
            (&["[2001:db8::7]"], "2001:db8::7"),
            (&["2001:db8::7"], "2001:db8::7"),
            (&["::ffff:203.0.113.9"], "203.0.113.9"),
            (&["203.0.113.9, [::ffff:10.0.0.7]:80"], "203.0.113.9"),
        ] {
            assert_eq!(client(&proxies, "10.0.0.1", lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn garbage_ends_the_walk_where_it_stands() {
        let proxies = proxies(&["10.0.0.0/8"], "");
        for garbage in [
            "",
            "unknown",
            "_hidden",
            "10.0.0.9.",
            "10.0.0",
            "1.2.3.4:",
            "1.2.3.4:0",
            "1.2.3.4:x",
            "[::1",
            "[::1]x",
            "fe80::1%eth0",
            "\"1.2.3.4\"",
            "1.2.3.4;proto=https",
            "0x0a.0.0.1",
            "01.2.3.4",
            "é",
        ] {
            assert_eq!(
                client(&proxies, "10.0.0.1", &[&format!("5.5.5.5, {garbage}")]),
                "10.0.0.1",
                "{garbage:?}"
            );
            let hidden = format!("5.5.5.5, {garbage}, 10.0.0.2");
            // a line that is no text is not read at all; else the walk comes as far as the hop after the garbage
            let expected = if garbage.is_ascii() { "10.0.0.2" } else { "10.0.0.1" };
            assert_eq!(client(&proxies, "10.0.0.1", &[&hidden]), expected, "{garbage:?}");
        }
    }

    #[test]
    fn nobody_else_may_say_who_the_client_is() {
        let (none, some) = (proxies(&[], ""), proxies(&["10.0.0.0/8"], ""));
        assert_eq!(client(&none, "10.0.0.1", &["1.1.1.1"]), "10.0.0.1");
        assert_eq!(client(&some, "203.0.113.9", &["10.0.0.1"]), "203.0.113.9");
        assert_eq!(client(&some, "::ffff:10.0.0.1", &["1.1.1.1"]), "1.1.1.1");
        let claims = headers(&[(FORWARDED_FOR, "1.1.1.1")]);
        assert_eq!(some.client_address(Peer::Local, &claims), None);
    }

    #[test]
    fn networks_read_in_every_form_and_nothing_else_does() {
        let proxies = proxies(&["192.0.2.7", "::ffff:10.0.0.0/104", " fd00::/8 ", "10.1.2.3/16"], "");
        for (address, trusted) in [
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("10.9.9.9", true),
            ("11.0.0.1", false),
            ("fd12::1", true),
        ] {
            assert_eq!(proxies.trusts(address.parse().unwrap()), trusted, "{address}");
        }
        assert!(!proxies.trusts_everybody());
        assert!(super::tests::proxies(&["0.0.0.0/0"], "").trusts_everybody());
        for bad in ["", "10.0.0.0/33", "localhost", "10.0.0.0/8,fd00::/8", "10.*"] {
            let mistakes = Proxies::compile(&[bad.to_owned()], "").unwrap_err();
            assert!(mistakes.len() == 1 && mistakes[0].contains("server.trusted_proxies"), "{mistakes:?}");
        }
    }

    fn origin(proxies: &Proxies, from: Peer, lines: &[(HeaderName, &str)], uri: &str) -> Option<String> {
        proxies.origin(from, &headers(lines), &uri.parse().unwrap())
    }

    #[test]
    fn the_origin_is_what_the_client_called_us() {
        let proxies = proxies(&["10.0.0.0/8"], "");
        let (plain, secure) = (peer("203.0.113.9", false), peer("203.0.113.9", true));
        let asked = |from, host| origin(&proxies, from, &[(HOST, host)], "/v2/");
        assert_eq!(asked(plain, "r.example:5000").as_deref(), Some("http://r.example:5000"));
        assert_eq!(asked(secure, "r.example").as_deref(), Some("https://r.example"));
        assert_eq!(asked(secure, "[::1]:5000").as_deref(), Some("https://[::1]:5000"));
        assert_eq!(asked(Peer::Local, "localhost").as_deref(), Some("http://localhost"));
        let h2 = origin(&proxies, secure, &[(HOST, "other.example")], "https://r.example/v2/");
        assert_eq!(h2.as_deref(), Some("https://r.example"));
        assert_eq!(origin(&proxies, plain, &[], "/v2/"), None);
        assert_eq!(origin(&proxies, plain, &[(HOST, "a.example"), (HOST, "b.example")], "/v2/"), None);
    }

    #[test]
    fn only_a_trusted_proxy_may_say_what_we_are_called() {
        let proxies = proxies(&["10.0.0.0/8"], "");
        let claims = [(HOST, "inner:5000"), (FORWARDED_HOST, "r.example"), (FORWARDED_PROTO, "https")];
        let from = |address| origin(&proxies, peer(address, false), &claims, "/v2/").unwrap();
        assert_eq!(from("203.0.113.9"), "http://inner:5000");
        assert_eq!(from("10.0.0.1"), "https://r.example");
        let lists = [
            (HOST, "inner"),
            (FORWARDED_HOST, "evil.example"),
            (FORWARDED_HOST, "evil.example, r.example"),
            (FORWARDED_PROTO, "gopher, HTTPS"),
        ];
        let nearest = origin(&proxies, peer("10.0.0.1", false), &lists, "/v2/");
        assert_eq!(nearest.as_deref(), Some("https://r.example"));
        let odd = [(HOST, "inner"), (FORWARDED_PROTO, "gopher")];
        assert_eq!(origin(&proxies, peer("10.0.0.1", true), &odd, "/v2/").as_deref(), Some("https://inner"));
        let broken = [(HOST, "inner"), (FORWARDED_HOST, "r.example/\"x")];
        assert_eq!(origin(&proxies, peer("10.0.0.1", true), &broken, "/v2/"), None);
    }

    #[test]
    fn the_external_url_wins_over_every_claim() {
        let named = proxies(&["10.0.0.0/8"], "https://registry.example.com:8443/");
        let claims = [(HOST, "inner"), (FORWARDED_HOST, "evil.example")];
        let told = origin(&named, peer("10.0.0.1", false), &claims, "/v2/");
        assert_eq!(told.as_deref(), Some("https://registry.example.com:8443"));
        for bad in [
            "registry.example.com",
            "ftp://x",
            "https://",
            "https://a/b",
            "https://user@a",
            "https://a:0",
            "https://a b",
            "https://a?x",
            "https://a\"",
            "HTTPS//a",
        ] {
            assert!(Proxies::compile(&[], bad).unwrap_err()[0].contains("server.external_url"), "{bad:?}");
        }
    }

    #[test]
    fn what_is_no_host_is_no_origin() {
        for bad in [
            "",
            " ",
            ":",
            ":80",
            "a:",
            "a:b",
            "a:80:80",
            "a:99999",
            "a:+80",
            "u@a",
            "u:p@a",
            "a/b",
            "a?b",
            "a#b",
            "a\\b",
            "a\"",
            "a'",
            "a,b",
            "a b",
            "a\tb",
            "a\r\nX: y",
            "a\nb",
            "a%41",
            "[::1",
            "::1",
            "[::1]80",
            "[1.2.3.4]",
            "[::1%eth0]",
            "...",
            "-",
            "é.example",
        ] {
            assert!(!is_host(bad), "{bad:?}");
        }
        for good in ["a", "A.example.", "a-b_c.d", "127.0.0.1", "127.0.0.1:1", "[::1]", "[2001:db8::1]:65535"]
        {
            assert!(is_host(good), "{good:?}");
        }
        assert!(!is_host(&"a".repeat(NAME_BYTES_MAX + 1)));
    }

    fn any_address() -> impl Strategy<Value = IpAddr> {
        prop_oneof![any::<Ipv4Addr>().prop_map(IpAddr::V4), any::<Ipv6Addr>().prop_map(IpAddr::V6)]
    }

    fn header_text() -> impl Strategy<Value = String> {
        "[ -~]{0,40}"
    }

    proptest! {
        #[test]
        fn addresses_read_as_they_print(address in any_address(), port in 1_u16..) {
            prop_assert_eq!(hop(&address.to_string()), Some(address.to_canonical()));
            prop_assert_eq!(hop(&std::net::SocketAddr::new(address, port).to_string()), Some(address.to_canonical()));
        }

        #[test]
        fn an_untrusted_peer_is_the_client_whatever_it_claims(
            address in any_address(), claims in prop::collection::vec(header_text(), 0..5),
            host in header_text(), proto in header_text(),
        ) {
            let proxies = proxies(&["10.0.0.0/8"], "");
            prop_assume!(!proxies.trusts(address.to_canonical()));
            let peer = Peer::Tcp { address: (address, 1).into(), tls: false };
            let mut lines: Vec<_> = claims.iter().map(|claim| (FORWARDED_FOR, claim.as_str())).collect();
            lines.extend([(FORWARDED_HOST, host.as_str()), (FORWARDED_PROTO, proto.as_str()), (HOST, "r.example")]);
            let headers = headers(&lines);
            prop_assert_eq!(proxies.client_address(peer, &headers), Some(address.to_canonical()));
            let origin = proxies.origin(peer, &headers, &Uri::from_static("/v2/"));
            prop_assert_eq!(origin.as_deref(), Some("http://r.example"));
        }

        #[test]
        fn what_a_client_claims_left_of_the_first_untrusted_hop_counts_for_nothing(
            claimed in header_text(), real in any_address(), hops in 0_u8..5,
        ) {
            let proxies = proxies(&["10.0.0.0/8"], "");
            prop_assume!(!proxies.trusts(real.to_canonical()));
            let line = format!("{claimed}, {real}{}", ", 10.0.0.2".repeat(hops.into()));
            prop_assert_eq!(client(&proxies, "10.0.0.1", &[&line]), real.to_canonical().to_string());
        }

        #[test]
        fn an_origin_is_a_scheme_and_a_host(
            host in header_text(), forwarded in header_text(), proto in header_text(), tls in any::<bool>(),
        ) {
            let proxies = proxies(&["10.0.0.0/8"], "");
            let lines = [(HOST, host.as_str()), (FORWARDED_HOST, forwarded.as_str()), (FORWARDED_PROTO, proto.as_str())];
            for lines in [&lines[..], &lines[..1]] {
                if let Some(origin) = origin(&proxies, peer("10.0.0.1", tls), lines, "/v2/") {
                    let (scheme, host) = origin.split_once("://").unwrap();
                    prop_assert!(scheme == "http" || scheme == "https");
                    prop_assert!(is_host(host));
                    prop_assert!(!origin.contains(['"', '\\', '\r', '\n', ' ', '@', ',']));
                }
            }
        }
    }
}
