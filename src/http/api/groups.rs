//! Groups and who is in them.

use crate::auth::accounts::form::{GroupChange, NewNamed};
use crate::auth::accounts::group::Group;
use crate::auth::accounts::{groups, membership};
use crate::auth::error::Error;
use crate::http::api::call::{Call, Reply, done, json};
use http::StatusCode;
use serde::Serialize;

/// A group with its members.
#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    description: &'a str,
    members: Vec<String>,
    created: u64,
    changed: u64,
}

fn shown(group: &Group) -> Shown<'_> {
    Shown {
        name: &group.name,
        description: &group.description,
        members: group.members.iter().map(ToString::to_string).collect(),
        created: group.created,
        changed: group.changed,
    }
}

/// A page of groups.
pub async fn list(call: &Call<'_>) -> Reply {
    let listed = groups::list(&call.gate()?.directory, &call.page()?, call.query.first("search")).await?;
    json(StatusCode::OK, &listed)
}

/// Makes a group.
pub async fn create(call: &Call<'_>) -> Reply {
    let gate = call.gate()?;
    let form: NewNamed = call.read()?;
    let made = groups::create(&gate.directory, form).await?;
    call.changed(format!("group {}", made.name), "made");
    json(StatusCode::CREATED, &shown(&made))
}

/// A group.
pub async fn show(call: &Call<'_>) -> Reply {
    let found = groups::find(&call.gate()?.directory, call.name()).await?.ok_or(Error::Absent("group"))?;
    json(StatusCode::OK, &shown(&found))
}

/// Changes a group.
pub async fn change(call: &Call<'_>) -> Reply {
    let (gate, name) = (call.gate()?, call.name());
    let form: GroupChange = call.read()?;
    let changed = groups::change(&gate.directory, name, form).await?;
    call.changed(format!("group {}", changed.name), "changed");
    json(StatusCode::OK, &shown(&changed))
}

/// Removes a group.
pub async fn remove(call: &Call<'_>) -> Reply {
    let (gate, name) = (call.gate()?, call.name());
    groups::remove(&gate.directory, name).await?;
    call.changed(format!("group {}", call.name()), "removed");
    done()
}

/// Adds an account to a group, or takes it out.
pub async fn member(call: &Call<'_>, joins: bool) -> Reply {
    let (gate, name) = (call.gate()?, call.name());
    let member = groups::member(&gate.directory, call.captured.text("member"))?;
    if joins {
        membership::add(&gate.directory, name, &member).await?;
    } else {
        membership::remove(&gate.directory, name, &member).await?;
    }
    call.changed(
        format!("group {}", call.name()),
        &format!("{} {member}", if joins { "with" } else { "without" }),
    );
    done()
}
