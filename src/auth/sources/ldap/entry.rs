//! What an entry of a directory means for us: the name of the account, its groups and labels.

use crate::acl::identity::{AccountKind, Identity};
use crate::auth::sources::ldap::config::Config;
use crate::auth::sources::name;
use ldap3::SearchEntry;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// The label that means groups.
const GROUPS: &str = "groups";
/// What changes with the password, where the server keeps it: OpenLDAP's password policy, 389 and Active Directory.
const CHANGED: [&str; 3] = ["pwdChangedTime", "passwordChangedTime", "pwdLastSet"];

/// All attributes that are asked for.
pub fn attributes(config: &Config) -> Vec<String> {
    let named = config.labels.values().map(|label| label.attribute.clone());
    let mut all: BTreeSet<String> = named.collect();
    all.insert(config.naming_attribute().to_owned());
    all.extend(CHANGED.map(String::from));
    all.into_iter().collect()
}

/// Whether the directory calls the account just so. It finds entries without regard to case, to spaces and to how
/// letters are composed; rules regard them all, so `Amy` must not get past what is said of `amy`.
pub fn is_named(config: &Config, entry: &SearchEntry, account: &str) -> bool {
    let lower = config.lower_case_names;
    let spelt = |value: &String| if lower { value.to_lowercase() == account } else { value == account };
    name::fault(account).is_none() && values(entry, config.naming_attribute()).iter().any(spelt)
}

/// The account that an entry and the groups found for it make.
pub fn identity(config: &Config, entry: &SearchEntry, account: &str, found: Vec<String>) -> Identity {
    let mut groups: BTreeSet<String> = found.into_iter().collect();
    let mut labels: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (label, from) in &config.labels {
        let all = values(entry, &from.attribute).iter().filter_map(|value| {
            let value = if from.parse_cn { first_cn(value)? } else { value.clone() };
            Some(if from.lower_case { value.to_lowercase() } else { value })
        });
        if label == GROUPS {
            groups.extend(all);
        } else {
            let all: Vec<String> = all.collect();
            if !all.is_empty() {
                labels.insert(label.clone(), all);
            }
        }
    }
    Identity {
        kind: AccountKind::User,
        name: account.to_owned(),
        admin: !config.admin_group.is_empty() && groups.contains(&config.admin_group),
        groups: groups.into_iter().collect(),
        labels,
    }
}

/// Changes with the password, if the server tells when that was.
pub fn epoch(entry: &SearchEntry) -> u64 {
    let told: Vec<&str> =
        CHANGED.iter().flat_map(|attribute| values(entry, attribute)).map(String::as_str).collect();
    if told.is_empty() {
        return 0;
    }
    let digest = Sha256::digest(told.join("\n").as_bytes());
    digest.iter().take(8).fold(0, |epoch, byte| epoch << 8 | u64::from(*byte))
}

/// The values of an attribute; a server may write its name in another case than we asked for.
pub fn values<'a>(entry: &'a SearchEntry, attribute: &str) -> &'a [String] {
    let found = entry.attrs.iter().find(|(name, _)| name.eq_ignore_ascii_case(attribute));
    found.map_or(&[], |(_, values)| values)
}

/// The first `cn` of a DN, unescaped (RFC 4514, section 3). `None`: it has none, or is no DN.
fn first_cn(dn: &str) -> Option<String> {
    let mut rest = dn;
    loop {
        let (attribute, after) = rest.split_once('=')?;
        let (value, next) = value(after)?;
        if attribute.trim().eq_ignore_ascii_case("cn") {
            return Some(value);
        }
        rest = next?;
    }
}

