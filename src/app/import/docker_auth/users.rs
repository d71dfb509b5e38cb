//! The static users of docker_auth. A user without a password is let in with any password there; such a user is never
//! carried.

use crate::app::import::bcrypt::{self, Form};
use crate::app::import::docker_auth::pattern;
use crate::app::import::document::{Document, Section, Value};
use crate::app::import::fields::{Fields, texts};
use crate::app::import::report::{Report, at, shown};
use crate::app::import::yaml::{self, Key, Node};
use crate::auth::sources::name;
use crate::secret::Secret;

/// The label that is membership of groups here.
pub const GROUPS: &str = "groups";
/// The account that Holdfast makes at its first start.
const FIRST_ADMIN: &str = "admin";

/// The users that are carried.
#[derive(Debug, Default)]
pub struct Users {
    /// Those with a password.
    pub named: Vec<User>,
    /// Whether callers without a login are let in.
    pub anonymous: bool,
}

/// A user.
#[derive(Debug)]
pub struct User {
    /// The name.
    pub name: String,
    /// The bcrypt hash.
    pub password: Secret,
    /// Labels and their values.
    pub labels: Vec<(String, Vec<String>)>,
}

impl Users {
    /// The labels that these users have.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.named.iter().flat_map(|user| user.labels.iter().map(|(label, _)| label.as_str()))
    }
}

/// Reads `users`.
pub fn read(users: Option<&Node>, report: &mut Report) -> Users {
    let mut read = Users::default();
    let Some(users) = users else { return read };
    let yaml::Value::Map(entries) = &users.value else {
        report.mistake(format!("\"users\" is a section of users (line {})", users.line));
        return read;
    };
    for (key, node) in entries {
        if node.is_null() {
            report.warn(format!(
                "user {}{}: docker_auth takes an empty entry for no user at all; it is not carried{}",
                shown(&key.name),
                at(key.line),
                if key.name.is_empty() { ", and nobody is let in without a login" } else { "" }
            ));
            continue;
        }
        let path = format!("users.{}", key.name);
        let fields = Fields::open(Some(node), &path, &["password", "labels"], report);
        let labels = labels(&fields, &key.name, report);
        if key.name.is_empty() {
            anonymous(&mut read, &fields, &labels, report);
        } else if let Some(fault) = name::fault(&key.name) {
            report.warn(format!(
                "user {}{}: the name {fault}; it is not carried",
                shown(&key.name),
                at(key.line)
            ));
        } else if let Some(password) = password(key, &fields, report) {
            read.named.push(User { name: key.name.clone(), password, labels });
        }
    }
    if read.named.iter().any(|user| user.name == FIRST_ADMIN) {
        report.warn(
            "user \"admin\" stays as it is: since it has the name, the administrator that Holdfast makes at its first \
             start is called \"holdfast-admin\", with the password of <data>/initial-admin-password; `admin.name` names \
             another one",
        );
    }
    read
}

fn anonymous(read: &mut Users, fields: &Fields<'_>, labels: &[(String, Vec<String>)], report: &mut Report) {
    if fields.has("password") {
        report.warn(
            "user \"\" has a password, so docker_auth lets nobody in without a login; auth.anonymous is false",
        );
        return;
    }
    read.anonymous = true;
    if !labels.is_empty() {
        report.not_carried(
            "labels of the user \"\": anonymous callers have none here; write rules with account = \"\" instead",
        );
    }
}

/// The hash, if it is one with which somebody can log in.
fn password(key: &Key, fields: &Fields<'_>, report: &mut Report) -> Option<Secret> {
    let name = format!("user {}{}", shown(&key.name), at(key.line));
    if !fields.has("password") {
        report.warn(format!(
            "{name} has no password: docker_auth lets EVERYBODY in under that name, with ANY password. It is not \
             carried; give it a password (htpasswd -nB), and look at what was done under that name"
        ));
        return None;
    }
    let before = report.mistakes.len();
    let stored = fields.text("password", report).unwrap_or_default();
    if report.mistakes.len() > before {
        return None;
    }
    match bcrypt::form(stored) {
        Form::Bcrypt => Some(Secret::new(stored)),
        // Left out, the name would be free for the next source: somebody who was locked out could come in over LDAP.
        Form::Other(what) => {
            report.warn(format!(
                "{name}: the password is {what}. Only whole bcrypt hashes are taken, so the account is carried with a \
                 hash that no password has: it stays, and nobody comes in by it. Make a hash with htpasswd -nB"
            ));
            Some(Secret::new(bcrypt::LOCKED))
        }
    }
}

fn labels(fields: &Fields<'_>, name: &str, report: &mut Report) -> Vec<(String, Vec<String>)> {
    let Some(node) = fields.node("labels") else { return Vec::new() };
    let yaml::Value::Map(entries) = &node.value else {
        report.mistake(format!("labels of a user are a section of lists (line {})", node.line));
        return Vec::new();
    };
    let mut labels = Vec::new();
    for (key, node) in entries {
        let path = format!("users.{name}.labels.{}", key.name);
        let values = texts(node, &path, report).unwrap_or_default();
        let values: Vec<String> = values.iter().map(|value| pattern::stars(value)).collect();
        for value in values.iter().filter(|value| is_pattern(value)) {
            report.note(format!(
                "label {} has the value {}{}: it is put into patterns as it is, as docker_auth does, and is a pattern \
                 itself there",
                shown(&key.name),
                shown(value),
                at(key.line)
            ));
        }
        labels.push((key.name.clone(), values));
    }
    labels
}

