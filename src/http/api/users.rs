//! Users, as an administrator keeps them.

use crate::auth::accounts::form::{NewUser, UserChange};
use crate::auth::accounts::users;
use crate::auth::error::Error;
use crate::auth::passwords::rules;
use crate::http::api::call::{Call, Reply, done, json};
use crate::http::error::Problem;
use crate::secret::Secret;
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

/// A page of users.
pub async fn list(call: &Call<'_>) -> Reply {
    let listed = users::list(&call.gate()?.directory, &call.page()?, call.query.first("search")).await?;
    json(StatusCode::OK, &listed)
}

/// Makes a user; without a password nobody can log in as them until they have one.
pub async fn create(call: &Call<'_>) -> Reply {
    let gate = call.gate()?;
    let mut body: Value = call.read()?;
    let password = match body.as_object_mut().and_then(|body| body.remove("password")) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(Secret::new(text)),
        Some(_) => return Err(Problem::Api("`password` is a text".into())),
    };
    let form: NewUser = serde_json::from_value(body)
        .map_err(|e| Problem::Api(format!("the body does not read (`password` may be in it, too): {e}")))?;
    let hash = match &password {
        Some(password) => Some(hashed(call, password).await?),
        None => None,
    };
    let over = call.vacant(&form.name).await?;
    let made = users::create(&gate.directory, form, hash).await?;
    let admin = if made.admin { ", an administrator" } else { "" };
    call.changed(format!("user {}", made.name), &format!("made{admin}{over}"));
    json(StatusCode::CREATED, &made)
}

/// A user.
pub async fn show(call: &Call<'_>) -> Reply {
    let found = users::find(&call.gate()?.directory, call.name()).await?;
    json(StatusCode::OK, &found.ok_or(Error::Absent("user"))?)
}

/// Changes a user.
pub async fn change(call: &Call<'_>) -> Reply {
    let (gate, name) = (call.gate()?, call.name());
    let form: UserChange = call.read()?;
    let admin = form.admin.map(|is| if is { "made an administrator" } else { "no longer an administrator" });
    let disabled = form.disabled.map(|is| if is { "disabled" } else { "enabled" });
    let told: Vec<&str> = admin.into_iter().chain(disabled).collect();
    let told = if told.is_empty() { "changed".to_owned() } else { told.join(", ") };
    let changed = users::change(&gate.directory, name, form).await?;
    call.changed(format!("user {}", changed.name), &told);
    json(StatusCode::OK, &changed)
}

/// Removes a user.
pub async fn remove(call: &Call<'_>) -> Reply {
    let (gate, name) = (call.gate()?, call.name());
    let before = users::find(&gate.directory, name).await?;
    users::remove(&gate.directory, name).await?;
    if before.is_some_and(|user| user.initial) {
        (call.door.initial_password_changed)(); // it opens nothing any more
    }
    call.changed(format!("user {}", call.name()), "removed");
    done()
}

/// Sets a user's password.
pub async fn password(call: &Call<'_>) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Form {
        password: Secret,
    }
    let form: Form = call.read()?;
    set_password(call, call.name(), form.password, None).await?;
    done()
}

/// Gives a user of ours another password; only as long as the account is as it was at `seen`, if that is given. When the
/// password before was that of the first start, its file goes away.
pub async fn set_password(
    call: &Call<'_>,
    name: &str,
    password: Secret,
    seen: Option<u64>,
) -> Result<(), Problem> {
    let gate = call.gate()?;
    let hash = hashed(call, &password).await?;
    let was_initial = match seen {
        Some(epoch) => users::change_own_password(&gate.directory, name, hash, epoch).await?,
        None => users::set_password_hash(&gate.directory, name, hash, false).await?,
    };
    if was_initial {
        (call.door.initial_password_changed)();
    }
    call.changed(format!("user {name}"), "password changed");
    Ok(())
}

async fn hashed(call: &Call<'_>, password: &Secret) -> Result<Secret, Problem> {
    rules::check_new(password)?;
    let hash = call.gate()?.passwords.hash(password).await?;
    Ok(Secret::new(hash.text()))
}
