//! The whole of `auth_config.yml`, from its text to ours.

use crate::app::config::tree::Mistake;
use crate::app::import::carried::{Carried, Outcome};
use crate::app::import::docker_auth::{elsewhere, ldap, rules, server, users};
use crate::app::import::document::Document;
use crate::app::import::fields::Fields;
use crate::app::import::report::Report;
use crate::app::import::yaml;
use ipnet::IpNet;
use std::collections::BTreeSet;

/// The keys of the file that have a counterpart.
const CARRIED: [&str; 5] = ["server", "token", "users", "ldap_auth", "acl"];

/// Carries a docker_auth configuration over. `proxies` are the networks of the proxies in front, which docker_auth does
/// not know.
pub fn convert(text: &str, proxies: &[IpNet]) -> Outcome {
    let tree = yaml::parse(text)?;
    if tree.is_null() {
        return Err(vec!["the file is empty".into()]);
    }
    let mut report = Report::default();
    let known: Vec<&str> = CARRIED.into_iter().chain(elsewhere::names()).collect();
    let root = Fields::open(Some(&tree), "", &known, &mut report);
    let server = server::read(&root, &mut report);
    let users = users::read(root.node("users"), &mut report);
    let rules = rules::read(root.node("acl"), &mut report);
    if server.real_ip && proxies.is_empty() && rules::trusts_addresses(&rules) {
        report.mistake(who_is_the_client());
    }
    let mut document = Document::default();
    document.comment(
        "Carried over from docker_auth by `holdfast import docker-auth`. What could not be carried was told there. Read \
         it with `holdfast check`, and ask `holdfast acl lint` and `holdfast acl explain` about the rules.",
    );
    for section in server.sections(proxies, &mut report) {
        document.add(section);
    }
    for section in server.tokens(&root, users.anonymous, &mut report) {
        document.add(section);
    }
    let mut labels: BTreeSet<String> = users.labels().map(ToOwned::to_owned).collect();
    if let Some((section, given)) = ldap::read(&root, &mut report) {
        document.add(section);
        labels.extend(given);
    }
    elsewhere::tell(&root, &mut report);
    rules::warn(&rules, &mut report);
    labels.insert(users::GROUPS.into());
    rules::warn_of_labels(&rules, &labels, &mut report);
    users::write(&users, &mut document);
    rules::write(&rules, &mut document);
    let secret = !users.named.is_empty();
    Ok(Carried { toml: document.render(), secret, remarks: report.verdict()? })
}

