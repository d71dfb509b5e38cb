//! What the types cannot tell of a configuration: values that read well and make no sense.

use crate::acl::rules::Rules;
use crate::app::acme;
use crate::app::config::settings::Settings;
use crate::app::config::tree::Mistake;
use crate::app::server;
use crate::app::tls::files::Files;
use crate::http::origin::{Proxies, is_host};
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
    demand(
        is_listen(&settings.server.listen),
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
    mistakes.extend(settings.storage.mistakes());
    mistakes.extend(settings.metadata.postgres.mistakes());
    mistakes.extend(settings.auth.mistakes());
    mistakes.extend(Rules::compile(&settings.acl).err().unwrap_or_default());
    mistakes.extend(names(&settings.server));
    if settings.server.acme.is_on() {
        mistakes.extend(acme(&settings.server));
    }
    mistakes
}

/// Whether a text is an address and a port to listen on.
fn is_listen(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

/// What we are called, and by whose word; whether there is TLS, or something like it.
fn names(server: &server::Config) -> Vec<Mistake> {
    let mut mistakes =
        Proxies::compile(&server.trusted_proxies, &server.external_url).err().unwrap_or_default();
    if let Err(half) = Files::of(&server.tls) {
        mistakes.push(half.to_string());
    }
    mistakes
}

/// An ACME client that is on.
fn acme(server: &server::Config) -> Vec<Mistake> {
    const DOMAINS_MAX: usize = 100;
    let acme::config::Config { domains, email, accept_terms, directory, http_listen, .. } = &server.acme;
    let mut mistakes = Vec::new();
    let mut demand = |holds: bool, mistake: String| {
        if !holds {
            mistakes.push(mistake);
        }
    };
    demand(
        server.tls.certificate.is_empty() && server.tls.key.is_empty(),
        "`server.tls.certificate` and `server.acme.domains` are both set: one certificate is enough".into(),
    );
    demand(
        *accept_terms,
        format!(
            "`server.acme.accept_terms` is false: read the terms of service that {directory} names, and say true \
             to agree to them"
        ),
    );
    demand(directory.starts_with("https://"), "`server.acme.directory` does not begin with https://".into());
    demand(
        http_listen.is_empty() || is_listen(http_listen),
        "`server.acme.http_listen` has the form ADDRESS:PORT, as in 0.0.0.0:80".into(),
    );
    demand(
        email.is_empty() || (email.contains('@') && !email.contains([' ', ':', ',', '?'])),
        "`server.acme.email` is not an address of e-mail".into(),
    );
    demand(domains.len() <= DOMAINS_MAX, "`server.acme.domains` has more than 100 names".into());
    for domain in domains {
        let is_address = domain.parse::<std::net::IpAddr>().is_ok();
        demand(
            is_host(domain) && !domain.contains(['[', ':', '_']) && !domain.ends_with('.') && !is_address,
            format!(
                "`server.acme.domains`: {domain:?} is no name that a certificate can be had for in this way"
            ),
        );
    }
    mistakes
}
