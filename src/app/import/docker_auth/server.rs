//! docker_auth's own listener, TLS and tokens. Holdfast is the registry and the token server in one process, on one
//! address: what is said here of docker_auth's port holds for both.

use crate::app::import::acme;
use crate::app::import::document::{Section, Value};
use crate::app::import::fields::Fields;
use crate::app::import::listen::{Front, listen};
use crate::app::import::report::{Report, shown};
use ipnet::IpNet;

const SERVER: [&str; 12] = [
    "addr",
    "net",
    "path_prefix",
    "real_ip_header",
    "real_ip_pos",
    "certificate",
    "key",
    "hsts",
    "tls_min_version",
    "tls_curve_preferences",
    "tls_cipher_suites",
    "letsencrypt",
];
const TOKEN: [&str; 5] = ["issuer", "expiration", "certificate", "key", "disable_legacy_key_id"];
/// docker_auth's default would be nothing at all; ours are bounded.
const LIFETIME_LEAST: i64 = 60;
const LIFETIME_MOST: i64 = 3600;

/// What is known of docker_auth's server.
#[derive(Debug)]
pub struct Server<'a> {
    fields: Fields<'a>,
    certificate: Option<&'a str>,
    key: Option<&'a str>,
    /// Whether addresses of clients come out of a header.
    pub real_ip: bool,
}

/// Reads `server`.
pub fn read<'a>(root: &Fields<'a>, report: &mut Report) -> Server<'a> {
    let fields = root.section("server", &SERVER, report);
    let certificate = fields.text("certificate", report);
    let key = fields.text("key", report);
    if certificate.is_some() != key.is_some() {
        report.mistake(
            "server.certificate and server.key belong together and one is not given; docker_auth does not start so",
        );
    }
    let real_ip = fields.text("real_ip_header", report).is_some();
    Server { fields, certificate, key, real_ip }
}

impl<'a> Server<'a> {
    fn has_tls(&self) -> bool {
        self.certificate.is_some() && self.key.is_some()
    }

    /// `[server]`, `[server.tls]` and `[server.acme]`.
    pub fn sections(&self, proxies: &[IpNet], report: &mut Report) -> Vec<Section> {
        let mut server = Section::new("server");
        let front = match (self.has_tls(), self.real_ip || !proxies.is_empty()) {
            (true, _) => Front::Tls,
            (false, true) => Front::Proxy,
            (false, false) => Front::Nothing,
        };
        self.address(&mut server, front, report);
        self.proxy(&mut server, front, proxies, report);
        self.leftovers(report);
        let mut sections = vec![server];
        if let (Some(certificate), Some(key)) = (self.certificate, self.key) {
            let mut tls = Section::new("server.tls");
            tls.set("certificate", certificate.into()).set("key", key.into());
            if matches!(self.fields.text("tls_min_version", report), Some("TLS13" | "0x0304" | "772")) {
                tls.set("min_version", "1.3".into());
            }
            sections.push(tls);
        }
        sections.extend(self.letsencrypt(report));
        sections
    }

    fn address(&self, server: &mut Section, front: Front, report: &mut Report) {
        let unix = self.fields.text("net", report) == Some("unix");
        let Some(address) = self.fields.text("addr", report) else {
            report
                .warn("server.addr is not given; docker_auth does not start so. Holdfast takes its default");
            return;
        };
        let address = if unix { "/" } else { address };
        if let Some(listen) = listen("server.addr", address, front, report) {
            server.set_because(
                "listen",
                Value::Text(listen),
                "docker_auth's address. Holdfast is the registry too: clients come to one address for both, and their \
                 realm is its own /token. You may want the address of the registry here.",
            );
        }
    }

    fn proxy(&self, server: &mut Section, front: Front, proxies: &[IpNet], report: &mut Report) {
        if let Some(header) = self.fields.text("real_ip_header", report) {
            let position = self.fields.number("real_ip_pos", report).unwrap_or(0);
            if header.eq_ignore_ascii_case("x-forwarded-for") && position >= 0 {
                report.warn(format!(
                    "trap 6: server.real_ip_header is X-Forwarded-For and real_ip_pos is {position}: counted from the \
                     left, where every client can write what it likes, so whoever wrote 127.0.0.1 there came from this \
                     machine. Holdfast counts from the right, over server.trusted_proxies alone"
                ));
            }
            if proxies.is_empty() {
                report.warn(
                    "server.real_ip_header: write the networks of your proxies into server.trusted_proxies. Until \
                     then every client has the address of its proxy, and X-Forwarded-* counts for nobody",
                );
            }
        }
        if front == Front::Proxy {
            server.set_because("behind_proxy", Value::Flag(true), "A proxy in front ends TLS.");
        }
        if self.real_ip || !proxies.is_empty() {
            server.set_because(
                "trusted_proxies",
                Value::List(proxies.iter().map(ToString::to_string).collect()),
                "Networks of the proxies that may say who the client is.",
            );
        }
    }

