//! `holdfast health`: whether the server of this machine answers, for a container's health check.

use crate::cli::accounts::api::To;
use crate::cli::prepare::runtime;
use crate::cli::terminal::{Ending, say, say_json};
use http::Method;

/// Asks `/readyz`, through the admin socket unless a server is named.
pub fn run(to: &To) -> Result<(), Ending> {
    let remote = &to.remote;
    let address = remote.address()?;
    let reply = runtime()?.block_on(async {
        let client = remote.client(&address, None).await?;
        Ok::<_, Ending>(client.send(Method::GET, "/readyz", None).await?)
    })?;
    let told = String::from_utf8_lossy(&reply.body).trim().to_owned();
    // Reading storage again may take a while, and a restart would begin it anew.
    let rebuilding = told.contains(r#""rebuilding""#);
    if !reply.status.is_success() && !rebuilding {
        return Err(Ending::Failed(format!("not ready: {told}")));
    }
    if to.json {
        return Ok(say_json(&serde_json::json!({ "ready": !rebuilding, "message": told }))?);
    }
    say(&told);
    Ok(())
}
