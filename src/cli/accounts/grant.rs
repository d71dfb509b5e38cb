//! `holdfast grant`: who may do what where, beside the rules of the configuration.

use crate::acl::access::Action;
use crate::cli::accounts::api::{Api, Shape, To, path};
use crate::cli::terminal::Ending;
use clap::Subcommand;
use http::Method;
use serde_json::{Value, json};
use std::str::FromStr;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Grant {
    /// Grant actions on repositories
    Add {
        /// To whom: user:NAME, group:NAME, service:NAME, everyone (who is logged in) or anonymous
        subject: Subject,
        /// A glob of repositories: `*` stays inside one path component, `**` crosses
        repository: String,
        /// pull,push,delete
        #[arg(value_delimiter = ',', required = true)]
        actions: Vec<Action>,
        /// Where.
        #[command(flatten)]
        to: To,
    },
    /// List grants
    List {
        /// Where.
        #[command(flatten)]
        to: To,
    },
    /// Remove a grant
    Remove {
        /// Its id
        id: String,
        /// Where.
        #[command(flatten)]
        to: To,
    },
}

/// To whom a grant is given, as `user:alice`, `group:dev`, `service:ci`, `everyone` or `anonymous`.
#[derive(Debug, Clone)]
pub struct Subject(Value);

impl FromStr for Subject {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let subject = match text.split_once(':') {
            Some((kind @ ("user" | "group" | "service-account"), name)) => {
                json!({ "kind": kind, "name": name })
            }
            Some(("service", name)) => json!({ "kind": "service-account", "name": name }),
            None if matches!(text, "everyone" | "anonymous") => json!({ "kind": text }),
            _ => return Err("it is user:NAME, group:NAME, service:NAME, everyone or anonymous".into()),
        };
        Ok(Self(subject))
    }
}

const SHAPE: Shape<6> = Shape([
    ("ID", "id"),
    ("KIND", "subject.kind"),
    ("SUBJECT", "subject.name"),
    ("REPOSITORY", "repository"),
    ("ACTIONS", "actions"),
    ("BY", "by"),
]);

/// Runs one.
pub fn run(command: &Grant) -> Result<(), Ending> {
    match command {
        Grant::Add { subject, repository, actions, to } => {
            let api = Api::open(to)?;
            let body = json!({ "subject": subject.0, "repository": repository, "actions": actions });
            let made = api.send(Method::POST, "/grants", Some(&body))?;
            api.show(&made, &SHAPE)
        }
        Grant::List { to } => Api::open(to)?.list("/grants", None, &SHAPE),
        Grant::Remove { id, to } => {
            let api = Api::open(to)?;
            api.send(Method::DELETE, &path(&["grants", id]), None)?;
            api.done("removed")
        }
    }
}
