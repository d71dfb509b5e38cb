//! What the token issuer gives: an access token with what the rules give of what was asked for, and a refresh token to
//! whoever logged in with a password of their own.

use crate::auth::accounts::mint::{self, NewRefresh};
use crate::auth::claims::{Account, Granted};
use crate::auth::error::{Error, Result};
use crate::auth::gate::Gate;
use crate::auth::issuer::Subject;
use crate::auth::scope::Scope;
use crate::auth::session::{self, From, Session, Shown};
use crate::auth::sources::ldap;
use crate::secret::Secret;
use std::net::IpAddr;

/// Bytes of groups and labels that a token tells. Beyond that they would crowd out the scopes.
const TOLD_BYTES_MAX: usize = 2 << 10;

/// A request for a token, by somebody who was let in.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The audience: ours, or another registry that takes our tokens.
    pub service: &'a str,
    /// What for.
    pub scopes: &'a [Scope],
    /// Whether a refresh token is wanted too.
    pub offline: bool,
    /// What the client calls itself.
    pub client: &'a str,
    /// From where.
    pub address: Option<IpAddr>,
}

/// The answer.
#[derive(Debug)]
pub struct Issued {
    /// The access token.
    pub token: Secret,
    /// Seconds for which it holds.
    pub expires_in: u64,
    /// Since when, in seconds since the Unix epoch.
    pub issued_at: u64,
    /// What it gives, as scopes.
    pub scope: String,
    /// The refresh token, if one was wanted and may be given.
    pub refresh_token: Option<Secret>,
}

/// Issues a token. What is asked for and not given is left out of it, without an error (docker-auth-token,
/// "Requesting a Token").
pub async fn exchange(gate: &Gate, session: &Session, asked: Asked<'_>) -> Result<Issued> {
    let from = From { address: asked.address, service: asked.service, ours: asked.service == gate.service() };
    let access: Vec<Granted> = asked
        .scopes
        .iter()
        .map(|scope| {
            let wanted = Granted {
                kind: scope.kind.clone(),
                name: scope.name.clone(),
                actions: scope.actions.clone(),
            };
            Granted { actions: session::grant(session, &gate.authority, from, &wanted), ..wanted }
        })
        .collect();
    let scope = access.iter().filter(|granted| !granted.actions.is_empty()).map(text).collect::<Vec<_>>();
    let account = account(gate, session);
    let subject = Subject { name: session.identity.name.clone(), account };
    let lifetime = gate.config.token_lifetime_secs;
    let (token, claims) = gate.issuer.issue(subject, asked.service, access, lifetime)?;
    // Only a password gives a refresh token: an opaque token would outlive itself in one, and who has a refresh token
    // goes on with that one, since clients store it once.
    let password = session.shown == Shown::Password && session.token.is_none() && !session.is_stranger();
    let refresh_token = if asked.offline && password && asked.service == gate.service() {
        let new = NewRefresh { client: asked.client.to_owned(), ..NewRefresh::default() };
        match mint::refresh(&gate.directory, &session.login(), new).await {
            Ok(minted) => Some(minted.secret),
            // Whoever logs in only to pull must not be kept out.
            Err(Error::ReadOnly(_) | Error::Unclaimed) => None,
            Err(error) => return Err(error),
        }
    } else {
        None
    };
    Ok(Issued {
        token,
        expires_in: claims.exp.saturating_sub(claims.iat),
        issued_at: claims.iat,
        scope: scope.join(" "),
        refresh_token,
    })
}

fn account(gate: &Gate, session: &Session) -> Account {
    let identity = &session.identity;
    if identity.is_anonymous() {
        return Account::anonymous();
    }
    let account = Account {
        kind: identity.kind,
        source: session.source.to_owned(),
        epoch: session.epoch,
        token: session.token.clone(),
        ..Account::anonymous()
    };
    if session.source != ldap::source::NAME {
        return account;
    }
    // Of a source that is asked at a login alone, the token tells all that there is to know, if that is not too much.
    // All or nothing: a rule that comes later may deny by what is of no use to the rules of now.
    let ours = gate.directory.groups_of(identity.kind, &identity.name);
    let groups: Vec<String> = identity.groups.iter().filter(|group| !ours.contains(group)).cloned().collect();
    let labels = identity.labels.iter().map(|(label, values)| label.len() + bytes(values));
    if bytes(&groups) + labels.sum::<usize>() > TOLD_BYTES_MAX {
        return Account { asked: true, ..account };
    }
    Account { admin: identity.admin, groups, labels: identity.labels.clone(), ..account }
}

/// Bytes of a list of texts in JSON, with its quotes and commas.
fn bytes(texts: &[String]) -> usize {
    texts.iter().map(|text| text.len() + 3).sum()
}

fn text(granted: &Granted) -> String {
    format!("{}:{}:{}", granted.kind, granted.name, granted.actions.join(","))
}
