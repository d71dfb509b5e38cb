//! The settings of LDAP, and what is wrong with them before anything is asked of a server.

use crate::auth::sources::ldap::filter::{self, ACCOUNT, DN};
use crate::secret::Secret;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// `[auth.ldap]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `ldap://host:389` or `ldaps://host:636`. Empty: there is no LDAP.
    pub url: String,
    /// Whether an `ldap://` connection is encrypted before anything is said on it.
    pub start_tls: bool,
    /// Whether passwords may go over the network as they are. Never needed on loopback.
    pub insecure_plaintext: bool,
    /// A PEM file with the certificates that vouch for the server. Empty: those of the system.
    pub ca_certificate: String,
    /// As whom users are searched. Empty: as nobody.
    pub bind_dn: String,
    /// The password of `bind_dn`.
    pub bind_password: Secret,
    /// Beneath which entry users are searched.
    pub base: String,
    /// Which of the entries there is the user.
    pub filter: String,
    /// The attribute that names an account. Empty: the first that `filter` compares with `${account}`.
    pub name_attribute: String,
    /// Whether accounts are named in lower case, however the directory writes them.
    pub lower_case_names: bool,
    /// Beneath which entry groups are searched. Empty: they are not.
    pub group_base: String,
    /// Which of the entries there are the user's groups.
    pub group_filter: String,
    /// The attribute that names a group.
    pub group_attribute: String,
    /// Users in this group are administrators. Empty: none is.
    pub admin_group: String,
    /// What else rules may know of a user. A label called `groups` names further groups.
    pub labels: BTreeMap<String, Label>,
    /// Longest time that a login may take here, with all its steps.
    pub timeout_secs: u64,
    /// Most connections at once.
    pub connections_max: usize,
}

/// Where the values of a label come from, as in docker_auth.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// The attribute.
    pub attribute: String,
    /// Whether values are DNs of which only the first `cn` counts.
    #[serde(default)]
    pub parse_cn: bool,
    /// Whether values are put in lower case.
    #[serde(default)]
    pub lower_case: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: String::new(),
            start_tls: false,
            insecure_plaintext: false,
            ca_certificate: String::new(),
            bind_dn: String::new(),
            bind_password: Secret::default(),
            base: String::new(),
            filter: "(&(uid=${account})(objectClass=person))".into(),
            name_attribute: String::new(),
            lower_case_names: false,
            group_base: String::new(),
            group_filter: "(member=${dn})".into(),
            group_attribute: "cn".into(),
            admin_group: String::new(),
            labels: BTreeMap::new(),
            timeout_secs: 10,
            connections_max: 8,
        }
    }
}

impl Config {
    /// Every mistake, each a sentence. None if there is no LDAP.
    pub fn mistakes(&self) -> Vec<String> {
        if self.url.is_empty() {
            return Vec::new();
        }
        let mut mistakes = self.mistakes_of_the_way();
        let mut demand = |holds: bool, mistake: &str| {
            if !holds {
                mistakes.push(mistake.to_owned());
            }
        };
        demand(
            !self.base.is_empty(),
            "`auth.ldap.base` is empty: it names the entry beneath which users stand",
        );
        demand(
            self.bind_dn.is_empty() || !self.bind_password.is_empty(),
            "`auth.ldap.bind_password` is empty: a server takes that for a login as nobody, and says that it went well",
        );
        demand(
            !self.bind_dn.is_empty() || self.bind_password.is_empty(),
            "`auth.ldap.bind_dn` is empty, but there is a `bind_password`",
        );
        demand(
            self.group_base.is_empty() || !self.group_attribute.is_empty(),
            "`auth.ldap.group_attribute` is empty: it names a group",
        );
        demand(
            (1..=60).contains(&self.timeout_secs),
            "`auth.ldap.timeout_secs` is not within 1 and 60: clients give up after 15",
        );
        demand(
            (1..=256).contains(&self.connections_max),
            "`auth.ldap.connections_max` is not within 1 and 256",
        );
        for (label, Label { attribute, .. }) in &self.labels {
            if attribute.is_empty() {
                mistakes.push(format!("`auth.ldap.labels.{label}.attribute` is empty"));
            }
        }
        mistakes.extend(self.mistakes_of_filters());
        mistakes
    }

