//! The policy of docker_auth's `examples/reference.yml`, rule by rule, as test vectors: what it gives, and what in it
//! surprises.

use crate::acl::access::Access;
use crate::acl::authority::Authority;
use crate::acl::config::Rule;
use crate::acl::grant::Grants;
use crate::acl::identity::{AccountKind, Caller, Identity};
use crate::acl::lint::{Severity, lint};
use crate::acl::policy::Because;
use crate::acl::rules::Rules;
use serde::Deserialize;

const REFERENCE: &str = r#"
[[acl]]
match = { ip = "127.0.0.0/8" }
actions = ["*"]
comment = "Allow everything from localhost (IPv4)"
[[acl]]
match = { ip = "::1" }
actions = ["*"]
comment = "Allow everything from localhost (IPv6)"
[[acl]]
match = { ip = "172.17.0.1" }
actions = ["*"]
comment = "Allow everything from the local Docker bridge address"
[[acl]]
match = { account = "admin" }
actions = ["*"]
comment = "Admin has full access to everything."
[[acl]]
match = { account = "test", name = "test-*" }
actions = ["*"]
comment = "User \"test\" has full access to test-* images but nothing else. (1)"
[[acl]]
match = { account = "test" }
actions = []
comment = "User \"test\" has full access to test-* images but nothing else. (2)"
[[acl]]
match = { account = "/.+/", name = "${account}/*" }
actions = ["*"]
comment = "Logged in users have full access to images that are in their 'namespace'"
[[acl]]
match = { account = "/.+/", type = "registry", name = "catalog" }
actions = ["*"]
comment = "Logged in users can query the catalog."
[[acl]]
match = { account = "/.+/" }
actions = ["pull"]
comment = "Logged in users can pull all images."
[[acl]]
match = { account = "", name = "hello-world" }
actions = ["pull"]
comment = "Anonymous users can pull \"hello-world\"."
[[acl]]
match = { account = "/^(.+)@test.com$/", name = "${account:1}/*" }
actions = []
comment = "Emit domain part of account to make it a correct repo name"
[[acl]]
match = { labels = { group = "VIP" } }
actions = ["push"]
comment = "Users assigned to group 'VIP' is able to push"
[[acl]]
match = { labels = { group = "/trainee|dev/" } }
actions = ["push", "pull"]
comment = "Users assigned to group 'trainee' and 'dev' is able to push and pull"
[[acl]]
match = { name = "${labels:group}-shared/*" }
actions = ["push", "pull"]
comment = "Users can push to the shared namespace of any group they are in"
[[acl]]
match = { name = "${labels:project}/*" }
actions = ["push", "pull"]
comment = "Users can push to any project they are assigned to"
[[acl]]
match = { name = "${labels:project}-{labels:tier}/*" }
actions = ["push", "pull"]
comment = "Users can push to a project-tier/* that they are assigned to"
[[acl]]
match = { labels = { title = "Developer" } }
actions = ["*"]
comment = "If you call yourself a developer you can do anything"
[[acl]]
match = { labels = { groups = "Admin" } }
actions = ["push"]
comment = "If you are part of the admin group you can push."
"#;

#[derive(Deserialize)]
struct File {
    acl: Vec<Rule>,
}

fn rules() -> Vec<Rule> {
    toml::from_str::<File>(REFERENCE).unwrap().acl
}

fn identity(name: &str, labels: &[(&str, &str)]) -> Identity {
    let kind = if name.is_empty() { AccountKind::Anonymous } else { AccountKind::User };
    let mut identity = Identity { kind, name: name.into(), ..Identity::anonymous() };
    for (label, value) in labels {
        identity.labels.entry((*label).into()).or_default().push((*value).into());
    }
    identity
}

