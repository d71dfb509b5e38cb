//! `holdfast group`.

use crate::cli::accounts::api::{Api, Shape, To, path};
use crate::cli::terminal::{Ending, say};
use clap::Subcommand;
use http::Method;
use serde_json::json;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Group {
    /// Make a group
    Add {
        /// Its name
        name: String,
        /// What it is for
        #[arg(long, default_value = "")]
        description: String,
        /// Where.
        #[command(flatten)]
        to: To,
    },
    /// List groups
    List {
        /// Where.
        #[command(flatten)]
        to: To,
    },
    /// Show a group with its members
    Show {
        /// Its name
        name: String,
        /// Where.
        #[command(flatten)]
        to: To,
    },
    /// Put accounts into a group
    Join {
        /// Its name
        name: String,
        /// Users; or service accounts, as service-account:NAME
        #[arg(required = true)]
        members: Vec<String>,
        /// Where.
        #[command(flatten)]
        to: To,
    },
    /// Take accounts out of a group
    Leave {
        /// Its name
        name: String,
        /// Users; or service accounts, as service-account:NAME
        #[arg(required = true)]
        members: Vec<String>,
        /// Where.
        #[command(flatten)]
        to: To,
    },
    /// Remove a group, with its grants
    Remove {
        /// Its name
        name: String,
        /// Where.
        #[command(flatten)]
        to: To,
    },
}

const SHAPE: Shape<3> = Shape([("NAME", "name"), ("MEMBERS", "members"), ("DESCRIPTION", "description")]);

/// Runs one.
pub fn run(command: &Group) -> Result<(), Ending> {
    match command {
        Group::Add { name, description, to } => {
            let api = Api::open(to)?;
            let made = api.send(
                Method::POST,
                "/groups",
                Some(&json!({ "name": name, "description": description })),
            )?;
            api.show(&made, &SHAPE)
        }
        Group::List { to } => Api::open(to)?.list("/groups", None, &SHAPE),
        Group::Show { name, to } => Api::open(to)?.get(&path(&["groups", name]), &SHAPE),
        Group::Join { name, members, to } => move_members(to, name, members, true),
        Group::Leave { name, members, to } => move_members(to, name, members, false),
        Group::Remove { name, to } => {
            let api = Api::open(to)?;
            api.send(Method::DELETE, &path(&["groups", name]), None)?;
            api.done(&format!("{name} is removed, with its grants"))
        }
    }
}

fn move_members(to: &To, name: &str, members: &[String], joins: bool) -> Result<(), Ending> {
    let api = Api::open(to)?;
    let method = if joins { Method::PUT } else { Method::DELETE };
    let mut moved = Vec::new();
    for member in members {
        let kind = ["user:", "service-account:"].iter().any(|kind| member.starts_with(kind));
        let member = if kind { member.clone() } else { format!("user:{member}") };
        api.send(method.clone(), &path(&["groups", name, "members", &member]), None)?;
        let told = format!("{member} is {} {name}", if joins { "in" } else { "no longer in" });
        if api.json {
            moved.push(told);
        } else {
            say(&told); // at once: the next one may fail
        }
    }
    if api.json { api.done(&moved.join("; ")) } else { Ok(()) }
}