    /// The attribute that names accounts; empty if there is a mistake.
    pub fn naming_attribute(&self) -> &str {
        match self.name_attribute.as_str() {
            "" => filter::naming_attribute(&self.filter).unwrap_or_default(),
            named => named,
        }
    }

    fn mistakes_of_the_way(&self) -> Vec<String> {
        let Some(server) = Server::parse(&self.url) else {
            return vec![
                "`auth.ldap.url` has the form ldap://HOST:PORT or ldaps://HOST:PORT, and nothing after it"
                    .into(),
            ];
        };
        let mut mistakes = Vec::new();
        if server.encrypted && self.start_tls {
            mistakes.push(
                "`auth.ldap.start_tls` is for ldap://, since ldaps:// is encrypted from the start".into(),
            );
        }
        let encrypted = server.encrypted || self.start_tls;
        if encrypted && server.host.contains(':') {
            mistakes.push(
                "`auth.ldap.url` names the server by an IPv6 address, which the LDAP library cannot compare \
                           with a certificate: name the host"
                    .into(),
            );
        }
        if !encrypted && !server.is_loopback() && !self.insecure_plaintext {
            mistakes.push(
                "`auth.ldap.url` would send every password over the network as it is: take ldaps://, or `start_tls = \
                 true`, or say `insecure_plaintext = true`"
                    .into(),
            );
        }
        if !encrypted && !self.ca_certificate.is_empty() {
            mistakes.push(
                "`auth.ldap.ca_certificate` is of no use without ldaps:// or `start_tls = true`".into(),
            );
        }
        mistakes
    }

    fn mistakes_of_filters(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        if let Some(fault) = filter::fault(&self.filter, &[ACCOUNT]) {
            mistakes.push(format!("`auth.ldap.filter` {fault}"));
        } else if self.naming_attribute().is_empty() {
            mistakes.push(
                "`auth.ldap.name_attribute` is empty, and `filter` does not tell it, as (uid=${account}) would".into(),
            );
        }
        if !self.group_base.is_empty() {
            // Either place makes it the user's own groups.
            let by_dn = filter::fault(&self.group_filter, &[DN, ACCOUNT]);
            if by_dn.is_some() && filter::fault(&self.group_filter, &[ACCOUNT, DN]).is_some() {
                mistakes.push(format!("`auth.ldap.group_filter` {}", by_dn.unwrap_or_default()));
            }
        }
        mistakes
    }
}

/// What a URL says.
struct Server<'a> {
    encrypted: bool,
    host: &'a str,
}

