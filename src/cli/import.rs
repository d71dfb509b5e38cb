//! `holdfast import`: reads the file of another program, prints the configuration that means the same, and tells on
//! standard error what could not be carried. What it means is decided in `app/import/`.

use crate::app::import::carried::{Carried, FILE_BYTES_MAX, Outcome};
use crate::app::import::registry_config::environment;
use crate::app::import::{docker_auth, htpasswd, registry_config};
use crate::cli::terminal::{Complaint, complain, say};
use clap::{Args, Subcommand};
use ipnet::IpNet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Arguments of `import`.
#[derive(Debug, Args)]
pub struct Import {
    /// From what.
    #[command(subcommand)]
    pub from: Source,
}

/// What can be imported.
#[derive(Debug, Subcommand)]
pub enum Source {
    /// docker_auth's auth_config.yml: users, LDAP and rules
    DockerAuth(DockerAuth),
    /// An htpasswd file: which lines can be used, and the configuration that reads it
    Htpasswd(Htpasswd),
    /// registry:2's or registry:3's config.yml, with its REGISTRY_* variables
    RegistryConfig(RegistryConfig),
}

/// Where the configuration goes.
#[derive(Debug, Args)]
pub struct Target {
    /// Write the configuration into this file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Overwrite the file of --out
    #[arg(long, requires = "out")]
    pub force: bool,
}

/// Arguments of `import docker-auth`.
#[derive(Debug, Args)]
pub struct DockerAuth {
    /// auth_config.yml, or - for standard input
    pub file: PathBuf,
    /// Network of proxies that may say who the client is (server.trusted_proxies); may be given again
    #[arg(long = "trusted-proxy", value_name = "CIDR", value_parser = network)]
    pub trusted_proxies: Vec<IpNet>,
    /// Where to.
    #[command(flatten)]
    pub target: Target,
}

/// Arguments of `import htpasswd`.
#[derive(Debug, Args)]
pub struct Htpasswd {
    /// The htpasswd file, or - for standard input (with --inline)
    pub file: PathBuf,
    /// Write its users into the configuration instead of naming the file
    #[arg(long)]
    pub inline: bool,
    /// Where to.
    #[command(flatten)]
    pub target: Target,
}

/// Arguments of `import registry-config`.
#[derive(Debug, Args)]
pub struct RegistryConfig {
    /// config.yml, or - for standard input
    pub file: PathBuf,
    /// Take REGISTRY_* from the lines NAME=VALUE of this file instead of from the environment
    #[arg(long, value_name = "FILE")]
    pub env: Option<PathBuf>,
    /// Where to.
    #[command(flatten)]
    pub target: Target,
}

/// Imports.
pub fn run(args: &Import) -> Result<(), Complaint> {
    match &args.from {
        Source::DockerAuth(args) => {
            let outcome = docker_auth::convert::convert(&read(&args.file)?, &args.trusted_proxies);
            give(&args.file, outcome, &args.target)
        }
        Source::Htpasswd(args) => {
            let text = read(&args.file)?;
            if args.file == Path::new("-") && !args.inline {
                return Err(
                    "standard input has no path that Holdfast could read; --inline writes the users".into()
                );
            }
            let path = std::path::absolute(&args.file).unwrap_or_else(|_| args.file.clone());
            give(&args.file, htpasswd::convert(&text, &path.to_string_lossy(), args.inline), &args.target)
        }
        Source::RegistryConfig(args) => {
            let variables = match &args.env {
                Some(file) => environment::lines(&read(file)?),
                None => surroundings(),
            };
            let outcome = registry_config::convert::convert(&read(&args.file)?, &variables);
            give(&args.file, outcome, &args.target)
        }
    }
}

/// The environment of this process, without what is not UTF-8.
fn surroundings() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse::<IpNet>()
        .or_else(|_| address())
        .map(|net| net.trunc())
        .map_err(|_| "neither a network such as 10.0.0.0/8 nor an address".into())
}

/// A file of bounded size, in UTF-8.
fn read(path: &Path) -> Result<String, Complaint> {
    let told = |error: io::Error| format!("{} cannot be read: {error}", path.display());
    let reader: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path).map_err(told)?)
    };
    let mut bytes = Vec::new();
    reader.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(told)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("{} is larger than {FILE_BYTES_MAX} bytes; no configuration is", path.display()));
    }
    String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8", path.display()))
}

/// Tells, and prints or writes.
fn give(file: &Path, outcome: Outcome, target: &Target) -> Result<(), Complaint> {
    let carried = outcome.map_err(|mistakes| {
        let list: Vec<String> = mistakes.iter().map(|mistake| format!("  - {mistake}")).collect();
        format!("{} cannot be carried over:\n{}", file.display(), list.join("\n"))
    })?;
    for remark in &carried.remarks {
        complain(&format!("{}: {}", remark.tone.as_str(), remark.text));
    }
    match &target.out {
        None => {
            if carried.secret {
                complain(
                    "note: hashes of passwords are in what is printed; --out writes a file for its owner alone",
                );
            }
            say(carried.toml.trim_end());
        }
        Some(path) => write(path, &carried, target.force)
            .map_err(|error| format!("{} cannot be written: {error}", path.display()))?,
    }
    Ok(())
}

/// A new file, or one that takes the place of an old one whole. With hashes in it only its owner may read it.
fn write(path: &Path, carried: &Carried, force: bool) -> io::Result<()> {
    let mode = if carried.secret { 0o600 } else { 0o644 };
    let create = |path: &Path| OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    if !force {
        let file = create(path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => io::Error::other("it exists; --force overwrites it"),
            _ => error,
        })?;
        return fill(file, carried).inspect_err(|_| drop(std::fs::remove_file(path)));
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    let beside = PathBuf::from(beside);
    let file = create(&beside)?;
    fill(file, carried)
        .and_then(|()| std::fs::rename(&beside, path))
        .inspect_err(|_| drop(std::fs::remove_file(&beside)))
}

fn fill(mut file: File, carried: &Carried) -> io::Result<()> {
    file.write_all(carried.toml.as_bytes())?;
    file.sync_all()
}
