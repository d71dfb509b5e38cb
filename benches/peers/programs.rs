//! Where the programs are that a bench runs, and what they call themselves.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The program of this project: the one that `HOLDFAST_BIN` names, or that Cargo built.
pub fn holdfast() -> Option<PathBuf> {
    let built = option_env!("CARGO_BIN_EXE_holdfast").map(PathBuf::from);
    std::env::var_os("HOLDFAST_BIN").map(PathBuf::from).or(built).filter(|path| path.is_file())
}

/// A program on the PATH or in the folders of system services, which are not on every user's PATH.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).map(|dir| dir.join(name)).find(|path| path.is_file())
}

/// The first line of `program --version`, for the header.
pub fn version(program: &Path) -> String {
    let flag = if program.ends_with("nginx") { "-v" } else { "--version" };
    let Ok(output) = Command::new(program).arg(flag).env_remove("HOLDFAST_BIN").output() else {
        return "unknown version".into();
    };
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).lines().next().unwrap_or("unknown version").to_owned()
}
