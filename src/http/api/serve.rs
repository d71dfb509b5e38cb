//! The way of a request to the admin API: find its row, admit, read, dispatch.

use crate::auth::session::Leave;
use crate::http::api::call::{Call, Reply};
use crate::http::api::table::{self, Captured, Needs, Operation as Op, Row};
use crate::http::api::{
    accounts, events, grants, groups, me, openapi, read_only, repositories, services, users,
};
use crate::http::body::{self, Incoming};
use crate::http::error::Problem;
use crate::http::form::Form;
use crate::http::guard::{self, Guest, Visit};
use crate::http::observe::Observed;
use crate::http::peer::Peer;
use crate::http::state::Door;
use crate::http::v2::answer::to_the_end;
use crate::http::v2::needs::Needs as RegistryNeeds;
use crate::oci::repository::Repository;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{Method, Request};

/// Where the API stands.
pub const PREFIX: &str = "/api/v1";
/// What a token for it must give.
const SCOPE: &str = "registry:api:*";
/// Largest body that is read.
const BODY_BYTES_MAX: u64 = 256 << 10;

/// Answers a request whose path begins with [`PREFIX`].
pub async fn serve(door: &Door, request: Request<Incoming>, peer: Peer, observed: &Observed) -> Reply {
    let (head, incoming) = request.into_parts();
    let path = head.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let (row, captured) = table::find(&head.method, path).map_err(Problem::Route)?;
    if row.needs == Needs::Nothing {
        return openapi::document();
    }
    if !door.registry.readiness.is_ready() {
        return Err(Problem::NotReady);
    }
    let visit = Visit { door, head: &head, peer };
    let guest = guard::enter(visit, || Some(scope(row, &captured))).await?;
    observed.came(&guest.session);
    let query = Form::read(head.uri.query().unwrap_or_default());
    let mut call = Call { door, guest: &guest, captured, query, body: Bytes::new() };
    admit(visit, &call, row, &guest)?;
    if !row.body.is_empty() {
        call.body = read(door, &head, incoming).await?;
    }
    if row.method == Method::GET {
        return dispatch(&call, row.operation).await;
    }
    // With what the audit trail is told of it: who hangs up must not change something unseen.
    let Call { captured, query, body, .. } = call;
    let (door, guest) = (door.clone(), guest.clone());
    to_the_end(async move {
        dispatch(&Call { door: &door, guest: &guest, captured, query, body }, row.operation).await
    })
    .await
}

fn admit(visit: Visit<'_>, call: &Call<'_>, row: &Row, guest: &Guest) -> Result<(), Problem> {
    let Some(gate) = call.door.gate.as_deref() else { return Ok(()) };
    let session = &guest.session;
    let scope = Some(scope(row, &call.captured));
    if session.expired {
        return Err(guard::expired(visit, gate, scope));
    }
    if session.identity.is_anonymous() {
        return guard::refuse(visit, gate, guest, scope, Leave::Ask);
    }
    let leave = match row.needs {
        Needs::Nothing => Leave::Yes,
        // A credential that reads repositories reads them here too.
        Needs::Repository(action) => {
            let name: Repository = call.repository()?;
            return guard::admit(visit, guest, RegistryNeeds::Of(&name, action));
        }
        Needs::Account if row.operation == Op::Repositories => {
            return guard::admit(visit, guest, RegistryNeeds::Listing);
        }
        Needs::Account => session.may_use_api(),
        Needs::Administrator => session.may_administer(),
    };
    guard::refuse(visit, gate, guest, scope, leave)
}

/// The scope to ask the token issuer for: for repositories that of the distribution API.
fn scope(row: &Row, captured: &Captured) -> String {
    let registry = match row.needs {
        Needs::Repository(action) => {
            let name: Option<Repository> = captured.text("repository").parse().ok();
            name.and_then(|name| RegistryNeeds::Of(&name, action).scope())
        }
        Needs::Account if row.operation == Op::Repositories => RegistryNeeds::Listing.scope(),
        _ => None,
    };
    registry.unwrap_or_else(|| SCOPE.to_owned())
}

/// Only JSON that says that it is JSON: a page of another site cannot make a browser send that unasked.
async fn read(door: &Door, head: &Parts, incoming: Incoming) -> Result<Bytes, Problem> {
    let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().is_none_or(|kind| !kind.trim().eq_ignore_ascii_case("application/json")) {
        return Err(Problem::Api("the body is JSON: Content-Type application/json".into()));
    }
    let whole = body::whole(incoming, BODY_BYTES_MAX, door.stall);
    let whole = tokio::time::timeout(door.stall, whole).await;
    Ok(whole.map_err(|_| body::Refused::Cut(std::io::ErrorKind::TimedOut.into()))??)
}

async fn dispatch(call: &Call<'_>, operation: Op) -> Reply {
    match operation {
        Op::OpenApi => openapi::document(),
        Op::Me => me::show(call).await,
        Op::MeChange => me::change(call).await,
        Op::MePassword => me::password(call).await,
        Op::MeTokens => me::tokens(call).await,
        Op::MeTokenMint => me::mint(call).await,
        Op::MeTokenRevoke => me::revoke(call).await,
        Op::Users => users::list(call).await,
        Op::UserCreate => users::create(call).await,
        Op::User => users::show(call).await,
        Op::UserChange => users::change(call).await,
        Op::UserRemove => users::remove(call).await,
        Op::UserPassword => users::password(call).await,
        Op::UserTokens => accounts::tokens_of_user(call).await,
        Op::UserTokenRevoke => accounts::revoke_of_user(call).await,
        Op::UserLogout => accounts::revoke_all_of_user(call).await,
        Op::Groups => groups::list(call).await,
        Op::GroupCreate => groups::create(call).await,
        Op::Group => groups::show(call).await,
        Op::GroupChange => groups::change(call).await,
        Op::GroupRemove => groups::remove(call).await,
        Op::MemberAdd => groups::member(call, true).await,
        Op::MemberRemove => groups::member(call, false).await,
        Op::Services => services::list(call).await,
        Op::ServiceCreate => services::create(call).await,
        Op::Service => services::show(call).await,
        Op::ServiceChange => services::change(call).await,
        Op::ServiceRemove => services::remove(call).await,
        Op::Secrets => services::secrets(call).await,
        Op::SecretMint => services::mint(call).await,
        Op::SecretRevoke => services::revoke(call).await,
        Op::Grants => grants::list(call),
        Op::GrantAdd => grants::add(call).await,
        Op::GrantRemove => grants::remove(call).await,
        Op::Explain => grants::explain(call).await,
        Op::Lint => grants::lint(call),
        Op::Repositories => repositories::list(call).await,
        Op::Repository => repositories::show(call).await,
        Op::RepositoryRemove => repositories::remove(call).await,
        Op::Tags => repositories::tags(call).await,
        Op::Tag => repositories::tag(call).await,
        Op::TagRemove => repositories::remove_tag(call).await,
        Op::Manifest => repositories::manifest(call).await,
        Op::ManifestRemove => repositories::remove_manifest(call).await,
        Op::Events => events::list(call).await,
        Op::ReadOnly => read_only::show(call).await,
        Op::ReadOnlyHold => read_only::hold(call).await,
        Op::ReadOnlyEnd => read_only::end(call).await,
    }
}
