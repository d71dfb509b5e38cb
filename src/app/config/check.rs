//! What the types cannot tell of a configuration: values that read well and make no sense.

use crate::app::config::settings::Settings;
use crate::app::config::tree::Mistake;
use crate::registry::config::MANIFEST_BYTES_LEAST;

/// Every mistake in the values.
pub fn check(settings: &Settings) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let mut demand = |holds: bool, mistake: &str| {
        if !holds {
            mistakes.push(mistake.to_owned());
        }
    };
    demand(!settings.data.is_empty(), "`data` is empty: it names the folder of everything");
    let (host, port) = settings.server.listen.rsplit_once(':').unwrap_or_default();
    demand(
        !host.is_empty() && port.parse::<u16>().is_ok(),
        "`server.listen` has the form ADDRESS:PORT, as in 127.0.0.1:5000 or [::]:5000",
    );
    demand(settings.server.connections_max > 0, "`server.connections_max` is 0: nobody could connect");
    demand(settings.server.header_secs > 0, "`server.header_secs` is 0: no request could be read");
    demand(settings.server.stall_secs > 0, "`server.stall_secs` is 0: no body could be read");
    demand(
        settings.registry.manifest_bytes_max >= MANIFEST_BYTES_LEAST,
        "`registry.manifest_bytes_max` is less than 65536: ordinary images would be refused",
    );
    demand(
        settings.registry.manifest_bytes_max <= 64 << 20,
        "`registry.manifest_bytes_max` is more than 67108864 (64 MiB): manifests are held in memory",
    );
    demand(settings.registry.page_entries_max > 0, "`registry.page_entries_max` is 0: lists would be empty");
    demand(
        settings.registry.page_entries_max <= 100_000,
        "`registry.page_entries_max` is more than 100000: pages are held in memory",
    );
    demand(settings.registry.uploads_max > 0, "`registry.uploads_max` is 0: nothing could be pushed");
    demand(
        settings.registry.upload_idle_secs >= 60,
        "`registry.upload_idle_secs` is less than 60: uploads would be dropped under their clients' hands",
    );
    mistakes
}
