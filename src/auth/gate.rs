//! The gate: from what somebody says to who they are, for every door. A word that is given and wrong is never taken
//! for none.
//!
//! Who has been here with an access token a moment ago passes for the price of a look (`here.rs`), as long as no account
//! has changed since.

use crate::acl::authority::Authority;
use crate::acl::config::Rule;
use crate::acl::identity::{AccountKind, Identity};
use crate::auth::accounts::directory::Directory;
use crate::auth::accounts::owner::{Owner, SOURCE};
use crate::auth::accounts::token::TokenKind;
use crate::auth::accounts::{token_text, tokens};
use crate::auth::authenticator::{Credentials, Login};
use crate::auth::chain::{Chain, Outcome};
use crate::auth::claims::Claims;
use crate::auth::config::Config;
use crate::auth::error::Result;
use crate::auth::here::{Here, Moment};
use crate::auth::issuer::Issuer;
use crate::auth::owners::{self, Owners};
use crate::auth::passwords::verifier::Passwords;
use crate::auth::ring::KeyRing;
use crate::auth::session::{From, Session};
use crate::auth::sources::ldap;
use crate::auth::sources::own::StoredAccounts as _;
use crate::auth::verified::VerifiedTokens;
use crate::auth::verifier::Rejected;
use crate::clock::Clock;
use crate::events::event::{Event, What};
use crate::events::sink::EventSink;
use crate::metadata;
use crate::secret::Secret;
use arc_swap::ArcSwap;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

static STRANGER: LazyLock<Arc<Session>> = LazyLock::new(|| Arc::new(Session::anonymous()));

/// What somebody says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// Nothing.
    Nothing,
    /// A name and a password, or an opaque token in its place.
    Password(String, Secret),
    /// An access token, or an opaque one.
    Token(Secret),
    /// A refresh token, to the issuer.
    Refresh(Secret),
    /// Something that does not read.
    Unreadable,
}

/// Why somebody does not come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The name or the password is wrong.
    Password,
    /// The token does not hold.
    Token,
    /// Too many wrong ones; to be tried again after so many seconds.
    Throttled(u64),
}

/// The parts of the gate.
pub struct Gate {
    /// What the rules say now.
    pub authority: Arc<Authority>,
    /// Our own accounts.
    pub directory: Arc<Directory>,
    /// The rules of the configuration as they are written, for whoever wants to read them.
    pub rules: ArcSwap<Vec<Rule>>,
    /// All sources of users.
    pub chain: Chain,
    /// The accounts behind opaque tokens.
    pub owners: Arc<Owners>,
    /// Hashes and checks passwords.
    pub passwords: Arc<Passwords>,
    /// The keys that sign.
    pub ring: Arc<KeyRing>,
    /// Makes access tokens.
    pub issuer: Issuer,
    /// Checks them.
    pub verified: VerifiedTokens,
    /// Is told of every login and refusal.
    pub events: Arc<dyn EventSink>,
    /// The settings.
    pub config: Config,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who was here a moment ago.
    pub here: Here,
}

impl Gate {
    /// The audience of our tokens.
    pub fn service(&self) -> &str {
        &self.config.service
    }

    /// Whether tokens are issued for this audience.
    pub fn serves(&self, service: &str) -> bool {
        self.issuer.serves(service)
    }

    /// Whether somebody without a name may come in at all.
    pub fn anonymous(&self) -> bool {
        self.config.anonymous
    }

    /// Whose access token this is, if they were here with it a moment ago.
    pub fn recall(&self, token: &[u8]) -> Option<Arc<Session>> {
        if self.directory.freshness.is_stale() {
            return None;
        }
        self.here.find(token, self.moment())
    }

    /// Before anything is read: a change that comes meanwhile then makes what was read old.
    fn moment(&self) -> Moment {
        Moment { generation: self.directory.generation(), now: self.clock.unix_secs() }
    }

