//! Which credentials this person has for a registry: those said on the command line, else those that `docker login`
//! left in docker's `config.json` or in the helper program that it names. It must not know the environment: the caller
//! says where the file is.

use crate::secret::Secret;
use crate::upstream::address::Address;
use crate::upstream::error::Error;
use crate::upstream::helper;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

/// Largest configuration that is read.
const CONFIG_BYTES_MAX: u64 = 4 << 20;
/// What docker files the hub's credentials under.
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// What proves who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A name and a password, or a personal access token in its place.
    Password {
        /// The account.
        user: String,
        /// The password.
        password: Secret,
    },
    /// What `docker login` got instead of keeping the password: a refresh token.
    IdentityToken(Secret),
    /// A token for the registry itself.
    RegistryToken(Secret),
}

/// A credential, and where it was found, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The credential.
    pub credential: Credential,
    /// Where it is from.
    pub from: String,
}

/// Where to look.
#[derive(Debug, Clone)]
pub enum Source {
    /// Nowhere: anonymous.
    None,
    /// This one.
    Given(Found),
    /// Docker's configuration, a file that need not exist.
    Docker(PathBuf),
}

impl Source {
    /// The credential for a registry. Helpers may ask their user, so this is called when one is really needed.
    pub async fn find(&self, address: &Address) -> Result<Option<Found>, Error> {
        match self {
            Self::None => Ok(None),
            Self::Given(found) => Ok(Some(found.clone())),
            Self::Docker(path) => match read(path)? {
                Some(config) => config.find(address, path).await,
                None => Ok(None),
            },
        }
    }
}

#[derive(Debug, Default, Deserialize)]
struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default, rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
    #[serde(default, rename = "credsStore")]
    store: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Secret,
    username: String,
    password: Secret,
    identitytoken: Secret,
    registrytoken: Secret,
}

fn read(path: &Path) -> Result<Option<DockerConfig>, Error> {
    let told = |why: String| Error::Here(format!("docker's configuration {}: {why}", path.display()));
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        // Docker itself goes on without a file, and so does whoever has no home.
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(e) => return Err(told(format!("it cannot be read: {e}"))),
    };
    let mut text = Vec::new();
    file.take(CONFIG_BYTES_MAX)
        .read_to_end(&mut text)
        .map_err(|e| told(format!("it cannot be read: {e}")))?;
    if text.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    // Only the place of the mistake: the text around it may be a secret.
    let place = |e: &serde_json::Error| format!("line {}, column {}", e.line(), e.column());
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|e| told(format!("it is not JSON in docker's form ({})", place(&e))))
}

impl DockerConfig {
    async fn find(&self, address: &Address, path: &Path) -> Result<Option<Found>, Error> {
        let named =
            self.helpers.iter().find(|(key, _)| is_for(key, address)).map(|(_, helper)| helper.as_str());
        if let Some(helper) = named.or(Some(self.store.as_str())).filter(|name| !name.is_empty()) {
            let server = if address.is_hub() { HUB_KEY.to_owned() } else { address.host() };
            if let Some(kept) = helper::ask(helper, &server).await? {
                let credential = if kept.username == "<token>" {
                    Credential::IdentityToken(kept.secret)
                } else {
                    Credential::Password { user: kept.username, password: kept.secret }
                };
                return Ok(Some(Found { credential, from: format!("docker-credential-{helper}") }));
            }
        }
        let from = path.display().to_string();
        // The exact key first: `https://host/v1/` may stand beside `host`.
        let exact = self.auths.get(&address.host());
        let near = self.auths.iter().filter(|(key, _)| is_for(key, address)).map(|(_, entry)| entry);
        for entry in exact.into_iter().chain(near) {
            let credential = entry.credential().map_err(|why| {
                Error::Here(format!("docker's configuration {from}: the entry of {}: {why}", address.host()))
            })?;
            if let Some(credential) = credential {
                return Ok(Some(Found { credential, from }));
            }
        }
        Ok(None)
    }
}

impl Entry {
    fn credential(&self) -> Result<Option<Credential>, &'static str> {
        if !self.identitytoken.is_empty() {
            return Ok(Some(Credential::IdentityToken(self.identitytoken.clone())));
        }
        if !self.registrytoken.is_empty() {
            return Ok(Some(Credential::RegistryToken(self.registrytoken.clone())));
        }
        if self.auth.is_empty() {
            let given = !self.username.is_empty() && !self.password.is_empty();
            let (user, password) = (self.username.clone(), self.password.clone());
            return Ok(given.then_some(Credential::Password { user, password }));
        }
        let bytes = STANDARD.decode(self.auth.expose().trim()).map_err(|_| "its `auth` is not base64")?;
        let text = String::from_utf8(bytes).map_err(|_| "its `auth` is not text")?;
        let (user, password) = text.split_once(':').ok_or("its `auth` is not `user:password` in base64")?;
        let password = Secret::new(password.trim_end_matches('\0'));
        Ok(Some(Credential::Password { user: user.to_owned(), password }))
    }
}

