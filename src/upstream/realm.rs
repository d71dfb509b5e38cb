//! Where a token may be asked for. A registry names the place itself, so a registry in wrong hands could name one of its
//! own and be sent the password: CVE-2026-33540, CVE-2026-48978.

use crate::upstream::address::Address;
use crate::upstream::error::{Error, printable};
use reqwest::Url;

/// The one realm of Docker's hub.
const HUB_REALM: &str = "auth.docker.io";

/// Judges a realm: on the registry's own host, on that of Docker's hub for the hub, or on one that the user allowed; and
/// never unencrypted when the registry itself is encrypted.
pub fn judge(registry: &Address, realm: &str, allowed: &[String]) -> Result<Url, Error> {
    let refused = |why: String| Error::Login { at: registry.to_string(), why };
    let shown: String = printable(realm).chars().take(200).collect();
    let url = Url::parse(realm)
        .map_err(|_| refused(format!("it sends us to {shown:?} for a token, which is no URL")))?;
    if !matches!(url.scheme(), "https" | "http")
        || url.host_str().is_none()
        || !url.username().is_empty()
        || url.password().is_some()
    {
        return Err(refused(format!("it sends us to {shown:?} for a token, which is no place to ask")));
    }
    let host = url.host_str().unwrap_or_default();
    let with_port = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let said =
        allowed.iter().any(|name| name.eq_ignore_ascii_case(host) || name.eq_ignore_ascii_case(&with_port));
    let of_hub = registry.is_hub() && host == HUB_REALM && url.port().is_none();
    if !(registry.is_on_the_same_host(&url) || of_hub || said) {
        return Err(refused(format!(
            "it sends us to another host, {host}, for a token. If that is right, say so with --allow-realm {host}"
        )));
    }
    if url.scheme() == "http" && !registry.is_plain() {
        return Err(refused(format!(
            "it sends us to {shown:?} for a token, which is not encrypted while it is itself"
        )));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(registry: &str, realm: &str, allowed: &[&str]) -> bool {
        let allowed: Vec<String> = allowed.iter().map(|name| (*name).to_owned()).collect();
        let registry = Address::parse(registry).unwrap();
        match judge(&registry, realm, &allowed) {
            Ok(url) => url.as_str().starts_with(realm),
            Err(Error::Login { .. }) => false,
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_registry_s_own_host_is_right_on_any_port() {
        for realm in
            ["https://r.example.com/token", "https://r.example.com:5001/auth?x=y", "https://R.example.com/t"]
        {
            let registry = Address::parse("https://r.example.com").unwrap();
            assert!(judge(&registry, realm, &[]).is_ok(), "{realm}");
        }
        assert!(judged("http://10.0.0.1:5000", "http://10.0.0.1:5001/auth", &[]));
        assert!(judged("http://10.0.0.1:5000", "https://10.0.0.1/auth", &[]));
    }

    #[test]
    fn another_host_is_wrong_unless_it_was_allowed() {
        for realm in [
            "https://evil.example.com/token",
            "https://r.example.com.evil.com/token",
            "https://r.example.com@evil.com/token",
            "https://evil.com/r.example.com",
            "https://evil.com#r.example.com",
            "https://example.com/token",
        ] {
            assert!(!judged("https://r.example.com", realm, &[]), "{realm}");
        }
        let gitlab = "https://gitlab.example.com/jwt/auth";
        assert!(judged("https://r.example.com", gitlab, &["gitlab.example.com"]));
        assert!(!judged("https://r.example.com", gitlab, &["example.com", "b.example.com"]));
        assert!(judged("https://r.example.com", "https://a:8443/t", &["a:8443"]));
        assert!(!judged("https://r.example.com", "https://a:8443/t", &["a:8444"]));
    }

    #[test]
    fn an_encrypted_registry_never_leads_to_an_unencrypted_realm() {
        assert!(!judged("https://r.example.com", "http://r.example.com/token", &[]));
        assert!(!judged("https://r.example.com", "http://a/token", &["a"]));
        assert!(!judged("docker.io", "http://auth.docker.io/token", &[]));
    }

    #[test]
    fn the_hub_s_realm_is_for_the_hub_alone() {
        assert!(judged("docker.io", "https://auth.docker.io/token", &[]));
        assert!(!judged("docker.io", "https://auth.docker.io:444/token", &[]));
        assert!(!judged("https://r.example.com", "https://auth.docker.io/token", &[]));
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for realm in [
            "",
            "/token",
            "ftp://r.example.com/",
            "file:///etc/passwd",
            "https://u:p@r.example.com/",
            "https://",
        ] {
            assert!(!judged("https://r.example.com", realm, &["r.example.com"]), "{realm:?}");
        }
        assert!(
            !judged("unix:/x.sock", "http://localhost/token", &[]),
            "a local server knows its user already"
        );
    }
}