    fn leftovers(&self, report: &mut Report) {
        if let Some(prefix) = self.fields.text("path_prefix", report) {
            report.not_carried(format!(
                "server.path_prefix {}: Holdfast issues tokens at /token and /auth/token of its own address, and tells \
                 clients so itself",
                shown(prefix)
            ));
        }
        for key in ["tls_curve_preferences", "tls_cipher_suites"] {
            if self.fields.has(key) {
                report.not_carried(format!(
                    "server.{key}: Holdfast speaks TLS 1.2 and 1.3 with forward secrecy and authenticated ciphers only, \
                     and there is nothing to choose"
                ));
            }
        }
        match self.fields.text("tls_min_version", report) {
            None | Some("TLS12" | "0x0303" | "771" | "TLS13" | "0x0304" | "772") => {}
            Some(_) => {
                report.not_carried("server.tls_min_version: Holdfast speaks nothing older than TLS 1.2");
            }
        }
        if self.fields.flag("hsts", report) == Some(true) {
            report.note("server.hsts: server.tls.hsts does that here, and is on unless it is switched off");
        }
    }

    /// docker_auth reads `letsencrypt` only without a certificate, and then serves without TLS all the same.
    fn letsencrypt(&self, report: &mut Report) -> Option<Section> {
        let fields = self.fields.section("letsencrypt", &["host", "email", "cache_dir"], report);
        let (host, email) = (fields.text("host", report), fields.text("email", report));
        if !self.fields.has("letsencrypt") {
            return None;
        }
        if self.has_tls() {
            report.not_carried(
                "server.letsencrypt: docker_auth does not look at it when server.certificate is given, and neither do \
                 we",
            );
            return None;
        }
        report.warn(
            "trap 7: server.letsencrypt without server.certificate: docker_auth got a certificate and then served \
             WITHOUT TLS. Every password that was sent to it crossed the network in clear",
        );
        report.not_carried(
            "server.letsencrypt: [server.acme] is written as a comment, because the terms of the authority are for you \
             to accept. Its cache_dir is not needed, and without a host its domains must be named: Holdfast gets no \
             certificate for whatever name a client comes up with",
        );
        let domains = host.iter().map(|host| (*host).to_owned()).collect();
        Some(acme::section(domains, email.unwrap_or_default(), None))
    }

    /// `[auth]` as far as tokens go, and `[auth.signing]`.
    pub fn tokens(&self, root: &Fields<'a>, anonymous: bool, report: &mut Report) -> Vec<Section> {
        let fields = root.section("token", &TOKEN, report);
        let mut auth = Section::new("auth");
        match fields.text("issuer", report) {
            Some(issuer) if is_name(issuer) => {
                auth.set("issuer", issuer.into());
            }
            Some(issuer) => report.not_carried(format!(
                "token.issuer {}: names of issuers have 1 to 255 ASCII characters, no quotes and no backslashes here",
                shown(issuer)
            )),
            None => report.warn("token.issuer is not given; docker_auth does not start so"),
        }
        auth.set_because(
            "anonymous",
            Value::Flag(anonymous),
            "Whether callers without a login get tokens; what those give is up to the rules.",
        );
        Self::lifetime(&fields, &mut auth, report);
        let mut sections = vec![auth];
        sections.extend(self.signing(&fields, report));
        sections
    }

    fn lifetime(fields: &Fields<'_>, auth: &mut Section, report: &mut Report) {
        let Some(seconds) = fields.number("expiration", report) else {
            if !fields.has("expiration") {
                report.warn("token.expiration is not given; docker_auth does not start so");
            }
            return;
        };
        if seconds <= 0 {
            report.warn(format!(
                "token.expiration is {seconds}; docker_auth does not start so. It is not carried"
            ));
            return;
        }
        let bounded = seconds.clamp(LIFETIME_LEAST, LIFETIME_MOST);
        if bounded != seconds {
            report.warn(format!(
                "token.expiration is {seconds}: tokens of Holdfast hold from 60 to 3600 seconds, so \
                 auth.token_lifetime_secs is {bounded}. Clients that log in once use refresh tokens, which hold for \
                 months"
            ));
        }
        auth.set("token_lifetime_secs", Value::Number(bounded.unsigned_abs()));
    }

    fn signing(&self, fields: &Fields<'_>, report: &mut Report) -> Option<Section> {
        let own = (fields.text("certificate", report), fields.text("key", report));
        let legacy = fields.flag("disable_legacy_key_id", report) != Some(true);
        let (certificate, key) = match own {
            (Some(certificate), Some(key)) => (certificate, key),
            (None, None) => (self.certificate?, self.key?),
            _ => {
                report.mistake(
                    "token.certificate and token.key belong together and one is not given; docker_auth does not start \
                     so",
                );
                return None;
            }
        };
        let mut signing = Section::new("auth.signing");
        signing.comment(
            "The key that signed docker_auth's tokens. It is needed only while another registry still verifies tokens \
             with its certificate (auth.token.rootcertbundle there): so one half can move at a time. Without that, \
             delete this section: Holdfast then makes its own key and changes it from time to time.",
        );
        signing.set("key", key.into()).set("certificate", certificate.into());
        if legacy {
            signing.set_because(
                "key_id",
                "libtrust".into(),
                "How registry:2 finds the key. registry:3 wants \"thumbprint\".",
            );
        } else {
            signing.set("key_id", "thumbprint".into());
        }
        report.note(
            "[auth.signing] carries docker_auth's signing key, for a registry:2 that still verifies tokens. When \
             Holdfast alone serves, delete that section",
        );
        Some(signing)
    }
}

/// What `auth.issuer` may be.
pub fn is_name(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && text.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\')
}
