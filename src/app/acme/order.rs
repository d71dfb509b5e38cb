//! One order at an ACME server, from the account to the certificate. It must not know when orders are made, nor
//! what becomes of the certificate.

use crate::app::acme::answers::Answers;
use crate::app::acme::cache::Cache;
use crate::app::acme::config::Config;
use instant_acme::{
    Account, AccountBuilder, AccountCredentials, AuthorizationHandle, AuthorizationStatus, ChallengeHandle,
    ChallengeType, Identifier, NewAccount, NewOrder, Order, OrderStatus, RetryPolicy,
};
use std::time::Duration;

/// How long the ACME server may take to look at the answers, and then to sign.
const PATIENCE: RetryPolicy = RetryPolicy::new().backoff(1.5).timeout(Duration::from_mins(3));
/// What it says of an account that it does not know (RFC 8555, section 6.7).
const NO_ACCOUNT: &str = "urn:ietf:params:acme:error:accountDoesNotExist";

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The ACME server refused, or could not be spoken to.
    #[error("the ACME server: {0}")]
    Acme(#[from] instant_acme::Error),
    /// It asks for something that we cannot give.
    #[error("the ACME server offers no challenge for {0} that is answered here")]
    NoChallenge(String),
    /// It looked at the answers, and they were not right.
    #[error("the ACME server did not accept our answers: {0}")]
    Refused(String),
    /// An answer could not be made.
    #[error("an answer could not be made: {0}")]
    Answer(crate::app::acme::selfmade::Error),
    /// The account on disk.
    #[error("the ACME account cannot be kept: {0}")]
    Cache(#[from] std::io::Error),
    /// The account is not one.
    #[error("the ACME account does not read or print: {0}")]
    Account(#[from] serde_json::Error),
}

/// What was issued.
pub struct Issued {
    /// The chain, PEM.
    pub chain: String,
    /// The private key, PEM.
    pub key: String,
}

/// Something that speaks to the ACME server. Fails when the certificates to trust for it do not read.
pub fn client(config: &Config) -> Result<AccountBuilder, instant_acme::Error> {
    if config.ca_certificate.is_empty() {
        Account::builder()
    } else {
        Account::builder_with_root(&config.ca_certificate)
    }
}

/// Orders a certificate for the configured domains.
pub async fn order(config: &Config, cache: &Cache, answers: &Answers) -> Result<Issued, Error> {
    let mut order = begin(config, cache).await?;
    let open = answers.until_dropped();
    answer(config, &mut order, answers).await?;
    match order.poll_ready(&PATIENCE).await {
        Ok(OrderStatus::Ready) => {}
        Ok(status) => return Err(Error::Refused(reasons(&mut order).await.unwrap_or(format!("{status:?}")))),
        Err(instant_acme::Error::Api(problem)) => {
            return Err(Error::Refused(reasons(&mut order).await.unwrap_or(problem.to_string())));
        }
        Err(error) => return Err(error.into()),
    }
    drop(open);
    let key = order.finalize().await?;
    let chain = order.poll_certificate(&PATIENCE).await?;
    Ok(Issued { chain, key })
}

/// A new order, by a new account if the ACME server has forgotten ours.
async fn begin(config: &Config, cache: &Cache) -> Result<Order, Error> {
    let names: Vec<Identifier> =
        config.domains.iter().map(|name| Identifier::Dns(name.to_ascii_lowercase())).collect();
    let wanted = NewOrder::new(&names);
    match account(config, cache).await?.new_order(&wanted).await {
        Err(instant_acme::Error::Api(problem)) if problem.r#type.as_deref() == Some(NO_ACCOUNT) => {
            tracing::warn!(%problem, "the ACME server does not know our account; a new one is made");
            cache.forget_account()?;
            Ok(account(config, cache).await?.new_order(&wanted).await?)
        }
        order => Ok(order?),
    }
}

/// The account of the cache, or a new one.
async fn account(config: &Config, cache: &Cache) -> Result<Account, Error> {
    let known = cache.account()?.map(|bytes| serde_json::from_slice::<AccountCredentials>(&bytes));
    match known {
        Some(Ok(credentials)) => return Ok(client(config)?.from_credentials(credentials).await?),
        Some(Err(error)) => tracing::warn!(%error, "the ACME account does not read; a new one is made"),
        None => {}
    }
    let mail = format!("mailto:{}", config.email);
    let contact: &[&str] = if config.email.is_empty() { &[] } else { &[&mail] };
    let new =
        NewAccount { contact, terms_of_service_agreed: config.accept_terms, only_return_existing: false };
    let (account, credentials) = client(config)?.create(&new, config.directory.clone(), None).await?;
    cache.put_account(&serde_json::to_vec(&credentials)?)?;
    Ok(account)
}

/// Answers one challenge of each name that is not known to be ours yet.
async fn answer(config: &Config, order: &mut Order, answers: &Answers) -> Result<(), Error> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let name = authorization.identifier().to_string();
        let mut challenge =
            offered(config, &mut authorization).ok_or_else(|| Error::NoChallenge(name.clone()))?;
        let authority = challenge.key_authorization();
        if challenge.r#type == ChallengeType::Http01 {
            answers.on_http(&challenge.token, authority.as_str());
        } else {
            answers.on_tls(&name, authority.digest().as_ref()).map_err(Error::Answer)?;
        }
        challenge.set_ready().await?;
    }
    Ok(())
}

/// HTTP-01 where we listen for it, else TLS-ALPN-01.
fn offered<'a>(config: &Config, from: &'a mut AuthorizationHandle<'a>) -> Option<ChallengeHandle<'a>> {
    let has_http = from.challenges.iter().any(|challenge| challenge.r#type == ChallengeType::Http01);
    if has_http && !config.http_listen.is_empty() {
        from.challenge(ChallengeType::Http01)
    } else {
        from.challenge(ChallengeType::TlsAlpn01)
    }
}

/// What the ACME server says of each name that it did not accept.
async fn reasons(order: &mut Order) -> Option<String> {
    let mut reasons = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let name = authorization.identifier().to_string();
        let Ok(state) = authorization.refresh().await else { continue };
        for problem in state.challenges.iter().filter_map(|challenge| challenge.error.as_ref()) {
            reasons.push(format!("{name}: {problem}"));
        }
    }
    (!reasons.is_empty()).then(|| reasons.join("; "))
}
