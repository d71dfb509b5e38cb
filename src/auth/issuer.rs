//! Makes access tokens. Who may have what in them was decided before; here it is written down and signed.

use crate::auth::claims::{Account, Claims, Granted, USAGE};
use crate::auth::config::{Config, TOKEN_LIFETIME_SECS};
use crate::auth::error::{Error, Result};
use crate::auth::ring::KeyRing;
use crate::clock::Clock;
use crate::secret::Secret;
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::sync::Arc;

/// Longest token that is issued: servers and proxies take headers of 8 KiB, and the token is not alone in one.
pub const TOKEN_BYTES_MAX: usize = 7 << 10;
/// How long before its issue a token holds already, for verifiers whose clocks are slow and that allow for nothing.
const BACKDATED_SECS: u64 = 10;

/// Who a token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The account's name; empty for anonymous.
    pub name: String,
    /// What else of it goes into the token.
    pub account: Account,
}

/// Makes access tokens.
pub struct Issuer {
    ring: Arc<KeyRing>,
    clock: Arc<dyn Clock>,
    /// The `iss` of its tokens.
    name: String,
    services: Vec<String>,
}

impl Issuer {
    /// An issuer of this configuration, which signs with these keys.
    pub fn new(config: &Config, ring: Arc<KeyRing>, clock: Arc<dyn Clock>) -> Self {
        let services = [std::slice::from_ref(&config.service), &config.other_services].concat();
        Self { ring, clock, name: config.issuer.clone(), services }
    }

    /// Whether tokens are issued for a service. A token for any other would be a signature on a stranger's word.
    pub fn serves(&self, service: &str) -> bool {
        self.services.iter().any(|known| known == service)
    }

    /// A token that says that `access` was given to `subject` for `audience`, for so many seconds and at most an hour.
    /// `Invalid`: the audience is none that we serve, or the token would not fit into a header.
    pub fn issue(
        &self,
        subject: Subject,
        audience: &str,
        access: Vec<Granted>,
        lifetime_secs: u64,
    ) -> Result<(Secret, Claims)> {
        if !self.serves(audience) {
            return Err(Error::Invalid("no tokens are issued here for this service".into()));
        }
        // keys stand for as long as the longest token: no token may be longer
        let lifetime_secs = lifetime_secs.min(*TOKEN_LIFETIME_SECS.end());
        let now = self.clock.unix_secs();
        let claims = Claims {
            iss: self.name.clone(),
            sub: subject.name,
            aud: audience.to_owned(),
            exp: now + lifetime_secs,
            nbf: now.saturating_sub(BACKDATED_SECS),
            iat: now,
            jti: token_id()?,
            access,
            usage: USAGE.to_owned(),
            account: subject.account,
        };
        let payload =
            serde_json::to_vec(&claims).map_err(|_| Error::Key("claims could not be written".into()))?;
        let token = self.ring.signer().token(&payload, TOKEN_BYTES_MAX)?.ok_or_else(|| {
            Error::Invalid("the token would not fit into a header: ask for fewer scopes at once".into())
        })?;
        Ok((Secret::new(token), claims))
    }
}

/// 128 random bits.
fn token_id() -> Result<String> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Error::Key("there is no randomness".into()))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::algorithm::Algorithm;
    use crate::auth::signing_fakes::{House, START, granted, subject};
    use serde_json::{Value, json};

    async fn issuer(house: &House) -> Issuer {
        Issuer::new(&house.config, house.ring().await, house.clock())
    }

    fn payload(token: &Secret) -> Value {
        let payload = token.expose().split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_token_says_what_the_specification_asks_for() {
        let issuer = issuer(&House::new(Algorithm::Es256)).await;
        let access = vec![granted("team/app", &["pull", "push"]), granted("other", &[])];
        let (token, claims) = issuer.issue(subject("ann"), "holdfast", access, 300).unwrap();
        assert_eq!(
            payload(&token),
            json!({
                "iss": "holdfast", "sub": "ann", "aud": "holdfast",
                "exp": START + 300, "nbf": START - 10, "iat": START, "jti": claims.jti,
                "access": [
                    {"type": "repository", "name": "team/app", "actions": ["pull", "push"]},
                    {"type": "repository", "name": "other", "actions": []},
                ],
                "use": "access",
                "hf": {"kind": "user", "source": "accounts", "epoch": 7},
            })
        );
        assert_eq!(serde_json::to_value(&claims).unwrap(), payload(&token));
        assert_eq!(URL_SAFE_NO_PAD.decode(&claims.jti).unwrap().len(), 16);
        let (_, again) = issuer.issue(subject("ann"), "holdfast", Vec::new(), 300).unwrap();
        assert_ne!(again.jti, claims.jti);
    }

    #[tokio::test]
    async fn nobody_gets_a_token_with_an_empty_subject() {
        let issuer = issuer(&House::new(Algorithm::Es256)).await;
        let nobody = Subject { name: String::new(), account: Account::anonymous() };
        let (token, _) = issuer.issue(nobody, "holdfast", Vec::new(), 300).unwrap();
        assert_eq!(payload(&token)["sub"], "");
        assert_eq!(payload(&token)["access"], json!([]));
        assert_eq!(payload(&token)["hf"], json!({"kind": "anonymous", "epoch": 0}));
    }

    #[tokio::test]
    async fn only_services_that_are_named_get_tokens() {
        let mut house = House::new(Algorithm::Es256);
        house.config.other_services = vec!["Docker registry".into()];
        let issuer = issuer(&house).await;
        for service in ["holdfast", "Docker registry"] {
            assert!(issuer.serves(service));
            let (_, claims) = issuer.issue(subject("ann"), service, Vec::new(), 300).unwrap();
            assert_eq!(claims.aud, service);
        }
        for service in ["", "Holdfast", "holdfast ", "evil.example", "Docker registry\n"] {
            assert!(!issuer.serves(service));
            let refused = issuer.issue(subject("ann"), service, Vec::new(), 300);
            assert!(matches!(refused, Err(Error::Invalid(_))), "{service:?}");
        }
    }

    #[tokio::test]
    async fn no_token_outlives_the_keys() {
        let issuer = issuer(&House::new(Algorithm::Es256)).await;
        let (_, claims) = issuer.issue(subject("ann"), "holdfast", Vec::new(), u64::MAX).unwrap();
        assert_eq!(claims.exp, START + 3600);
    }

    #[tokio::test]
    async fn a_token_that_fits_into_no_header_is_refused_in_words() {
        for algorithm in Algorithm::ALL {
            let issuer = issuer(&House::new(algorithm)).await;
            let scopes = |count: usize| vec![granted("team/an-image-of-usual-length", &["pull"]); count];
            let (token, _) = issuer.issue(subject("ann"), "holdfast", scopes(50), 300).unwrap();
            assert!(token.expose().len() <= TOKEN_BYTES_MAX);
            let mut longest = 0;
            let refused = (50..200).find_map(|count| {
                match issuer.issue(subject("ann"), "holdfast", scopes(count), 300) {
                    Ok((token, _)) => {
                        longest = token.expose().len();
                        None
                    }
                    Err(error) => Some(error),
                }
            });
            let Some(Error::Invalid(why)) = refused else { panic!("{refused:?}") };
            assert!(why.contains("ask for fewer scopes at once"), "{why}");
            assert!(longest <= TOKEN_BYTES_MAX && longest > TOKEN_BYTES_MAX - 600, "{longest}");
        }
    }
}
