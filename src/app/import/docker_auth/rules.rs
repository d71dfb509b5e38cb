//! The whole list of rules: in its order, as it decides today, with what is dangerous in it told by the number of the
//! rule. A rule that never matched is left in as a comment, for whoever wants to know what was meant.

use crate::app::import::docker_auth::placeholders;
use crate::app::import::docker_auth::rule::{self, Rule};
use crate::app::import::document::{Document, Section, Value};
use crate::app::import::report::{Report, shown};
use crate::app::import::yaml::{self, Node};
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Reads the list.
pub fn read(acl: Option<&Node>, report: &mut Report) -> Vec<Rule> {
    let Some(acl) = acl else { return Vec::new() };
    let yaml::Value::List(list) = &acl.value else {
        report.mistake(format!("\"acl\" is a list of rules (line {})", acl.line));
        return Vec::new();
    };
    list.iter().enumerate().filter_map(|(at, node)| rule::read(at + 1, node, report)).collect()
}

/// Tells what is dangerous in the list.
pub fn warn(rules: &[Rule], report: &mut Report) {
    for rule in rules {
        for trap in traps(rule) {
            report.warn(format!("{}: {trap}", rule.called()));
        }
    }
    let live = || rules.iter().filter(|rule| rule.dead.is_empty());
    if live().any(|rule| rule.actions == ["*"]) {
        report.note(
            "actions = [\"*\"] gives pull, push and delete. registry:2 deletes nothing until storage.delete.enabled \
             says so; Holdfast deletes for everybody who has the right. Write [\"pull\", \"push\"] where that is meant",
        );
    }
    if live().next().is_some() {
        report.note(
            "the catalog: Holdfast lists for everybody the repositories that they may pull, and no others. Only rules with \
             a type close it: match = { type = \"registry\", name = \"catalog\" }, actions = []",
        );
    }
    if live().any(|rule| rule.pattern("service").is_some()) {
        report.warn(
            "rules match on service: that is auth.service here (\"holdfast\" unless it is set). Set it to what the \
             registry had in auth.token.service, or these rules match nobody",
        );
    }
}

/// What is dangerous in one rule, in sentences.
fn traps(rule: &Rule) -> Vec<String> {
    let mut told: Vec<String> =
        rule.dead.iter().map(|why| format!("never matches, and is left out: {why}")).collect();
    if rule.dead.is_empty() {
        told.extend(rule.traps.iter().cloned());
        if let Some(ip) =
            rule.ip.filter(|ip| is_private(*ip) && rule.is_for_everybody() && !rule.actions.is_empty())
        {
            told.push(format!(
                "trap 5: everybody who comes from {} gets {}. Behind a Docker bridge, a NAT or a proxy every client \
                 in the world may have such an address",
                address(ip),
                rule.actions.join(", ")
            ));
        }
        if rule.patterns.is_empty() && rule.ip.is_none() && rule.labels.is_empty() && !rule.actions.is_empty()
        {
            told.push(format!(
                "matches everybody, anonymous too if that is allowed, and gives {} on every repository",
                rule.actions.join(", ")
            ));
        }
    }
    told
}

/// Networks that many clients may seem to come from: loopback, private, link-local, carrier-grade NAT, and all.
fn is_private(net: IpNet) -> bool {
    const PRIVATE: [(&str, u8); 9] = [
        ("127.0.0.0", 8),
        ("10.0.0.0", 8),
        ("172.16.0.0", 12),
        ("192.168.0.0", 16),
        ("169.254.0.0", 16),
        ("100.64.0.0", 10),
        ("::1", 128),
        ("fc00::", 7),
        ("fe80::", 10),
    ];
    let overlaps = |other: &IpNet| other.contains(&net) || net.contains(other);
    PRIVATE
        .iter()
        .filter_map(|(address, length)| IpNet::new(address.parse::<IpAddr>().ok()?, *length).ok())
        .any(|private| overlaps(&private))
}

/// Whether a rule gives something to callers because of where they come from.
pub fn trusts_addresses(rules: &[Rule]) -> bool {
    rules.iter().any(|rule| rule.dead.is_empty() && rule.ip.is_some())
}

/// Writes the list.
pub fn write(rules: &[Rule], document: &mut Document) {
    for (at, rule) in rules.iter().enumerate() {
        let mut section = Section::one_of("acl");
        if at == 0 {
            section.comment(
                "The rules of docker_auth in their order: the first that matches decides, actions = [] denies, and \
                 what no rule matches is denied unless a grant gives it. * stays inside one component of a name.",
            );
        }
        for trap in traps(rule) {
            section.comment(format!("Rule {}: {trap}", rule.number));
        }
        section.set("match", matching(rule));
        section.set("actions", Value::List(rule.actions.clone()));
        if let Some(comment) = &rule.comment {
            section.set("comment", Value::Text(comment.clone()));
        }
        if !rule.dead.is_empty() {
            section.put_to_sleep();
        }
        document.add(section);
    }
}

/// A network, or an address as such.
fn address(ip: IpNet) -> String {
    if ip.prefix_len() == ip.max_prefix_len() { ip.addr().to_string() } else { ip.to_string() }
}

fn matching(rule: &Rule) -> Value {
    let mut table: Vec<(String, Value)> =
        rule.patterns.iter().map(|(field, text)| ((*field).to_owned(), Value::Text(text.clone()))).collect();
    if let Some(ip) = rule.ip {
        let text =
            if ip.prefix_len() == ip.max_prefix_len() { ip.addr().to_string() } else { ip.to_string() };
        table.push(("ip".into(), Value::Text(text)));
    }
    if !rule.labels.is_empty() {
        let labels =
            rule.labels.iter().map(|(label, text)| (label.clone(), Value::Text(text.clone()))).collect();
        table.push(("labels".into(), Value::Table(labels)));
    }
    Value::Table(table)
}

