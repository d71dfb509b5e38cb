//! `holdfast service`: accounts of machines, and their secrets.

use crate::cli::accounts::api::{Api, Shape, To, made_at, path};
use crate::cli::accounts::token::{self, NewToken};
use crate::cli::terminal::Ending;
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Map, Value, json};

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Service {
    /// Make a service account; give it a secret with `secret`
    Add {
        /// What it is for
        #[arg(long, default_value = "")]
        description: String,
        /// Make it although another source of users knows the name
        #[arg(long)]
        take_over: bool,
        /// The account.
        #[command(flatten)]
        named: Named,
    },
    /// List service accounts
    List {
        /// Where.
        #[command(flatten)]
        to: To,
    },
    /// Show a service account
    Show(Named),
    /// Change a service account
    Set {
        /// What it is for
        #[arg(long)]
        description: Option<String>,
        /// May not log in, or may again; its secrets end
        #[arg(long)]
        disabled: Option<bool>,
        /// The account.
        #[command(flatten)]
        named: Named,
    },
    /// Make a secret; two may be live at a time, so that one can be replaced without a gap
    Secret {
        /// What it gives.
        #[command(flatten)]
        new: NewToken,
        /// The account.
        #[command(flatten)]
        named: Named,
    },
    /// List a service account's secrets
    Secrets(Named),
    /// Revoke a secret
    Revoke {
        /// The id of the secret
        #[arg(index = 2)]
        id: String,
        /// The account.
        #[command(flatten)]
        named: Named,
    },
    /// Remove a service account, with its secrets and grants
    Remove(Named),
}

/// One service account. Comes after a command's own flags, as in `user.rs`.
#[derive(Debug, Args)]
pub struct Named {
    /// The name of the service account
    pub name: String,
    /// Where.
    #[command(flatten)]
    pub to: To,
}

const SHAPE: Shape<3> = Shape([("NAME", "name"), ("DISABLED", "disabled"), ("DESCRIPTION", "description")]);

/// Runs one.
pub fn run(command: &Service) -> Result<(), Ending> {
    let at = |named: &Named, more: &[&str]| path(&[&["service-accounts", &named.name], more].concat());
    match command {
        Service::Add { named, description, take_over } => {
            let api = Api::open(&named.to)?;
            let body = json!({ "name": named.name, "description": description });
            let made = api.send(Method::POST, &made_at("/service-accounts", *take_over), Some(&body))?;
            api.show(&made, &SHAPE)
        }
        Service::List { to } => Api::open(to)?.list("/service-accounts", None, &SHAPE),
        Service::Show(named) => Api::open(&named.to)?.get(&at(named, &[]), &SHAPE),
        Service::Set { named, description, disabled } => {
            let mut body = Map::new();
            if let Some(description) = description {
                body.insert("description".into(), json!(description));
            }
            if let Some(disabled) = disabled {
                body.insert("disabled".into(), json!(disabled));
            }
            if body.is_empty() {
                return Err(Ending::Usage(
                    "nothing to change was given; see `holdfast service set --help`".into(),
                ));
            }
            let api = Api::open(&named.to)?;
            let changed = api.send(Method::PATCH, &at(named, &[]), Some(&Value::Object(body)))?;
            api.show(&changed, &SHAPE)
        }
        Service::Secret { named, new } => {
            let api = Api::open(&named.to)?;
            let minted = api.send(Method::POST, &at(named, &["secrets"]), Some(&new.body()?))?;
            token::show_minted(&api, &minted, &named.name)
        }
        Service::Secrets(named) => Api::open(&named.to)?.get(&at(named, &["secrets"]), &token::SHAPE),
        Service::Revoke { named, id } => {
            let api = Api::open(&named.to)?;
            api.send(Method::DELETE, &at(named, &["secrets", id]), None)?;
            api.done("revoked")
        }
        Service::Remove(named) => {
            let api = Api::open(&named.to)?;
            api.send(Method::DELETE, &at(named, &[]), None)?;
            api.done(&format!("{} is removed, with its secrets and grants", named.name))
        }
    }
}