/// Whether it is allowed, and the number of the rule that decides, counted from one; 0 if none does.
fn ask(authority: &Authority, identity: &Identity, address: &str, scope: &str) -> (bool, usize) {
    let [kind, name, action] = scope.split(':').collect::<Vec<_>>().try_into().unwrap();
    let caller = Caller { identity, address: Some(address.parse().unwrap()), service: "Docker registry" };
    let decision = authority.decide(&caller, &Access { kind, name, action });
    match decision.because {
        Because::Rule(place) => (decision.allowed, place + 1),
        Because::Nothing | Because::Catalog => (decision.allowed, 0),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_whole_policy_decides_as_docker_auth_does() {
    let authority = Authority::new(Rules::compile(&rules()).unwrap(), Grants::default());
    let away = "203.0.113.7";
    for (account, address, scope, allowed, rule) in [
        ("", "127.0.0.1", "repository:x:push", true, 1),
        ("test", "127.9.9.9", "repository:x:delete", true, 1),
        ("", "::ffff:127.0.0.1", "repository:x:push", true, 1),
        ("", "::1", "repository:x:push", true, 2),
        ("", "::ffff:172.17.0.1", "repository:x:delete", true, 3),
        ("", "172.17.0.2", "repository:x:pull", false, 0),
        ("admin", away, "repository:a/b/c:delete", true, 4),
        ("admin2", away, "repository:a/b/c:delete", false, 9),
        ("test", away, "repository:test-a:push", true, 5),
        ("test", away, "repository:test-a:delete", true, 5),
        ("test", away, "repository:test-a/b:push", false, 6),
        ("test", away, "repository:test-a/b:pull", false, 6),
        ("test", away, "repository:x:pull", false, 6),
        ("test", away, "repository:test/x:pull", false, 6),
        ("joe", away, "repository:joe/app:push", true, 7),
        ("joe", away, "repository:joe/app/deep:push", false, 9),
        ("joe", away, "repository:joe/app/deep:pull", true, 9),
        ("j.e", away, "repository:joe/app:push", false, 9),
        ("*", away, "repository:joe/app:push", false, 9),
        ("joe", away, "registry:catalog:*", true, 8),
        ("joe", away, "registry:api:*", false, 9),
        ("joe", away, "repository:hello-world:push", false, 9),
        ("", away, "repository:hello-world:pull", true, 10),
        ("", away, "repository:hello-world:push", false, 10),
        ("", away, "repository:hello-world/x:pull", false, 0),
        ("", away, "repository:joe/app:pull", false, 0),
        ("", away, "registry:api:*", false, 0),
        // ours: only rules with a type decide about the catalog, and without one it is open
        ("", away, "registry:catalog:*", true, 0),
        ("test", away, "registry:catalog:*", true, 8),
        ("", "127.0.0.1", "registry:catalog:*", true, 0),
    ] {
        let found = ask(&authority, &identity(account, &[]), address, scope);
        assert_eq!(found, (allowed, rule), "{account:?} from {address}: {scope}");
    }
}

/// In the file itself they are never reached: rule 9 matches whoever is logged in.
#[test]
fn each_of_its_further_examples_decides_alone_as_in_docker_auth() {
    let guy: &[_] = &[
        ("group", "web"),
        ("group", "webdev"),
        ("project", "api"),
        ("project", "test/*"),
        ("tier", "backend"),
    ];
    for (number, account, labels, scope, expected) in [
        (11, "joe@test.com", &[][..], "repository:joe/app:pull", Some(false)),
        (11, "joe@test.com", &[], "repository:joe@test.com/app:pull", None),
        (11, "joe@else.com", &[], "repository:joe/app:pull", None),
        (11, "joe@test!com", &[], "repository:joe/app:pull", Some(false)),
        (12, "ann", &[("group", "VIP")], "repository:x:push", Some(true)),
        (12, "ann", &[("group", "VIP")], "repository:x:pull", Some(false)),
        (12, "ann", &[("group", "vip")], "repository:x:push", None),
        (13, "guy", guy, "repository:x:push", Some(true)),
        (13, "guy", &[("group", "trainees")], "repository:x:delete", Some(false)),
        (13, "guy", &[("group", "ops")], "repository:x:pull", None),
        (14, "guy", guy, "repository:web-shared/x:push", Some(true)),
        (14, "guy", guy, "repository:dev-shared/x:push", None),
        (15, "guy", guy, "repository:api/x:pull", Some(true)),
        (15, "guy", guy, "repository:api/x/y:pull", None),
        (15, "guy", guy, "repository:test/x/y:pull", Some(true)),
        (16, "guy", guy, "repository:api-backend/x:pull", None),
        (17, "guy", &[("title", "Developer")], "repository:x:delete", Some(true)),
        (18, "guy", &[("groups", "Admin")], "repository:x:push", Some(true)),
        (18, "guy", &[], "repository:x:push", None),
    ] {
        let alone = [rules()[number - 1].clone()];
        let authority = Authority::new(Rules::compile(&alone).unwrap(), Grants::default());
        let (allowed, rule) = ask(&authority, &identity(account, labels), "203.0.113.7", scope);
        assert_eq!((rule == 1).then_some(allowed), expected, "rule {number}, {account}: {scope}");
    }
    // a group of ours is a value of the label `groups`
    let admins = Identity { groups: vec!["Admin".into()], ..identity("guy", &[]) };
    let authority = Authority::new(Rules::compile(&rules()[17..]).unwrap(), Grants::default());
    assert_eq!(ask(&authority, &admins, "203.0.113.7", "repository:x:push"), (true, 1));
}

#[test]
fn its_traps_are_found() {
    let found: Vec<_> = lint(&rules()).into_iter().map(|finding| finding.to_string()).collect();
    let says = [
        (1, "whoever comes from 127.0.0.0/8"),
        (2, "whoever comes from ::1/128"),
        (3, "whoever comes from 172.17.0.1/32"),
        (13, "not anchored"),
        (16, "{labels:tier} without a `$`"),
        (16, "no repository"),
    ];
    assert_eq!(found.len(), says.len(), "{found:#?}");
    for (told, (rule, says)) in found.iter().zip(says) {
        assert!(told.starts_with(&format!("rule {rule}: warning: ")) && told.contains(says), "{told}");
    }
    assert!(lint(&rules()).iter().all(|finding| finding.severity == Severity::Warning));
}
