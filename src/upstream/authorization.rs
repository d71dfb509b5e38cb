//! What is shown to a registry so that it lets us in: learned from its challenges, kept while it is good. Everything here
//! is for the registry's own host; whoever follows a redirect elsewhere shows nothing.

use crate::clock::Clock;
use crate::upstream::address::Address;
use crate::upstream::challenge::Challenge;
use crate::upstream::credentials::{Credential, Found, Source};
use crate::upstream::error::Error;
use crate::upstream::options::Options;
use crate::upstream::realm;
use crate::upstream::tokens::{self, Place, Token};
use crate::upstream::wire::Wire;
use http::HeaderValue;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// How a registry wants us to show who we are.
#[derive(Debug, Clone)]
enum Scheme {
    /// With name and password each time.
    Basic,
    /// With tokens.
    Bearer(Place),
    /// With the one token that `docker login` left.
    Given,
}

/// A token, or the place for one. Locked while one is asked for, so that it is asked for once.
type Slot = Arc<tokio::sync::Mutex<Option<Token>>>;

/// What is known of how one registry lets us in.
pub struct Authorization {
    address: Address,
    source: Source,
    realm_hosts: Vec<String>,
    clock: Arc<dyn Clock>,
    found: OnceCell<Option<Found>>,
    scheme: Mutex<Option<Scheme>>,
    slots: Mutex<HashMap<String, Slot>>,
}

impl Authorization {
    /// Nothing is known yet.
    pub fn new(options: &Options) -> Self {
        Self {
            address: options.address.clone(),
            source: options.source.clone(),
            realm_hosts: options.realm_hosts.clone(),
            clock: Arc::clone(&options.clock),
            found: OnceCell::new(),
            scheme: Mutex::new(None),
            slots: Mutex::new(HashMap::new()),
        }
    }

    /// What to show with a request for which `scope` will be asked; `None` before the first challenge.
    pub async fn before(&self, wire: &Wire, scope: &str) -> Result<Option<HeaderValue>, Error> {
        let scheme = self.scheme.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match scheme {
            None => Ok(None),
            Some(Scheme::Bearer(place)) => self.token(wire, &place, [scope, scope], None).await.map(Some),
            Some(Scheme::Basic | Scheme::Given) => Ok(shown(self.found().await?)),
        }
    }

    /// What to show after a refusal with these challenges. `sent` is what was shown before.
    pub async fn after(
        &self,
        wire: &Wire,
        scope: &str,
        challenges: &[Challenge],
        sent: Option<&HeaderValue>,
    ) -> Result<HeaderValue, Error> {
        let found = self.found().await?;
        let login = |why: String| Error::Login { at: self.address.to_string(), why };
        let of = |scheme: &str| challenges.iter().find(|challenge| challenge.scheme == scheme);
        let given = found.filter(|found| matches!(found.credential, Credential::RegistryToken(_)));
        if let (Some(bearer), None) = (of("bearer"), given) {
            let realm = bearer.parameter("realm").unwrap_or_default();
            let realm = realm::judge(&self.address, realm, &self.realm_hosts)?;
            let place = Place { realm, service: bearer.parameter("service").map(str::to_owned) };
            self.learn(Scheme::Bearer(place.clone()));
            let asked = bearer.parameter("scope").filter(|scope| !scope.is_empty()).unwrap_or(scope);
            return self.token(wire, &place, [scope, asked], sent).await;
        }
        if of("basic").is_none() && given.is_none() {
            return Err(login(
                "it asks for a login in none of the ways that are known here, Bearer and Basic".into(),
            ));
        }
        let header = shown(found).filter(|header| sent != Some(header));
        let header = header.ok_or_else(|| login(tokens::not_accepted(found)))?;
        self.learn(if given.is_some() { Scheme::Given } else { Scheme::Basic });
        Ok(header)
    }

    /// Whether the registry asked for a login, and nobody had given one.
    pub async fn is_nobody(&self) -> bool {
        let asked = self.scheme.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        asked && matches!(self.found().await, Ok(None))
    }

    /// Why a request was refused with what was shown: the rights do not suffice.
    pub async fn not_enough(&self) -> Error {
        let by_token =
            matches!(*self.scheme.lock().unwrap_or_else(PoisonError::into_inner), Some(Scheme::Bearer(_)));
        let why = match self.found().await {
            Ok(found) if !by_token => tokens::not_accepted(found),
            Ok(Some(Found { credential: Credential::Password { user, .. }, from })) => {
                format!("{user:?} (from {from}) may not do this, or what it would be done to does not exist")
            }
            Ok(Some(found)) => {
                format!(
                    "the token from {} does not give this, or what it is about does not exist",
                    found.from
                )
            }
            Ok(None) => tokens::not_accepted(None),
            Err(error) => return error,
        };
        Error::Login { at: self.address.to_string(), why }
    }

    /// A token for requests of `scope`, for which the registry told us to ask for `asked`; not the one that was `refused`.
    async fn token(
        &self,
        wire: &Wire,
        place: &Place,
        [scope, asked]: [&str; 2],
        refused: Option<&HeaderValue>,
    ) -> Result<HeaderValue, Error> {
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry(scope.to_owned()).or_default())
        };
        let mut kept = slot.lock().await;
        let now = self.clock.unix_secs();
        if let Some(token) = kept.as_ref().filter(|token| now < token.until && Some(&token.header) != refused)
        {
            return Ok(token.header.clone());
        }
        let token = tokens::fetch(wire, place, asked, self.found().await?, now).await?;
        Ok(kept.insert(token).header.clone())
    }

    async fn found(&self) -> Result<Option<&Found>, Error> {
        Ok(self.found.get_or_try_init(|| self.source.find(&self.address)).await?.as_ref())
    }

    fn learn(&self, scheme: Scheme) {
        *self.scheme.lock().unwrap_or_else(PoisonError::into_inner) = Some(scheme);
    }
}

/// The header that shows a credential to the registry itself.
fn shown(found: Option<&Found>) -> Option<HeaderValue> {
    match &found?.credential {
        Credential::Password { user, password } => tokens::basic(user, password),
        Credential::RegistryToken(token) => tokens::bearer(token),
        Credential::IdentityToken(_) => None,
    }
}
