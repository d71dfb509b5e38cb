//! What a configuration means, in sentences, for `holdfast check`.

use crate::acl::lint;
use crate::app::config::env::{SECRETS, variable};
use crate::app::config::settings::Settings;
use crate::app::config::tree::leaves;
use crate::app::identity::{Identity, too_wide};
use crate::app::listener::addresses;
use crate::app::server;
use crate::registry::config::AbsentContent;
use std::fmt::Write as _;
use std::path::Path;
use toml::{Table, Value};

/// The meaning of a configuration, and the keys that differ from their defaults.
pub fn explain(settings: &Settings) -> String {
    let data = Path::new(&settings.data);
    let storage = crate::storage::open::named(&settings.storage, data);
    let metadata = crate::metadata::open::named(&settings.metadata, data);
    let absent = match settings.registry.absent_content {
        AbsentContent::Refuse => "refused",
        AbsentContent::Accept => "taken (sparse images)",
    };
    let mut text = String::new();
    let mut line = |what: &str, means: String| {
        let _ = writeln!(text, "{what:<12}{means}");
    };
    for (what, means) in door(&settings.server) {
        line(what, means);
    }
    line("admin", format!("{} (its owner's alone)", crate::app::admin::path(data).display()));
    for (what, means) in access(settings) {
        line(what, means);
    }
    line("images", format!("{storage} (registry:2's layout; back this up)"));
    line("metadata", format!("{metadata} (made again from the images if lost)"));
    line(
        "limits",
        format!(
            "manifests of {} bytes, {} open uploads, {} connections, pages of {} entries",
            settings.registry.manifest_bytes_max,
            settings.registry.uploads_max,
            settings.server.connections_max,
            settings.registry.page_entries_max
        ),
    );
    line("manifests", format!("that name absent content are {absent}"));
    line(
        "uploads",
        format!("are dropped after {} seconds without a byte", settings.registry.upload_idle_secs),
    );
    if settings.storage.is_a_folder() {
        let least = settings.storage.filesystem.free_bytes_min;
        line("disk", format!("pushes are refused while fewer than {least} bytes are free"));
    }
    let changed = changed(settings);
    if !changed.is_empty() {
        let _ = writeln!(text, "\nnot at its default:\n{changed}");
    }
    text
}

/// Where it is reached, by whom, and what it shows there.
fn door(server: &server::Config) -> Vec<(&'static str, String)> {
    let listen = &server.listen;
    let mut lines = Vec::new();
    match Identity::of(server) {
        Ok(Identity::Plain) => lines.push(("serves", format!("http://{listen} (plain HTTP)"))),
        Ok(Identity::Files(_, pair)) => {
            lines.push(("serves", format!("https://{listen} (certificate for {})", pair.told())));
        }
        Ok(Identity::Acme) => {
            let (domains, directory) = (server.acme.domains.join(", "), &server.acme.directory);
            lines.push(("serves", format!("https://{listen} (certificate for {domains} from {directory})")));
        }
        Err(refusal) => lines.push(("REFUSED", format!("`serve` will not start: {refusal}"))),
    }
    if let Some(refusal) = addresses(listen).ok().and_then(|found| too_wide(server, &found, false)) {
        lines.push(("REFUSED", refusal));
    }
    if !server.external_url.is_empty() {
        lines.push(("called", server.external_url.clone()));
    }
    if !server.trusted_proxies.is_empty() {
        let proxies = server.trusted_proxies.join(", ");
        lines.push(("proxies", format!("{proxies} may say who the client is, and what it asked for")));
    }
    lines
}

/// Who comes in, and by which rules.
fn access(settings: &Settings) -> Vec<(&'static str, String)> {
    let auth = &settings.auth;
    let mut sources = vec!["accounts kept here".to_owned()];
    if !auth.users.is_empty() {
        sources.push(format!("{} users of the configuration", auth.users.len()));
    }
    if !auth.htpasswd.path.is_empty() {
        sources.push(format!("the htpasswd file {}", auth.htpasswd.path));
    }
    if !auth.ldap.url.is_empty() {
        sources.push(format!("LDAP at {}", auth.ldap.url));
    }
    let anonymous = if auth.anonymous { "by rules and grants alone" } else { "not at all" };
    let mut lines = vec![
        ("users", format!("{} (unless `serve --open`)", sources.join(", then "))),
        ("anonymous", format!("callers come in {anonymous}")),
        ("rules", format!("{} ordered rules, then grants; nothing else is allowed", settings.acl.len())),
    ];
    for finding in lint::lint(&settings.acl) {
        lines.push(("DOUBTFUL", finding.to_string()));
    }
    lines
}

fn changed(settings: &Settings) -> String {
    let (Ok(now), Ok(default)) = (Table::try_from(settings), Table::try_from(Settings::default())) else {
        return String::new();
    };
    let default = leaves(&default);
    leaves(&now)
        .into_iter()
        .filter(|leaf| !default.contains(leaf))
        .map(|(key, value)| match value {
            _ if SECRETS.contains(&key.as_str()) => format!("  {key} = ***  ({})", variable(&key)),
            Value::Array(list) if list.iter().any(Value::is_table) => format!("  {} of {key}", list.len()),
            value => format!("  {key} = {value}  ({})", variable(&key)),
        })
        .collect::<Vec<_>>()
        .join("\n")
}
