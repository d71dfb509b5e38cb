//! Puts the parts of the gate together: who comes in, by which sources of users, with which keys, under which rules.

use crate::acl::authority::Authority;
use crate::acl::grant::Grants;
use crate::acl::rules::Rules;
use crate::app::config::settings::Settings;
use crate::app::first_admin;
use crate::auth::accounts::directory::Directory;
use crate::auth::accounts::load;
use crate::auth::accounts::stored::Stored;
use crate::auth::authenticator::Authenticator;
use crate::auth::chain::Chain;
use crate::auth::error::{Error, Result};
use crate::auth::gate::{Gate, Here};
use crate::auth::issuer::Issuer;
use crate::auth::passwords::verifier::Passwords;
use crate::auth::ring::KeyRing;
use crate::auth::sources::htpasswd::Htpasswd;
use crate::auth::sources::ldap::source::Ldap;
use crate::auth::sources::own::Own;
use crate::auth::sources::static_users::StaticUsers;
use crate::auth::throttle::Throttle;
use crate::auth::verified::VerifiedTokens;
use crate::auth::verifier::Verifier;
use crate::events::sink::EventSink;
use crate::registry::parts::Registry;
use arc_swap::ArcSwap;
use std::path::Path;
use std::sync::Arc;

/// Memory for access tokens that were verified a moment ago.
const VERIFIED_BYTES: u64 = 32 << 20;

/// Builds the gate. Accounts are read by [`open`], once the metadata is whole.
pub async fn build(settings: &Settings, registry: &Registry, events: Arc<dyn EventSink>) -> Result<Gate> {
    let (config, clock) = (&settings.auth, &registry.clock);
    let told = |mistakes: Vec<String>| Error::Invalid(mistakes.join("\n"));
    let rules = Rules::compile(&settings.acl).map_err(told)?;
    let authority = Arc::new(Authority::new(rules, Grants::default()));
    let taker = Arc::clone(&authority);
    let directory = Arc::new(Directory::new(
        Arc::clone(&registry.storage.records),
        Arc::clone(&registry.metadata.accounts),
        Arc::clone(clock),
        Box::new(move |grants| taker.set_grants(grants)),
    ));
    let passwords = Arc::new(Passwords::new(&config.passwords, Arc::clone(clock))?);
    let sources = sources(settings, &directory, &passwords, registry)?;
    let chain = Chain::new(sources, Throttle::new(Arc::clone(clock)), Arc::clone(&passwords));
    let keys = Arc::clone(&registry.metadata.signing_keys);
    let ring = Arc::new(KeyRing::open(config.signing.clone(), keys, Arc::clone(clock)).await?);
    let verifier = Verifier::new(config, Arc::clone(&ring), Arc::clone(clock));
    Ok(Gate {
        authority,
        directory,
        chain,
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

/// The sources of users, in the order in which they are asked.
fn sources(
    settings: &Settings,
    directory: &Arc<Directory>,
    passwords: &Arc<Passwords>,
    registry: &Registry,
) -> Result<Vec<Arc<dyn Authenticator>>> {
    let told = |mistakes: Vec<String>| Error::Invalid(mistakes.join("\n"));
    let (config, clock) = (&settings.auth, &registry.clock);
    let stored = Arc::new(Stored::new(Arc::clone(directory)));
    let mut sources: Vec<Arc<dyn Authenticator>> = vec![Arc::new(Own::new(stored, Arc::clone(passwords)))];
    if !config.users.is_empty() {
        sources.push(Arc::new(StaticUsers::new(&config.users, Arc::clone(passwords)).map_err(told)?));
    }
    if !config.htpasswd.path.is_empty() {
        let file = Path::new(&config.htpasswd.path);
        sources.push(Arc::new(Htpasswd::open(file, Arc::clone(passwords), Arc::clone(clock))?));
    }
    if !config.ldap.url.is_empty() {
        sources.push(Arc::new(Ldap::new(&config.ldap, Arc::clone(passwords)).map_err(told)?));
    }
    Ok(sources)
}

/// Reads the accounts, and makes the first one at the first start.
pub async fn open(gate: &Gate, settings: &Settings) -> Result<()> {
    load::load(&gate.directory).await?;
    first_admin::make(&gate.directory, &gate.passwords, &settings.admin, Path::new(&settings.data)).await
}
