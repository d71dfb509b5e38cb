//! `holdfast check`: what a configuration means, and every mistake in it at once; and that the server itself
//! refuses what `check` refuses. It must not know the wording, only the keys that must be named.

use crate::testkit::server::Home;

/// Runs `holdfast check` with this file; gives success and all that was told.
fn check(home: &Home) -> (bool, String) {
    let output = home.command("check").output().expect("check runs");
    let told =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), told)
}

#[test]
fn the_defaults_are_fine_and_told() {
    let (fine, told) = check(&Home::new());
    assert!(fine, "{told}");
    for word in ["127.0.0.1:5000", "holdfast-data", "sled"] {
        assert!(told.contains(word), "no {word} in: {told}");
    }
}

#[test]
fn a_file_is_told_as_it_is_meant() {
    let home = Home::new().config(
        "data = \"/srv/images\"\n[server]\nlisten = \"0.0.0.0:5999\"\n[metadata]\nengine = \"redb\"\n",
    );
    let (fine, told) = check(&home);
    assert!(fine, "{told}");
    for word in ["/srv/images", "0.0.0.0:5999", "redb"] {
        assert!(told.contains(word), "no {word} in: {told}");
    }
}

#[test]
fn an_unknown_key_is_named_with_the_nearest_known_one() {
    for (toml, wrong, near) in [
        ("[server]\nlisen = \"127.0.0.1:5000\"\n", "lisen", "listen"),
        ("[metadata]\nengin = \"sled\"\n", "engin", "engine"),
        ("[storage.filesystem]\nrot = \"/srv\"\n", "rot", "root"),
        ("[registry]\nmanifest_byte_max = 1\n", "manifest_byte_max", "manifest_bytes_max"),
        ("[sever]\nlisten = \"127.0.0.1:5000\"\n", "sever", "server"),
        ("dat = \"x\"\n", "dat", "data"),
    ] {
        let (fine, told) = check(&Home::new().config(toml));
        assert!(!fine, "{toml} passed: {told}");
        assert!(told.contains(wrong) && told.contains(near), "{toml}: {told}");
    }
}

#[test]
fn every_mistake_is_told_at_once() {
    let home = Home::new().config(concat!(
        "[server]\nlisen = \"127.0.0.1:5000\"\nconnections_max = \"many\"\n",
        "[metadata]\nengine = \"oracle\"\n",
        "[registry]\nabsent_content = \"perhaps\"\nuplods_max = 3\n",
    ));
    let (fine, told) = check(&home);
    assert!(!fine);
    for word in ["lisen", "connections_max", "engine", "absent_content", "uplods_max"] {
        assert!(told.contains(word), "{word} is not told in: {told}");
    }
}

#[test]
fn the_environment_wins_over_the_file() {
    let home = Home::new()
        .config("[server]\nlisten = \"127.0.0.1:5001\"\n")
        .env("HOLDFAST_SERVER_LISTEN", "127.0.0.1:5002")
        .env("HOLDFAST_METADATA_ENGINE", "redb");
    let (fine, told) = check(&home);
    assert!(fine, "{told}");
    assert!(told.contains("127.0.0.1:5002") && told.contains("redb"), "{told}");
}

#[test]
fn a_mistake_in_the_environment_names_the_variable_or_key() {
    let (fine, told) = check(
        &Home::new().env("HOLDFAST_SERVER_CONNECTIONS_MAX", "many").env("HOLDFAST_METADATA_ENGINE", "x"),
    );
    assert!(!fine, "{told}");
    for word in ["connections_max", "engine"] {
        assert!(told.to_lowercase().contains(word), "{word} is not told in: {told}");
    }
}

#[test]
fn a_file_that_is_no_toml_or_not_there() {
    let (fine, told) = check(&Home::new().config("[server\nlisten="));
    assert!(!fine && !told.contains("panicked"), "{told}");
    let output = Home::new().command("check").args(["--config", "/nowhere/holdfast.toml"]).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nowhere/holdfast.toml"));
}

#[test]
fn the_server_refuses_what_check_refuses() {
    let home = Home::new().config("[server]\nlisen = \"127.0.0.1:5000\"\n[metadata]\nengine = \"oracle\"\n");
    let (status, told) = home.start_refused();
    assert!(!status.success());
    assert!(told.contains("lisen") && told.contains("engine"), "{told}");
    assert!(!home.data().exists(), "nothing was created");
}

#[test]
fn help_names_the_commands() {
    let output = Home::new().command("--help").output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success());
    for command in ["serve", "check", "rebuild"] {
        assert!(told.contains(command), "{told}");
    }
}

#[test]
fn what_the_configuration_names_is_tried_if_asked_for() {
    let connect = |home: &Home| home.command("check").arg("--connect").output().expect("check runs");
    let home = Home::new();
    let told = |output: &std::process::Output| String::from_utf8_lossy(&output.stdout).into_owned();
    let fine = connect(&Home::new().env("HOLDFAST_DATA", home.data().display().to_string()));
    assert!(fine.status.success(), "{}", told(&fine));
    assert!(!home.data().exists(), "nothing was made");
    drop(home.start());
    let fine = connect(&Home::new().env("HOLDFAST_DATA", home.data().display().to_string()));
    assert!(fine.status.success() && told(&fine).contains("can be written"), "{}", told(&fine));
    // A port that nobody listens on.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgres://somebody:canary@127.0.0.1:{port}/holdfast");
    let bad = connect(&Home::new().env("HOLDFAST_METADATA_POSTGRES_URL", url));
    assert_eq!(bad.status.code(), Some(1), "{}", told(&bad));
    assert!(told(&bad).contains("BAD metadata") && !format!("{bad:?}").contains("canary"), "{bad:?}");
}
