//! `holdfast health`: whether the server of this machine answers, for a container's health check.

use crate::cli::prepare::runtime;
use crate::cli::remote::Remote;
use crate::cli::terminal::{Ending, say};
use http::Method;

/// Asks `/readyz`, through the admin socket unless a server is named.
pub fn run(remote: &Remote) -> Result<(), Ending> {
    let address = remote.address()?;
    let reply = runtime()?.block_on(async {
        let client = remote.client(&address, None).await?;
        Ok::<_, Ending>(client.send(Method::GET, "/readyz", None).await?)
    })?;
    let told = String::from_utf8_lossy(&reply.body).trim().to_owned();
    if !reply.status.is_success() {
        return Err(Ending::Failed(format!("not ready: {told}")));
    }
    say(&told);
    Ok(())
}
