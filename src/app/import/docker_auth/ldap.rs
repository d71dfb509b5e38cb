//! docker_auth's LDAP: the same bind and search, with the secret in a file of its own and TLS always verified.

use crate::app::import::document::{Section, Value};
use crate::app::import::fields::Fields;
use crate::app::import::report::{Report, shown};
use crate::app::import::yaml;

const KNOWN: [&str; 10] = [
    "addr",
    "tls",
    "insecure_tls_skip_verify",
    "ca_certificate",
    "base",
    "filter",
    "bind_dn",
    "bind_password_file",
    "initial_bind_as_user",
    "labels",
];

/// Reads `ldap_auth`: its section, and the labels that it gives.
pub fn read(root: &Fields<'_>, report: &mut Report) -> Option<(Section, Vec<String>)> {
    root.node("ldap_auth")?;
    let fields = root.section("ldap_auth", &KNOWN, report);
    let mut section = Section::new("auth.ldap");
    section.comment("Bind and search, as docker_auth did it.");
    let encrypted = address(&fields, &mut section, report);
    if fields.flag("insecure_tls_skip_verify", report) == Some(true) {
        report.not_carried(
            "ldap_auth.insecure_tls_skip_verify: passwords would go to whoever answers. Put the certificate of the \
             authority into auth.ldap.ca_certificate",
        );
    }
    if let Some(path) = fields.text("ca_certificate", report).filter(|_| encrypted) {
        section.set("ca_certificate", path.into());
    }
    bind(&fields, &mut section, report);
    for key in ["base", "filter"] {
        match fields.text(key, report) {
            Some(text) => {
                section.set(key, text.into());
            }
            None => report.mistake(format!("ldap_auth.{key} is not given: nobody would be found without it")),
        }
    }
    if fields.text("filter", report).is_some_and(|filter| !filter.contains("${account}")) {
        report.mistake("ldap_auth.filter does not name ${account}: it finds the same entry for everybody");
    }
    let labels = labels(&fields, &mut section, report);
    Some((section, labels))
}

/// Writes where the directory is; whether what goes there is encrypted.
fn address(fields: &Fields<'_>, section: &mut Section, report: &mut Report) -> bool {
    let Some(address) = fields.text("addr", report) else {
        report.mistake("ldap_auth.addr is not given: there is no server to ask");
        return false;
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']' | '_');
    if !address.chars().all(plain) {
        report.mistake(format!("ldap_auth.addr {} is not HOST:PORT", shown(address)));
        return false;
    }
    let tls = match fields.text("tls", report) {
        None if address.ends_with(":636") => "always",
        None => "none",
        Some(tls) => tls,
    };
    let loopback = ["localhost:", "127.0.0.1:", "[::1]:"].iter().any(|host| address.starts_with(host));
    let (scheme, start_tls) = match tls {
        "always" => ("ldaps", false),
        "starttls" => ("ldap", true),
        "none" => ("ldap", !loopback),
        other => {
            report.mistake(format!("ldap_auth.tls {} is none of none, always and starttls", shown(other)));
            return false;
        }
    };
    let encrypted = start_tls || scheme == "ldaps";
    if encrypted && address.starts_with('[') {
        report.mistake(format!(
            "ldap_auth.addr {}: certificates are for names; name the host instead of its IPv6 address",
            shown(address)
        ));
    }
    section.set("url", Value::Text(format!("{scheme}://{address}")));
    section.set("start_tls", Value::Flag(start_tls));
    if tls == "none" && !loopback {
        report.warn(
            "ldap_auth.tls is none: every password went to the directory in clear. Written is auth.ldap.start_tls = \
             true; a directory that knows no StartTLS has ldaps:// perhaps. auth.ldap.insecure_plaintext = true with \
             start_tls = false is the old way",
        );
    }
    encrypted
}

fn bind(fields: &Fields<'_>, section: &mut Section, report: &mut Report) {
    if let Some(dn) = fields.text("bind_dn", report) {
        section.set_because(
            "bind_dn",
            dn.into(),
            "Its password is in the file that HOLDFAST_AUTH_LDAP_BIND_PASSWORD_FILE names.",
        );
    }
    if let Some(path) = fields.text("bind_password_file", report) {
        report.note(format!(
            "ldap_auth.bind_password_file: give the file to Holdfast as HOLDFAST_AUTH_LDAP_BIND_PASSWORD_FILE={}",
            shown(path)
        ));
    }
    if fields.flag("initial_bind_as_user", report) == Some(true) {
        report.not_carried(
            "ldap_auth.initial_bind_as_user: Holdfast searches before it binds as the user; give it a bind_dn that may \
             search, with its password in HOLDFAST_AUTH_LDAP_BIND_PASSWORD_FILE",
        );
    }
}

