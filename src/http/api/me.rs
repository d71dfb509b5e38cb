//! One's own account: profile, password, tokens. Nothing here can give its caller more than they have.

use crate::acl::identity::AccountKind;
use crate::auth::accounts::form::{NewToken, OwnProfile};
use crate::auth::accounts::mint::{self, Remembered};
use crate::auth::accounts::owner::{Owner, SOURCE};
use crate::auth::accounts::user::Profile;
use crate::auth::accounts::{tokens, users};
use crate::auth::gate::{Refusal, Word};
use crate::http::api::accounts::{Entries, minted};
use crate::http::api::call::{Call, Reply, done, json};
use crate::http::api::users::set_password;
use crate::http::error::Problem;
use crate::secret::Secret;
use http::StatusCode;
use serde::{Deserialize, Serialize};

/// What one is.
#[derive(Serialize)]
struct Me<'a> {
    kind: AccountKind,
    name: &'a str,
    source: &'a str,
    admin: bool,
    groups: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<Profile>,
}

/// One's own account.
pub async fn show(call: &Call<'_>) -> Reply {
    let gate = call.gate()?;
    let session = &call.guest.session;
    let identity = &session.identity;
    let profile = match own(call) {
        Ok(name) => users::find(&gate.directory, name).await?,
        Err(_) => None,
    };
    let me = Me {
        kind: identity.kind,
        name: &identity.name,
        source: session.source,
        admin: identity.admin,
        groups: &identity.groups,
        profile,
    };
    json(StatusCode::OK, &me)
}

/// Changes one's own profile.
pub async fn change(call: &Call<'_>) -> Reply {
    let (gate, name) = (call.gate()?, own(call)?);
    let form: OwnProfile = call.read()?;
    users::change_own(&gate.directory, name, form).await?;
    call.changed(format!("user {name}"), "own profile changed");
    show(call).await
}

/// Changes one's own password. The old one is asked for again: who finds an open session must not be able to keep it.
pub async fn password(call: &Call<'_>) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Form {
        old: Secret,
        new: Secret,
    }
    let (gate, name) = (call.gate()?, own(call)?);
    let form: Form = call.read()?;
    let word = Word::Password(name.to_owned(), form.old);
    let epoch = match gate.enter(word, call.guest.address).await? {
        Ok(session) if session.token.is_none() && session.source == SOURCE => session.epoch,
        Err(Refusal::Throttled(secs)) => return Err(Problem::Throttled(secs)),
        _ => return Err(Problem::Api("the old password is wrong".into())),
    };
    set_password(call, name, form.new, Some(epoch)).await?;
    done()
}

/// One's own tokens.
pub async fn tokens(call: &Call<'_>) -> Reply {
    let gate = call.gate()?;
    let entries = tokens::list(&gate.directory, &owner(call)?, None).await?;
    json(StatusCode::OK, &Entries { entries })
}

/// Makes a personal access token. One that was made with a token gives no more than that one.
pub async fn mint(call: &Call<'_>) -> Reply {
    let gate = call.gate()?;
    owner(call)?;
    let form: NewToken = call.read()?;
    let login = call.guest.session.login();
    let made = mint::personal(&gate.directory, &login, form, Remembered::default()).await?;
    call.changed(format!("token {}", made.token.id), "made");
    minted(&made)
}

/// Revokes one's own token.
pub async fn revoke(call: &Call<'_>) -> Reply {
    let (gate, owner) = (call.gate()?, owner(call)?);
    let id = call.captured.text("id");
    tokens::revoke(&gate.directory, &owner, id).await?;
    call.changed(format!("token {id}"), "revoked");
    done()
}

/// The caller's name, if they are a user of ours.
fn own<'a>(call: &'a Call<'_>) -> Result<&'a str, Problem> {
    let session = &call.guest.session;
    if session.source == SOURCE && session.identity.kind == AccountKind::User {
        return Ok(&session.identity.name);
    }
    Err(Problem::Api("this account is not one that is kept here; change it where it is kept".into()))
}

/// The caller, as the owner of tokens.
fn owner(call: &Call<'_>) -> Result<Owner, Problem> {
    let session = &call.guest.session;
    if session.source.is_empty() {
        return Err(Problem::Api("the owner of the data folder has no account, and so no tokens".into()));
    }
    Ok(Owner::of(&session.login()))
}
