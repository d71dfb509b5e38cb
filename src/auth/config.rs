//! The settings of tokens and of the keys that sign them. Every value has a default that stands, so that the loader
//! knows each key.

use crate::auth::algorithm::Algorithm;
use crate::auth::passwords;
use crate::auth::sources::static_users::{StaticUser, mistakes as users_mistakes};
use crate::auth::sources::{htpasswd, ldap};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// How long a token may hold: docker takes none below a minute, and beyond an hour there are refresh tokens.
pub const TOKEN_LIFETIME_SECS: RangeInclusive<u64> = 60..=3600;

/// How far the clocks of whoever issues and whoever verifies may differ.
pub const LEEWAY_SECS: u64 = 60;

/// `[auth]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The `iss` of our tokens. Another registry that trusts us has it in its own configuration.
    pub issuer: String,
    /// The name of this registry: the `service` of challenges and the `aud` of the tokens that it takes.
    pub service: String,
    /// Names of other registries that tokens are issued for. We take none of those ourselves.
    pub other_services: Vec<String>,
    /// Whether tokens are issued to callers without a login. What they may do is up to the rules.
    pub anonymous: bool,
    /// How long an access token holds.
    pub token_lifetime_secs: u64,
    /// A refresh token that nobody has used for so long ends.
    pub refresh_idle_days: u64,
    /// `[auth.passwords]`
    pub passwords: passwords::config::Config,
    /// `[[auth.users]]`
    pub users: Vec<StaticUser>,
    /// `[auth.htpasswd]`
    pub htpasswd: htpasswd::Config,
    /// `[auth.ldap]`
    pub ldap: ldap::config::Config,
    /// `[auth.signing]`
    pub signing: Signing,
}

/// `[auth.signing]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Signing {
    /// What keys are made for. A `key` that is given tells its algorithm itself.
    pub algorithm: Algorithm,
    /// A file with a private key, PEM. Empty: keys are made, kept in the metadata, and changed from time to time.
    pub key: String,
    /// A file with the certificate of `key`, PEM, and after it those that lead to the root. Only `x5c` sends it.
    pub certificate: String,
    /// How a token names its key.
    pub key_id: KeyId,
    /// After so long another key is made. A `key` that is given stays.
    pub rotation_days: u64,
}

/// How a token names its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyId {
    /// `kid`, the RFC 7638 thumbprint: for registry:3, and for whoever reads our JWK set.
    Thumbprint,
    /// `kid`, the fingerprint of libtrust: for registry:2.
    Libtrust,
    /// `x5c`, the certificate itself: for both, with the root in their `rootcertbundle`.
    X5c,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            issuer: "holdfast".into(),
            service: "holdfast".into(),
            other_services: Vec::new(),
            anonymous: true,
            token_lifetime_secs: 300,
            refresh_idle_days: 90,
            passwords: passwords::config::Config::default(),
            users: Vec::new(),
            htpasswd: htpasswd::Config::default(),
            ldap: ldap::config::Config::default(),
            signing: Signing::default(),
        }
    }
}

impl Default for Signing {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::Es256,
            key: String::new(),
            certificate: String::new(),
            key_id: KeyId::Thumbprint,
            rotation_days: 90,
        }
    }
}

impl Config {
    /// Values that read well and make no sense, each in a sentence.
    pub fn mistakes(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        let mut demand = |holds: bool, mistake: &str| {
            if !holds {
                mistakes.push(mistake.to_owned());
            }
        };
        // they stand between quotes in challenges; spaces are usual, docker_auth's examples have them
        let named = |name: &str| {
            !name.is_empty()
                && name.len() <= 255
                && name.bytes().all(|byte| matches!(byte, b' '..=b'~') && !br#""\"#.contains(&byte))
        };
        demand(
            named(&self.issuer),
            "`auth.issuer` has 1 to 255 ASCII characters without quotes, backslashes and controls",
        );
        demand(
            named(&self.service),
            "`auth.service` has 1 to 255 ASCII characters without quotes, backslashes and controls",
        );
        demand(
            self.other_services.iter().all(|name| named(name)),
            "`auth.other_services` has names of 1 to 255 ASCII characters without quotes, backslashes and controls",
        );
        demand(
            !self.other_services.contains(&self.service),
            "`auth.other_services` has the name of this registry, `auth.service`",
        );
        demand(
            TOKEN_LIFETIME_SECS.contains(&self.token_lifetime_secs),
            "`auth.token_lifetime_secs` is not from 60 to 3600",
        );
        demand(
            self.refresh_idle_days > 0,
            "`auth.refresh_idle_days` is 0: every refresh token would end at once",
        );
        let signing = &self.signing;
        demand(signing.rotation_days > 0, "`auth.signing.rotation_days` is 0: there would be no end of keys");
        demand(
            signing.key_id != KeyId::X5c || !(signing.key.is_empty() || signing.certificate.is_empty()),
            "`auth.signing.key_id` is x5c, which needs `auth.signing.key` and `auth.signing.certificate`",
        );
        demand(
            signing.certificate.is_empty() || !signing.key.is_empty(),
            "`auth.signing.certificate` is given without the `auth.signing.key` that it is for",
        );
        mistakes.extend(self.passwords.mistakes());
        mistakes.extend(users_mistakes(&self.users));
        if !self.ldap.url.is_empty() {
            mistakes.extend(self.ldap.mistakes());
        }
        mistakes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Config {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn defaults_are_written_and_read_again_and_make_sense() {
        let text = toml::to_string(&Config::default()).unwrap();
        assert_eq!(read(&text), Config::default());
        assert!(text.contains("key_id = \"thumbprint\"") && text.contains("algorithm = \"ES256\""), "{text}");
        assert_eq!(Config::default().mistakes(), [""; 0]);
    }

    #[test]
    fn only_what_is_known_is_read() {
        for bad in
            ["isuer = ''", "[signing]\nalgorithm = 'HS256'", "[signing]\nkey_id = 'kid'", "[signing]\nx = 1"]
        {
            assert!(toml::from_str::<Config>(bad).is_err(), "{bad}");
        }
        assert_eq!(read("issuer = 'Acme auth server'\nservice = 'Docker registry'").mistakes(), [""; 0]);
        assert_eq!(read("[signing]\nkey_id = 'x5c'").signing.key_id, KeyId::X5c);
        assert_eq!(read("[signing]\nalgorithm = 'EdDSA'").signing.algorithm, Algorithm::EdDsa);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (text, part) in [
            ("issuer = ''", "auth.issuer"),
            ("service = \"a\\nb\"", "auth.service"),
            ("service = 'a\\b'", "auth.service"),
            ("service = 'a\"b'", "auth.service"),
            ("other_services = ['']", "auth.other_services"),
            ("other_services = ['a', 'holdfast']", "auth.other_services"),
            ("token_lifetime_secs = 59", "auth.token_lifetime_secs"),
            ("token_lifetime_secs = 3601", "auth.token_lifetime_secs"),
            ("refresh_idle_days = 0", "auth.refresh_idle_days"),
            ("[passwords]\nremember_secs = 3601", "auth.passwords.remember_secs"),
            ("[signing]\nrotation_days = 0", "auth.signing.rotation_days"),
            ("[signing]\nkey_id = 'x5c'\nkey = 'a'", "auth.signing.key_id"),
            ("[signing]\ncertificate = 'a'", "auth.signing.certificate"),
        ] {
            let mistakes = read(text).mistakes();
            assert!(mistakes.len() == 1 && mistakes[0].contains(part), "{text}: {mistakes:?}");
        }
    }
}
