//! What a configuration means, in sentences, for `holdfast check`.

use crate::app::config::env::variable;
use crate::app::config::settings::Settings;
use crate::app::config::tree::leaves;
use crate::app::identity::{Identity, too_wide};
use crate::app::listener::addresses;
use crate::app::server;
use crate::metadata::config::Engine;
use crate::registry::config::AbsentContent;
use std::fmt::Write as _;
use std::path::Path;
use toml::Table;

/// The meaning of a configuration, and the keys that differ from their defaults.
pub fn explain(settings: &Settings) -> String {
    let data = Path::new(&settings.data);
    let storage = match settings.storage.filesystem.root.as_str() {
        "" => data.join("registry"),
        root => root.into(),
    };
    let metadata = crate::metadata::open::folder(&settings.metadata, data);
    let engine = match settings.metadata.engine {
        Engine::Sled => "sled",
        Engine::Redb => "redb",
    };
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
    line("access", "open: there are no accounts yet, so `serve` demands --open".into());
    line("images", format!("{} (registry:2's layout; back this up)", storage.display()));
    line("metadata", format!("{engine} in {} (made again from the images if lost)", metadata.display()));
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
    line(
        "disk",
        format!(
            "pushes are refused while fewer than {} bytes are free",
            settings.storage.filesystem.free_bytes_min
        ),
    );
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

fn changed(settings: &Settings) -> String {
    let (Ok(now), Ok(default)) = (Table::try_from(settings), Table::try_from(Settings::default())) else {
        return String::new();
    };
    let default = leaves(&default);
    leaves(&now)
        .into_iter()
        .filter(|leaf| !default.contains(leaf))
        .map(|(key, value)| format!("  {key} = {value}  ({})", variable(&key)))
        .collect::<Vec<_>>()
        .join("\n")
}
