//! `[server.acme]` out of somebody else's `letsencrypt`: written as a comment, because only a person can accept the
//! terms of an authority.

use crate::app::import::document::{Section, Value};

/// The section, asleep.
pub fn section(domains: Vec<String>, email: &str, directory: Option<&str>) -> Section {
    let mut acme = Section::new("server.acme");
    acme.comment(
        "From letsencrypt. Read the terms of the authority, say that you accept them, name your domains, and take the # \
         away. server.listen may then be an address that the world reaches.",
    );
    acme.set("domains", Value::List(domains));
    acme.set("email", email.into());
    if let Some(directory) = directory {
        acme.set("directory", directory.into());
    }
    acme.set("accept_terms", Value::Flag(true));
    acme.put_to_sleep();
    acme
}