/// Whether a key of docker's configuration is of this registry: `host:port`, with or without a scheme, and whatever
/// follows the host.
fn is_for(key: &str, address: &Address) -> bool {
    let bare = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let host = bare.split('/').next().unwrap_or_default();
    !host.is_empty() && address.is_named(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    fn password(user: &str, password: &str) -> Credential {
        Credential::Password { user: user.into(), password: Secret::new(password) }
    }

    /// What a configuration says about a registry.
    fn found(json: &str, at: &str) -> Result<Option<Credential>, Error> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        std::fs::write(&path, json).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let found = runtime.block_on(Source::Docker(path).find(&address(at)))?;
        Ok(found.map(|found| found.credential))
    }

    #[test]
    fn a_password_is_found_under_every_form_of_the_key() {
        let auth = STANDARD.encode("ana:pa:ss\0\0");
        for key in [
            "r.example.com",
            "https://r.example.com",
            "http://r.example.com/v1/",
            "https://r.example.com/v2/",
        ] {
            let json = format!(
                r#"{{"auths":{{"other.example.com":{{"auth":"b3RoZXI6eA=="}},"{key}":{{"auth":"{auth}"}}}}}}"#
            );
            assert_eq!(found(&json, "r.example.com").unwrap(), Some(password("ana", "pa:ss")), "{key}");
            assert_eq!(found(&json, "r.example.com:5000").unwrap(), None, "another port is another registry");
            assert_eq!(found(&json, "example.com").unwrap(), None);
        }
        let plain = r#"{"auths":{"localhost:5000":{"username":"ana","password":"x"}}}"#;
        assert_eq!(found(plain, "localhost:5000").unwrap(), Some(password("ana", "x")));
    }

    #[test]
    fn the_hub_is_found_under_its_old_key() {
        let json = r#"{"auths":{"https://index.docker.io/v1/":{"auth":"YW5hOng="}}}"#;
        for name in ["docker.io", "index.docker.io", "registry-1.docker.io"] {
            assert_eq!(found(json, name).unwrap(), Some(password("ana", "x")), "{name}");
        }
    }

    #[test]
    fn tokens_go_before_passwords() {
        let json =
            r#"{"auths":{"r":{"auth":"YW5hOng=","identitytoken":"refresh"}, "s":{"registrytoken":"raw"}}}"#;
        assert_eq!(found(json, "r").unwrap(), Some(Credential::IdentityToken(Secret::new("refresh"))));
        assert_eq!(found(json, "s").unwrap(), Some(Credential::RegistryToken(Secret::new("raw"))));
    }

    #[test]
    fn no_file_and_no_entry_is_nobody() {
        for json in ["", "  \n", "{}", r#"{"auths":{"r":{}},"HttpHeaders":{"a":"b"},"credsStore":""}"#] {
            assert_eq!(found(json, "r").unwrap(), None, "{json:?}");
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let nowhere = Source::Docker("/nowhere/config.json".into());
        assert_eq!(runtime.block_on(nowhere.find(&address("r"))).unwrap(), None);
    }

    #[test]
    fn what_does_not_read_is_told_without_the_secret() {
        for json in [
            r#"{"auths":{"r":{"auth":"geheim!"}}}"#,
            r#"{"auths":{"r":{"auth":"Z2VoZWlt"}}}"#, // no colon in it
            r#"{"auths":{"r":{"password":"geheim"}} geheim"#,
            r#"{"auths":{"r":{"auth":{"geheim":1}}}}"#,
        ] {
            let told = found(json, "r").unwrap_err();
            assert!(
                matches!(&told, Error::Here(text) if text.contains("config.json") && !text.contains("geheim")),
                "{told}"
            );
        }
    }

    #[test]
    fn a_helper_is_asked_and_the_file_when_it_knows_nothing() {
        let json = r#"{"credHelpers":{"r":"../evil"}}"#;
        assert!(found(json, "r").is_err(), "a helper is a name, never a path");
        let json = r#"{"credsStore":"holdfast-test-absent","auths":{"r":{"auth":"YW5hOng="}}}"#;
        let told = found(json, "r").unwrap_err().to_string();
        assert!(told.contains("docker-credential-holdfast-test-absent"), "{told}");
    }
}
