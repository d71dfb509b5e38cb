//! Who may do what in registry:2: all who log in, or all; or what the tokens of another server say.

use crate::app::import::docker_auth::server::is_name;
use crate::app::import::document::{Document, Section, Value};
use crate::app::import::fields::Fields;
use crate::app::import::registry_config::storage;
use crate::app::import::report::{Report, shown};

/// Pattern of everybody with a login.
const SOMEBODY: &str = "/^.+$/";

/// Writes `[auth]`, `[auth.htpasswd]`, and the rules that registry:2 has without saying so.
pub fn write(root: &Fields<'_>, document: &mut Document, report: &mut Report) {
    let auth = root.inner("auth");
    let given: Vec<&str> =
        ["silly", "token", "htpasswd", "none"].into_iter().filter(|kind| auth.has(kind)).collect();
    match given.as_slice() {
        [] | ["silly" | "none"] => report.warn(
            "the registry had no accounts: everybody who could reach it could read, change and delete everything. \
             Holdfast has accounts, and gives nothing to anybody without rules or grants; holdfast serve --open is the \
             old way",
        ),
        ["token"] => token(&auth.inner("token"), document, report),
        ["htpasswd"] => htpasswd(root, &auth.inner("htpasswd"), document, report),
        several => report.mistake(format!(
            "auth has several kinds, and registry:2 does not start with more than one: {}",
            several.join(", ")
        )),
    }
}

fn token(token: &Fields<'_>, document: &mut Document, report: &mut Report) {
    let mut auth = Section::new("auth");
    auth.comment(
        "The registry took the tokens of another server. Holdfast issues them itself, by these names: `holdfast import \
         docker-auth` carries the users and the rules of docker_auth.",
    );
    for key in ["service", "issuer"] {
        match token.text(key, report) {
            Some(name) if is_name(name) => {
                auth.set(key, name.into());
            }
            Some(name) => report.not_carried(format!(
                "auth.token.{key} {}: such names have 1 to 255 ASCII characters, no quotes and no backslashes here",
                shown(name)
            )),
            None => report.warn(format!("auth.token.{key} is not given; registry:2 does not start so")),
        }
    }
    document.add(auth);
    report.note(
        "auth.token: Holdfast issues tokens itself. Its users and rules are those of your token server: see holdfast \
         import docker-auth",
    );
}

fn htpasswd(root: &Fields<'_>, htpasswd: &Fields<'_>, document: &mut Document, report: &mut Report) {
    let Some(path) = htpasswd.text("path", report) else {
        report.mistake("auth.htpasswd.path is not given; registry:2 does not start so");
        return;
    };
    let mut auth = Section::new("auth");
    auth.set_because("anonymous", Value::Flag(false), "Nobody came in without a login.");
    document.add(auth);
    let mut section = Section::new("auth.htpasswd");
    section.set("path", path.into());
    document.add(section);
    let deletes = storage::deletes(root, report);
    let actions: &[&str] = if deletes { &["*"] } else { &["pull", "push"] };
    let words = |actions: &[&str]| Value::List(actions.iter().map(|action| (*action).to_owned()).collect());
    let matching = |pairs: &[(&str, &str)]| {
        Value::Table(pairs.iter().map(|(key, text)| ((*key).to_owned(), (*text).into())).collect())
    };
    let mut catalog = Section::one_of("acl");
    catalog.comment(
        "What registry:2 gave without saying so: everything to everybody in the file. Give less: the first rule that \
         matches decides.",
    );
    catalog.set("match", matching(&[("account", SOMEBODY), ("type", "registry"), ("name", "catalog")]));
    catalog.set("actions", words(&["*"]));
    catalog.set("comment", "whoever logs in may list the repositories".into());
    document.add(catalog);
    let mut rule = Section::one_of("acl");
    rule.set("match", matching(&[("account", SOMEBODY), ("type", "repository")]));
    rule.set("actions", words(actions));
    rule.set("comment", "whoever logs in may use every repository".into());
    document.add(rule);
    report.warn(format!(
        "auth.htpasswd: registry:2 gives everybody in the file {} on every repository; the rules that are written say \
         just that. It also reads the file once; Holdfast reads it again when it changes. Look at it with holdfast \
         import htpasswd",
        actions.join(", ")
    ));
}
