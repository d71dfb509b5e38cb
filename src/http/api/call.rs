//! One request to the admin API, read: who asks, what the path, the query and the body say; and how it is answered.

use crate::auth::gate::Gate;
use crate::events::event::{Event, What};
use crate::http::api::table::Captured;
use crate::http::body::Outgoing;
use crate::http::error::Problem;
use crate::http::form::Form;
use crate::http::guard::Guest;
use crate::http::state::Door;
use crate::oci::page::Page;
use crate::oci::repository::Repository;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Entries of a page if the caller does not say, and at most.
const ENTRIES: usize = 100;
const ENTRIES_MAX: usize = 1000;

/// What a handler answers.
pub type Reply = Result<Response<Outgoing>, Problem>;

/// A request.
pub struct Call<'a> {
    /// The parts of the house.
    pub door: &'a Door,
    /// Who asks.
    pub guest: &'a Guest,
    /// What the braces of the path stand for.
    pub captured: Captured,
    /// The query.
    pub query: Form,
    /// The body, if the row takes one.
    pub body: Bytes,
}

impl<'a> Call<'a> {
    /// The gate; a registry without accounts has none.
    pub fn gate(&self) -> Result<&'a Gate, Problem> {
        self.door.gate.as_deref().ok_or(Problem::NoAccounts)
    }

    /// The name that the path holds.
    pub fn name(&self) -> &str {
        self.captured.text("name")
    }

    /// The repository that the path holds.
    pub fn repository(&self) -> Result<Repository, Problem> {
        self.captured.text("repository").parse().map_err(invalid)
    }

    /// The body as a value. A field that is not known is refused: nobody sets what they may not by guessing its name.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        if !self.body.trim_ascii_start().starts_with(b"{") {
            return Err(Problem::Api("the body is a JSON object".into())); // forms would read from a list, too
        }
        serde_json::from_slice(&self.body)
            .map_err(|error| Problem::Api(format!("the body does not read: {error}")))
    }

    /// Which page is asked for: `n` entries, after `last`.
    pub fn page(&self) -> Result<Page, Problem> {
        let entries_max = match self.query.first("n") {
            None => ENTRIES,
            Some(n) => {
                n.parse::<usize>().ok().filter(|n| (1..=ENTRIES_MAX).contains(n)).ok_or_else(|| {
                    Problem::Api(format!("`n` is a number of entries from 1 to {ENTRIES_MAX}"))
                })?
            }
        };
        Ok(Page { entries_max, last: self.query.first("last").map(ToOwned::to_owned) })
    }

    /// Refuses a name for a new account that another source of users knows, unless the caller says that it is to be
    /// taken over. Answers what the audit trail is told of that, beside that the account was made.
    pub async fn vacant(&self, name: &str) -> Result<&'static str, Problem> {
        match self.query.first("take_over") {
            Some("true") => Ok(", over whoever has the name in another source of users"),
            None | Some("false") => {
                self.gate()?.owners.refuse_known(name).await?;
                Ok("")
            }
            Some(_) => Err(Problem::Api("`take_over` is true or false".into())),
        }
    }

    /// Tells the audit trail of a change.
    pub fn changed(&self, object: String, detail: &str) {
        self.door.events.emit(Event {
            what: What::Change,
            who: self.guest.session.identity.name.clone(),
            object,
            detail: detail.to_owned(),
            address: self.guest.address,
        });
    }
}

/// One page of a list, in the one form that all lists have.
#[derive(Debug, Serialize)]
pub struct Listing<T> {
    /// The entries.
    pub entries: Vec<T>,
    /// What to give as `last` for the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A value that does not read.
pub fn invalid(error: impl std::fmt::Display) -> Problem {
    Problem::Api(error.to_string())
}

/// Answers a value.
pub fn json(status: StatusCode, body: &impl Serialize) -> Reply {
    let bytes = serde_json::to_vec(body).map_err(|_| Problem::Broken)?;
    let mut response = Response::new(Outgoing::whole(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Answers that it is done.
pub fn done() -> Reply {
    let mut response = Response::new(Outgoing::whole(""));
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}
