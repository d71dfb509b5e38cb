//! Users and rules that stand in files: static users, an htpasswd file, `[[acl]]`; and that a change of the file counts
//! within seconds, while a broken one changes nothing.

use crate::testkit::accounts::{guarded_with, user};
use crate::testkit::client::get;
use crate::testkit::image::image;
use crate::testkit::server::{Home, Running, eventually};
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;

fn rule(account: &str, name: &str, actions: &str) -> String {
    format!("[[acl]]\nmatch = {{ account = \"{account}\", name = \"{name}\" }}\nactions = [{actions}]\n")
}

fn pulls(server: &Running, name: &str, repository: &str) -> u16 {
    let client = server.login(name, &format!("password of {name}"));
    client.send(&get(format!("/v2/{repository}/manifests/1"))).status
}

fn with_images(config: &str) -> Running {
    let server = guarded_with(Home::new().config(config));
    for repository in ["one", "two", "three"] {
        server.admin().push(repository, "1", &image(["base"]));
    }
    server.admin().new_user("bob");
    server
}

#[test]
fn rules_are_read_again_when_their_file_changes_and_a_broken_file_changes_nothing() {
    let server = with_images(&rule("bob", "one", "\"pull\""));
    let file = server.home.config_path();
    assert_eq!((pulls(&server, "bob", "one"), pulls(&server, "bob", "two")), (200, 403));
    let token = server.login("bob", "password of bob").token(&["repository:one:pull", "repository:two:pull"]);
    fs::write(&file, rule("bob", "two", "\"pull\"")).unwrap();
    eventually("the new rules count", || pulls(&server, "bob", "two") == 200);
    assert_eq!(pulls(&server, "bob", "one"), 403);
    // A token from before gives nothing that the rules do not.
    let old = server.bearer(&token);
    assert_ne!(old.send(&get("/v2/one/manifests/1")).status, 200);
    let log_before = server.server.log().len();
    let broken = [
        "[[acl]\n".to_owned(),
        rule("bob", "/(/", "\"pull\""),
        rule("bob", "three", "\"plul\"") + "colour = 1\n",
        rule("bob", "three", "\"pull\"") + "[serrver]\nx = 1\n",
        "[[acl]]\nmatch = { acount = \"bob\" }\nactions = [\"*\"]\n".to_owned(),
    ];
    for text in broken {
        let before = server.server.log().matches("the old rules stay in force").count();
        fs::write(&file, &text).unwrap();
        eventually("the log tells", || {
            server.server.log().matches("the old rules stay in force").count() > before
        });
        let statuses = ["one", "two", "three"].map(|name| pulls(&server, "bob", name));
        assert_eq!(statuses, [403, 200, 403], "{text}");
    }
    assert!(server.server.log()[log_before..].contains("acount"), "it names the mistake");
    fs::remove_file(&file).unwrap();
    assert_eq!(pulls(&server, "bob", "two"), 200);
    fs::write(&file, rule("bob", "three", "\"pull\"")).unwrap();
    eventually("a good file counts again", || pulls(&server, "bob", "three") == 200);
    assert_eq!(pulls(&server, "bob", "two"), 403);
    let explained = server.admin().api("GET", "/acl/explain?account=bob&action=pull&repository=three", None);
    assert!(explained.expect(200).json()["because"].as_str().unwrap().contains("rule 1"));
    eventually("the audit trail tells", || {
        server.admin().api("GET", "/events?n=1000", None).to_string_of_body().contains("rules read from")
    });
}

trait Body {
    fn to_string_of_body(&self) -> String;
}

