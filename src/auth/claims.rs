//! What an access token says (docker-auth-jwt), apart from how it is signed.

use crate::acl::identity::{AccountKind, Identity};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

/// One entry of the `access` claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// `repository` or `registry`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The resource.
    pub name: String,
    /// What may be done to it; may be empty.
    pub actions: Vec<String>,
}

/// What `Claims::usage` says.
pub const USAGE: &str = "access";

/// The claims of an access token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it.
    pub iss: String,
    /// The account; empty for anonymous.
    pub sub: String,
    /// The service that it is for. Read as a text or as a list of one (RFC 7519, section 4.1.3).
    #[serde(deserialize_with = "one_audience")]
    pub aud: String,
    /// Until when, in seconds since the Unix epoch.
    pub exp: u64,
    /// From when.
    pub nbf: u64,
    /// When it was issued.
    pub iat: u64,
    /// Names it in the log.
    pub jti: String,
    /// What it gives.
    pub access: Vec<Granted>,
    /// Always `access`: nothing else that we sign can be taken for one.
    #[serde(rename = "use")]
    pub usage: String,
    /// What the registry has to know about the account beside its name.
    #[serde(rename = "hf")]
    pub account: Account,
}

/// The account that a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// What sort.
    pub kind: AccountKind,
    /// The source that knows it; empty for anonymous.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// `Login::epoch` when it was issued.
    #[serde(default)]
    pub epoch: u64,
    /// The opaque token that it was exchanged for: when that is revoked, this one ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Its groups and labels would not leave room in a token, so its source is asked for them, and for `admin`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asked: bool,
    /// May do everything, from sources that can tell it only at a login (LDAP).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub admin: bool,
    /// Groups, likewise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Labels, likewise.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, Vec<String>>,
}

impl Account {
    /// Nobody.
    pub fn anonymous() -> Self {
        let Identity { kind, .. } = Identity::anonymous();
        Self {
            kind,
            source: String::new(),
            epoch: 0,
            token: None,
            asked: false,
            admin: false,
            groups: Vec::new(),
            labels: BTreeMap::new(),
        }
    }
}

/// A token for two services at once could be used by the one against the other: only one is taken.
fn one_audience<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Audience {
        Text(String),
        List([String; 1]),
    }
    let (Audience::Text(audience) | Audience::List([audience])) = Audience::deserialize(deserializer)?;
    Ok(audience)
}
