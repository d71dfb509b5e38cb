//! The parts of docker_auth that ask somebody else who somebody is or what they may do, and have no counterpart: each
//! gets a sentence that says what to do instead.

use crate::app::import::fields::Fields;
use crate::app::import::report::Report;

const LOGIN: &str = "the names and labels that it gave are unknown here. Make users (holdfast user), LDAP \
([auth.ldap]) or service accounts (holdfast service) instead; people make their own tokens for docker login";

/// A part of docker_auth, its keys, and what to do instead.
type Part = (&'static str, &'static [&'static str], &'static str);

const TOKEN_DB: [&str; 3] = ["level_token_db", "gcs_token_db", "redis_token_db"];

const PARTS: [Part; 13] = [
    (
        "google_auth",
        &[
            "domain",
            "client_id",
            "client_secret",
            "client_secret_file",
            "level_token_db",
            "gcs_token_db",
            "redis_token_db",
            "http_timeout",
        ],
        "Holdfast does not log in over Google",
    ),
    (
        "github_auth",
        &[
            "organization",
            "client_id",
            "client_secret",
            "client_secret_file",
            "level_token_db",
            "gcs_token_db",
            "redis_token_db",
            "http_timeout",
            "revalidate_after",
            "github_web_uri",
            "github_api_uri",
            "registry_url",
        ],
        "Holdfast does not log in over GitHub; its teams can be groups of Holdfast (holdfast group)",
    ),
    (
        "oidc_auth",
        &[
            "issuer",
            "redirect_url",
            "client_id",
            "client_secret",
            "client_secret_file",
            "level_token_db",
            "gcs_token_db",
            "redis_token_db",
            "http_timeout",
            "registry_url",
            "user_claim",
            "label_claims",
            "labels_claims",
            "scopes",
        ],
        "Holdfast does not log in over OpenID Connect",
    ),
    (
        "gitlab_auth",
        &[
            "organization",
            "client_id",
            "client_secret",
            "client_secret_file",
            "level_token_db",
            "gcs_token_db",
            "redis_token_db",
            "http_timeout",
            "revalidate_after",
            "gitlab_web_uri",
            "gitlab_api_uri",
            "registry_url",
            "grant_type",
            "redirect_uri",
        ],
        "Holdfast does not log in over GitLab",
    ),
    (
        "mongo_auth",
        &["dial_info", "collection"],
        "Holdfast keeps its accounts itself. Export the collection, and write its users as [[auth.users]] (their bcrypt \
         hashes are taken as they are)",
    ),
    (
        "xorm_auth",
        &["database_type", "conn_string"],
        "Holdfast keeps its accounts itself. Export the table xorm_user, and write its users as [[auth.users]] (their \
         bcrypt hashes are taken as they are)",
    ),
    (
        "ext_auth",
        &["command", "args"],
        "Holdfast runs no program at a login. Use an htpasswd file ([auth.htpasswd]), LDAP, or its own accounts",
    ),
    (
        "plugin_authn",
        &["plugin_path"],
        "Holdfast loads no plugins. Use an htpasswd file ([auth.htpasswd]), LDAP, or its own accounts",
    ),
    (
        "acl_mongo",
        &["dial_info", "collection", "cache_ttl"],
        "export the collection in the order of seq, and write its entries as [[acl]] behind the others",
    ),
    (
        "acl_xorm",
        &["database_type", "conn_string", "cache_ttl"],
        "export the table xorm_acl_entry in the order of seq, and write its entries as [[acl]] behind the others",
    ),
    (
        "casbin_authz",
        &["model_path", "policy_path"],
        "write its policies as [[acl]], or as grants (holdfast grant)",
    ),
    (
        "ext_authz",
        &["command", "args"],
        "Holdfast runs no program to decide. Write what it decides as [[acl]], or as grants (holdfast grant)",
    ),
    (
        "plugin_authz",
        &["plugin_path"],
        "Holdfast loads no plugins. Write what it decides as [[acl]], or as grants (holdfast grant)",
    ),
];

/// The names of the parts.
pub fn names() -> impl Iterator<Item = &'static str> {
    PARTS.iter().map(|(name, _, _)| *name)
}

