//! Credential helpers: programs `docker-credential-NAME` that are given a server's name and print what they keep for it
//! (docker/docker-credential-helpers). It must not know which helper is for which registry.

use crate::secret::Secret;
use crate::upstream::error::{Error, printable};
use serde::Deserialize;
use std::ffi::OsStr;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// A helper may ask its user to unlock something.
const WAIT: Duration = Duration::from_mins(1);
/// Most that is read of what a helper prints.
const PRINTED_BYTES_MAX: u64 = 64 << 10;
/// How helpers say that they keep nothing for a server.
const NOTHING_KEPT: &str = "credentials not found in native keychain";

/// What a helper keeps for a server.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Kept {
    /// The account; `<token>` says that the secret is an identity token.
    #[serde(default)]
    pub username: String,
    /// The password or token.
    pub secret: Secret,
}

/// Asks the helper with this name.
pub async fn ask(name: &str, server: &str) -> Result<Option<Kept>, Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || !name.chars().all(plain) {
        return Err(Error::Here(format!(
            "docker's configuration names {name:?} as a credential helper: that is no name"
        )));
    }
    let program = format!("docker-credential-{name}");
    run(program.as_ref(), server, WAIT).await
}

async fn run(program: &OsStr, server: &str, wait: Duration) -> Result<Option<Kept>, Error> {
    let told = |why: String| Error::Here(format!("{}: {why}", program.to_string_lossy()));
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| told(format!("this credential helper of docker's configuration does not start: {e}")))?;
    let Ok(talked) = timeout(wait, talk(&mut child, server)).await else {
        return Err(told(format!("it gave no answer in {} seconds", wait.as_secs())));
    };
    let (printed, complained, success) = talked.map_err(|e| told(format!("it broke off: {e}")))?;
    if success {
        // What does not read is not shown: it holds the secret.
        return serde_json::from_slice::<Kept>(&printed)
            .map(|kept| (!kept.secret.is_empty()).then_some(kept))
            .map_err(|_| told("what it printed is not in the form of a credential helper".into()));
    }
    let printed = String::from_utf8_lossy(&printed);
    if printed.contains(NOTHING_KEPT) {
        return Ok(None);
    }
    let why = format!("{} {}", printed.trim(), String::from_utf8_lossy(&complained).trim());
    let why: String = printable(why.trim()).chars().take(200).collect();
    Err(told(format!("it failed: {why}")))
}

async fn talk(child: &mut Child, server: &str) -> std::io::Result<(Vec<u8>, Vec<u8>, bool)> {
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not read its input closes it, and may still answer.
        let _ = stdin.write_all(server.as_bytes()).await;
    }
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (printed, complained) = tokio::join!(read(stdout), read(stderr));
    let status = child.wait().await?;
    Ok((printed?, complained?, status.success()))
}

/// Reads to the end and keeps the beginning, so that a helper that prints too much is not held up.
async fn read(from: Option<impl AsyncRead + Unpin>) -> std::io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    if let Some(mut from) = from {
        (&mut from).take(PRINTED_BYTES_MAX).read_to_end(&mut kept).await?;
        tokio::io::copy(&mut from, &mut tokio::io::sink()).await?;
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;
    use std::process::Command as Now;

    /// A program of these lines. Written by another process: while this one holds it open for writing, a child that
    /// another test starts would hold it open too, and it could not be run.
    fn script(folder: &tempfile::TempDir, lines: &str) -> PathBuf {
        let path = folder.path().join("helper");
        let text = format!("#!/bin/sh\n{lines}\n");
        let write = "printf '%s' \"$1\" > \"$2\" && chmod 755 \"$2\"";
        assert!(Now::new("sh").args(["-c", write, "sh", &text]).arg(&path).status().unwrap().success());
        path
    }

    fn answer(lines: &str) -> Result<Option<Kept>, Error> {
        let folder = tempfile::tempdir().unwrap();
        let program = script(&folder, lines);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(program.as_os_str(), "r.example.com", Duration::from_secs(30)))
    }

    #[test]
    fn a_helper_is_given_the_server_and_tells_what_it_keeps() {
        let kept = answer(
            r#"[ "$1" = get ] && read -r server; echo "{\"ServerURL\":\"$server\",\"Username\":\"ana@$server\",\"Secret\":\"x\"}""#,
        );
        let kept = kept.unwrap().unwrap();
        assert_eq!((kept.username.as_str(), kept.secret.expose()), ("ana@r.example.com", "x"));
    }

    #[test]
    fn one_that_keeps_nothing_is_no_mistake() {
        assert!(answer("echo 'credentials not found in native keychain'; exit 1").unwrap().is_none());
        assert!(answer(r#"echo '{"Username":"","Secret":""}'"#).unwrap().is_none());
    }

    #[test]
    fn one_that_fails_is_told_with_its_words_and_without_a_secret() {
        let told = answer("echo 'the vault is locked' >&2; exit 3").unwrap_err().to_string();
        assert!(told.contains("the vault is locked"), "{told}");
        let told = answer(r#"echo '{"Secret": geheim}'"#).unwrap_err().to_string();
        assert!(!told.contains("geheim"), "{told}");
        let told = answer("exit 1").unwrap_err().to_string();
        assert!(told.contains("failed"), "{told}");
    }

    #[test]
    fn one_that_prints_without_end_is_read_to_a_bound() {
        assert!(answer("head -c 300000 /dev/zero").is_err());
        assert!(answer("head -c 300000 /dev/zero >&2; exit 1").is_err());
    }

    #[test]
    fn one_that_hangs_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let program = script(&folder, "exec sleep 600");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let told = runtime.block_on(run(program.as_os_str(), "r", Duration::from_millis(1))).unwrap_err();
        assert!(told.to_string().contains("no answer"), "{told}");
    }

    #[test]
    fn a_path_is_no_name() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for name in ["", "../x", "a/b", "a b", "a;b"] {
            assert!(runtime.block_on(ask(name, "r")).is_err(), "{name:?}");
        }
    }
}
