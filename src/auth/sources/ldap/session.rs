//! One conversation with a directory: a connection, a question, an answer. Decides nothing about logins.
//!
//! Errors are texts for the log: they say which step failed and what the server or the library said of it.

use crate::acl::identity::Identity;
use crate::auth::sources::ldap::config::Config;
use crate::auth::sources::ldap::entry;
use crate::auth::sources::ldap::filter::{self, ACCOUNT, DN};
use crate::secret::Secret;
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapResult, Scope, SearchEntry, SearchOptions};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::sync::Arc;
use std::time::Duration;

/// Most groups of one user. More are an error, since a rule may deny by the one that was left out.
const GROUPS_MAX: i32 = 2000;

/// Codes of RFC 4511, appendix A.
const SUCCESS: u32 = 0;
const SIZE_LIMIT_EXCEEDED: u32 = 4;
/// Refusals of a bind that are about the account: constraint violation, no such object, inappropriate authentication,
/// invalid credentials, insufficient rights, unwilling to perform (as for locked accounts).
const REFUSALS: [u32; 6] = [19, 32, 48, 49, 50, 53];

/// The way to a directory.
pub struct Way {
    config: Config,
    /// `None`: what the library does of itself, which is to trust the system's certificates.
    tls: Option<Arc<ClientConfig>>,
}

/// Who is asked for.
pub struct Question {
    /// The name.
    pub account: String,
    /// The password that they gave. `None`: it is not about a login.
    pub password: Option<Secret>,
}

/// What the directory says.
#[derive(Debug)]
pub enum Answer {
    /// It has no such entry, or none that is spelt so.
    Nobody,
    /// It has several.
    Several,
    /// It refused the password; its words.
    Refused(String),
    /// It is them.
    Is {
        /// Who.
        identity: Identity,
        /// Changes with the password, if the server tells.
        epoch: u64,
    },
}

impl Way {
    /// Reads the certificates that the configuration names.
    pub fn new(config: Config) -> Result<Self, String> {
        // The library asks rustls for the provider of the process, and panics if there is none. It is ours, or that
        // of whoever came first.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let tls =
            if config.ca_certificate.is_empty() { None } else { Some(trusting(&config.ca_certificate)?) };
        Ok(Self { config, tls })
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Asks over a connection of its own.
    pub async fn ask(&self, question: Question) -> Result<Answer, String> {
        let limit = Duration::from_secs(self.config.timeout_secs);
        let mut settings =
            LdapConnSettings::new().set_conn_timeout(limit).set_starttls(self.config.start_tls);
        if let Some(tls) = &self.tls {
            settings = settings.set_config(Arc::clone(tls));
        }
        let opened = LdapConnAsync::with_settings(settings, &self.config.url).await;
        let (connection, ldap) = opened.map_err(|error| format!("connecting: {error}"))?;
        let talk = std::pin::pin!(Talk { ldap, config: &self.config }.converse(question));
        let drive = std::pin::pin!(connection.drive());
        let mut talk = talk;
        tokio::select! {
            biased;
            answer = &mut talk => answer,
            // The last answers may have come just before the end.
            ended = drive => talk.await.map_err(|why| match ended {
                Ok(()) => format!("{why} (the server closed the connection)"),
                Err(error) => format!("{why} ({error})"),
            }),
        }
    }
}

fn trusting(path: &str) -> Result<Arc<ClientConfig>, String> {
    let refused = |why: &dyn std::fmt::Display| format!("`auth.ldap.ca_certificate`: {path}: {why}");
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| refused(&error))? {
        let certificate = certificate.map_err(|error| refused(&error))?;
        roots.add(certificate).map_err(|error| refused(&error))?;
    }
    if roots.is_empty() {
        return Err(refused(&"it holds no certificate"));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| refused(&error))?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

struct Talk<'a> {
    ldap: Ldap,
    config: &'a Config,
}

