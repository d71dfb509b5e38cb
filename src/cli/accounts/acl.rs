//! `holdfast acl`: why an account may or may not do something, and what is doubtful in the rules.

use crate::acl::access::Action;
use crate::cli::accounts::api::{Api, Shape, To, encoded};
use crate::cli::terminal::{Ending, say};
use clap::Subcommand;
use http::Method;
use std::net::IpAddr;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Acl {
    /// Tell which rule or grant decides
    Explain {
        /// The account; "" for anonymous
        account: String,
        /// pull, push or delete
        action: Action,
        /// The repository
        repository: String,
        /// From which address they ask, for rules that name one
        #[arg(long)]
        address: Option<IpAddr>,
        /// Where.
        #[command(flatten)]
        to: To,
    },
    /// Find rules that can never match, unanchored patterns, allow-alls and shadowed rules
    Lint {
        /// Where.
        #[command(flatten)]
        to: To,
    },
}

const FINDINGS: Shape<3> = Shape([("RULE", "rule"), ("SEVERITY", "severity"), ("FINDING", "sentence")]);

/// Runs one.
pub fn run(command: &Acl) -> Result<(), Ending> {
    match command {
        Acl::Explain { account, action, repository, address, to } => {
            let api = Api::open(to)?;
            let mut at = format!(
                "/acl/explain?account={}&action={action}&repository={}",
                encoded(account),
                encoded(repository)
            );
            if let Some(address) = address {
                at.push_str("&address=");
                at.push_str(&encoded(&address.to_string()));
            }
            let told = api.send(Method::GET, &at, None)?;
            if api.json {
                return api.show(&told, &FINDINGS);
            }
            let verdict = if told["allowed"].as_bool() == Some(true) { "allowed" } else { "denied" };
            say(&format!("{verdict}: {}", told["because"].as_str().unwrap_or_default()));
            Ok(())
        }
        Acl::Lint { to } => {
            let api = Api::open(to)?;
            let told = api.send(Method::GET, "/acl/lint", None)?;
            if !api.json && told["entries"].as_array().is_some_and(Vec::is_empty) {
                say("nothing doubtful was found in the rules");
                return Ok(());
            }
            api.show(&told, &FINDINGS)
        }
    }
}
