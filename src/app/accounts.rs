//! Puts the parts of the gate together: who comes in, by which sources of users, with which keys, under which rules.

use crate::acl::authority::Authority;
use crate::acl::grant::Grants;
use crate::acl::rules::Rules;
use crate::app::config::settings::Settings;
use crate::app::first_admin;
use crate::auth::accounts::directory::Directory;
use crate::auth::accounts::load;
use crate::auth::authenticator::Authenticator;
use crate::auth::chain::Chain;
use crate::auth::error::{Error, Result};
use crate::auth::gate::Gate;
use crate::auth::here::Here;
use crate::auth::issuer::Issuer;
use crate::auth::owners::Owners;
use crate::auth::passwords::verifier::Passwords;
use crate::auth::ring::KeyRing;
use crate::auth::sources::htpasswd::Htpasswd;
use crate::auth::sources::ldap::source::Ldap;
use crate::auth::sources::own::{OwnAccounts, StoredAccounts};
use crate::auth::sources::static_users::StaticUsers;
use crate::auth::throttle::{Limits, Throttle};
use crate::auth::verified::VerifiedTokens;
use crate::auth::verifier::Verifier;
use crate::events::sink::EventSink;
use crate::registry::parts::Registry;
use arc_swap::ArcSwap;
use std::path::PathBuf;
use std::sync::Arc;

/// Memory for access tokens that were verified a moment ago.
const VERIFIED_BYTES: u64 = 32 << 20;

/// Builds the gate. Accounts are read by [`Accounts::open`], once the metadata is whole.
pub async fn build(
    settings: &Settings,
    registry: &Arc<Registry>,
    events: Arc<dyn EventSink>,
) -> Result<Gate> {
    let (config, clock) = (&settings.auth, &registry.clock);
    let told = |mistakes: Vec<String>| Error::Invalid(mistakes.join("\n"));
    let rules = Rules::compile(&settings.acl).map_err(told)?;
    let authority = Arc::new(Authority::new(rules, Grants::default()));
    let taker = Arc::clone(&authority);
    let directory = Directory::new(
        Arc::clone(&registry.storage.records),
        Arc::clone(&registry.metadata.accounts),
        Arc::clone(clock),
        Box::new(move |grants| taker.set_grants(grants)),
    );
    let claimed = Arc::clone(registry);
    let directory =
        directory.heeding(Arc::clone(&registry.read_only)).while_it_is_ours(move || claimed.may_change());
    let directory = Arc::new(match &registry.metadata.shared {
        Some(_) => {
            let metadata = &registry.metadata;
            directory.beside_others(Arc::clone(&metadata.leases), Arc::clone(&metadata.newspaper))
        }
        None => directory,
    });
    let passwords = Arc::new(Passwords::new(&config.passwords, Arc::clone(clock))?);
    let others = other_sources(settings, &passwords, registry).await?;
    let owners = Arc::new(Owners::new(Arc::clone(&directory), others.clone(), Arc::clone(clock)));
    let own = OwnAccounts::new(Arc::clone(&owners) as Arc<dyn StoredAccounts>, Arc::clone(&passwords));
    let sources = [vec![Arc::new(own) as Arc<dyn Authenticator>], others].concat();
    let chain = Chain::new(sources, Throttle::new(Limits::default(), Arc::clone(clock)));
    let keys = Arc::clone(&registry.metadata.signing_keys);
    let ring = Arc::new(KeyRing::open(config.signing.clone(), keys, Arc::clone(clock)).await?);
    let verifier = Verifier::new(config, Arc::clone(&ring), Arc::clone(clock));
    Ok(Gate {
        authority,
        directory,
        chain,
        owners,
        passwords,
        issuer: Issuer::new(config, Arc::clone(&ring), Arc::clone(clock)),
        verified: VerifiedTokens::new(verifier, Arc::clone(clock), VERIFIED_BYTES),
        ring,
        rules: ArcSwap::from_pointee(settings.acl.clone()),
        events,
        config: config.clone(),
        clock: Arc::clone(clock),
        here: Here::default(),
    })
}

/// The sources of users beside our own accounts, in the order in which they are asked.
async fn other_sources(
    settings: &Settings,
    passwords: &Arc<Passwords>,
    registry: &Registry,
) -> Result<Vec<Arc<dyn Authenticator>>> {
    let (config, clock) = (&settings.auth, &registry.clock);
    let mut sources: Vec<Arc<dyn Authenticator>> = Vec::new();
    if !config.users.is_empty() {
        sources.push(Arc::new(StaticUsers::new(&config.users, Arc::clone(passwords))?));
    }
    if !config.htpasswd.path.is_empty() {
        sources.push(Arc::new(
            Htpasswd::open(&config.htpasswd, Arc::clone(passwords), Arc::clone(clock)).await?,
        ));
    }
    if !config.ldap.url.is_empty() {
        let remember_secs = config.passwords.remember_secs;
        sources.push(Arc::new(Ldap::new(config.ldap.clone(), remember_secs, Arc::clone(clock))?));
    }
    Ok(sources)
}

/// Accounts that are still to be read.
pub struct Accounts {
    /// The gate that they are for.
    pub gate: Arc<Gate>,
    /// What to do at the first start.
    pub admin: first_admin::Config,
    /// The data folder.
    pub data: PathBuf,
}

impl Accounts {
    /// Settles what the last run left half done, reads the accounts, and makes the first one at the first start.
    pub async fn open(&self) -> Result<()> {
        load::load(&self.gate.directory).await?;
        first_admin::make(&self.gate, &self.admin, &self.data).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::build;
    use crate::auth::exchange::{self, Asked};
    use crate::auth::gate::Word;
    use crate::auth::session::Session;
    use crate::auth::sources::ldap::config::Label;
    use crate::auth::sources::ldap::fake::{Entry, Fake, Mood};
    use crate::events::sink::Nobody;
    use crate::secret::Secret;

    async fn session_of_a_token(gate: &Gate, name: &str) -> Session {
        let word = Word::Password(name.into(), Secret::new("right"));
        let session = gate.enter(word, None).await.unwrap().unwrap();
        let asked = Asked { service: gate.service(), scopes: &[], offline: false, client: "", address: None };
        let issued = exchange::exchange(gate, &session, asked).await.unwrap();
        Session::clone(&*gate.enter(Word::Token(issued.token), None).await.unwrap().unwrap())
    }

    #[tokio::test]
    async fn a_user_of_ldap_with_more_labels_than_go_into_a_token_gets_one_all_the_same() {
        let large: &'static str = "x".repeat(9000).leak();
        let entry = |dn, name, title| Entry {
            dn,
            password: "right",
            attributes: vec![("uid", name), ("title", title)],
        };
        let entries =
            vec![entry("uid=amy,dc=example", "amy", large), entry("uid=bob,dc=example", "bob", "few")];
        let fake = Fake::start(Mood::Well, entries).await;
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings { data: folder.path().to_str().unwrap().into(), ..Settings::default() };
        settings.auth.ldap.url.clone_from(&fake.url);
        settings.auth.ldap.base = "dc=example".into();
        let label = Label { attribute: "title".into(), parse_cn: false, lower_case: false };
        settings.auth.ldap.labels = [("title".to_owned(), label)].into();
        let built = build::build(&settings, None).await.unwrap();
        let gate = super::build(&settings, &built.registry, Arc::new(Nobody)).await.unwrap();
        for (name, title) in [("amy", large), ("bob", "few")] {
            let session = session_of_a_token(&gate, name).await;
            assert_eq!(session.identity.label_values("title").collect::<Vec<_>>(), [title]);
        }
    }
}
