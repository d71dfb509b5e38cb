//! `holdfast token`: one's own personal access tokens.

use crate::acl::access::Action;
use crate::cli::accounts::api::{Api, Shape, To, path};
use crate::cli::terminal::{Ending, say};
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Make a personal access token: it stands in for the password, and can do less
    New {
        /// What it gives.
        #[command(flatten)]
        new: NewToken,
        /// Where.
        #[command(flatten)]
        to: To,
    },
    /// List one's tokens
    List {
        /// Where.
        #[command(flatten)]
        to: To,
    },
    /// Revoke a token
    Revoke {
        /// Its id
        id: String,
        /// Where.
        #[command(flatten)]
        to: To,
    },
}

/// What a new token gives.
#[derive(Debug, Args)]
pub struct NewToken {
    /// What it is for
    #[arg(long, default_value = "")]
    description: String,
    /// Globs of the repositories that it reaches; all that its owner has if none is given
    #[arg(long = "repository", value_name = "GLOB")]
    repositories: Vec<String>,
    /// What it may do there, as pull,push,delete; pull if only repositories are given
    #[arg(long, value_delimiter = ',')]
    actions: Vec<Action>,
    /// Days until it ends; if none are given, a personal access token ends after 90, a secret never
    #[arg(long)]
    days: Option<u64>,
    /// It may use the admin API; what needs an administrator only without --repository and --actions
    #[arg(long)]
    api: bool,
}

impl NewToken {
    /// The body of the request.
    pub fn body(&self) -> Result<Value, Ending> {
        let ceiling = match (self.repositories.is_empty(), self.actions.is_empty()) {
            (true, true) => Value::Null,
            (true, false) => json!({ "repositories": ["**"], "actions": self.actions }),
            (false, true) => json!({ "repositories": self.repositories, "actions": [Action::Pull] }),
            (false, false) => json!({ "repositories": self.repositories, "actions": self.actions }),
        };
        let lifetime = match self.days {
            None => None,
            Some(0) => return Err(Ending::Usage("--days is at least 1".into())),
            Some(days) => Some(days.saturating_mul(24 * 3600)),
        };
        Ok(
            json!({ "description": self.description, "ceiling": ceiling, "api": self.api, "lifetime_secs": lifetime }),
        )
    }
}

/// Columns of a token.
pub const SHAPE: Shape<8> = Shape([
    ("ID", "id"),
    ("KIND", "kind"),
    ("REPOSITORIES", "ceiling.repositories"),
    ("ACTIONS", "ceiling.actions"),
    ("CREATED", "created"),
    ("EXPIRES", "expires"),
    ("LAST USED", "last_used"),
    ("DESCRIPTION", "description"),
]);

/// Shows a new token. Its text goes to standard output, alone, so that it can be piped on.
pub fn show_minted(api: &Api, minted: &Value, owner: &str) -> Result<(), Ending> {
    if api.json {
        return api.show(minted, &SHAPE);
    }
    api.tell(&format!(
        "log in with the name {owner} and this as the password; it is shown this once (id {}):",
        minted["token"]["id"].as_str().unwrap_or_default()
    ));
    say(minted["secret"].as_str().unwrap_or_default());
    Ok(())
}

/// Runs one.
pub fn run(command: &Token) -> Result<(), Ending> {
    match command {
        Token::New { new, to } => {
            let api = Api::open(to)?;
            let minted = api.send(Method::POST, "/me/tokens", Some(&new.body()?))?;
            let owner = minted["token"]["owner"]["name"].as_str().unwrap_or_default().to_owned();
            show_minted(&api, &minted, &owner)
        }
        Token::List { to } => Api::open(to)?.get("/me/tokens", &SHAPE),
        Token::Revoke { id, to } => {
            let api = Api::open(to)?;
            api.send(Method::DELETE, &path(&["me", "tokens", id]), None)?;
            api.done("revoked")
        }
    }
}