impl Talk<'_> {
    async fn converse(mut self, question: Question) -> Result<Answer, String> {
        let answer = self.answer(&question).await;
        // A server may log who leaves without a word; whether it hears this one is of no matter.
        let _ = self.ldap.unbind().await;
        answer
    }

    async fn answer(&mut self, question: &Question) -> Result<Answer, String> {
        let Question { account, password } = question;
        if !self.config.bind_dn.is_empty() {
            self.bind_as_ourselves().await?;
        }
        let entry = match self.find(account).await? {
            Found::Nobody => {
                if password.is_some() {
                    self.bind_as_nobody().await?;
                }
                return Ok(Answer::Nobody);
            }
            Found::Several => return Ok(Answer::Several),
            Found::One(entry) => entry,
        };
        if let Some(password) = password {
            if let Some(words) = self.refuses(&entry.dn, password).await? {
                return Ok(Answer::Refused(words));
            }
            if !self.config.group_base.is_empty() {
                self.bind_as_ourselves().await?; // what a user may see of groups is not what we may
            }
        }
        let groups = self.groups(&entry.dn, account).await?;
        let identity = entry::identity(self.config, &entry, account, groups);
        Ok(Answer::Is { identity, epoch: entry::epoch(&entry) })
    }

    /// With an empty name and password: as nobody in particular (RFC 4513, section 5.1.1).
    async fn bind_as_ourselves(&mut self) -> Result<(), String> {
        let Config { bind_dn, bind_password, .. } = self.config;
        let result = self.ldap.simple_bind(bind_dn, bind_password.expose()).await;
        match result.map_err(|error| format!("binding as `bind_dn`: {error}"))? {
            LdapResult { rc: SUCCESS, .. } => Ok(()),
            refusal => Err(format!("binding as `bind_dn` was refused: {refusal}")),
        }
    }

    /// Takes as long as a wrong password would have.
    async fn bind_as_nobody(&mut self) -> Result<(), String> {
        let nobody = format!("cn={},{}", uuid::Uuid::new_v4(), self.config.base);
        let result = self.ldap.simple_bind(&nobody, &uuid::Uuid::new_v4().to_string()).await;
        result.map(|_| ()).map_err(|error| format!("binding: {error}"))
    }

    async fn find(&mut self, account: &str) -> Result<Found, String> {
        let config = self.config;
        let filter = filter::fill(&config.filter, &[(ACCOUNT, account)]);
        let (mut entries, more) = self.search(&config.base, &filter, (2, entry::attributes(config))).await?;
        if more || entries.len() > 1 {
            return Ok(Found::Several);
        }
        let Some(entry) = entries.pop() else { return Ok(Found::Nobody) };
        if entry.dn.is_empty() {
            return Err("the server found an entry without a name, as which nobody can bind".into());
        }
        if !entry::is_named(config, &entry, account) {
            tracing::info!(?account, entry = ?entry.dn, "a name was not given as the directory spells it");
            return Ok(Found::Nobody);
        }
        Ok(Found::One(Box::new(entry)))
    }

    async fn groups(&mut self, dn: &str, account: &str) -> Result<Vec<String>, String> {
        let config = self.config;
        if config.group_base.is_empty() {
            return Ok(Vec::new());
        }
        let filter = filter::fill(&config.group_filter, &[(DN, dn), (ACCOUNT, account)]);
        let attributes = vec![config.group_attribute.clone()];
        let (entries, more) = self.search(&config.group_base, &filter, (GROUPS_MAX, attributes)).await?;
        if more {
            return Err(format!(
                "there are more than {GROUPS_MAX} groups of one user, or than the server tells"
            ));
        }
        let names = entries.iter().flat_map(|entry| entry::values(entry, &config.group_attribute));
        Ok(names.cloned().collect())
    }

    /// The entries, and whether there were more than were asked for.
    async fn search(
        &mut self,
        base: &str,
        filter: &str,
        limits: (i32, Vec<String>),
    ) -> Result<(Vec<SearchEntry>, bool), String> {
        let (sizelimit, attributes) = limits;
        let timelimit = i32::try_from(self.config.timeout_secs).unwrap_or(i32::MAX);
        let options = SearchOptions::new().sizelimit(sizelimit).timelimit(timelimit);
        let result =
            self.ldap.with_search_options(options).search(base, Scope::Subtree, filter, attributes).await;
        let found = result.map_err(|error| format!("searching in {base:?}: {error}"))?;
        let more = match &found.1 {
            LdapResult { rc: SUCCESS, .. } => false,
            LdapResult { rc: SIZE_LIMIT_EXCEEDED, .. } => true,
            refusal => return Err(format!("searching in {base:?} was refused: {refusal}")),
        };
        let entries = found.0.into_iter().filter(|entry| !entry.is_ref() && !entry.is_intermediate());
        Ok((entries.map(SearchEntry::construct).collect(), more))
    }

    /// The server's words if it refuses the password; `None` if it is right. An empty one never comes so far: it
    /// would be a login as nobody, which goes well.
    async fn refuses(&mut self, dn: &str, password: &Secret) -> Result<Option<String>, String> {
        if password.is_empty() {
            return Ok(Some("an empty password".into()));
        }
        let result = self.ldap.simple_bind(dn, password.expose()).await;
        match result.map_err(|error| format!("binding: {error}"))? {
            LdapResult { rc: SUCCESS, .. } => Ok(None),
            refusal if REFUSALS.contains(&refusal.rc) => Ok(Some(refusal.to_string())),
            failure => Err(format!("binding as {dn:?}: {failure}")),
        }
    }
}

enum Found {
    Nobody,
    Several,
    One(Box<SearchEntry>),
}
