//! From an address as Go's servers listen on it to one of ours. Without TLS, and without a proxy in front that ends
//! it, Holdfast listens on this machine alone: so does what is written here, and it says so.

use crate::app::import::report::{Report, shown};

/// What stands between the clients and the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Front {
    /// The server's own TLS.
    Tls,
    /// A proxy that ends TLS.
    Proxy,
    /// Nothing.
    Nothing,
}

/// `server.listen` for an address such as `:5000`, `localhost:5000`, `[::1]:5000`. None: a mistake was told, or
/// there is nothing to carry.
pub fn listen(key: &str, address: &str, front: Front, report: &mut Report) -> Option<String> {
    if address.starts_with('/') {
        report.not_carried(format!(
            "{key} is a Unix socket: Holdfast serves images over TCP; let what speaks to the socket speak to \
             server.listen"
        ));
        return None;
    }
    let parsed = address.rsplit_once(':').and_then(|(host, port)| Some((host, number(port)?)));
    let Some((host, port)) = parsed else {
        report.mistake(format!("{key} does not read as an address and a port: {}", shown(address)));
        return None;
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let loopback = matches!(host, "127.0.0.1" | "::1" | "localhost");
    if front == Front::Nothing && !loopback {
        report.warn(format!(
            "{key} is {} without TLS: passwords crossed the network in clear. Holdfast listens there only with \
             [server.tls], with [server.acme], or with server.behind_proxy = true when a proxy ends TLS; written is \
             127.0.0.1:{port}, which only this machine reaches",
            shown(address)
        ));
        return Some(format!("127.0.0.1:{port}"));
    }
    Some(match host {
        "" | "0.0.0.0" | "*" => format!("0.0.0.0:{port}"),
        "localhost" => format!("127.0.0.1:{port}"),
        host if host.contains(':') => format!("[{host}]:{port}"),
        host => format!("{host}:{port}"),
    })
}

fn number(port: &str) -> Option<u16> {
    match port {
        "http" => Some(80),
        "https" => Some(443),
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_go_become_ours() {
        for (address, front, expected) in [
            (":5001", Front::Tls, Some("0.0.0.0:5001")),
            (":5001", Front::Proxy, Some("0.0.0.0:5001")),
            ("localhost:5000", Front::Nothing, Some("127.0.0.1:5000")),
            ("[::1]:5000", Front::Nothing, Some("[::1]:5000")),
            ("[::]:5000", Front::Tls, Some("[::]:5000")),
            ("10.0.0.1:https", Front::Tls, Some("10.0.0.1:443")),
            ("registry:5000", Front::Proxy, Some("registry:5000")),
        ] {
            let mut report = Report::default();
            assert_eq!(listen("http.addr", address, front, &mut report).as_deref(), expected, "{address}");
            assert!(report.remarks.is_empty() && report.mistakes.is_empty(), "{report:?}");
        }
    }

    #[test]
    fn nothing_is_opened_to_the_network_without_tls() {
        for address in [":5000", "0.0.0.0:5000", "[::]:5000", "10.1.2.3:5000", "registry.example.com:5000"] {
            let mut report = Report::default();
            let listen = listen("http.addr", address, Front::Nothing, &mut report);
            assert_eq!(listen.as_deref(), Some("127.0.0.1:5000"), "{address}");
            assert!(report.remarks[0].text.contains("in clear"), "{report:?}");
        }
    }

    #[test]
    fn what_is_no_address_is_a_mistake() {
        for address in ["5000", "host:", "host:port", ":99999", ":+80"] {
            let mut report = Report::default();
            assert_eq!(listen("http.addr", address, Front::Tls, &mut report), None, "{address}");
            assert_eq!(report.mistakes.len(), 1, "{address}");
        }
    }

    #[test]
    fn a_unix_socket_is_not_carried() {
        let mut report = Report::default();
        assert_eq!(listen("server.addr", "/run/auth.sock", Front::Nothing, &mut report), None);
        assert_eq!((report.remarks.len(), report.mistakes.len()), (1, 0));
    }
}
