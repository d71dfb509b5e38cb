//! The account commands through the admin socket: whoever owns the data folder needs no password. What is printed reads
//! as JSON where that is asked for, and a secret is shown once and nowhere else.

use crate::testkit::accounts::guarded;
use crate::testkit::client::get;
use crate::testkit::image::image;
use crate::testkit::server::Running;
use crate::testkit::tool::{Ran, Tool};
use serde_json::{Value, json};

struct Local<'a> {
    server: &'a Running,
    tool: Tool,
}

impl Local<'_> {
    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, "")
    }

    #[track_caller]
    fn run_with(&self, arguments: &[&str], input: &str) -> Ran {
        let data = self.server.home.data().display().to_string();
        self.tool.run_with(&[arguments, &["--data", &data]].concat(), input)
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        self.run(&[arguments, &["--json"]].concat()).fine().json()
    }
}

fn local(server: &Running) -> Local<'_> {
    Local { server, tool: Tool::new() }
}

fn logs_in(server: &Running, name: &str, password: &str) -> bool {
    server.login(name, password).send(&get("/v2/")).status == 200
}

#[test]
fn users_from_the_first_to_the_last() {
    let server = guarded();
    let holdfast = local(&server);
    let ran = holdfast.run(&["user", "add", "ann", "--email", "a@b.c", "--first-name", "Ann"]).fine();
    let password = ran.stderr.trim_end().rsplit(' ').next().unwrap().to_owned();
    assert!(ran.stderr.contains("shown this once") && !ran.stdout.contains(&password), "{ran:?}");
    assert!(logs_in(&server, "ann", &password));
    let ran =
        holdfast.run_with(&["user", "add", "bob", "--new-password-stdin", "--json"], "bob's canary\n").fine();
    assert_eq!(ran.json()["has_password"], true);
    assert!(!format!("{ran:?}").contains("canary") && ran.stderr.is_empty());
    std::fs::write(holdfast.tool.folder().join("secret"), "from a file\r\n").unwrap();
    let told = holdfast.run(&["user", "passwd", "bob", "--new-password-file", "secret"]).fine();
    assert!(told.stdout.contains("its tokens have ended") && told.stderr.is_empty(), "{told:?}");
    assert!(logs_in(&server, "bob", "from a file") && !logs_in(&server, "bob", "bob's canary"));
    let listed = holdfast.run(&["user", "list"]).fine();
    let names: Vec<&str> = listed.lines().iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(names, ["NAME", "admin", "ann", "bob"]);
    assert_eq!(holdfast.json(&["user", "list", "ANN"])["entries"][0]["email"], "a@b.c");
    assert_eq!(holdfast.json(&["user", "show", "ann"])["first_name"], "Ann");
    let set = ["user", "set", "ann", "--admin", "true", "--last-name", "B", "--email", ""];
    assert_eq!(holdfast.json(&set)["admin"], true);
    holdfast.run(&["user", "set", "bob", "--disabled", "true"]).fine();
    assert!(!logs_in(&server, "bob", "from a file"));
    assert_eq!(holdfast.json(&["user", "tokens", "ann"]), json!({ "entries": [] }));
    holdfast.json(&["user", "logout", "ann"]);
    holdfast.json(&["user", "passwd", "ann"]);
    holdfast.json(&["user", "remove", "ann"]);
    assert!(holdfast.run(&["user", "remove", "bob"]).fine().stdout.contains("bob is removed"));
    holdfast.run(&["user", "show", "bob"]).fails(1, &["user"]);
    holdfast.run(&["user", "remove", "admin"]).fails(1, &["last administrator"]);
}

