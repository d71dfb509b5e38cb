//! Somebody at the door, once their word was checked: who they are, and what bounds their credential sets on what the
//! rules give them. Decides nothing by itself; `acl` does.

use crate::acl::access::{Access, Action, REGISTRY, REPOSITORY};
use crate::acl::authority::Authority;
use crate::acl::ceiling::Ceiling;
use crate::acl::identity::{AccountKind, Caller, Identity};
use crate::acl::policy::{Because, CATALOG, is_catalog};
use crate::auth::authenticator::{Login, UsedToken};
use crate::auth::claims::Granted;
use std::net::IpAddr;

/// Any action, in a token scope (docker-auth-scope).
const EVERY: &str = "*";
/// The admin API, as a resource of the type `registry`.
pub const API: &str = "api";

/// What somebody showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Nothing.
    Nothing,
    /// A password, or an opaque token in its place.
    Password,
    /// An access token.
    AccessToken,
    /// That they own the data folder: they came through the admin socket, or the registry is open.
    Ownership,
}

/// Somebody at the door.
#[derive(Debug, Clone)]
pub struct Session {
    /// Who.
    pub identity: Identity,
    /// The source that knows them; empty for anonymous.
    pub source: &'static str,
    /// `Login::epoch`.
    pub epoch: u64,
    /// By what.
    pub shown: Shown,
    /// The id of the opaque token behind it, if there is one.
    pub token: Option<String>,
    /// The access token has expired. It still speaks for its account where something was begun before.
    pub expired: bool,
    ceiling: Option<Ceiling>,
    granted: Option<Vec<Granted>>,
    api: bool,
}

/// The answer to "may they?".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// They may.
    Yes,
    /// They might with another credential: with a token that has the scope, or with any.
    Ask,
    /// They may not, whatever they show.
    No,
}

impl Session {
    /// Nobody.
    pub fn anonymous() -> Self {
        Self {
            identity: Identity::anonymous(),
            source: "",
            epoch: 0,
            shown: Shown::Nothing,
            token: None,
            expired: false,
            ceiling: None,
            granted: None,
            api: false,
        }
    }

    /// Whoever owns the data folder; `name` is what the audit trail calls them.
    pub fn owner(name: &str) -> Self {
        let identity = Identity {
            kind: AccountKind::User,
            name: name.to_owned(),
            admin: true,
            groups: Vec::new(),
            labels: std::collections::BTreeMap::new(),
        };
        Self { identity, shown: Shown::Ownership, api: true, ..Self::anonymous() }
    }

    /// Somebody who showed a password, or an opaque token.
    pub fn of_login(login: Login) -> Self {
        let (token, ceiling, api) = match login.token {
            Some(used) => (Some(used.id), used.ceiling, used.api),
            None => (None, None, true),
        };
        Self {
            identity: login.identity,
            source: login.source,
            epoch: login.epoch,
            shown: Shown::Password,
            token,
            expired: false,
            ceiling,
            granted: None,
            api,
        }
    }

    /// Somebody who showed an access token with these grants; `login` is the account as it stands now, with the opaque
    /// token behind it, if there is one.
    pub fn of_token(login: Login, granted: Vec<Granted>, expired: bool) -> Self {
        Self { shown: Shown::AccessToken, granted: Some(granted), expired, ..Self::of_login(login) }
    }

    /// Nobody, with an access token that says so.
    pub fn of_anonymous_token(granted: Vec<Granted>) -> Self {
        Self { shown: Shown::AccessToken, granted: Some(granted), ..Self::anonymous() }
    }

    /// Whether they showed nothing at all.
    pub fn is_stranger(&self) -> bool {
        self.shown == Shown::Nothing
    }

    /// The account behind it.
    pub fn login(&self) -> Login {
        Login {
            identity: self.identity.clone(),
            source: self.source,
            epoch: self.epoch,
            token: self.used_token(),
        }
    }

    /// The opaque token behind it, if there is one.
    pub fn used_token(&self) -> Option<UsedToken> {
        let id = self.token.clone()?;
        Some(UsedToken { id, ceiling: self.ceiling.clone(), api: self.api })
    }

    /// The name by which an upload session remembers who opened it.
    pub fn owner_key(&self) -> String {
        match (self.shown, self.identity.kind) {
            (Shown::Ownership, _) => String::new(),
            (_, AccountKind::Anonymous) => "anonymous".into(),
            (_, AccountKind::User) => format!("user:{}:{}", self.source, self.identity.name),
            (_, AccountKind::ServiceAccount) => format!("service:{}", self.identity.name),
        }
    }

