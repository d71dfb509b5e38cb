//! Which registry a command speaks to, and as whom: the flags that all such commands share. Without a word about it, it is
//! the server of this machine, through the socket in its data folder, which lets in its owner.

use crate::app::admin;
use crate::cli::flags::Common;
use crate::cli::prepare::settings;
use crate::cli::secret_input;
use crate::cli::terminal::{Ending, complain};
use crate::clock::SystemClock;
use crate::secret::Secret;
use crate::upstream::address::Address;
use crate::upstream::client::Client;
use crate::upstream::credentials::{Credential, Found, Source};
use crate::upstream::image_name::ImageName;
use crate::upstream::options::{Options, Watch};
use crate::upstream::patience::Patience;
use crate::upstream::trust::Trust;
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Flags of every command that speaks to a registry.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which registry, and as whom")]
pub struct Remote {
    /// The registry: https://HOST:PORT, http://... or unix:PATH; without it the server of this machine
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// Which server of this machine.
    #[command(flatten)]
    pub common: Common,
    /// Log in with this name, and a password that is asked for, rather than with docker's credentials
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Read the password (or a personal access token) from standard input
    #[arg(long, requires = "user")]
    pub password_stdin: bool,
    /// Folder of docker's config.json, where `docker login` leaves credentials
    #[arg(long, value_name = "DIR", env = "DOCKER_CONFIG")]
    pub docker_config: Option<PathBuf>,
    /// Certificates (PEM) to believe for this registry: its own, or those of an authority; without it the system's
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Do not verify the registry's certificate: whoever answers under its name is believed
    #[arg(long)]
    pub insecure: bool,
    /// Another host that may be asked for tokens and be sent the password (the registry's own always may)
    #[arg(long, value_name = "HOST")]
    pub allow_realm: Vec<String>,
    /// Requests under way at once
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub max_requests: u16,
    /// Seconds without a byte after which a registry is given up
    #[arg(long, value_name = "SECS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout: u64,
    /// Show each request
    #[arg(long, short)]
    pub verbose: bool,
}

impl Remote {
    /// The registry that a command without the name of an image speaks to.
    pub fn address(&self) -> Result<Address, Ending> {
        match &self.server {
            Some(server) => Ok(Address::parse(server)?),
            None => self.local(),
        }
    }

    /// The registry at a host as it stands before the name of an image.
    pub fn address_of_host(&self, host: &str) -> Result<Address, Ending> {
        let Some(server) = &self.server else { return Ok(Address::parse(host)?) };
        let server = Address::parse(server)?;
        if server.is_named(host) {
            return Ok(server);
        }
        Err(Ending::Usage(format!("{host:?} is another registry than --server says: give one of them")))
    }

    /// An image by its name, and the registry that it is in.
    pub fn image(&self, text: &str) -> Result<(Address, ImageName), Ending> {
        let server = self.server.as_deref().map(Address::parse).transpose()?;
        let name = ImageName::parse(text, server.as_ref())?;
        let address = match (server, &name.host) {
            (Some(server), _) => server,
            (None, Some(host)) => Address::parse(host)?,
            (None, None) => self.local()?,
        };
        Ok((address, name))
    }

    /// A client of a registry. Asks for the password if one is needed, and says loudly what weakens it.
    pub async fn client(&self, address: &Address, watch: Option<Watch>) -> Result<Client, Ending> {
        self.client_of(address, self.source(address)?, watch).await
    }

    /// The same, with what is known to log in with.
    pub async fn client_of(
        &self,
        address: &Address,
        source: Source,
        watch: Option<Watch>,
    ) -> Result<Client, Ending> {
        let options = Options {
            address: address.clone(),
            source,
            realm_hosts: self.allow_realm.clone(),
            trust: Trust::new(self.ca.as_deref(), self.insecure)?,
            requests_max: self.max_requests.into(),
            patience: Patience { stall: Duration::from_secs(self.timeout), ..Patience::default() },
            watch,
            clock: Arc::new(SystemClock),
        };
        let client = Client::open(options).await?;
        let at = client.address();
        if self.insecure && !at.is_plain() && at.socket().is_none() {
            complain(&format!(
                "WARNING: --insecure: the certificate of {at} is not verified, and whoever answers under that name is \
                 believed and sent the password"
            ));
        }
        if at.is_plain() && !at.is_loopback() {
            complain(&format!("WARNING: nothing that goes to {at} is encrypted, passwords neither"));
        }
        Ok(client)
    }

    fn local(&self) -> Result<Address, Ending> {
        let settings = settings(&self.common.flags())?;
        Ok(Address::local(&admin::path(Path::new(&settings.data)))?)
    }

    /// The password of `--user`, which is asked for.
    pub fn password(&self, user: &str, address: &Address) -> Result<Secret, Ending> {
        if address.socket().is_some() {
            let why = "the server of this machine knows you by its socket: --user is for one that is named with --server";
            return Err(Ending::Usage(why.into()));
        }
        if user.is_empty() || user.contains(':') {
            return Err(Ending::Usage(format!(
                "{user:?} is no name to log in with: it has a colon, or is empty"
            )));
        }
        Ok(if self.password_stdin {
            secret_input::piped()?
        } else {
            secret_input::typed(&format!("Password of {user} at {address}"), "--password-stdin")?
        })
    }

    /// To log in with a password that was given to this command.
    pub fn given(user: &str, password: Secret) -> Source {
        let credential = Credential::Password { user: user.to_owned(), password };
        Source::Given(Found { credential, from: "the command line".into() })
    }

    fn source(&self, address: &Address) -> Result<Source, Ending> {
        if let Some(user) = &self.user {
            return Ok(Self::given(user, self.password(user, address)?));
        }
        if address.socket().is_some() {
            return Ok(Source::None);
        }
        let folder = self.docker_config.clone().or_else(|| Some(std::env::home_dir()?.join(".docker")));
        Ok(folder.map_or(Source::None, |folder| Source::Docker(folder.join("config.json"))))
    }
}
