//! The account commands against a server by its URL, with what `docker login` left behind: a password, an identity
//! token, or a personal access token.

use crate::testkit::accounts::{ADMIN_PASSWORD, guarded};
use crate::testkit::image::image;
use crate::testkit::server::Running;
use crate::testkit::tool::{Ran, Tool};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

fn host(server: &Running) -> String {
    server.addr.to_string()
}

/// Somebody after `docker login` with a password.
fn with_password(server: &Running, name: &str, password: &str) -> Tool {
    let auth = STANDARD.encode(format!("{name}:{password}"));
    Tool::new().docker(&json!({ "auths": { host(server): { "auth": auth } } }).to_string())
}

/// Somebody after `docker login` with an identity token.
fn with_identity(server: &Running, name: &str, password: &str) -> (Tool, String) {
    let reply = server.login(name, password).token_reply("&offline_token=true&client_id=docker");
    let token = reply["refresh_token"].as_str().unwrap().to_owned();
    let auth = json!({ "auth": STANDARD.encode(format!("{name}:")), "identitytoken": token });
    (Tool::new().docker(&json!({ "auths": { host(server): auth } }).to_string()), token)
}

#[track_caller]
fn run(server: &Running, tool: &Tool, arguments: &[&str]) -> Ran {
    let url = format!("http://{}", host(server));
    let ran = tool.run(&[arguments, &["--server", &url]].concat());
    for secret in [ADMIN_PASSWORD, "password of bob"] {
        assert!(!format!("{ran:?}").contains(secret), "{ran:?}");
    }
    ran
}

#[test]
fn an_administrator_does_everything_with_docker_s_password_or_identity_token() {
    let server = guarded();
    let (identity, token) = with_identity(&server, "admin", ADMIN_PASSWORD);
    for (nth, tool) in [with_password(&server, "admin", ADMIN_PASSWORD), identity].iter().enumerate() {
        let (user, repository) = (format!("user{nth}"), format!("team/app{nth}"));
        server.admin().push(&repository, "1", &image(["base"]));
        let fine = |arguments: &[&str]| {
            let ran = run(&server, tool, arguments).fine();
            assert!(!format!("{ran:?}").contains(&token), "{ran:?}");
            ran
        };
        fine(&["user", "add", &user, "--email", "a@b"]);
        fine(&["group", "add", &user]);
        fine(&["group", "join", &user, &user]);
        fine(&["grant", "add", &format!("group:{user}"), &repository, "pull"]);
        assert!(fine(&["acl", "explain", &user, "pull", &repository]).stdout.starts_with("allowed"));
        assert!(!fine(&["events", "--json"]).json()["entries"].is_null());
        let minted = fine(&["token", "new", "--json", "--description", "laptop", "--days", "1"]).json();
        let id = minted["token"]["id"].as_str().unwrap();
        assert!(fine(&["token", "list"]).stdout.contains(id));
        fine(&["token", "revoke", id]);
        assert!(fine(&["ls"]).lines().contains(&repository.as_str()));
        fine(&["inspect", "--json", &format!("{repository}:1")]);
        fine(&["rm", &format!("{repository}:1")]);
        fine(&["health"]);
    }
}

#[test]
fn one_who_is_no_administrator_is_told_so() {
    let server = guarded();
    server.admin().new_user("bob");
    let (identity, _) = with_identity(&server, "bob", "password of bob");
    for tool in [with_password(&server, "bob", "password of bob"), identity] {
        for arguments in
            [&["user", "list"][..], &["grant", "list"], &["events"], &["user", "add", "eve", "--admin"]]
        {
            run(&server, &tool, arguments).fails(1, &["do not give"]);
        }
        let secret = run(&server, &tool, &["token", "new"]).fine();
        assert!(secret.stdout.starts_with("hfp_") && secret.stderr.contains("the name bob"), "{secret:?}");
        run(&server, &tool, &["token", "list", "--json"]).fine().json();
    }
    let wrong = with_password(&server, "bob", "wrong");
    run(&server, &wrong, &["user", "list"]).fails(1, &["\"bob\"", "wrong"]);
    run(&server, &Tool::new(), &["user", "list"]).fails(1, &["login"]);
    // Nobody may see nothing, until something is for everybody.
    assert_eq!(run(&server, &Tool::new(), &["ls"]).fails(1, &["without a login"]).stdout, "");
}