/// Labels that rules ask for and nothing that is carried gives.
pub fn warn_of_labels(rules: &[Rule], given: &BTreeSet<String>, report: &mut Report) {
    let mut missing: BTreeSet<&str> = BTreeSet::new();
    let mut asking: Vec<String> = Vec::new();
    for rule in rules.iter().filter(|rule| rule.dead.is_empty()) {
        let filled_in = rule.patterns.iter().flat_map(|(_, text)| placeholders::labels(text));
        let asked = rule.labels.iter().map(|(label, _)| label.as_str()).chain(filled_in);
        let before: Vec<&str> = asked.filter(|label| !given.contains(*label)).collect();
        if !before.is_empty() {
            asking.push(rule.number.to_string());
            missing.extend(before);
        }
    }
    if !missing.is_empty() {
        let list: Vec<String> = missing.iter().map(|label| shown(label)).collect();
        report.warn(format!(
            "nobody whose account is carried has the labels {}: rules {} match nobody until somebody has, also where \
             they deny. Users of the configuration and LDAP have labels; groups of Holdfast are the label \"groups\"",
            list.join(", "),
            asking.join(", ")
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::import::report::Tone;

    fn of(yaml: &str) -> (String, Vec<String>) {
        let mut report = Report::default();
        let rules = read(Some(&yaml::parse(yaml).unwrap()), &mut report);
        assert!(report.mistakes.is_empty(), "{report:?}");
        warn(&rules, &mut report);
        let mut document = Document::default();
        write(&rules, &mut document);
        let told = report.remarks.into_iter().filter(|r| r.tone == Tone::Warning).map(|r| r.text).collect();
        (document.render(), told)
    }

    #[test]
    fn rules_keep_their_order_and_their_words() {
        let (text, told) = of(concat!(
            "- match: {account: admin}\n  actions: ['*']\n  comment: all\n",
            "- match: {name: 'x/**', labels: {'my group': \"it's\"}}\n  actions: [pull, push]\n",
            "- match: {account: '/^\\w+$/', ip: 8.8.8.0/24, type: registry, service: s}\n  actions: []\n",
        ));
        let table: toml::Table = text.parse().unwrap();
        let rules = table["acl"].as_array().unwrap();
        assert_eq!(rules.len(), 3);
        assert_eq!(rules[0]["match"]["account"].as_str(), Some("admin"));
        assert_eq!(rules[0]["comment"].as_str(), Some("all"));
        assert_eq!(rules[1]["match"]["name"].as_str(), Some("x/*"));
        assert_eq!(rules[1]["match"]["labels"]["my group"].as_str(), Some("it's"));
        assert_eq!(rules[2]["match"]["account"].as_str(), Some(r"/^\w+$/"));
        assert_eq!(rules[2]["match"]["ip"].as_str(), Some("8.8.8.0/24"));
        assert!(rules[2]["actions"].as_array().unwrap().is_empty());
        assert!(told.iter().all(|told| told.contains("service")), "{told:?}");
    }

    #[test]
    fn trap_5_private_networks_that_are_trusted() {
        for ip in
            ["127.0.0.0/8", "::1", "172.17.0.1", "10.1.0.0/16", "0.0.0.0/0", "::/0", "100.64.1.1", "fd00::/8"]
        {
            let (_, told) = of(&format!("- match: {{ip: '{ip}'}}\n  actions: ['*']\n"));
            assert!(told[0].contains("trap 5") && told[0].contains("rule 1 (line 1)"), "{ip}: {told:?}");
        }
        for matching in ["{ip: 8.8.8.8}", "{ip: 10.0.0.1, account: bob}", "{ip: 10.0.0.1, labels: {a: b}}"] {
            let (_, told) = of(&format!("- match: {matching}\n  actions: ['*']\n"));
            assert!(told.is_empty(), "{matching}: {told:?}");
        }
        let (_, told) = of("- match: {ip: 10.0.0.1}\n  actions: []\n");
        assert!(told.is_empty(), "a denial opens nothing: {told:?}");
    }

    #[test]
    fn a_rule_that_never_matched_is_left_as_a_comment() {
        let (text, told) =
            of("- match: {name: '${labels:project}-{labels:tier}/*'}\n  actions: [push]\n  comment: c\n");
        assert!(text.parse::<toml::Table>().unwrap().is_empty(), "{text}");
        assert!(text.contains("# match = { name = \"${labels:project}-{labels:tier}/*\" }"), "{text}");
        assert!(told[0].contains("trap 3") && told[0].contains("rule 1 (line 1)"), "{told:?}");
    }

    #[test]
    fn a_rule_for_everybody_and_an_unbound_expression_are_told() {
        let (_, told) = of("- match: {}\n  actions: [pull]\n- match: {name: /foo/}\n  actions: ['*']\n");
        assert!(told[0].contains("rule 1") && told[0].contains("matches everybody"), "{told:?}");
        assert!(told[1].contains("rule 2") && told[1].contains("not bound"), "{told:?}");
    }

    #[test]
    fn a_comment_cannot_become_configuration() {
        let (text, _) =
            of("- match: {name: '['}\n  actions: ['*']\n  comment: \"x\\n[[acl]]\\nactions = ['*']\"\n");
        assert!(text.parse::<toml::Table>().unwrap().is_empty(), "{text}");
    }
}
