//! The listener of registry:2: its address, its name, its TLS. Its log too, which is as small.

use crate::app::import::acme;
use crate::app::import::document::{Section, Value};
use crate::app::import::fields::Fields;
use crate::app::import::listen::{Front, listen};
use crate::app::import::report::{Report, shown};

/// The authority that registry:2 asks unless it is told otherwise.
const LETSENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// `[server]`, `[server.tls]` and `[server.acme]`.
pub fn sections(root: &Fields<'_>, report: &mut Report) -> Vec<Section> {
    let http = root.inner("http");
    let tls = http.inner("tls");
    let pair = (tls.text("certificate", report), tls.text("key", report));
    if pair.0.is_some() != pair.1.is_some() {
        report.mistake(
            "http.tls.certificate and http.tls.key belong together and one is not given; registry:2 does not start so",
        );
    }
    let url = http.text("host", report).and_then(|host| external_url(host, report));
    let front = match (pair, &url) {
        ((Some(_), Some(_)), _) => Front::Tls,
        (_, Some(url)) if url.starts_with("https://") => Front::Proxy,
        _ => Front::Nothing,
    };
    let mut server = Section::new("server");
    address(&http, front, &mut server, report);
    if let Some(url) = url {
        server.set_because(
            "external_url",
            Value::Text(url),
            "http.host: the name that clients call the registry by.",
        );
    }
    if front == Front::Proxy {
        server.set_because(
            "behind_proxy",
            Value::Flag(true),
            "http.host is https:// and there is no http.tls, so a proxy in front ends TLS. Write its networks into \
             trusted_proxies, so that it may say who the client is.",
        );
        server.set("trusted_proxies", Value::List(Vec::new()));
        report.note(
            "a proxy in front ends TLS: write its networks into server.trusted_proxies. Until then every client has the \
             address of the proxy",
        );
    }
    if let Some(seconds) = http.seconds("draintimeout", report) {
        server.set_because("shutdown_secs", Value::Number(seconds), "http.draintimeout");
    }
    let mut sections = vec![server];
    sections.extend(certificates(&tls, pair, report));
    sections
}

fn address(http: &Fields<'_>, front: Front, server: &mut Section, report: &mut Report) {
    let Some(address) = http.text("addr", report) else { return };
    let address = if http.text("net", report) == Some("unix") { "/" } else { address };
    if let Some(listen) = listen("http.addr", address, front, report) {
        server.set("listen", Value::Text(listen));
    }
}

fn certificates(
    tls: &Fields<'_>,
    (certificate, key): (Option<&str>, Option<&str>),
    report: &mut Report,
) -> Option<Section> {
    if tls.has("clientcas") {
        report.warn(
            "http.tls.clientcas: registry:2 let in nobody without a certificate of these authorities. Holdfast asks for \
             none: whoever reaches it and has an account comes in. Keep the network closed, or let a proxy in front ask \
             for certificates",
        );
    }
    match tls.text("minimumtls", report) {
        Some("tls1.0" | "tls1.1") => {
            report.not_carried("http.tls.minimumtls: Holdfast speaks nothing older than TLS 1.2");
        }
        Some("tls1.2" | "tls1.3") | None => {}
        Some(other) => report.mistake(format!("http.tls.minimumtls {} is no version of TLS", shown(other))),
    }
    let letsencrypt = tls.inner("letsencrypt");
    if let (Some(certificate), Some(key)) = (certificate, key) {
        let mut section = Section::new("server.tls");
        section.set("certificate", certificate.into()).set("key", key.into());
        if tls.text("minimumtls", report) == Some("tls1.3") {
            section.set("min_version", "1.3".into());
        }
        if tls.has("letsencrypt") {
            report.not_carried(
                "http.tls.letsencrypt: a certificate is given, so registry:2 does not look at it",
            );
        }
        return Some(section);
    }
    if !tls.has("letsencrypt") || letsencrypt.text("email", report).is_none() && !letsencrypt.has("hosts") {
        return None;
    }
    report.not_carried(
        "http.tls.letsencrypt: [server.acme] is written as a comment, because the terms of the authority are for you to \
         accept",
    );
    let hosts = letsencrypt.list("hosts", report).unwrap_or_default();
    if hosts.is_empty() {
        report.warn(
            "http.tls.letsencrypt.hosts is not given: registry:2 got a certificate for whatever name a client came up \
             with. Name your domains in server.acme.domains",
        );
    }
    let directory = letsencrypt.text("directoryurl", report).filter(|url| *url != LETSENCRYPT);
    Some(acme::section(hosts, letsencrypt.text("email", report).unwrap_or_default(), directory))
}

/// `https://NAME[:PORT]`. A path is told and left out.
fn external_url(host: &str, report: &mut Report) -> Option<String> {
    let (scheme, rest) = host.split_once("://").unwrap_or_default();
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']' | '_');
    if !matches!(scheme, "http" | "https") || authority.is_empty() || !authority.chars().all(plain) {
        report
            .mistake(format!("http.host {} is not a URL such as https://registry.example.com", shown(host)));
        return None;
    }
    if !path.is_empty() {
        report
            .not_carried("the path of http.host: Holdfast serves at the root of its name, as docker expects");
    }
    Some(format!("{scheme}://{authority}"))
}

/// `[log]`.
pub fn log(root: &Fields<'_>, report: &mut Report) -> Section {
    let mut section = Section::new("log");
    let log = root.inner("log");
    let level = match log.text("level", report).or_else(|| root.text("loglevel", report)) {
        None => None,
        Some("panic" | "fatal" | "error") => Some("error"),
        Some("warn" | "warning") => Some("warn"),
        Some("info") => Some("info"),
        Some("debug") => Some("debug"),
        Some("trace") => Some("trace"),
        Some(other) => {
            report.mistake(format!("log.level {} is none of error, warn, info and debug", shown(other)));
            None
        }
    };
    let silent = log.inner("accesslog").flag("disabled", report) == Some(true);
    if level.is_some() || silent {
        let level = level.unwrap_or("info");
        let level = if silent { format!("{level},request=off") } else { level.to_owned() };
        section.set("level", Value::Text(level));
    }
    match log.text("formatter", report) {
        None => {}
        Some("text") => {
            section.set("format", "text".into());
        }
        Some("json") => {
            section.set("format", "json".into());
        }
        Some("logstash") => {
            section.set("format", "json".into());
            report.not_carried("log.formatter logstash: log.format is \"json\", with other names of fields");
        }
        Some(other) => {
            report.mistake(format!("log.formatter {} is none of text, json and logstash", shown(other)));
        }
    }
    section
}
