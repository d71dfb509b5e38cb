//! `holdfast import`: what goes to which stream, which exit code, what is written and with which rights, and that
//! nothing is overwritten or left half done. It must not know the wording, only the keys and the names of traps.

use crate::testkit::server::Home;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const HASH: &str = "$2y$05$LO.vzwpWC5LZGqThvEfznu8qhb5SGqvBSWY1J3yZ4AxtMRZ3kN5jC";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/fixtures").join(name)
}

fn import(home: &Home, from: &str) -> Command {
    let mut command = home.command("import");
    command.arg(from);
    command
}

fn streams(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

fn good(command: &mut Command) -> (String, String) {
    let output = command.output().expect("import runs");
    let (toml, told) = streams(&output);
    assert!(output.status.success(), "{told}");
    (toml, told)
}

fn refused(command: &mut Command) -> String {
    let output = command.output().expect("import runs");
    let (toml, told) = streams(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(toml.is_empty(), "nothing is printed when all is refused: {toml}");
    told
}

fn table(text: &str) -> toml::Table {
    text.parse().unwrap_or_else(|e| panic!("{e}\n{text}"))
}

#[test]
fn the_reference_of_docker_auth() {
    let home = Home::new();
    let (toml, told) = good(import(&home, "docker-auth").arg(fixture("docker_auth-reference.yml")));
    let table = table(&toml);
    assert_eq!(table["acl"].as_array().unwrap().len(), 17);
    assert_eq!(table["auth"]["users"].as_array().unwrap().len(), 2);
    for part in ["trap 3", "trap 5", "trap 9", "label_claims", "google_auth", "casbin_authz"] {
        assert!(told.contains(part), "{part} is not in: {told}");
    }
    assert!(!told.contains("$2y$"), "no hash is told: {told}");
}

#[test]
fn the_famous_hole_is_refused() {
    let home = Home::new();
    let file = home.folder().join("auth.yml");
    fs::write(
        &file,
        "server: {addr: ':5001'}\ntoken: {issuer: x, expiration: 900}\nusers: {}\nacl:\n- match: {team: infrastructure}\n  actions: ['*']\n",
    )
    .unwrap();
    let told = refused(import(&home, "docker-auth").arg(&file));
    for part in ["trap 4", "team", "EVERYBODY", "line 5", "rule 1"] {
        assert!(told.contains(part), "{part} is not in: {told}");
    }
}

#[test]
fn rules_on_addresses_want_to_know_the_proxies() {
    let home = Home::new();
    let file = home.folder().join("auth.yml");
    fs::write(
        &file,
        "server: {addr: ':5001', real_ip_header: X-Forwarded-For}\ntoken: {issuer: x, expiration: 900}\nusers: {}\nacl:\n- match: {ip: 10.0.0.0/8}\n  actions: [pull]\n",
    )
    .unwrap();
    assert!(refused(import(&home, "docker-auth").arg(&file)).contains("--trusted-proxy"));
    let (toml, _) = good(import(&home, "docker-auth").arg(&file).args(["--trusted-proxy", "192.168.7.1"]));
    assert_eq!(table(&toml)["server"]["trusted_proxies"][0].as_str(), Some("192.168.7.1/32"));
}

#[test]
fn a_file_with_hashes_is_for_its_owner_and_is_not_overwritten() {
    let home = Home::new();
    let out = home.folder().join("holdfast.toml");
    let run = |more: &[&str]| {
        let mut command = import(&home, "docker-auth");
        command.arg(fixture("docker_auth-reference.yml")).arg("--out").arg(&out).args(more);
        command
    };
    let (printed, _) = good(&mut run(&[]));
    assert!(printed.is_empty(), "{printed}");
    let written = fs::read_to_string(&out).unwrap();
    assert!(written.contains("[[auth.users]]"));
    assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);

    fs::write(&out, "mine").unwrap();
    fs::set_permissions(&out, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(refused(&mut run(&[])).contains("--force"));
    assert_eq!(fs::read_to_string(&out).unwrap(), "mine");

    good(&mut run(&["--force"]));
    assert_eq!(fs::read_to_string(&out).unwrap(), written);
    assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600, "not as wide as the old one");
    let left: Vec<_> = fs::read_dir(home.folder()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["holdfast.toml"], "nothing is left beside it");
}

#[test]
fn a_link_is_not_followed_to_what_it_names() {
    let home = Home::new();
    let (target, out) = (home.folder().join("target"), home.folder().join("out.toml"));
    fs::write(&target, "mine").unwrap();
    symlink(&target, &out).unwrap();
    let run = |more: &[&str]| {
        let mut command = import(&home, "docker-auth");
        command.arg(fixture("docker_auth-reference.yml")).arg("--out").arg(&out).args(more);
        command
    };
    refused(&mut run(&[]));
    good(&mut run(&["--force"]));
    assert_eq!(fs::read_to_string(&target).unwrap(), "mine");
    assert!(fs::read_to_string(&out).unwrap().contains("[[acl]]"));
}

#[test]
fn what_cannot_be_written_or_read_is_told() {
    let home = Home::new();
    let mut command = import(&home, "docker-auth");
    command.arg(fixture("docker_auth-reference.yml")).args(["--out", "/nowhere/holdfast.toml"]);
    assert!(refused(&mut command).contains("/nowhere/holdfast.toml"));
    assert!(refused(import(&home, "docker-auth").arg("/nowhere.yml")).contains("/nowhere.yml"));
    assert!(refused(import(&home, "docker-auth").arg(home.folder())).contains("cannot be read"));
    let big = home.folder().join("big.yml");
    fs::write(&big, "#".repeat((4 << 20) + 1)).unwrap();
    for from in ["docker-auth", "htpasswd", "registry-config"] {
        assert!(refused(import(&home, from).arg(&big)).contains("larger"), "{from}");
    }
    let latin = home.folder().join("latin.yml");
    fs::write(&latin, b"a: \xe4\n").unwrap();
    assert!(refused(import(&home, "docker-auth").arg(&latin)).contains("UTF-8"));
}

#[test]
fn an_alias_bomb_ends_quickly_in_a_refusal() {
    let home = Home::new();
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for n in 1..20 {
        let last = n - 1;
        let aliases = vec![format!("*a{last}"); 10].join(", ");
        let _ = writeln!(bomb, "a{n}: &a{n} [{aliases}]");
    }
    let file = home.folder().join("bomb.yml");
    fs::write(&file, bomb).unwrap();
    for from in ["docker-auth", "registry-config"] {
        let told = refused(import(&home, from).arg(&file));
        assert!(!told.contains("panicked"), "{told}");
    }
}

#[test]
fn an_htpasswd_file_is_named_or_written_out() {
    let home = Home::new();
    let file = home.folder().join("htpasswd");
    fs::write(&file, format!("bob:{HASH}\nold:$apr1$canary$x\n")).unwrap();
    let (toml, told) = good(import(&home, "htpasswd").arg("htpasswd").current_dir(home.folder()));
    let path = PathBuf::from(table(&toml)["auth"]["htpasswd"]["path"].as_str().unwrap());
    assert!(path.is_absolute() && path.ends_with("htpasswd"), "{path:?}");
    assert!(told.contains("line 2") && told.contains("old") && !told.contains("canary"), "{told}");
    let (toml, told) = good(import(&home, "htpasswd").arg(&file).arg("--inline"));
    assert_eq!(table(&toml)["auth"]["users"][0]["password"].as_str(), Some(HASH));
    assert!(told.contains("--out"), "hashes on the screen are told of: {told}");
    fs::write(&file, "old:{SHA}x\n").unwrap();
    refused(import(&home, "htpasswd").arg(&file));
    refused(import(&home, "htpasswd").arg("-"));
}

#[test]
fn a_registry_with_its_environment() {
    let home = Home::new()
        .env("REGISTRY_AUTH", "htpasswd")
        .env("REGISTRY_AUTH_HTPASSWD_PATH", "/auth/htpasswd")
        .env("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/srv/images");
    let (toml, told) = good(import(&home, "registry-config").arg(fixture("registry-config-default.yml")));
    let table_ = table(&toml);
    assert_eq!(table_["storage"]["filesystem"]["root"].as_str(), Some("/srv/images"));
    assert_eq!(table_["auth"]["htpasswd"]["path"].as_str(), Some("/auth/htpasswd"));
    assert!(told.contains("REGISTRY_AUTH_HTPASSWD_PATH"), "{told}");

    let lines = home.folder().join("env");
    fs::write(&lines, "PATH=/bin\nREGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY=/other\n").unwrap();
    let mut command = import(&home, "registry-config");
    let (toml, _) = good(command.arg(fixture("registry-config-default.yml")).arg("--env").arg(&lines));
    assert_eq!(table(&toml)["storage"]["filesystem"]["root"].as_str(), Some("/other"));
    assert!(!toml.contains("htpasswd"), "--env takes the place of the environment");

    fs::write(&lines, "REGISTRY_STORAGE_FILESYSTEM_ROOTDIR=canary\n").unwrap();
    let mut command = import(&home, "registry-config");
    let told = refused(command.arg(fixture("registry-config-default.yml")).arg("--env").arg(&lines));
    assert!(told.contains("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY") && !told.contains("canary"), "{told}");
}

#[test]
fn what_comes_out_of_a_registry_is_a_configuration() {
    let home = Home::new();
    let (toml, _) = good(import(&home, "registry-config").arg(fixture("registry-config-default.yml")));
    let output = Home::new().config(&toml).command("check").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn standard_input_is_a_file_too() {
    let home = Home::new();
    let mut child = import(&home, "registry-config")
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let text = fs::read(fixture("registry-config-sample.yml")).unwrap();
    child.stdin.take().unwrap().write_all(&text).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(table(&streams(&output).0)["auth"]["service"].as_str(), Some("token-service"));
}
