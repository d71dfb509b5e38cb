//! Grants, and why the rules and grants decide as they do.

use crate::acl::access::{Access, Action};
use crate::acl::identity::{AccountKind, Caller, Identity};
use crate::acl::lint;
use crate::auth::accounts::form::NewGrant;
use crate::auth::accounts::grants;
use crate::auth::gate::Gate;
use crate::http::api::accounts::Entries;
use crate::http::api::call::{Call, Reply, done, invalid, json};
use crate::http::error::Problem;
use crate::oci::repository::Repository;
use http::StatusCode;
use serde::Serialize;
use std::net::IpAddr;

/// A page of grants.
pub fn list(call: &Call<'_>) -> Reply {
    json(StatusCode::OK, &grants::list(&call.gate()?.directory, &call.page()?, None))
}

/// Adds a grant.
pub async fn add(call: &Call<'_>) -> Reply {
    let gate = call.gate()?;
    let form: NewGrant = call.read()?;
    let by = call.guest.session.identity.name.clone();
    let made = grants::add(&gate.directory, form, &by).await?;
    let actions: Vec<&str> = made.actions.iter().map(|action| action.as_str()).collect();
    let told = format!("{} on {} given to {}", actions.join(","), made.repository, made.subject);
    call.changed(format!("grant {}", made.id), &told);
    json(StatusCode::CREATED, &made)
}

/// Removes a grant.
pub async fn remove(call: &Call<'_>) -> Reply {
    let gate = call.gate()?;
    let id = call.captured.text("id");
    grants::remove(&gate.directory, id).await?;
    call.changed(format!("grant {id}"), "removed");
    done()
}

/// Why an account may or may not do something.
pub async fn explain(call: &Call<'_>) -> Reply {
    #[derive(Serialize)]
    struct Explanation {
        allowed: bool,
        because: String,
    }
    let gate = call.gate()?;
    let query = |name: &str| call.query.first(name).unwrap_or_default();
    let repository: Repository = query("repository").parse().map_err(invalid)?;
    let action: Action = query("action").parse().map_err(invalid)?;
    let address: Option<IpAddr> = match call.query.first("address") {
        Some(address) => Some(address.parse().map_err(|_| invalid("`address` is no IP address"))?),
        None => None,
    };
    let identity = account(gate, query("account")).await?;
    let caller = Caller { identity: &identity, address, service: gate.service() };
    let told = gate.authority.explain(&caller, &Access::repository(repository.as_str(), action));
    json(StatusCode::OK, &Explanation { allowed: told.decision.allowed, because: told.sentence })
}

/// An account of whatever source. One that no source knows is asked for as a user without groups, since the rules may
/// speak of names that nobody has yet.
async fn account(gate: &Gate, name: &str) -> Result<Identity, Problem> {
    if name.is_empty() {
        return Ok(Identity::anonymous());
    }
    let known = gate.find(name).await?.map(|login| login.identity);
    Ok(known.unwrap_or_else(|| Identity {
        kind: AccountKind::User,
        name: name.to_owned(),
        ..Identity::anonymous()
    }))
}

/// What is doubtful in the rules of the configuration.
pub fn lint(call: &Call<'_>) -> Reply {
    let gate = call.gate()?;
    json(StatusCode::OK, &Entries { entries: lint::lint(&gate.rules.load()) })
}