fn labels(fields: &Fields<'_>, section: &mut Section, report: &mut Report) -> Vec<String> {
    let Some(node) = fields.node("labels") else { return Vec::new() };
    let yaml::Value::Map(entries) = &node.value else {
        report.mistake(format!("\"ldap_auth.labels\" is a section of labels (line {})", node.line));
        return Vec::new();
    };
    let names: Vec<String> = entries.iter().map(|(key, _)| key.name.clone()).collect();
    let mut table = Vec::new();
    for (key, node) in entries {
        let path = format!("ldap_auth.labels.{}", key.name);
        let fields = Fields::open(Some(node), &path, &["attribute", "parse_cn", "lower_case"], report);
        let Some(attribute) = fields.text("attribute", report) else {
            report.mistake(format!("{} has no attribute (line {})", shown(&path), key.line));
            continue;
        };
        let mut how = vec![("attribute".to_owned(), attribute.into())];
        for flag in ["parse_cn", "lower_case"] {
            if fields.flag(flag, report) == Some(true) {
                how.push((flag.to_owned(), Value::Flag(true)));
            }
        }
        table.push((key.name.clone(), Value::Table(how)));
    }
    section.set("labels", Value::Table(table));
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::import::document::Document;
    use crate::app::import::yaml::parse;

    fn of(yaml: &str) -> (toml::Table, Vec<String>, Report) {
        let mut report = Report::default();
        let node = parse(yaml).unwrap();
        let root = Fields::open(Some(&node), "", &["ldap_auth"], &mut report);
        let mut document = Document::default();
        let labels = read(&root, &mut report).map(|(section, labels)| {
            document.add(section);
            labels
        });
        let table: toml::Table = document.render().parse().unwrap();
        (table["auth"]["ldap"].as_table().unwrap().clone(), labels.unwrap(), report)
    }

    const REST: &str = "  base: o=x\n  filter: (uid=${account})\n";

    #[test]
    fn addresses_and_tls() {
        for (given, url, start_tls, warnings) in [
            ("addr: ldap.x:636", "ldaps://ldap.x:636", false, 0),
            ("addr: ldap.x:636\n  tls: ''", "ldaps://ldap.x:636", false, 0),
            ("addr: ldap.x:389\n  tls: starttls", "ldap://ldap.x:389", true, 0),
            ("addr: ldap.x:3269\n  tls: always", "ldaps://ldap.x:3269", false, 0),
            ("addr: localhost:389\n  tls: none", "ldap://localhost:389", false, 0),
            ("addr: ldap.x:389\n  tls: none", "ldap://ldap.x:389", true, 1),
            ("addr: ldap.x:389", "ldap://ldap.x:389", true, 1),
        ] {
            let (ldap, _, report) = of(&format!("ldap_auth:\n  {given}\n  ca_certificate: /ca\n{REST}"));
            assert_eq!(ldap["url"].as_str(), Some(url));
            assert_eq!(ldap["start_tls"].as_bool(), Some(start_tls), "{given}");
            assert_eq!(ldap.contains_key("ca_certificate"), start_tls || url.starts_with("ldaps"), "{given}");
            assert_eq!(report.remarks.len(), warnings, "{report:?}");
            assert!(report.mistakes.is_empty(), "{report:?}");
        }
    }

    #[test]
    fn labels_binds_and_what_is_not_carried() {
        let (ldap, labels, report) = of(&format!(
            "ldap_auth:\n  addr: a:636\n{REST}  bind_dn: cn=a\n  bind_password_file: /run/p\n  \
             insecure_tls_skip_verify: true\n  initial_bind_as_user: true\n  ca_certificate:\n  labels:\n    \
             groups: {{attribute: memberOf, parse_cn: true, lower_case: true}}\n    title: {{attribute: title}}\n"
        ));
        assert_eq!(labels, ["groups", "title"]);
        assert_eq!(ldap["labels"]["groups"]["parse_cn"].as_bool(), Some(true));
        assert_eq!(ldap["labels"]["title"].as_table().unwrap().len(), 1);
        assert_eq!(ldap["bind_dn"].as_str(), Some("cn=a"));
        for key in ["bind_password_file", "insecure_tls_skip_verify", "ca_certificate"] {
            assert!(!ldap.contains_key(key), "{key}");
        }
        let told = format!("{:?}", report.remarks);
        for part in ["BIND_PASSWORD_FILE", "whoever answers", "searches before it binds"] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_a_mistake() {
        for yaml in [
            "addr: a:1\n  tls: sometimes",
            "addr: a b",
            "tls: none",
            "addr: '[2001:db8::1]:636'\n  base: b\n  filter: (uid=${account})",
            "addr: a:636\n  base: b\n  filter: (uid=x)",
            "addr: a:636\n  filter: (uid=${account})",
            "addr: a:1\n  labels: {x: {}}",
            "addr: a:1\n  labels: {x: {attribut: y}}",
            "adr: a:1",
        ] {
            let mut report = Report::default();
            let node = parse(&format!("ldap_auth:\n  {yaml}\n")).unwrap();
            let root = Fields::open(Some(&node), "", &["ldap_auth"], &mut report);
            read(&root, &mut report);
            assert!(!report.mistakes.is_empty(), "{yaml}");
        }
    }
}