    /// Whether they may do this to a repository.
    pub fn may(&self, authority: &Authority, from: From<'_>, repository: &str, action: Action) -> Leave {
        self.leave(authority, from, &Access::repository(repository, action))
    }

    /// Whether they may list the repositories (each of which is asked for by itself).
    pub fn may_list(&self, authority: &Authority, from: From<'_>) -> Leave {
        self.leave(authority, from, &Access { kind: REGISTRY, name: CATALOG, action: EVERY })
    }

    /// Whether they may see a repository in a list that they may have. The token that lets them list names no
    /// repository, so what it was issued for is not asked: what its account may pull is.
    pub fn may_see(&self, authority: &Authority, from: From<'_>, repository: &str) -> bool {
        let access = Access::repository(repository, Action::Pull);
        self.is_given(authority, from, &access)
    }

    /// Whether their credential reaches the admin API at all. What they may do there is asked for by itself.
    pub fn may_use_api(&self) -> Leave {
        let granted = match &self.granted {
            Some(granted) => gives(granted, &Access { kind: REGISTRY, name: API, action: EVERY }),
            None => true,
        };
        match (self.api, granted) {
            (true, true) => Leave::Yes,
            (true, false) => Leave::Ask,
            (false, _) => self.otherwise(),
        }
    }

    /// Whether they may do what only administrators may. A bounded token may not, whoever made it: accounts and grants
    /// are all that it takes to get beyond a bound.
    pub fn may_administer(&self) -> Leave {
        if self.identity.admin && self.ceiling.is_none() { self.may_use_api() } else { Leave::No }
    }

    fn leave(&self, authority: &Authority, from: From<'_>, access: &Access<'_>) -> Leave {
        if !self.is_given(authority, from, access) {
            return self.otherwise();
        }
        match &self.granted {
            Some(granted) if !gives(granted, access) => Leave::Ask,
            _ => Leave::Yes,
        }
    }

    /// Whether the rules give it to the account, beneath the ceiling of what was shown.
    fn is_given(&self, authority: &Authority, from: From<'_>, access: &Access<'_>) -> bool {
        let caller = Caller { identity: &self.identity, address: from.address, service: from.service };
        let decision = authority.decide(&caller, access);
        // Our catalog shows to each what they may pull, so it is for everybody. Another registry's shows all of it: that
        // is for whom a rule names, and for nobody whose credential is for some repositories.
        let elsewhere = is_catalog(access) && !from.ours;
        decision.allowed
            && self.ceiling.as_ref().is_none_or(|ceiling| ceiling.admits(access) && !elsewhere)
            && !(elsewhere && decision.because == Because::Catalog)
    }

    /// What they get who may not: anonymous callers may come back with a name.
    fn otherwise(&self) -> Leave {
        if self.identity.is_anonymous() { Leave::Ask } else { Leave::No }
    }
}

/// From where somebody asks.
#[derive(Debug, Clone, Copy)]
pub struct From<'a> {
    /// Their address, if it is known.
    pub address: Option<IpAddr>,
    /// The service that they ask, or that they want a token for.
    pub service: &'a str,
    /// It is this registry.
    pub ours: bool,
}

fn gives(granted: &[Granted], access: &Access<'_>) -> bool {
    granted.iter().any(|entry| {
        entry.kind == access.kind
            && entry.name == access.name
            && entry.actions.iter().any(|action| action == access.action || action == EVERY)
    })
}

/// Which of these actions on a resource somebody who has just logged in is granted: what the rules give, beneath the
/// ceiling of what they showed. `*` of a repository asks for all actions, and is granted as each of them.
pub fn grant(session: &Session, authority: &Authority, from: From<'_>, asked: &Granted) -> Vec<String> {
    if asked.kind == REGISTRY && asked.name == API {
        return if session.may_use_api() == Leave::Yes { asked.actions.clone() } else { Vec::new() };
    }
    let every = asked.kind == REPOSITORY && asked.actions.iter().any(|action| action == EVERY);
    let all: Vec<String> = Action::ALL.iter().map(|action| action.as_str().to_owned()).collect();
    let wanted = if every { &all } else { &asked.actions };
    let mut granted: Vec<String> = wanted
        .iter()
        .filter(|action| {
            let access = Access { kind: &asked.kind, name: &asked.name, action };
            session.leave(authority, from, &access) == Leave::Yes
        })
        .cloned()
        .collect();
    if every && granted.len() == all.len() {
        granted.push(EVERY.to_owned()); // what another registry asks for when somebody deletes
    }
    granted
}
