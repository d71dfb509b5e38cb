//! The first start: one administrator, whose password only the owner of the data folder can read, or that the operator
//! gave. And what is there after it: records that outlive a kill at any moment.

use crate::testkit::accounts::{ADMIN_PASSWORD, user};
use crate::testkit::client::get;
use crate::testkit::server::{Home, Server};
use crate::testkit::tool::Tool;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

fn file_of(home: &Home) -> PathBuf {
    home.data().join("initial-admin-password")
}

fn login_status(server: &Server, password: &str) -> u16 {
    server.client().login("admin", password).send(&get("/v2/")).status
}

#[test]
fn the_first_start_makes_a_password_that_only_the_owner_reads_and_a_change_takes_it_away() {
    let home = Home::new().with_made_up_password();
    let server = home.start();
    let file = file_of(&home);
    assert_eq!(fs::symlink_metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);
    let text = fs::read_to_string(&file).unwrap();
    let password = text.trim_end().to_owned();
    assert!(text.ends_with('\n') && password.len() >= 24, "as `cat` shows it");
    let log = server.log();
    assert!(log.contains(&file.display().to_string()) && !log.contains(&password), "{log}");
    assert_eq!(login_status(&server, &password), 200);
    let data = home.data().display().to_string();
    let printed = Tool::new().run(&["initial-password", "--data", &data]).fine();
    assert_eq!((printed.stdout, printed.stderr), (text.clone(), String::new()));
    let json = Tool::new().run(&["initial-password", "--json", "--data", &data]).fine().json();
    assert_eq!(json, json!({ "name": "admin", "password": password }));
    // Another start makes no other one.
    server.stop();
    let server = home.start();
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    assert!(!server.log().contains("first start"), "{}", server.log());
    let admin = server.client().login("admin", &password);
    assert_eq!(admin.api("GET", "/users/admin", None).expect(200).json()["initial"], true);
    admin
        .api("PUT", "/me/password", Some(&json!({ "old": password, "new": "a password of mine" })))
        .expect(204);
    assert!(!file.exists());
    assert_eq!((login_status(&server, &password), login_status(&server, "a password of mine")), (401, 200));
    Tool::new()
        .run(&["initial-password", "--data", &data])
        .fails(1, &["has been changed", "user passwd admin"]);
    server.stop();
    // Also where the metadata is lost it is no first start.
    fs::remove_dir_all(home.data().join("metadata")).unwrap();
    let server = home.start();
    assert!(!file.exists());
    assert_eq!(login_status(&server, "a password of mine"), 200);
}

#[test]
fn a_command_takes_the_file_away_as_well_and_so_does_the_end_of_its_user() {
    for by_command in [true, false] {
        let home = Home::new().with_made_up_password();
        let server = home.start();
        let data = home.data().display().to_string();
        if by_command {
            let arguments = ["user", "passwd", "admin", "--new-password-stdin", "--data", &data];
            let ran = Tool::new().run_with(&arguments, "from the pipe\n").fine();
            assert!(!format!("{ran:?}").contains("from the pipe"));
            assert_eq!(login_status(&server, "from the pipe"), 200);
        } else {
            let ran = Tool::new().run(&["user", "add", "root2", "--admin", "--data", &data]).fine();
            let told = ran.stderr.trim_end().rsplit(' ').next().unwrap().to_owned();
            Tool::new().run(&["user", "remove", "admin", "--data", &data]).fine();
            server.client().login("root2", &told).send(&get("/v2/")).expect(200);
        }
        assert!(!file_of(&home).exists(), "by command: {by_command}");
    }
}

#[test]
fn a_password_that_is_given_is_taken_and_no_file_made() {
    for (variable, value) in
        [("HOLDFAST_ADMIN_PASSWORD", "given by hand\n".trim_end()), ("HOLDFAST_ADMIN_PASSWORD_FILE", "")]
    {
        let home = Home::new().with_made_up_password();
        let secret = home.folder().join("secret");
        fs::write(&secret, "given by hand\n").unwrap();
        let value = if value.is_empty() { secret.display().to_string() } else { value.to_owned() };
        let home = home.env(variable, value);
        let server = home.start();
        assert!(!file_of(&home).exists());
        assert_eq!(login_status(&server, "given by hand"), 200);
        assert!(!server.log().contains("given by hand"));
        // Later it is without effect, whatever it says and whether it is there.
        server
            .client()
            .login("admin", "given by hand")
            .api("PUT", "/me/password", Some(&json!({ "old": "given by hand", "new": "another password" })))
            .expect(204);
        server.stop();
        fs::write(&secret, "something else\n").unwrap();
        let server = home.start();
        assert_eq!(
            (login_status(&server, "given by hand"), login_status(&server, "another password")),
            (401, 200)
        );
    }
}

#[test]
fn a_given_password_that_cannot_be_is_a_refusal_to_start() {
    let absent =
        Home::new().with_made_up_password().env("HOLDFAST_ADMIN_PASSWORD_FILE", "/nonexistent/secret");
    let short = Home::new().with_made_up_password().env("HOLDFAST_ADMIN_PASSWORD", "canary");
    let both = Home::new().with_accounts().env("HOLDFAST_ADMIN_PASSWORD_FILE", "/nonexistent/secret");
    for (home, told) in
        [(absent, "/nonexistent/secret"), (short, "at least 8"), (both, "HOLDFAST_ADMIN_PASSWORD_FILE")]
    {
        let (status, log) = home.start_refused();
        assert_eq!(status.code(), Some(1), "{log}");
        assert!(log.contains(told) && !log.contains("canary"), "{log}");
        assert!(!file_of(&home).exists());
    }
}