/// Whether a value is a glob or a regular expression where it is put into a pattern.
fn is_pattern(value: &str) -> bool {
    value.contains(['*', '?', '[', '\\']) || pattern::expression(value).is_some()
}

/// Writes the users.
pub fn write(users: &Users, document: &mut Document) {
    for (at, user) in users.named.iter().enumerate() {
        let mut section = Section::one_of("auth.users");
        if at == 0 {
            section.comment(
                "Users with their bcrypt hashes. Keep this file from other eyes. Nobody here is an administrator of \
                 Holdfast; admin = true makes one.",
            );
        }
        section.set("name", Value::Text(user.name.clone()));
        section.set("password", Value::Text(user.password.expose().to_owned()));
        if let Some((_, groups)) = user.labels.iter().find(|(label, _)| label == GROUPS) {
            section.set("groups", Value::List(groups.clone()));
        }
        let others: Vec<(String, Value)> = user
            .labels
            .iter()
            .filter(|(label, _)| label != GROUPS)
            .map(|(label, values)| (label.clone(), Value::List(values.clone())))
            .collect();
        if !others.is_empty() {
            section.set("labels", Value::Table(others));
        }
        document.add(section);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$2y$05$LO.vzwpWC5LZGqThvEfznu8qhb5SGqvBSWY1J3yZ4AxtMRZ3kN5jC";

    fn of(yaml: &str) -> (Users, Report) {
        let mut report = Report::default();
        let users = read(Some(&yaml::parse(yaml).unwrap()), &mut report);
        (users, report)
    }

    fn told(report: &Report) -> String {
        report.remarks.iter().map(|remark| remark.text.as_str()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn hashes_groups_and_labels_are_carried() {
        let (users, report) = of(&format!(
            "'bob \"x\"':\n  password: {HASH}\n  labels: {{groups: [a, b], team: [c], 'odd one': [\"d\\ne\"]}}\n"
        ));
        assert!(report.mistakes.is_empty() && report.remarks.is_empty(), "{report:?}");
        let mut document = Document::default();
        write(&users, &mut document);
        let table: toml::Table = document.render().parse().unwrap();
        let user = &table["auth"]["users"][0];
        assert_eq!(user["name"].as_str(), Some("bob \"x\""));
        assert_eq!(user["password"].as_str(), Some(HASH));
        assert_eq!(user["groups"][1].as_str(), Some("b"));
        assert_eq!(user["labels"]["team"][0].as_str(), Some("c"));
        assert_eq!(user["labels"]["odd one"][0].as_str(), Some("d\ne"));
        assert!(user["labels"].get("groups").is_none());
    }

    #[test]
    fn a_user_without_a_password_is_never_carried() {
        for entry in ["{}", "{password: }", "{password: ~}", "{labels: {a: [b]}}"] {
            let (users, report) = of(&format!("bob: {entry}\n"));
            assert!(users.named.is_empty() && !users.anonymous, "{entry}");
            assert!(told(&report).contains("ANY password") && told(&report).contains("line 1"), "{report:?}");
        }
    }

    #[test]
    fn nobody_means_anonymous_and_only_as_docker_auth_reads_it() {
        for (entry, anonymous) in [("{}", true), ("{labels: {a: [b]}}", true), ("", false), ("~", false)] {
            let (users, _) = of(&format!("\"\": {entry}\n"));
            assert_eq!(users.anonymous, anonymous, "{entry}");
        }
        let (users, report) = of(&format!("\"\": {{password: {HASH}}}\n"));
        assert!(!users.anonymous && told(&report).contains("auth.anonymous is false"), "{report:?}");
        assert!(!of("{}").0.anonymous);
    }

    #[test]
    fn what_is_no_whole_hash_stays_locked_and_is_not_shown() {
        for stored in ["canary", "''", "'!'", "$apr1$canary$x", "$2y$05$canary"] {
            let (users, report) = of(&format!("bob: {{password: {stored}}}\n"));
            assert_eq!(users.named[0].password.expose(), bcrypt::LOCKED, "{stored}");
            assert!(
                told(&report).contains("nobody comes in") && !told(&report).contains("canary"),
                "{report:?}"
            );
        }
    }

    #[test]
    fn names_that_nobody_can_send_are_not_carried() {
        let (users, report) = of(&format!("'a:b': {{password: {HASH}}}\n' c': {{password: {HASH}}}\n"));
        assert!(users.named.is_empty() && told(&report).contains("colon"), "{report:?}");
    }

    #[test]
    fn no_hash_is_in_what_is_printed_for_debugging() {
        let (users, report) = of(&format!("bob: {{password: {HASH}}}\n"));
        assert!(!format!("{users:?}{report:?}").contains("LO.vzw"));
    }

    #[test]
    fn unknown_keys_and_wrong_values_are_mistakes() {
        for yaml in [
            "bob: {pasword: x}",
            "bob: {password: [x]}",
            "bob: x",
            "[]",
            "bob: {labels: [x]}",
            "bob: {labels: {a: x}}",
        ] {
            assert!(!of(yaml).1.mistakes.is_empty(), "{yaml}");
        }
    }

    #[test]
    fn labels_that_are_patterns_and_the_first_admin_are_told() {
        let (users, report) =
            of(&format!("admin: {{password: {HASH}, labels: {{project: ['test/**', '/x/', plain]}}}}\n"));
        assert!(told(&report).contains("initial-admin-password"), "{report:?}");
        assert!(told(&report).contains("\"test/*\"") && told(&report).contains("\"/x/\""), "{report:?}");
        assert!(!told(&report).contains("plain"));
        assert_eq!(users.named[0].labels[0].1, ["test/*", "/x/", "plain"], "** would cross components here");
    }
}
