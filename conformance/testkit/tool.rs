//! The program as somebody's tool: run to its end, with docker's configuration and a password of the test's own. It must
//! not know what the commands do.

use super::server::PROGRAM;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// A person with a folder.
pub struct Tool {
    folder: tempfile::TempDir,
}

/// What a run came to.
#[derive(Debug)]
pub struct Ran {
    /// The exit code.
    pub code: i32,
    /// Standard output, byte for byte.
    pub bytes: Vec<u8>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Tool {
    /// Somebody without credentials.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("holdfast-tool-").tempdir().expect("a temporary folder");
        Self { folder }
    }

    /// Gives them docker's configuration.
    pub fn docker(self, json: &str) -> Self {
        fs::write(self.folder.path().join("config.json"), json).expect("write docker's configuration");
        self
    }

    /// Gives them a program; written by a shell, so that no other test's child holds it open meanwhile.
    pub fn program(self, name: &str, lines: &str) -> Self {
        let write = "printf '%s' \"$1\" > \"$2\" && chmod 755 \"$2\"";
        let text = format!("#!/bin/sh\n{lines}\n");
        let path = self.folder.path().join(name);
        let status = Command::new("sh").args(["-c", write, "sh", &text]).arg(&path).status();
        assert!(status.expect("sh runs").success());
        self
    }

    /// Their folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs the program with these arguments.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, "")
    }

    /// Runs the program with this on its standard input.
    #[track_caller]
    pub fn run_with(&self, arguments: &[&str], input: &str) -> Ran {
        let path = format!("{}:/usr/bin:/bin", self.folder.path().display());
        let mut command = Command::new(PROGRAM);
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        command.env("DOCKER_CONFIG", self.folder.path()).env("PATH", path).env("HOME", "/nonexistent");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        // One that does not read its input is no fault.
        let _ = child.stdin.take().expect("stdin is piped").write_all(input.as_bytes());
        let output = child.wait_with_output().expect("the program ends");
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            bytes: output.stdout,
        }
    }
}

impl Ran {
    /// Demands success.
    #[track_caller]
    pub fn fine(self) -> Self {
        assert_eq!(self.code, 0, "{self:#?}");
        self
    }

    /// Demands this exit code, and that each of these is told on standard error.
    #[track_caller]
    pub fn fails(self, code: i32, told: &[&str]) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        for part in told {
            assert!(self.stderr.contains(part), "no {part:?} in {self:#?}");
        }
        self
    }

    /// The lines of standard output.
    pub fn lines(&self) -> Vec<&str> {
        self.stdout.lines().collect()
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("stdout is not JSON ({e}): {self:#?}"))
    }
}
