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
    /// Who is at the other end of the connection.
    pub peer: Peer,
}

/// A request at the door.
#[derive(Clone, Copy)]
pub struct Visit<'a> {
    /// The door.
    pub door: &'a Door,
    /// Method, URL and headers.
    pub head: &'a Parts,
    /// Who is at the other end of the connection.
    pub peer: Peer,
}

impl Visit<'_> {
    /// What sends the client to log in, on the origin that it knows us by.
    fn challenge(self, gate: &Gate, scope: Option<String>, why: Why) -> Problem {
        let origin = self.door.proxies.origin(self.peer, &self.head.headers, &self.head.uri);
        let service = gate.service().to_owned();
        Problem::Unauthorized(Box::new(Challenge { origin, service, scope, why }))
    }
}

/// Checks what a request shows. `scope` is what the client is told to ask a token for, should it have to.
pub async fn enter(visit: Visit<'_>, scope: impl FnOnce() -> Option<String>) -> Result<Guest, Problem> {
    let Visit { door, head, peer } = visit;
    let address = door.proxies.client_address(peer, &head.headers);
    let Some(gate) = &door.gate else {
        return Ok(Guest { session: Arc::clone(&EVERYBODY), address, peer });
    };
    if matches!(peer, Peer::Local) {
        return Ok(Guest { session: Arc::clone(&OWNER), address, peer });
    }
    if let Some(session) = credentials::bearer(&head.headers).and_then(|token| gate.recall(token)) {
        return Ok(Guest { session, address, peer });
    }
    let word = match credentials::presented(&head.headers) {
        Presented::Nothing => Word::Nothing,
        Presented::Basic(name, password) => Word::Password(name, password),
        Presented::Bearer(token) => Word::Token(token),
        Presented::Unreadable => Word::Unreadable,
    };
    match gate.enter(word, address).await? {
        Ok(session) => Ok(Guest { session, address, peer }),
        Err(Refusal::Throttled(secs)) => Err(Problem::Throttled(secs)),
        Err(refusal) => {
            let why = match refusal {
                Refusal::Token => Why::InvalidToken,
                _ => Why::WrongPassword,
            };
            Err(visit.challenge(gate, scope(), why))
        }
    }
}

/// Whether a guest may do what a request to the distribution API needs.
pub fn admit(visit: Visit<'_>, guest: &Guest, needs: Needs<'_>) -> Result<(), Problem> {
    let Some(gate) = &visit.door.gate else { return Ok(()) };
    let session = &guest.session;
    if session.expired && !matches!(needs, Needs::GoingOn(_)) {
        return Err(expired(visit, gate, needs.scope()));
    }
    let from = gate.from(guest.address);
    let leave = match needs {
        // Without a word from the client there is nothing to check: it is told how to log in.
        Needs::Credential | Needs::Listing if session.is_stranger() => Leave::Ask,
        _ if session.identity.is_anonymous() && !gate.anonymous() => Leave::Ask,
        Needs::Credential => Leave::Yes,
        Needs::Listing => session.may_list(&gate.authority, from),
        Needs::Of(name, action) => session.may(&gate.authority, from, name.as_str(), action),
        Needs::GoingOn(name) | Needs::Mount(name, _) => {
            session.may(&gate.authority, from, name.as_str(), Action::Push)
        }
    };
    match leave {
        Leave::Yes => Ok(()),
        _ => refuse(visit, gate, guest, needs.scope(), leave),
    }
}

/// Whether a guest may see a repository in a list.
pub fn may_see(door: &Door, guest: &Guest, repository: &Repository) -> bool {
    let Some(gate) = &door.gate else { return true };
    guest.session.may_see(&gate.authority, gate.from(guest.address), repository.as_str())
}

/// Whether a guest may pull from a repository, with what they showed.
pub fn may_pull(door: &Door, guest: &Guest, repository: &Repository) -> bool {
    let Some(gate) = &door.gate else { return true };
    let from = gate.from(guest.address);
    guest.session.may(&gate.authority, from, repository.as_str(), Action::Pull) == Leave::Yes
}

/// Whether a guest may mount from a repository: as one may pull. Who may not is only sent to upload; but one whose
/// account may, with another token, is told which one to come back with.
pub fn may_mount(
    visit: Visit<'_>,
    guest: &Guest,
    to: &Repository,
    from: &Repository,
) -> Result<bool, Problem> {
    let Some(gate) = &visit.door.gate else { return Ok(true) };
    let may = may_pull(visit.door, guest, from);
    if !may && may_see(visit.door, guest, from) {
        let scope = Needs::Mount(to, Some(from)).scope();
        return Err(visit.challenge(gate, scope, Why::InsufficientScope));
    }
    Ok(may)
}

/// The answer to a token that has expired.
pub fn expired(visit: Visit<'_>, gate: &Gate, scope: Option<String>) -> Problem {
    visit.challenge(gate, scope, Why::InvalidToken)
}

/// The answer to somebody who may not: another credential may help, or none will.
pub fn refuse(
    visit: Visit<'_>,
    gate: &Gate,
    guest: &Guest,
    scope: Option<String>,
    leave: Leave,
) -> Result<(), Problem> {
    let session = &guest.session;
    let problem = match leave {
        Leave::Yes => return Ok(()),
        Leave::Ask => {
            let why = if session.is_stranger() { Why::NoCredential } else { Why::InsufficientScope };
            visit.challenge(gate, scope.clone(), why)
        }
        Leave::No => Problem::Denied,
    };
    // An account that is asked to bring another token is not refused: that is the protocol.
    let refused = leave == Leave::No || (session.identity.is_anonymous() && !session.is_stranger());
    if refused {
        gate.events.emit(Event {
            what: What::AccessRefused,
            who: session.identity.name.clone(),
            object: scope.unwrap_or_default(),
            detail: String::new(),
            address: guest.address,
        });
    }
    Err(problem)
}