/// The value of an RDN, and what follows the comma or plus after it.
fn value(text: &str) -> Option<(String, Option<&str>)> {
    let text = text.trim_start_matches(' ');
    let (mut value, mut kept) = (Vec::new(), 0);
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b',' | b'+' | b';' => {
                value.truncate(kept);
                return Some((String::from_utf8(value).ok()?, text.get(at + 1..)));
            }
            b'\\' => {
                let (_, first) = bytes.next()?;
                match char::from(first).to_digit(16) {
                    Some(high) => {
                        let low = char::from(bytes.next()?.1).to_digit(16)?;
                        value.push(u8::try_from(high * 16 + low).ok()?);
                    }
                    None => value.push(first),
                }
                kept = value.len();
            }
            b' ' => value.push(byte), // at the end it means nothing
            _ => {
                value.push(byte);
                kept = value.len();
            }
        }
    }
    value.truncate(kept);
    Some((String::from_utf8(value).ok()?, None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::sources::ldap::config::Label;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn entry(attributes: &[(&str, &[&str])]) -> SearchEntry {
        let owned = |values: &[&str]| values.iter().map(|value| String::from(*value)).collect();
        SearchEntry {
            dn: "uid=amy,dc=example".into(),
            attrs: attributes.iter().map(|(name, values)| ((*name).into(), owned(values))).collect(),
            bin_attrs: HashMap::new(),
        }
    }

    fn label(attribute: &str, parse_cn: bool, lower_case: bool) -> Label {
        Label { attribute: attribute.into(), parse_cn, lower_case }
    }

    #[test]
    fn the_first_cn_of_a_dn_is_taken() {
        for (dn, expected) in [
            ("cn=Developers,ou=groups,dc=example", Some("Developers")),
            ("CN=Ops Team ,OU=x", Some("Ops Team")),
            ("ou=x,cn=inner,dc=example", Some("inner")),
            ("uid=a+cn=both,dc=example", Some("both")),
            ("cn=a\\,b\\2Bc\\ ,dc=example", Some("a,b+c ")),
            ("cn=M\\c3\\bcller", Some("Müller")),
            ("cn=x", Some("x")),
            ("cn=a\\,cn=admins,dc=example", Some("a,cn=admins")),
            ("ou=a\\,cn=admins,cn=b", Some("b")),
            ("ou=only,dc=example", None),
            ("admins", None),
            ("", None),
            ("cn=broken\\", None),
            ("cn=\\ff", None),
        ] {
            assert_eq!(first_cn(dn).as_deref(), expected, "{dn}");
        }
    }

    #[test]
    fn names_are_as_the_directory_writes_them() {
        let config = Config::default();
        let entry = entry(&[("UID", &["amy", "amelia"])]);
        assert!(is_named(&config, &entry, "amy") && is_named(&config, &entry, "amelia"));
        for other in ["Amy", "amy ", " amy", "ａmy", "", "bob"] {
            assert!(!is_named(&config, &entry, other), "{other:?}");
        }
    }

    #[test]
    fn names_may_be_put_in_lower_case() {
        let config = Config { lower_case_names: true, ..Config::default() };
        let entry = entry(&[("uid", &["JSmith"])]);
        assert!(is_named(&config, &entry, "jsmith"));
        assert!(!is_named(&config, &entry, "JSmith"), "one spelling only");
    }

    #[test]
    fn an_entry_without_a_fit_name_is_nobody() {
        let config = Config::default();
        assert!(!is_named(&config, &entry(&[("cn", &["amy"])]), "amy"));
        assert!(!is_named(&config, &entry(&[("uid", &["a:b"])]), "a:b"));
    }

    #[test]
    fn groups_and_labels_are_what_the_configuration_makes_of_attributes() {
        let config = Config {
            labels: BTreeMap::from([
                ("title".into(), label("title", false, false)),
                ("groups".into(), label("memberOf", true, true)),
                ("none".into(), label("absent", false, false)),
            ]),
            admin_group: "Admins".into(),
            ..Config::default()
        };
        let entry = entry(&[
            ("title", &["Chief", "chief"]),
            ("memberof", &["cn=Developers,ou=g", "cn=ops,ou=g", "odd"]),
        ]);
        let amy = identity(&config, &entry, "amy", vec!["staff".into(), "ops".into()]);
        assert_eq!((amy.kind, amy.name.as_str(), amy.admin), (AccountKind::User, "amy", false));
        assert_eq!(amy.groups, ["developers", "ops", "staff"]);
        assert_eq!(amy.labels, BTreeMap::from([("title".into(), vec!["Chief".into(), "chief".into()])]));
    }

    #[test]
    fn administrators_are_those_of_the_group_of_just_that_name() {
        let config = Config { admin_group: "Admins".into(), ..Config::default() };
        let admin = |group: &str| identity(&config, &entry(&[]), "amy", vec![group.into()]).admin;
        assert!(admin("Admins"));
        for other in ["admins", "Admins ", "Admin", "AdminsX", "cn=Admins,ou=g", ""] {
            assert!(!admin(other), "{other:?}");
        }
        let none = Config::default();
        assert!(!identity(&none, &entry(&[]), "amy", vec![String::new()]).admin, "an empty name is no group");
    }

    #[test]
    fn a_changed_password_is_another_epoch_where_the_server_tells() {
        assert_eq!(epoch(&entry(&[("uid", &["amy"])])), 0);
        let of = |time: &str| epoch(&entry(&[("pwdChangedTime", &[time])]));
        assert_ne!(of("20261121000000Z"), of("20261122000000Z"));
        assert_eq!(of("20261121000000Z"), of("20261121000000Z"));
    }

    #[test]
    fn all_that_is_needed_is_asked_for() {
        let config = Config {
            labels: BTreeMap::from([("t".into(), label("title", false, false))]),
            ..Config::default()
        };
        let asked = attributes(&config);
        assert!(["uid", "title", "pwdLastSet"].iter().all(|name| asked.iter().any(|asked| asked == name)));
    }

    proptest! {
        #[test]
        fn no_dn_panics(dn in "[a-zCN=,+\\\\ 0-9ü]{0,40}") {
            let _ = first_cn(&dn);
        }

        #[test]
        fn a_cn_comes_back_as_it_was(cn in "[ -~ä]{1,20}") {
            let dn = format!("ou=x,cn={},dc=example", ldap3::dn_escape(cn.as_str()));
            prop_assert_eq!(first_cn(&dn), Some(cn));
        }
    }
}
