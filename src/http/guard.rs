//! Who comes in, and whether they may do what their request needs. Asked once, before anything is done or looked at,
//! so that a refusal tells nothing of what is there. Decides nothing itself: `auth` says who, `acl` says whether.

use crate::acl::access::Action;
use crate::auth::gate::{Gate, Refusal, Word};
use crate::auth::session::{Leave, Session};
use crate::events::event::{Event, What};
use crate::http::challenge::{Challenge, Why};
use crate::http::credentials::{self, Presented};
use crate::http::error::Problem;
use crate::http::peer::Peer;
use crate::http::state::Door;
use crate::http::v2::needs::Needs;
use crate::oci::repository::Repository;
use http::request::Parts;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

/// The one behind every request to a registry without accounts.
static EVERYBODY: LazyLock<Arc<Session>> = LazyLock::new(|| Arc::new(Session::owner("")));
/// The one behind the admin socket: only the owner of the data folder can open it.
static OWNER: LazyLock<Arc<Session>> = LazyLock::new(|| Arc::new(Session::owner("(local)")));

/// Somebody who was let in, and from where they came.
#[derive(Clone)]
pub struct Guest {
    /// Who.
    pub session: Arc<Session>,
    /// Their address, if it is known.
    pub address: Option<IpAddr>,
    /// What they call this registry: scheme, host and port.
    pub origin: Option<String>,
}

/// Checks what a request shows. `scope` is what the client is told to ask a token for, should it have to.
pub async fn enter(
    door: &Door,
    head: &Parts,
    peer: Peer,
    scope: impl FnOnce() -> Option<String>,
) -> Result<Guest, Problem> {
    let address = door.proxies.client_address(peer, &head.headers);
    let Some(gate) = &door.gate else {
        return Ok(Guest { session: Arc::clone(&EVERYBODY), address, origin: None });
    };
    if matches!(peer, Peer::Local) {
        return Ok(Guest { session: Arc::clone(&OWNER), address, origin: None });
    }
    let word = match credentials::presented(&head.headers) {
        Presented::Nothing => Word::Nothing,
        Presented::Basic(name, password) => Word::Password(name, password),
        Presented::Bearer(token) => Word::Token(token),
        Presented::Unreadable => Word::Unreadable,
    };
    let origin = door.proxies.origin(peer, &head.headers, &head.uri);
    match gate.enter(word, address).await? {
        Ok(session) => Ok(Guest { session, address, origin }),
        Err(Refusal::Throttled(secs)) => Err(Problem::Throttled(secs)),
        Err(refusal) => {
            let why = match refusal {
                Refusal::Token => Why::InvalidToken,
                _ => Why::WrongPassword,
            };
            Err(challenge(gate, origin, scope(), why))
        }
    }
}

/// Whether a guest may do what a request to the distribution API needs.
pub fn admit(door: &Door, guest: &Guest, needs: Needs<'_>) -> Result<(), Problem> {
    let Some(gate) = &door.gate else { return Ok(()) };
    let session = &guest.session;
    if session.expired && !matches!(needs, Needs::GoingOn(_)) {
        return Err(expired(gate, guest, needs.scope()));
    }
    let from = gate.from(guest.address);
    let leave = match needs {
        // Without a word from the client there is nothing to check: it is told how to log in.
        Needs::Credential | Needs::Listing if session.is_stranger() => Leave::Ask,
        _ if session.identity.is_anonymous() && !gate.anonymous() => Leave::Ask,
        Needs::Credential => Leave::Yes,
        Needs::Listing => session.may_list(&gate.authority, from),
        Needs::Of(name, action) => session.may(&gate.authority, from, name.as_str(), action),
        Needs::GoingOn(name) => session.may(&gate.authority, from, name.as_str(), Action::Push),
    };
    refuse(gate, guest, needs.scope(), leave)
}

/// Whether a guest may see a repository in a list.
pub fn may_see(door: &Door, guest: &Guest, repository: &Repository) -> bool {
    let Some(gate) = &door.gate else { return true };
    guest.session.may_see(&gate.authority, gate.from(guest.address), repository.as_str())
}

/// Whether a guest may pull from a repository: for the sources of mounts.
pub fn may_pull(door: &Door, guest: &Guest, repository: &Repository) -> bool {
    let Some(gate) = &door.gate else { return true };
    let from = gate.from(guest.address);
    guest.session.may(&gate.authority, from, repository.as_str(), Action::Pull) == Leave::Yes
}

/// The answer to a token that has expired.
pub fn expired(gate: &Gate, guest: &Guest, scope: Option<String>) -> Problem {
    challenge(gate, guest.origin.clone(), scope, Why::InvalidToken)
}

/// The answer to somebody who may not: another credential may help, or none will.
pub fn refuse(gate: &Gate, guest: &Guest, scope: Option<String>, leave: Leave) -> Result<(), Problem> {
    if leave == Leave::Yes {
        return Ok(());
    }
    let session = &guest.session;
    if !session.is_stranger() {
        gate.events.emit(Event {
            what: What::AccessRefused,
            who: session.identity.name.clone(),
            object: scope.clone().unwrap_or_default(),
            detail: String::new(),
            address: guest.address,
        });
    }
    match leave {
        Leave::Yes => Ok(()),
        Leave::Ask => {
            let why = if session.is_stranger() { Why::NoCredential } else { Why::InsufficientScope };
            Err(challenge(gate, guest.origin.clone(), scope, why))
        }
        Leave::No => Err(Problem::Denied),
    }
}

fn challenge(gate: &Gate, origin: Option<String>, scope: Option<String>, why: Why) -> Problem {
    Problem::Unauthorized(Box::new(Challenge { origin, service: gate.service().to_owned(), scope, why }))
}
