//! Tokens of accounts, as an administrator sees and ends them.

use crate::acl::identity::AccountKind;
use crate::auth::accounts::owner::Owner;
use crate::auth::accounts::token::{Minted, TokenView};
use crate::auth::accounts::{tokens, users};
use crate::auth::error::Error;
use crate::http::api::call::{Call, Reply, done, json};
use crate::http::error::Problem;
use crate::http::v2::answer::to_the_end;
use http::StatusCode;
use serde::Serialize;
use std::sync::Arc;

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
    let (gate, owner) = (Arc::clone(call.shared_gate()?), user(call).await?);
    let id = call.captured.text("id").to_owned();
    let revoked = id.clone();
    to_the_end(async move { Ok(tokens::revoke(&gate.directory, &owner, &revoked).await?) }).await?;
    call.changed(format!("token {id}"), "revoked by an administrator");
    done()
}

/// Ends all of a user's tokens, access tokens too.
pub async fn revoke_all_of_user(call: &Call<'_>) -> Reply {
    let (gate, owner) = (Arc::clone(call.shared_gate()?), user(call).await?);
    let name = owner.name;
    let ended = name.clone();
    to_the_end(async move { Ok(users::log_out_everywhere(&gate.directory, &ended).await?) }).await?;
    call.changed(format!("user {name}"), "all tokens ended");
    done()
}

async fn user(call: &Call<'_>) -> Result<Owner, Problem> {
    let found = users::find(&call.gate()?.directory, call.name()).await?;
    let profile = found.ok_or(Error::Absent("user"))?;
    Ok(Owner::own(AccountKind::User, &profile.name))
}