#[test]
fn groups_services_grants_and_why() {
    let server = guarded();
    server.admin().push("team/app", "1", &image(["base"]));
    let bob = server.admin().new_user("bob");
    let holdfast = local(&server);
    holdfast.json(&["group", "add", "dev", "--description", "the developers"]);
    holdfast.json(&["service", "add", "ci", "--description", "builds"]);
    let told = holdfast.run(&["group", "join", "dev", "bob", "service-account:ci"]).fine();
    assert_eq!(told.lines().len(), 2, "{told:?}");
    holdfast.json(&["group", "leave", "dev", "bob"]);
    holdfast.json(&["group", "join", "dev", "bob"]);
    assert_eq!(holdfast.json(&["group", "show", "dev"])["members"].as_array().unwrap().len(), 2);
    assert_eq!(holdfast.json(&["group", "list"])["entries"][0]["members"], 2);
    let secret = holdfast.run(&["service", "secret", "ci", "--days", "7"]).fine();
    assert_eq!(secret.lines().len(), 1, "alone, to be piped on: {secret:?}");
    assert!(logs_in(&server, "ci", secret.lines()[0]) && secret.stderr.contains("the name ci"));
    let second = holdfast.json(&["service", "secret", "ci"]);
    holdfast.run(&["service", "secret", "ci"]).fails(1, &["2 secrets"]);
    let secrets = holdfast.json(&["service", "secrets", "ci"]);
    assert_eq!(secrets["entries"].as_array().unwrap().len(), 2);
    assert!(!secrets.to_string().contains(second["secret"].as_str().unwrap()));
    holdfast.json(&["service", "revoke", "ci", second["token"]["id"].as_str().unwrap()]);
    assert!(!logs_in(&server, "ci", second["secret"].as_str().unwrap()));
    holdfast.json(&["service", "set", "ci", "--disabled", "true"]);
    holdfast.run(&["service", "set", "ci"]).fails(2, &["nothing to change"]);
    assert_eq!(holdfast.json(&["service", "show", "ci"])["disabled"], true);
    assert_eq!(holdfast.json(&["service", "list"])["entries"].as_array().unwrap().len(), 1);
    bob.send(&get("/v2/team/app/manifests/1")).expect(403);
    let grant = holdfast.json(&["grant", "add", "group:dev", "team/**", "pull,push"]);
    assert_eq!(grant["by"], "(local)");
    bob.send(&get("/v2/team/app/manifests/1")).expect(200);
    for subject in ["user:bob", "service:ci", "everyone", "anonymous"] {
        holdfast.json(&["grant", "add", subject, "x/**", "pull", "delete"]);
    }
    holdfast.run(&["grant", "add", "everyone", "x/**", "pull", "delete"]).fails(1, &["grant"]);
    assert_eq!(holdfast.run(&["grant", "list"]).fine().lines().len(), 6);
    assert_eq!(holdfast.json(&["grant", "list"])["entries"].as_array().unwrap().len(), 5);
    let why = holdfast.run(&["acl", "explain", "bob", "push", "team/app"]).fine();
    assert!(why.stdout.starts_with("allowed: ") && why.stdout.contains("dev"), "{why:?}");
    let why = holdfast.json(&["acl", "explain", "", "push", "team/app", "--address", "10.0.0.1"]);
    assert_eq!(why["allowed"], false);
    assert!(holdfast.run(&["acl", "lint"]).fine().stdout.contains("nothing doubtful"));
    assert_eq!(holdfast.json(&["acl", "lint"]), json!({ "entries": [] }));
    holdfast.json(&["grant", "remove", grant["id"].as_str().unwrap()]);
    bob.send(&get("/v2/team/app/manifests/1")).expect(403);
    holdfast.json(&["service", "remove", "ci"]);
    holdfast.json(&["group", "remove", "dev"]);
    assert_eq!(holdfast.json(&["grant", "list"])["entries"].as_array().unwrap().len(), 3);
}

#[test]
fn images_events_and_health_as_the_owner() {
    let server = guarded();
    server.admin().push("team/app", "1", &image(["base"]));
    let holdfast = local(&server);
    assert_eq!(holdfast.run(&["ls"]).fine().stdout, "team/app\n");
    holdfast.json(&["ls", "team/app"]);
    holdfast.json(&["inspect", "team/app:1"]);
    assert!(holdfast.run(&["rm", "team/app:1"]).fine().stdout.contains("removed team/app:1"));
    crate::testkit::server::eventually("the owner's deed is told", || {
        let told = holdfast.json(&["events", "-n", "1000"]);
        told["entries"]
            .as_array()
            .unwrap()
            .iter()
            .any(|e| e["what"] == "delete" && e["who"] == "(local)" && e.get("address").is_none())
    });
    assert!(holdfast.run(&["events", "-n", "1"]).fine().lines()[0].starts_with("TIME"));
    assert_eq!(holdfast.json(&["health"])["ready"], true);
    holdfast.run(&["health"]).fine();
    holdfast.run(&["initial-password"]).fails(1, &["initial-admin-password"]);
    // The owner has no account, so nothing of one's own.
    holdfast.run(&["token", "new"]).fails(1, &["no account"]);
    holdfast.run(&["token", "list"]).fails(1, &["no account"]);
}