#[test]
fn what_was_acknowledged_outlives_a_kill_at_once_and_the_loss_of_the_metadata() {
    let home = Home::new().with_accounts();
    let mut server = home.start();
    let again = |server: Server, metadata: bool| {
        server.kill();
        if metadata {
            fs::remove_dir_all(home.data().join("metadata")).unwrap();
        }
        home.start()
    };
    let admin = |server: &Server| server.client().admin();
    let alice = |server: &Server| server.client().login("alice", "password of alice");
    admin(&server).new_user("alice");
    server = again(server, false);
    alice(&server).api("GET", "/me", None).expect(200);
    admin(&server).api("PATCH", "/users/alice", Some(&json!({ "email": "a@b" }))).expect(200);
    server = again(server, true);
    assert_eq!(admin(&server).api("GET", "/users/alice", None).expect(200).json()["email"], "a@b");
    let token = alice(&server).api("POST", "/me/tokens", Some(&json!({}))).expect(201).json();
    server = again(server, false);
    let bearer =
        |server: &Server| server.client().bearer(token["secret"].as_str().unwrap()).send(&get("/v2/")).status;
    assert_eq!(bearer(&server), 200);
    let grant = admin(&server).grant(&user("alice"), "team/**", &["pull", "push"]);
    server = again(server, true);
    let may = |server: &Server| {
        alice(server).send(&crate::testkit::client::post("/v2/team/app/blobs/uploads/")).status
    };
    assert_eq!((may(&server), bearer(&server)), (202, 200));
    admin(&server).api("DELETE", &format!("/grants/{grant}"), None).expect(204);
    server = again(server, true);
    assert_eq!(may(&server), 403);
    alice(&server)
        .api("DELETE", &format!("/me/tokens/{}", token["token"]["id"].as_str().unwrap()), None)
        .expect(204);
    server = again(server, true);
    assert_eq!(bearer(&server), 401);
    admin(&server).api("POST", "/groups", Some(&json!({ "name": "dev" }))).expect(201);
    admin(&server).api("PUT", "/groups/dev/members/user:alice", None).expect(204);
    server = again(server, true);
    assert_eq!(alice(&server).api("GET", "/me", None).expect(200).json()["groups"], json!(["dev"]));
    admin(&server)
        .api("PUT", "/users/alice/password", Some(&json!({ "password": "the other one" })))
        .expect(204);
    server = again(server, false);
    alice(&server).api("GET", "/me", None).expect(401);
    server.client().login("alice", "the other one").api("GET", "/me", None).expect(200);
    admin(&server).api("DELETE", "/users/alice", None).expect(204);
    server = again(server, true);
    admin(&server).api("GET", "/users/alice", None).expect(404);
    assert_eq!(admin(&server).api("GET", "/groups/dev", None).expect(200).json()["members"], json!([]));
    assert_eq!(login_status(&server, ADMIN_PASSWORD), 200);
}

#[test]
fn a_name_that_another_source_knows_is_not_taken_at_the_first_start() {
    let hash = bcrypt::hash("their own password", 4).unwrap();
    let file_with = |home: &Home, names: &[&str]| {
        let lines: Vec<String> = names.iter().map(|name| format!("{name}:{hash}\n")).collect();
        let file = home.folder().join("htpasswd");
        fs::write(&file, lines.concat()).unwrap();
        format!("[auth.htpasswd]\npath = \"{}\"\n", file.display())
    };
    let home = Home::new().with_made_up_password();
    let config = file_with(&home, &["admin"]);
    let home = home.config(&config);
    let server = home.start();
    let me = server.client().login("admin", "their own password").api("GET", "/me", None).expect(200).json();
    assert_eq!((&me["source"], &me["admin"]), (&json!("htpasswd"), &json!(false)), "nobody is shut out");
    let data = home.data().display().to_string();
    let told = Tool::new().run(&["initial-password", "--json", "--data", &data]).fine().json();
    assert_eq!(told["name"], "holdfast-admin");
    let admin = server.client().login("holdfast-admin", told["password"].as_str().unwrap());
    admin.api("GET", "/users", None).expect(200);
    assert!(server.log().contains("the administrator is `holdfast-admin`"), "{}", server.log());
    server.stop();

    let home = Home::new().with_accounts();
    let config = file_with(&home, &["admin", "holdfast-admin"]);
    let (status, log) = home.config(&config).start_refused();
    assert!(!status.success() && log.contains("`admin.name`"), "{log}");

    let home = Home::new().with_accounts().env("HOLDFAST_ADMIN_NAME", "root");
    let config = file_with(&home, &["admin"]);
    let server = home.config(&config).start();
    server.client().login("root", ADMIN_PASSWORD).api("GET", "/users", None).expect(200);
}

#[test]
fn a_password_file_that_opens_nothing_any_more_goes_at_the_next_start() {
    let home = Home::new().with_made_up_password();
    let server = home.start();
    let text = fs::read_to_string(file_of(&home)).unwrap();
    let body = json!({ "old": text.trim_end(), "new": "a password of mine" });
    server.client().login("admin", text.trim_end()).api("PUT", "/me/password", Some(&body)).expect(204);
    server.stop();
    // As if the server had been cut off between the change and the file.
    fs::write(file_of(&home), &text).unwrap();
    let server = home.start();
    assert!(!file_of(&home).exists());
    assert_eq!(login_status(&server, "a password of mine"), 200);
}