/// The parts that decide who may do what.
const DECIDING: [&str; 5] = ["acl_mongo", "acl_xorm", "ext_authz", "plugin_authz", "casbin_authz"];

/// The parts that docker_auth asks before LDAP.
const BEFORE_LDAP: [&str; 5] = ["ext_auth", "google_auth", "github_auth", "oidc_auth", "gitlab_auth"];

/// Tells of every part that is given.
pub fn tell(root: &Fields<'_>, report: &mut Report) {
    for (name, keys, instead) in PARTS.iter().filter(|(name, _, _)| root.has(name)) {
        let fields = root.section(name, keys, report);
        databases(name, &fields, report);
        let logs_in = matches!(*name, "google_auth" | "github_auth" | "oidc_auth" | "gitlab_auth");
        let sentence =
            if logs_in { format!("{name}: {instead}; {LOGIN}") } else { format!("{name}: {instead}") };
        report.not_carried(sentence);
    }
    let oidc = root.node("oidc_auth");
    if oidc.is_some_and(|node| node.get("label_claims").is_some()) {
        report.warn(
            "oidc_auth.label_claims: docker_auth reads labels_claims and ignores this spelling, although its reference \
             has it. Labels from claims never were there, and rules that ask for them never matched",
        );
    }
    let before: Vec<&str> = BEFORE_LDAP.into_iter().filter(|name| root.has(name)).collect();
    if root.has("ldap_auth") && !before.is_empty() {
        report.warn(format!(
            "{} was asked before LDAP, and whoever it refused did not come in over LDAP either. Now LDAP alone decides \
             about its accounts",
            before.join(", ")
        ));
    }
    sources_of_rules(root, report);
}

fn databases(name: &str, fields: &Fields<'_>, report: &mut Report) {
    const KEYS: [&str; 8] = [
        "path",
        "token_hash_cost",
        "bucket",
        "client_secret_file",
        "redis_options",
        "redis_cluster_options",
        "token_db",
        "url",
    ];
    for database in TOKEN_DB.iter().filter(|database| fields.has(database)) {
        fields.check(database, &KEYS, report);
    }
    if name.ends_with("mongo") || name.starts_with("mongo") {
        const DIAL: [&str; 6] = ["addrs", "timeout", "database", "username", "password_file", "enable_tls"];
        fields.check("dial_info", &DIAL, report);
    }
}

fn sources_of_rules(root: &Fields<'_>, report: &mut Report) {
    let given: Vec<&str> = DECIDING.into_iter().filter(|name| root.has(name)).collect();
    if root.has("acl_mongo") {
        report.warn(
            "trap 9: acl_mongo: docker_auth does not sort what it reads (Sort(\"seq\") is commented out there), so which \
             rule was the first to match was up to MongoDB. Look at the order before you write them down",
        );
    }
    if root.has("acl_mongo") || root.has("acl_xorm") {
        report.note(
            "trap 12: rules out of a database held on for cache_ttl (a minute) and for the life of a token after they \
             were taken away. Rules and grants of Holdfast count at once",
        );
    }
    if given == ["casbin_authz"] && !root.has("acl") {
        report.warn("trap 8: docker_auth does not start when casbin_authz is all that decides");
    }
    if !given.is_empty() {
        report.note(format!(
            "{} decided after acl, where acl had no rule that matched: without them some requests are denied that were \
             allowed before, and none is allowed that was denied",
            given.join(", ")
        ));
    }
    if given.is_empty() && !root.has("acl") {
        report.warn(
            "there is no acl: docker_auth does not start so. Nobody but administrators may do anything until there are \
             rules or grants",
        );
    }
}
