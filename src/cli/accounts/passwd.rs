//! `holdfast passwd`: one's own password, for those who are no administrators.

use crate::cli::accounts::api::{Api, To};
use crate::cli::accounts::password::{PasswordFrom, own_password};
use crate::cli::terminal::Ending;
use clap::Args;
use http::Method;
use serde_json::json;

/// Flags of `passwd`.
#[derive(Debug, Args)]
pub struct Passwd {
    #[command(flatten)]
    new: PasswordFrom,
    #[command(flatten)]
    to: To,
}

/// Changes it. The old one is asked for, whatever docker has kept: so the server wants it.
pub fn run(args: &Passwd) -> Result<(), Ending> {
    let remote = &args.to.remote;
    let Some(user) = &remote.user else {
        let why = "say whose password with --user NAME, and where with --server URL. (`holdfast user passwd NAME` sets \
                   that of any user, for administrators)";
        return Err(Ending::Usage(why.into()));
    };
    if remote.password_stdin && args.new.is_piped() {
        let why = "standard input holds one password: give the new one in a file, with --new-password-file";
        return Err(Ending::Usage(why.into()));
    }
    let address = remote.address()?;
    let old = remote.password(user, &address)?;
    let new = own_password(&args.new)?;
    let api = Api::open_as(&args.to, &address, user, old.clone())?;
    let body = json!({ "old": old.expose(), "new": new.text() });
    api.send(Method::PUT, "/me/password", Some(&body))?;
    api.done(&format!("the password of {user} is changed; all of its tokens have ended"))
}