impl Body for crate::testkit::answer::Answer {
    fn to_string_of_body(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

#[test]
fn the_symlinks_of_kubernetes_are_followed() {
    let home = Home::new().config("");
    let folder = home.folder().to_owned();
    for (version, name) in [("..1", "one"), ("..2", "two")] {
        fs::create_dir(folder.join(version)).unwrap();
        fs::write(folder.join(version).join("config.toml"), rule("bob", name, "\"pull\"")).unwrap();
    }
    fs::remove_file(home.config_path()).unwrap();
    symlink("..1", folder.join("..data")).unwrap();
    symlink("..data/config.toml", home.config_path()).unwrap();
    let server = guarded_with(home);
    for repository in ["one", "two"] {
        server.admin().push(repository, "1", &image(["base"]));
    }
    server.admin().new_user("bob");
    assert_eq!((pulls(&server, "bob", "one"), pulls(&server, "bob", "two")), (200, 403));
    symlink("..2", folder.join("..data_tmp")).unwrap();
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    fs::remove_dir_all(folder.join("..1")).unwrap();
    eventually("the other file counts", || pulls(&server, "bob", "two") == 200);
    assert_eq!(pulls(&server, "bob", "one"), 403);
}

fn hashed(name: &str) -> String {
    bcrypt::hash(format!("password of {name}"), 4).unwrap()
}

#[test]
fn an_htpasswd_file_is_read_again_when_it_changes() {
    let home = Home::new();
    let file = home.folder().join("htpasswd");
    fs::write(&file, format!("# people\nann:{}\n\ncat:{}\n", hashed("ann"), hashed("cat"))).unwrap();
    let server = with_home(home.config(&format!("[auth.htpasswd]\npath = \"{}\"\n", file.display())));
    let comes = |name: &str| server.login(name, &format!("password of {name}")).send(&get("/v2/")).status;
    assert_eq!(["ann", "cat"].map(comes), [200, 200]);
    let me = server.login("ann", "password of ann").api("GET", "/me", None).expect(200).json();
    assert_eq!((&me["source"], &me["admin"], me.get("profile")), (&json!("htpasswd"), &json!(false), None));
    let ann = server.login("ann", "password of ann");
    ann.api("PUT", "/me/password", Some(&json!({ "old": "password of ann", "new": "a new password" })))
        .refused(400, "INVALID");
    ann.api("PATCH", "/me", Some(&json!({ "email": "a@b" }))).refused(400, "INVALID");
    // They have tokens, groups and grants as everybody.
    let token = ann.api("POST", "/me/tokens", Some(&json!({}))).expect(201).json();
    let with_token = server.login("ann", token["secret"].as_str().unwrap());
    server.admin().grant(&user("ann"), "one", &["pull"]);
    with_token.send(&get("/v2/one/manifests/1")).expect(200);
    fs::write(&file, format!("bea:{}\ncat:{}\n", hashed("bea"), hashed("cat"))).unwrap();
    eventually("the new user comes in", || comes("bea") == 200);
    assert_eq!(["ann", "cat"].map(comes), [401, 200]);
    eventually("the token ends with its owner", || with_token.send(&get("/v2/")).status == 401);
    // What does not read, or is gone, leaves what there was.
    fs::write(&file, b"\xff\xfe\0\0nothing\n").unwrap();
    eventually("the log tells", || server.server.log().contains("htpasswd"));
    fs::remove_file(&file).unwrap();
    assert_eq!(["bea", "cat"].map(comes), [200, 200]);
}

fn with_home(home: Home) -> Running {
    let server = guarded_with(home);
    server.admin().push("one", "1", &image(["base"]));
    server
}

#[test]
fn static_users_log_in_with_their_groups_and_labels() {
    let config = format!(
        "[[auth.users]]\nname = \"ann\"\npassword = \"{}\"\ngroups = [\"dev\"]\n[auth.users.labels]\nteam = [\"one\"]\n\
         [[auth.users]]\nname = \"root\"\npassword = \"{}\"\nadmin = true\n\
         [[acl]]\nmatch = {{ account = \"/.+/\", name = \"${{labels:team}}\" }}\nactions = [\"pull\"]\n",
        hashed("ann"),
        hashed("root")
    );
    let server = with_home(Home::new().config(&config));
    let ann = server.login("ann", "password of ann");
    let me = ann.api("GET", "/me", None).expect(200).json();
    assert_eq!(
        (&me["source"], &me["groups"], &me["admin"]),
        (&json!("static"), &json!(["dev"]), &json!(false))
    );
    assert_eq!(pulls(&server, "ann", "one"), 200);
    ann.api("GET", "/users", None).refused(403, "DENIED");
    server.login("ann", "wrong password").send(&get("/v2/")).expect(401);
    server.login("root", "password of root").api("GET", "/users", None).expect(200);
    let checked = server.home.command("check").output().unwrap();
    let told =
        format!("{}{}", String::from_utf8_lossy(&checked.stdout), String::from_utf8_lossy(&checked.stderr));
    assert!(!told.contains("$2b$"), "a hash is a secret: {told}");
}

#[test]
fn where_nobody_is_anonymous_nothing_is_given_without_a_login() {
    let config = "[auth]\nanonymous = false\n".to_owned() + &rule("", "one", "\"pull\"");
    let server = with_home(Home::new().config(&config));
    server.admin().grant(&json!({ "kind": "anonymous" }), "**", &["pull"]);
    for query in ["", "&scope=repository:one:pull"] {
        let told = server.send(&get(format!("/token?service=holdfast{query}"))).expect(401);
        assert!(told.json()["token"].is_null(), "{told}");
    }
    for path in ["/v2/", "/v2/one/manifests/1", "/v2/one/tags/list", "/v2/_catalog", "/api/v1/repositories"] {
        server.send(&get(path)).refused(401, "UNAUTHORIZED");
    }
    // Who is logged in has what everybody has.
    let bob = server.admin().new_user("bob");
    bob.send(&get("/v2/one/manifests/1")).expect(200);
    let token = bob.token(&["repository:one:pull"]);
    server.bearer(&token).send(&get("/v2/one/manifests/1")).expect(200);
}

#[test]
fn a_name_of_another_source_is_taken_over_only_when_that_is_said_and_then_wholly() {
    let home = Home::new();
    let file = home.folder().join("htpasswd");
    fs::write(&file, format!("ann:{}\n", hashed("ann"))).unwrap();
    let server = with_home(home.config(&format!("[auth.htpasswd]\npath = \"{}\"\n", file.display())));
    server.admin().grant(&user("ann"), "one", &["pull"]);
    let ann = server.login("ann", "password of ann");
    let access = ann.token(&["repository:one:pull"]);
    let (_, personal) = ann.mint(&json!({}));
    let pulls = |token: &str| server.bearer(token).send(&get("/v2/one/manifests/1")).status;
    assert_eq!((pulls(&access), pulls(&personal)), (200, 200));
    let form = json!({ "name": "ann", "password": "another password" });
    let refused = server.admin().api("POST", "/users", Some(&form));
    assert!(String::from_utf8_lossy(&refused.body).contains("`htpasswd`"), "{refused}");
    refused.refused(409, "CONFLICT");
    server.admin().api("POST", "/service-accounts", Some(&json!({ "name": "ann" }))).refused(409, "CONFLICT");
    server.admin().api("POST", "/users?take_over=maybe", Some(&form)).refused(400, "INVALID");
    assert_eq!((pulls(&access), pulls(&personal)), (200, 200), "nothing has happened");
    server.admin().api("POST", "/users?take_over=true", Some(&form)).expect(201);
    ann.send(&get("/v2/")).expect(401);
    assert_eq!((pulls(&access), pulls(&personal)), (401, 401), "tokens of the other one have ended");
    server.login("ann", "another password").send(&get("/v2/one/manifests/1")).expect(200);
    eventually("the audit trail tells", || {
        server
            .admin()
            .api("GET", "/events?n=1000", None)
            .to_string_of_body()
            .contains("over whoever has the name")
    });
}
