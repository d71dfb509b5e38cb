//! Service accounts and their secrets.

use crate::auth::accounts::form::{NewNamed, NewToken, ServiceChange};
use crate::auth::accounts::services;
use crate::auth::error::Error;
use crate::http::api::accounts::{Entries, minted};
use crate::http::api::call::{Call, Reply, done, json};
use http::StatusCode;

/// A page of service accounts.
pub async fn list(call: &Call<'_>) -> Reply {
    let listed = services::list(&call.gate()?.directory, &call.page()?, call.query.first("search")).await?;
    json(StatusCode::OK, &listed)
}

/// Makes a service account.
pub async fn create(call: &Call<'_>) -> Reply {
    let gate = call.gate()?;
    let form: NewNamed = call.read()?;
    let over = call.vacant(&form.name).await?;
    let made = services::create(&gate.directory, form).await?;
    call.changed(format!("service account {}", made.name), &format!("made{over}"));
    json(StatusCode::CREATED, &made)
}

/// A service account.
pub async fn show(call: &Call<'_>) -> Reply {
    let found = services::find(&call.gate()?.directory, call.name()).await?;
    json(StatusCode::OK, &found.ok_or(Error::Absent("service account"))?)
}

/// Changes a service account.
pub async fn change(call: &Call<'_>) -> Reply {
    let (gate, name) = (call.gate()?, call.name());
    let form: ServiceChange = call.read()?;
    let told = match form.disabled {
        Some(true) => "disabled",
        Some(false) => "enabled",
        None => "changed",
    };
    let changed = services::change(&gate.directory, name, form).await?;
    call.changed(format!("service account {}", changed.name), told);
    json(StatusCode::OK, &changed)
}

/// Removes a service account.
pub async fn remove(call: &Call<'_>) -> Reply {
    let (gate, name) = (call.gate()?, call.name());
    services::remove(&gate.directory, name).await?;
    call.changed(format!("service account {}", call.name()), "removed");
    done()
}

/// A service account's secrets.
pub async fn secrets(call: &Call<'_>) -> Reply {
    let entries = services::secrets(&call.gate()?.directory, call.name()).await?;
    json(StatusCode::OK, &Entries { entries })
}

/// Makes a secret.
pub async fn mint(call: &Call<'_>) -> Reply {
    let (gate, name) = (call.gate()?, call.name());
    let form: NewToken = call.read()?;
    let by = call.guest.session.used_token();
    let made = services::add_secret(&gate.directory, name, form, by.as_ref()).await?;
    call.changed(format!("service account {}", call.name()), &format!("secret {} made", made.token.id));
    minted(&made)
}

/// Revokes a secret.
pub async fn revoke(call: &Call<'_>) -> Reply {
    let (gate, name) = (call.gate()?, call.name());
    let id = call.captured.text("id");
    services::revoke_secret(&gate.directory, name, id).await?;
    call.changed(format!("service account {}", call.name()), &format!("secret {id} revoked"));
    done()
}