#[test]
fn a_personal_access_token_uses_the_api_only_if_it_may() {
    let server = guarded();
    server.admin().push("team/app", "1", &image(["base"]));
    server.admin().push("other/app", "1", &image(["base"]));
    let admin = with_password(&server, "admin", ADMIN_PASSWORD);
    let minted = |more: &[&str]| {
        let ran = run(&server, &admin, &[&["token", "new"], more].concat()).fine();
        with_password(&server, "admin", ran.stdout.trim_end())
    };
    let (plain, small, api) = (minted(&[]), minted(&["--repository", "team/**"]), minted(&["--api"]));
    let bounded = minted(&["--api", "--repository", "team/**", "--actions", "pull,push"]);
    for tool in [&plain, &small, &bounded] {
        run(&server, tool, &["user", "list"]).fails(1, &["do not give"]);
        run(&server, tool, &["token", "new"]).fails(1, &[]);
    }
    run(&server, &plain, &["token", "list"]).fails(1, &["do not give"]);
    run(&server, &api, &["user", "list"]).fine();
    run(&server, &bounded, &["token", "list"]).fine();
    assert_eq!(run(&server, &plain, &["ls"]).fine().lines(), ["other/app", "team/app"]);
    assert_eq!(run(&server, &small, &["ls"]).fine().lines(), ["team/app"]);
    run(&server, &small, &["inspect", "team/app:1"]).fine();
    run(&server, &small, &["inspect", "other/app:1"]).fails(1, &["do not give"]);
    run(&server, &small, &["rm", "team/app:1"]).fails(1, &[]);
    assert_eq!(server.admin().tags("team/app"), ["1"]);
}

#[test]
fn a_password_comes_by_the_pipe_and_a_registry_without_accounts_says_so() {
    let server = guarded();
    let url = format!("http://{}", host(&server));
    let arguments = ["user", "list", "--server", &url, "--user", "admin", "--password-stdin"];
    let ran = Tool::new().run_with(&arguments, &format!("{ADMIN_PASSWORD}\n")).fine();
    assert!(ran.stdout.contains("admin") && !format!("{ran:?}").contains(ADMIN_PASSWORD));
    Tool::new().run_with(&arguments, "wrong\n").fails(1, &["wrong"]);
    Tool::new().run(&["user", "list", "--password-stdin"]).fails(2, &["--user"]);
    let open = crate::testkit::server::fresh();
    let url = format!("http://{}", host(&open));
    for command in [&["user", "list"][..], &["grant", "list"], &["token", "new"]] {
        Tool::new().run(&[command, &["--server", &url]].concat()).fails(1, &["no accounts"]);
    }
    // Something else altogether.
    let fake = crate::testkit::fake::Fake::start(|_: &crate::testkit::fake::Seen| {
        crate::testkit::fake::reply(200, "<html>")
    });
    Tool::new().run(&["user", "list", "--server", &fake.url()]).fails(1, &["JSON"]);
}

#[test]
fn somebody_changes_their_own_password_and_nobody_else_s() {
    let server = guarded();
    server.admin().new_user("bob");
    let file = server.home.folder().join("new");
    std::fs::write(&file, "another password\n").unwrap();
    let url = format!("http://{}", host(&server));
    let file = file.display().to_string();
    let passwd = |old: &str, more: &[&str]| {
        let arguments = [&["passwd", "--server", &url, "--user", "bob"], more].concat();
        Tool::new().run_with(&arguments, &format!("{old}\n"))
    };
    passwd("not the password", &["--password-stdin", "--new-password-file", &file]).fails(1, &["bob"]);
    passwd("x", &["--password-stdin", "--new-password-stdin"]).fails(2, &["--new-password-file"]);
    Tool::new().run(&["passwd", "--server", &url]).fails(2, &["--user"]);
    let told = passwd("password of bob", &["--password-stdin", "--new-password-file", &file]).fine();
    assert!(told.stdout.contains("bob") && !format!("{told:?}").contains("another password"), "{told:?}");
    server.login("bob", "another password").api("GET", "/me", None).expect(200);
    server.login("bob", "password of bob").api("GET", "/me", None).expect(401);
}

#[test]
fn a_list_that_is_empty_for_want_of_a_login_is_no_empty_list() {
    let server = guarded();
    server.admin().push("team/app", "1", &image(["base"]));
    run(&server, &Tool::new(), &["ls"]).fails(1, &["without a login", "docker login"]);
    run(&server, &Tool::new(), &["ls", "--json", "--level", "1"]).fails(1, &["without a login"]);
    // Who is logged in and may see nothing is told so.
    server.admin().new_user("bob");
    let told = run(&server, &with_password(&server, "bob", "password of bob"), &["ls"]).fine();
    assert!(told.stderr.contains("there are no repositories"), "{told:?}");
}