#[test]
fn exit_codes_tell_a_misuse_from_a_failure_and_nothing_is_done_by_a_misuse() {
    let server = guarded();
    let holdfast = local(&server);
    for arguments in [
        &["user"][..],
        &["user", "add"],
        &["user", "set", "admin"],
        &["user", "set", "admin", "--admin", "perhaps"],
        &["user", "add", "x", "--password", "in the open"],
        &["user", "add", "x", "--new-password-stdin", "--new-password-file", "f"],
        &["user", "passwd", "admin", "new password"],
        &["grant", "add", "bob", "x", "pull"],
        &["grant", "add", "user:bob", "x", "admin"],
        &["grant", "add", "user:bob", "x"],
        &["group", "join", "dev"],
        &["token", "new", "--days", "0"],
        &["acl", "explain", "bob", "eat", "x"],
        &["events", "-n", "x"],
        &["user", "list", "--user", "bob"],
    ] {
        holdfast.run(arguments).fails(2, &[]);
    }
    for (arguments, told) in [
        (&["user", "add", "a b"][..], "cannot stand in a name"),
        (&["user", "add", "admin"], "user"),
        (&["user", "passwd", "nobody"], "user"),
        (&["user", "passwd", "admin", "--new-password-file", "/nonexistent"], "/nonexistent"),
        (&["user", "passwd", "admin", "--new-password-stdin"], "at least 8"),
        (&["group", "show", "../x"], "group"),
        (&["group", "join", "none", "admin"], "group"),
        (&["grant", "remove", "none"], "grant"),
        (&["service", "add", "UPPER"], "service account"),
    ] {
        holdfast.run(arguments).fails(1, &[told]);
    }
    assert_eq!(holdfast.json(&["user", "list"])["entries"].as_array().unwrap().len(), 1);
    // Where no server is, that is said.
    let empty = holdfast.tool.folder().display().to_string();
    for command in [&["user", "list"][..], &["health"], &["events"]] {
        let ran = holdfast.tool.run(&[command, &["--data", &empty]].concat());
        ran.fails(1, &["admin.sock"]);
    }
}

/// The first line of each option or command of a help text.
fn told_in(help: &str, heading: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != heading).skip(1);
    lines.take_while(|line| !line.is_empty()).map(|line| line.trim().to_owned()).collect()
}

#[test]
fn help_tells_every_command_and_every_flag_of_its_own_in_its_place() {
    let tool = Tool::new();
    let commands: [(&str, &[&str]); 6] = [
        ("user", &["add", "list", "show", "set", "passwd", "tokens", "logout", "remove"]),
        ("group", &["add", "list", "show", "join", "leave", "remove"]),
        ("service", &["add", "list", "show", "set", "secret", "secrets", "revoke", "remove"]),
        ("token", &["new", "list", "revoke"]),
        ("grant", &["add", "list", "remove"]),
        ("acl", &["explain", "lint"]),
    ];
    for (command, parts) in commands {
        let help = tool.run(&[command, "--help"]).fine().stdout;
        let told = told_in(&help, "Commands:");
        for part in parts {
            let line = told.iter().find(|line| line.split(' ').next() == Some(part));
            assert!(line.is_some_and(|line| line.split_whitespace().count() > 2), "{command} {part}: {help}");
            let help = tool.run(&[command, part, "--help"]).fine().stdout;
            let own = told_in(&help, "Options:").join("\n");
            assert!(own.contains("--json"), "{help}");
            let where_to = told_in(&help, "Which registry, and as whom:").join("\n");
            let head = |text: &str, flag: &str| {
                text.lines().any(|line| {
                    line.contains(&format!("{flag} "))
                        || line.contains(&format!("{flag}\n"))
                        || line.ends_with(flag)
                })
            };
            for flag in [
                "--email",
                "--admin",
                "--disabled",
                "--description",
                "--new-password-stdin",
                "--token",
                "--days",
                "--address",
            ] {
                assert!(!head(&where_to, flag), "{command} {part} {flag}: {help}");
            }
            assert!(
                head(&where_to, "--server <URL>") && help.lines().all(|line| line.trim() != "Where."),
                "{help}"
            );
        }
    }
}