fn who_is_the_client() -> Mistake {
    "server.real_ip_header is set and rules match on ip: without knowing your proxies Holdfast would take every client \
     for its proxy, and such rules could open what they did not open before. Say which proxies may tell who the client \
     is: --trusted-proxy 10.0.0.0/8 (may be given again)"
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::import::report::Tone;

    const REFERENCE: &str = include_str!("../../../../conformance/fixtures/docker_auth-reference.yml");
    const BASE: &str = "server: {addr: 'localhost:5001'}\ntoken: {issuer: i, expiration: 900}\n";

    fn good(text: &str) -> Carried {
        convert(text, &[]).unwrap_or_else(|mistakes| panic!("{text}: {mistakes:?}"))
    }

    fn table(carried: &Carried) -> toml::Table {
        carried.toml.parse().unwrap_or_else(|e| panic!("{e}\n{}", carried.toml))
    }

    fn told(carried: &Carried, tone: Tone) -> Vec<&str> {
        carried.remarks.iter().filter(|r| r.tone == tone).map(|r| r.text.as_str()).collect()
    }

    fn has(told: &[&str], parts: &[&str]) -> bool {
        told.iter().any(|text| parts.iter().all(|part| text.contains(part)))
    }

    #[test]
    fn the_whole_reference_converts() {
        let carried = good(REFERENCE);
        let table = table(&carried);
        assert!(carried.secret);
        assert_eq!(table["server"]["listen"].as_str(), Some("0.0.0.0:5001"));
        assert_eq!(table["server"]["tls"]["certificate"].as_str(), Some("/path/to/server.pem"));
        assert_eq!(table["auth"]["issuer"].as_str(), Some("Acme auth server"));
        assert_eq!(table["auth"]["token_lifetime_secs"].as_integer(), Some(900));
        assert_eq!(table["auth"]["anonymous"].as_bool(), Some(true));
        assert_eq!(table["auth"]["signing"]["key"].as_str(), Some("/path/to/server.key"));
        assert_eq!(table["auth"]["signing"]["key_id"].as_str(), Some("libtrust"));
        let users: Vec<_> =
            table["auth"]["users"].as_array().unwrap().iter().map(|u| u["name"].as_str()).collect();
        assert_eq!(users, [Some("admin"), Some("test")]);
        let ldap = &table["auth"]["ldap"];
        assert_eq!(ldap["url"].as_str(), Some("ldaps://ldap.example.com:636"));
        assert_eq!(ldap["filter"].as_str(), Some("(&(uid=${account})(objectClass=person))"));
        assert_eq!(ldap["labels"]["groups"]["lower_case"].as_bool(), Some(true));
        let rules = table["acl"].as_array().unwrap();
        assert_eq!(rules.len(), 17, "18 rules, and one of them never matched");
        assert_eq!(rules[0]["match"]["ip"].as_str(), Some("127.0.0.0/8"));
        assert_eq!(rules[6]["match"]["name"].as_str(), Some("${account}/*"));
        assert_eq!(rules[10]["match"]["account"].as_str(), Some("/^(.+)@test.com$/"));
        assert_eq!(rules[12]["match"]["labels"]["group"].as_str(), Some("/trainee|dev/"));
        assert_eq!(
            rules[5]["comment"].as_str(),
            Some("User \"test\" has full access to test-* images but nothing else. (2)")
        );
    }

    #[test]
    fn the_reference_has_its_traps_told() {
        let carried = good(REFERENCE);
        let warnings = told(&carried, Tone::Warning);
        for parts in [
            &["rule 1 ", "trap 5", "127.0.0.0/8"][..],
            &["rule 2 ", "trap 5", "::1"],
            &["rule 3 ", "trap 5", "172.17.0.1"],
            &["rule 13 ", "/trainee|dev/", "not bound"],
            &["rule 16 ", "trap 3", "{labels:tier}"],
            &["label_claims", "labels_claims"],
            &["trap 9", "acl_mongo"],
            &["\"admin\"", "initial-admin-password"],
            &["\"group\"", "\"project\"", "rules 12, 13, 14, 15 match nobody"],
            &["ext_auth", "asked before LDAP"],
        ] {
            assert!(has(&warnings, parts), "{parts:?} is not in {warnings:#?}");
        }
        assert_eq!(warnings.iter().filter(|w| w.contains("trap 5")).count(), 3);
        let gone = told(&carried, Tone::NotCarried);
        for part in elsewhere::names().chain(["server.letsencrypt"]) {
            assert!(has(&gone, &[part]), "{part} is not in {gone:#?}");
        }
        let notes = told(&carried, Tone::Note);
        for part in ["[auth.signing]", "actions = [\"*\"]", "trap 12", "the catalog"] {
            assert!(has(&notes, &[part]), "{part} is not in {notes:#?}");
        }
    }

    #[test]
    fn nothing_that_is_told_holds_a_hash() {
        let told = format!("{:?}", good(REFERENCE).remarks);
        assert!(!told.contains("LO.vzwp") && !told.contains("be4ut1fu1"), "{told}");
        assert!(!good(REFERENCE).toml.contains("be4ut1fu1"), "a client secret is not carried");
    }

    #[test]
    fn trap_4_refuses_the_whole_file() {
        let text = format!("{BASE}acl:\n  - match: {{team: infrastructure}}\n    actions: [pull, push]\n");
        let mistakes = convert(&text, &[]).unwrap_err();
        assert!(mistakes[0].contains("trap 4") && mistakes[0].contains("EVERYBODY"), "{mistakes:?}");
        assert!(mistakes[0].contains("line 4"), "{mistakes:?}");
    }

    #[test]
    fn unknown_keys_anywhere_are_named_with_their_line() {
        for (text, part) in [
            ("sever: {}\n", "\"sever\" is not a key (line 3); did you mean \"server\"?"),
            (
                "users: {bob: {pasword: x}}\n",
                "\"users.bob.pasword\" is not a key (line 3); did you mean \"users.bob.password\"?",
            ),
            ("ldap_auth: {addr: a:1, bas: x}\n", "ldap_auth.base"),
            ("google_auth: {domian: x}\n", "google_auth.domain"),
            ("github_auth: {level_token_db: {pth: x}}\n", "level_token_db.path"),
            ("mongo_auth: {dial_info: {addr: x}}\n", "dial_info.addrs"),
            ("acl: [{match: {}, actions: [], coment: x}]\n", "comment"),
        ] {
            let mistakes = convert(&format!("{BASE}{text}"), &[]).unwrap_err().join("\n");
            assert!(mistakes.contains(part), "{text}: {mistakes}");
        }
    }

    #[test]
    fn trap_6_the_left_end_of_x_forwarded_for() {
        let with = |rest: &str| {
            format!(
                "server: {{addr: ':5001', real_ip_header: X-Forwarded-For{rest}}}\ntoken: {{issuer: i, expiration: 900}}\n"
            )
        };
        for rest in ["", ", real_ip_pos: 0", ", real_ip_pos: 3"] {
            let carried = good(&with(rest));
            assert!(has(&told(&carried, Tone::Warning), &["trap 6"]), "{carried:?}");
            let table = table(&carried);
            assert_eq!(table["server"]["behind_proxy"].as_bool(), Some(true));
            assert_eq!(table["server"]["listen"].as_str(), Some("0.0.0.0:5001"));
            assert!(table["server"]["trusted_proxies"].as_array().unwrap().is_empty());
        }
        assert!(!has(&told(&good(&with(", real_ip_pos: -2")), Tone::Warning), &["trap 6"]));
    }

    #[test]
    fn rules_on_addresses_behind_unknown_proxies_are_refused() {
        let text = "server: {addr: ':5001', real_ip_header: X-Real-IP}\ntoken: {issuer: i, expiration: 900}\n\
                    acl:\n  - match: {ip: 10.0.0.0/8}\n    actions: ['*']\n";
        let mistakes = convert(text, &[]).unwrap_err();
        assert!(mistakes[0].contains("--trusted-proxy"), "{mistakes:?}");
        let carried = convert(text, &["172.16.0.0/12".parse().unwrap()]).unwrap();
        assert_eq!(table(&carried)["server"]["trusted_proxies"][0].as_str(), Some("172.16.0.0/12"));
    }

    #[test]
    fn trap_7_letsencrypt_was_never_tls() {
        let text = "server: {addr: ':5001', letsencrypt: {email: a@b, cache_dir: /x, host: r.example.com}}\n\
                    token: {issuer: i, expiration: 900, certificate: c, key: k}\n";
        let carried = good(text);
        assert!(has(&told(&carried, Tone::Warning), &["trap 7", "WITHOUT TLS"]));
        let table = table(&carried);
        assert_eq!(table["server"]["listen"].as_str(), Some("127.0.0.1:5001"));
        assert!(table["server"].get("acme").is_none(), "terms are for people to accept");
        assert!(carried.toml.contains("# domains = [\"r.example.com\"]"), "{}", carried.toml);
    }

    #[test]
    fn trap_8_casbin_alone() {
        let carried = good(&format!("{BASE}users: {{}}\ncasbin_authz: {{model_path: a, policy_path: b}}\n"));
        assert!(has(&told(&carried, Tone::Warning), &["trap 8"]), "{carried:?}");
        let carried = good(&format!("{BASE}acl: []\ncasbin_authz: {{model_path: a, policy_path: b}}\n"));
        assert!(!has(&told(&carried, Tone::Warning), &["trap 8"]), "{carried:?}");
    }

    #[test]
    fn both_spellings_of_the_label_claims_are_known_and_one_never_worked() {
        let with = |key: &str| good(&format!("{BASE}oidc_auth: {{issuer: x, {key}: [groups]}}\nacl: []\n"));
        assert!(has(&told(&with("label_claims"), Tone::Warning), &["labels_claims"]));
        assert!(!has(&told(&with("labels_claims"), Tone::Warning), &["labels_claims"]));
    }

    #[test]
    fn the_life_of_tokens_is_bounded_and_said() {
        for (given, expected, warned) in [("900", 900, false), ("5", 60, true), ("86400", 3600, true)] {
            let text = format!(
                "server: {{addr: 'localhost:1'}}\ntoken: {{issuer: i, expiration: {given}}}\nacl: []\n"
            );
            let carried = good(&text);
            assert_eq!(table(&carried)["auth"]["token_lifetime_secs"].as_integer(), Some(expected));
            assert_eq!(has(&told(&carried, Tone::Warning), &["token.expiration"]), warned);
        }
    }

    #[test]
    fn keys_of_tokens_are_carried_and_say_when_they_are_needed() {
        let text = "server: {addr: 'localhost:1'}\ntoken: {issuer: i, expiration: 900, certificate: c, key: k, \
                    disable_legacy_key_id: true}\nacl: []\n";
        let carried = good(text);
        let table = table(&carried);
        assert_eq!(table["auth"]["signing"]["key_id"].as_str(), Some("thumbprint"));
        assert_eq!(table["auth"]["signing"]["certificate"].as_str(), Some("c"));
        assert!(carried.toml.contains("only while another registry"), "{}", carried.toml);
        for half in ["certificate: c", "key: k"] {
            for section in [
                "server: {addr: 'localhost:1', HALF}\ntoken: {}\n",
                "server: {addr: 'localhost:1'}\ntoken: {HALF}\n",
            ] {
                assert!(convert(&section.replace("HALF", half), &[]).is_err(), "{section} {half}");
            }
        }
    }

    #[test]
    fn odd_issuers_are_not_carried() {
        let text = "server: {addr: 'localhost:1'}\ntoken: {issuer: \"a\\nb\", expiration: 900}\nacl: []\n";
        let carried = good(text);
        assert!(table(&carried)["auth"].get("issuer").is_none());
        assert!(has(&told(&carried, Tone::NotCarried), &["token.issuer"]));
    }

    #[test]
    fn tls_versions() {
        for (given, written, gone) in [
            ("TLS13", Some("1.3"), false),
            ("TLS12", None, false),
            ("TLS11", None, true),
            ("0x0304", Some("1.3"), false),
        ] {
            let text = format!(
                "server: {{addr: ':1', certificate: c, key: k, tls_min_version: {given}}}\ntoken: {{issuer: i, expiration: 900}}\n"
            );
            let carried = good(&text);
            let table = table(&carried);
            assert_eq!(
                table["server"]["tls"].get("min_version").and_then(|v| v.as_str()),
                written,
                "{given}"
            );
            assert_eq!(has(&told(&carried, Tone::NotCarried), &["tls_min_version"]), gone, "{given}");
        }
    }

    #[test]
    fn what_is_no_configuration_is_refused() {
        for text in
            ["", "# nothing\n", "- a\n", "a", "version: 0.1\n", "users: 1\n", "acl: {}\n", "server: []\n"]
        {
            assert!(convert(text, &[]).is_err(), "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn odd_texts_come_back_out_of_toml(name in "[^:\\pC\\s]{1,20}", comment in proptest::prelude::any::<String>(), pattern in "[a-z*?\\\\'\"\n é-]{0,20}") {
            let quote = |text: &str| serde_json::to_string(text).unwrap();
            let hash = "$2y$05$LO.vzwpWC5LZGqThvEfznu8qhb5SGqvBSWY1J3yZ4AxtMRZ3kN5jC";
            // what JSON escapes and YAML does not read is not what is tested here
            proptest::prop_assume!(!comment.contains(|c: char| c.is_control() && c != '\n' && c != '\t') && !comment.is_empty());
            let text = format!(
                "{BASE}users: {{{}: {{password: {hash}}}}}\nacl: [{{match: {{account: {}, name: {}}}, actions: [pull], comment: {}}}]\n",
                quote(&name), quote(&name), quote(&pattern), quote(&comment),
            );
            let carried = convert(&text, &[]);
            proptest::prop_assume!(carried.is_ok());
            let carried = carried.unwrap();
            let table: toml::Table = carried.toml.parse().unwrap();
            proptest::prop_assert_eq!(table["auth"]["users"][0]["name"].as_str(), Some(name.as_str()));
            if let Some(rules) = table.get("acl") {
                proptest::prop_assert_eq!(rules[0]["comment"].as_str(), Some(comment.as_str()));
            }
        }
    }
}
