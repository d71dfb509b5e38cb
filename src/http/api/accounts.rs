//! Tokens of accounts, as an administrator sees and ends them.

use crate::acl::identity::AccountKind;
use crate::auth::accounts::owner::Owner;
use crate::auth::accounts::token::{Minted, TokenView};
use crate::auth::accounts::{tokens, users};
use crate::auth::error::Error;
use crate::http::api::call::{Call, Reply, done, json};
use crate::http::error::Problem;
use http::StatusCode;
use serde::Serialize;

/// A list that has no pages: it is bounded by itself.
#[derive(Serialize)]
pub struct Entries<T> {
    /// The entries.
    pub entries: Vec<T>,
}

/// Answers a new token with its text, this once.
pub fn minted(minted: &Minted) -> Reply {
    #[derive(Serialize)]
    struct Shown<'a> {
        token: &'a TokenView,
        secret: &'a str,
    }
    json(StatusCode::CREATED, &Shown { token: &minted.token, secret: minted.secret.expose() })
}

/// A user's tokens.
pub async fn tokens_of_user(call: &Call<'_>) -> Reply {
    let gate = call.gate()?;
    let entries = tokens::list(&gate.directory, &user(call).await?, None).await?;
    json(StatusCode::OK, &Entries { entries })
}

/// Revokes one of a user's tokens.
pub async fn revoke_of_user(call: &Call<'_>) -> Reply {
    let (gate, owner) = (call.gate()?, user(call).await?);
    let id = call.captured.text("id");
    tokens::revoke(&gate.directory, &owner, id).await?;
    call.changed(format!("token {id}"), "revoked by an administrator");
    done()
}

/// Ends all of a user's tokens, access tokens too.
pub async fn revoke_all_of_user(call: &Call<'_>) -> Reply {
    let (gate, owner) = (call.gate()?, user(call).await?);
    if owner.is_own() {
        users::log_out_everywhere(&gate.directory, &owner.name).await?;
    } else {
        tokens::revoke_all(&gate.directory, &owner).await?;
    }
    call.changed(format!("user {}", owner.name), "all tokens ended");
    done()
}

/// A user of ours, disabled or not, or else one of another source, who may have tokens here too.
async fn user(call: &Call<'_>) -> Result<Owner, Problem> {
    let gate = call.gate()?;
    if let Some(profile) = users::find(&gate.directory, call.name()).await? {
        return Ok(Owner::own(AccountKind::User, &profile.name));
    }
    let found = gate.find(call.name()).await?.filter(|login| login.identity.kind == AccountKind::User);
    Ok(Owner::of(&found.ok_or(Error::Absent("user"))?))
}