impl<'a> Server<'a> {
    /// By hand, and strictly: the library panics on a URL without a host.
    fn parse(url: &'a str) -> Option<Self> {
        let (encrypted, rest) = match url.strip_prefix("ldaps://") {
            Some(rest) => (true, rest),
            None => (false, url.strip_prefix("ldap://")?),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.strip_prefix('[') {
            Some(bracketed) => {
                let (host, after) = bracketed.split_once(']')?;
                host.parse::<std::net::Ipv6Addr>().ok()?;
                (host, after.strip_prefix(':').or(after.is_empty().then_some("389"))?)
            }
            None => rest.split_once(':').unwrap_or((rest, "389")),
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
        let port_fits =
            port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|p| p > 0);
        (!host.is_empty() && host.bytes().all(plain) && port_fits).then_some(Self { encrypted, host })
    }

    fn is_loopback(&self) -> bool {
        let address = self.host.parse::<IpAddr>();
        self.host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn config(url: &str) -> Config {
        Config { url: url.into(), base: "dc=example,dc=com".into(), ..Config::default() }
    }

    #[test]
    fn without_a_url_nothing_is_asked_of_the_rest() {
        assert_eq!(Config::default().mistakes(), [""; 0]);
    }

    #[test]
    fn ways_that_keep_passwords_secret_are_right() {
        for url in [
            "ldaps://ldap.example.com",
            "ldaps://ldap.example.com:1636/",
            "ldap://localhost",
            "ldap://[::1]:3890",
            "ldap://127.0.0.1:3890",
        ] {
            assert_eq!(config(url).mistakes(), [""; 0], "{url}");
        }
        let plain = config("ldap://ldap.example.com");
        assert!(plain.mistakes()[0].contains("`insecure_plaintext = true`"));
        assert_eq!(Config { start_tls: true, ..plain.clone() }.mistakes(), [""; 0]);
        assert_eq!(Config { insecure_plaintext: true, ..plain }.mistakes(), [""; 0]);
        assert!(config("ldap://localhost.example.com").mistakes()[0].contains("as it is"));
        assert!(Config { start_tls: true, ..config("ldaps://h") }.mistakes()[0].contains("from the start"));
        assert!(config("ldaps://[2001:db8::1]").mistakes()[0].contains("name the host"));
        let useless = Config { ca_certificate: "ca.pem".into(), ..config("ldap://localhost") };
        assert!(useless.mistakes()[0].contains("of no use"));
    }

    #[test]
    fn other_urls_are_refused() {
        for url in [
            "ldap://",
            "ldap:///",
            "ldap:///dc=example",
            "ldapi://%2frun%2fldapi",
            "http://host",
            "host:389",
            "ldap://host:0",
            "ldap://host:99999",
            "ldap://host:+89",
            "ldap://host/dc=example",
            "ldap://user@host",
            "ldap://[::1",
            "ldap://[x]",
            "ldap://::1",
            "ldap://ho st",
            "LDAP://host",
        ] {
            assert!(config(url).mistakes().iter().any(|told| told.contains("has the form")), "{url}");
        }
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let config = Config {
            bind_dn: "cn=holdfast".into(),
            base: String::new(),
            filter: "(uid=x)".into(),
            group_base: "ou=groups".into(),
            group_filter: "(member=x)".into(),
            group_attribute: String::new(),
            timeout_secs: 0,
            connections_max: 0,
            labels: BTreeMap::from([("title".into(), Label::default())]),
            ..config("ldap://ldap.example.com")
        };
        let told = config.mistakes().join("\n");
        for part in [
            "as it is",
            "base`",
            "bind_password`",
            "filter` has no",
            "group_filter` has no",
            "group_attribute`",
            "timeout_secs`",
            "connections_max`",
            "labels.title.attribute`",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }

    #[test]
    fn accounts_are_named_by_what_the_filter_compares() {
        assert_eq!(Config::default().naming_attribute(), "uid");
        let odd = Config { filter: "(uid:caseExactMatch:=${account})".into(), ..config("ldap://localhost") };
        assert!(odd.mistakes()[0].contains("name_attribute"));
        assert_eq!(Config { name_attribute: "uid".into(), ..odd }.mistakes(), [""; 0]);
    }

    #[test]
    fn groups_may_be_found_by_dn_or_by_name() {
        for group_filter in
            ["(member=${dn})", "(memberUid=${account})", "(|(member=${dn})(memberUid=${account}))"]
        {
            let config = Config {
                group_base: "ou=groups".into(),
                group_filter: group_filter.into(),
                ..config("ldap://localhost")
            };
            assert_eq!(config.mistakes(), [""; 0], "{group_filter}");
        }
    }

    #[test]
    fn the_reference_configuration_of_docker_auth_can_be_said() {
        let text = "url = 'ldaps://ldap.example.com:636'\nbase = 'o=example.com'\n\
                    filter = '(&(uid=${account})(objectClass=person))'\nlabels.title = { attribute = 'title' }\n\
                    labels.groups = { attribute = 'memberOf', parse_cn = true, lower_case = true }";
        let config: Config = toml::from_str(text).unwrap();
        assert_eq!(config.mistakes(), [""; 0]);
        assert!(config.labels["groups"].parse_cn && !config.labels["title"].lower_case);
        assert!(toml::from_str::<Config>("insecure_tls_skip_verify = true").is_err());
    }

    #[test]
    fn the_password_is_not_shown() {
        let config = Config { bind_password: Secret::new("canary"), ..Config::default() };
        assert!(!format!("{config:?}").contains("canary"));
    }

    proptest! {
        #[test]
        fn no_url_panics(url in "(ldaps?://)?[a-z0-9:/@.\\[\\]]{0,20}") {
            let _ = config(&url).mistakes();
        }
    }
}