    /// From where somebody asks us.
    pub fn from(&self, address: Option<IpAddr>) -> From<'_> {
        From { address, service: &self.config.service, ours: true }
    }

    /// Checks what somebody says. Nobody is let in by accounts, groups or grants that others may have changed long ago.
    pub async fn enter(
        &self,
        word: Word,
        address: Option<IpAddr>,
    ) -> Result<std::result::Result<Arc<Session>, Refusal>> {
        if self.directory.freshness.is_stale() {
            let why = "what other replicas change of the accounts is not seen";
            return Err(metadata::error::Error::Unreachable(why.into()).into());
        }
        match word {
            Word::Nothing => Ok(Ok(Arc::clone(&STRANGER))),
            Word::Unreadable => {
                self.tell(What::LoginRefused, String::new(), "a credential that does not read", address);
                Ok(Err(Refusal::Password))
            }
            Word::Password(name, password) => self.password(name, password, address).await,
            Word::Token(text) if token_text::looks_like_token(text.expose()) => {
                self.opaque(&text, address).await
            }
            Word::Token(text) => self.access_token(&text, address).await,
            Word::Refresh(text) => self.refresh(&text, address).await,
        }
    }

    async fn password(
        &self,
        name: String,
        password: Secret,
        address: Option<IpAddr>,
    ) -> Result<std::result::Result<Arc<Session>, Refusal>> {
        let credentials = Credentials { name, password, address };
        let outcome = self.chain.authenticate(&credentials).await?;
        let (what, answer) = match outcome {
            Outcome::Known(login) => {
                (What::Login, Ok(Arc::new(Session::of_login(self.owners.with_groups(login)))))
            }
            Outcome::Wrong => (What::LoginRefused, Err(Refusal::Password)),
            Outcome::Throttled { retry_secs } => (What::LoginRefused, Err(Refusal::Throttled(retry_secs))),
        };
        self.tell(what, credentials.name, "password", address);
        Ok(answer)
    }

    /// A personal access token or the secret of a service account, as a Bearer token.
    async fn opaque(
        &self,
        text: &Secret,
        address: Option<IpAddr>,
    ) -> Result<std::result::Result<Arc<Session>, Refusal>> {
        let Some(login) = self.owners.token(text).await? else {
            self.tell(What::LoginRefused, String::new(), "token", address);
            return Ok(Err(Refusal::Token));
        };
        self.tell(What::Login, login.identity.name.clone(), "token", address);
        Ok(Ok(Arc::new(Session::of_login(login))))
    }

    async fn refresh(
        &self,
        text: &Secret,
        address: Option<IpAddr>,
    ) -> Result<std::result::Result<Arc<Session>, Refusal>> {
        // Before it is checked, since that counts as a use.
        let token = match token_text::parse(text.expose()) {
            Some(presented) if !self.is_idle(presented.id).await? => {
                self.owners.check(text, &[TokenKind::Refresh]).await?
            }
            _ => None,
        };
        let login = match &token {
            Some(token) => self.owners.of(token).await?,
            None => None,
        };
        let who = token.map(|token| token.owner.name.clone()).unwrap_or_default();
        let what = if login.is_some() { What::Login } else { What::LoginRefused };
        self.tell(what, who, "refresh token", address);
        Ok(login.map(|login| Arc::new(Session::of_login(login))).ok_or(Refusal::Token))
    }

    /// Whether a refresh token was not used for so long that it has ended. One of which nobody knows when it was used,
    /// since that may be lost, is as if it were used now.
    async fn is_idle(&self, id: &str) -> Result<bool> {
        let idle = self.config.refresh_idle_days.saturating_mul(24 * 3600);
        let last = tokens::last_used(&self.directory, id).await?;
        Ok(last.is_some_and(|last| last.saturating_add(idle) < self.clock.unix_secs()))
    }

    async fn access_token(
        &self,
        text: &Secret,
        address: Option<IpAddr>,
    ) -> Result<std::result::Result<Arc<Session>, Refusal>> {
        let at = self.moment();
        let (claims, expired) = match self.verified.verify(text.expose()).await {
            Ok(claims) => (claims, false),
            Err(Rejected::Expired(claims)) => (Arc::new(*claims), true),
            Err(_) => {
                self.tell(What::LoginRefused, String::new(), "access token", address);
                return Ok(Err(Refusal::Token));
            }
        };
        let Some(session) = self.standing(&claims, expired).await? else { return Ok(Err(Refusal::Token)) };
        let session = Arc::new(session);
        if !expired {
            let identity = &session.identity;
            let labels: usize = identity.labels.values().map(|values| values.len() + 1).sum();
            let texts = claims.access.len() + identity.groups.len() + labels;
            self.here.remember(text.expose().as_bytes(), &session, at, claims.exp, texts);
        }
        Ok(Ok(session))
    }

    /// The account of a token as it stands now. `None`: it is gone, disabled, or has another password; or the opaque
    /// token behind it was revoked.
    async fn standing(&self, claims: &Claims, expired: bool) -> Result<Option<Session>> {
        let (account, access) = (&claims.account, claims.access.clone());
        if account.kind == AccountKind::Anonymous {
            return Ok((self.config.anonymous && !expired).then(|| Session::of_anonymous_token(access)));
        }
        let owner = Owner { kind: account.kind, name: claims.sub.clone(), source: account.source.clone() };
        // A token that has expired is rare, and may be old: its account is asked for even far away. So is one with more
        // groups than go into a token; `owners` remembers it.
        let standing = if account.source == ldap::source::NAME && !expired && !account.asked {
            (!self.owners.is_shadowed(&claims.sub)).then(|| self.owners.with_groups(told(claims)))
        } else {
            self.owners.standing(&owner).await?
        };
        let Some(login) = standing.filter(|login| login.epoch == account.epoch) else { return Ok(None) };
        let token = match &account.token {
            None => None,
            Some(id) => match tokens::standing(&self.directory, id).await? {
                Some(token) => Some(owners::used(&token)),
                None => return Ok(None),
            },
        };
        Ok(Some(Session::of_token(Login { token, ..login }, access, expired)))
    }

    /// An account by its name alone, as a login would find it: of the first source that knows it. For explaining.
    pub async fn find(&self, name: &str) -> Result<Option<Login>> {
        for kind in [AccountKind::User, AccountKind::ServiceAccount] {
            if let Some(login) = self.owners.standing(&Owner::own(kind, name)).await? {
                return Ok(Some(login));
            }
        }
        for source in self.chain.sources().filter(|source| *source != SOURCE) {
            let owner = Owner { kind: AccountKind::User, name: name.to_owned(), source: source.to_owned() };
            if let Some(login) = self.owners.standing(&owner).await? {
                return Ok(Some(login));
            }
        }
        Ok(None)
    }

    fn tell(&self, what: What, who: String, detail: &str, address: Option<IpAddr>) {
        let detail = detail.to_owned();
        self.events.emit(Event { what, who, object: String::new(), detail, address });
    }
}

/// An account as its token tells it: of a source that is too far away to be asked at each request. What has changed
/// there counts from the next token on.
fn told(claims: &Claims) -> Login {
    let account = &claims.account;
    let identity = Identity {
        kind: account.kind,
        name: claims.sub.clone(),
        admin: account.admin,
        groups: account.groups.clone(),
        labels: account.labels.clone(),
    };
    Login { identity, source: ldap::source::NAME, epoch: account.epoch, token: None }
}
