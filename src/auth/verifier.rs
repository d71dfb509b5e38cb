//! Tells our own access tokens from everything else. Strict: whatever we never write in a token is a reason to refuse
//! it (CVE-2025-24976 and its like). Knows no rule and no account.

use crate::auth::claims::{Claims, USAGE};
use crate::auth::config::{Config, LEEWAY_SECS};
use crate::auth::key_set::KeySet;
use crate::auth::ring::KeyRing;
use crate::clock::Clock;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use std::borrow::Cow;
use std::sync::Arc;

/// Longest text that is looked at. Ours are shorter; see `issuer::TOKEN_BYTES_MAX`.
pub const TOKEN_BYTES_MAX: usize = 16 << 10;

/// Why a token is none of ours, or no longer. To a client they are all the same (RFC 6750: `invalid_token`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// It is no token, or its header says what ours never do: another `typ`, a key or the address of one, `crit`, a
    /// field twice.
    #[error("it is no token of this registry")]
    Malformed,
    /// Its algorithm is not that of the key that it names.
    #[error("its algorithm is not that of its key")]
    Algorithm,
    /// It names no key, or none that we know (any more).
    #[error("its key is not known")]
    UnknownKey,
    /// The key that it names did not sign it.
    #[error("its signature is wrong")]
    Signature,
    /// We signed it, for some other use.
    #[error("it is no access token")]
    Usage,
    /// It is of another issuer.
    #[error("its issuer is another one")]
    Issuer,
    /// It is for another service.
    #[error("it is for another service")]
    Audience,
    /// It does not hold yet.
    #[error("it does not hold yet")]
    NotYet,
    /// It held, and all else is right: what was begun with it may go on, if the account still stands.
    #[error("it has expired")]
    Expired(Box<Claims>),
}

/// The only header that our tokens have. A field that is not here, or is here twice, refuses the token: `jwk`, `jku`,
/// `x5u` and `crit` above all.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'a> {
    #[serde(borrow)]
    typ: Cow<'a, str>,
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(borrow, default)]
    kid: Option<Cow<'a, str>>,
    #[serde(default)]
    x5c: Option<Vec<String>>,
}

/// Verifies access tokens.
pub struct Verifier {
    ring: Arc<KeyRing>,
    clock: Arc<dyn Clock>,
    issuer: String,
    service: String,
}

impl Verifier {
    /// A verifier of the tokens that an issuer of the same configuration makes for this registry.
    pub fn new(config: &Config, ring: Arc<KeyRing>, clock: Arc<dyn Clock>) -> Self {
        Self { ring, clock, issuer: config.issuer.clone(), service: config.service.clone() }
    }

    /// The keys that tokens are verified with.
    pub fn ring(&self) -> &Arc<KeyRing> {
        &self.ring
    }

    /// What a token says, if it is ours and holds now.
    pub fn verify(&self, token: &str) -> Result<Claims, Rejected> {
        self.verify_with(&self.ring.keys(), token)
    }

    /// The same, with keys that the caller has looked at.
    pub fn verify_with(&self, keys: &KeySet, token: &str) -> Result<Claims, Rejected> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Rejected::Malformed);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(Rejected::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(Rejected::Malformed)?;
        let header = decoded(header)?;
        let header: Header<'_> = serde_json::from_slice(&header).map_err(|_| Rejected::Malformed)?;
        if header.typ != "JWT" {
            return Err(Rejected::Malformed);
        }
        let key = match (&header.kid, &header.x5c) {
            (Some(kid), None) => keys.called(kid),
            (None, Some(chain)) => keys.with_chain(chain),
            (None, None) => None,
            (Some(_), Some(_)) => return Err(Rejected::Malformed),
        };
        let key = key.ok_or(Rejected::UnknownKey)?;
        // the key says how it is used, never the token
        if header.alg != key.algorithm().as_str() {
            return Err(Rejected::Algorithm);
        }
        if !key.verifies(message.as_bytes(), signature) {
            return Err(Rejected::Signature);
        }
        self.hold(serde_json::from_slice(&decoded(payload)?).map_err(|_| Rejected::Malformed)?)
    }

    /// Whether signed claims hold here and now. Expiry comes last, so that `Expired` tells that all else is right.
    fn hold(&self, claims: Claims) -> Result<Claims, Rejected> {
        let now = self.clock.unix_secs();
        let soon = now.saturating_add(LEEWAY_SECS);
        if claims.usage != USAGE {
            return Err(Rejected::Usage);
        }
        if claims.iss != self.issuer {
            return Err(Rejected::Issuer);
        }
        if claims.aud != self.service {
            return Err(Rejected::Audience);
        }
        if claims.nbf > soon || claims.iat > soon {
            return Err(Rejected::NotYet);
        }
        if claims.exp.saturating_add(LEEWAY_SECS) <= now {
            return Err(Rejected::Expired(Box::new(claims)));
        }
        Ok(claims)
    }
}

fn decoded(part: &str) -> Result<Vec<u8>, Rejected> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Rejected::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::algorithm::Algorithm;
    use crate::auth::certificate::certificate_pem;
    use crate::auth::config::KeyId;
    use crate::auth::issuer::Issuer;
    use crate::auth::key_pair::KeyPair;
    use crate::auth::key_set::OVERLAP_SECS;
    use crate::auth::signing_fakes::{House, START, granted, subject};
    use crate::clock::FixedClock;
    use aws_lc_rs::hmac;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    /// A registry that is attacked, and the key that it signs with: for what we signed and should not take.
    struct Target {
        house: House,
        issuer: Issuer,
        verifier: Verifier,
        pair: KeyPair,
        kid: String,
    }

    impl Target {
        async fn new(algorithm: Algorithm) -> Self {
            let house = House::new(algorithm);
            let (issuer, verifier) = house.issuer_and_verifier().await;
            let row = &house.store.rows()[0];
            let pair = KeyPair::from_pem(&row.pem).unwrap();
            Self { issuer, verifier, pair, kid: row.id.clone(), house }
        }

        fn token(&self) -> String {
            let access = vec![granted("app", &["pull"])];
            self.issuer.issue(subject("ann"), "holdfast", access, 300).unwrap().0.expose().to_owned()
        }

        fn header(&self) -> Value {
            json!({"typ": "JWT", "alg": self.pair.algorithm().as_str(), "kid": self.kid})
        }

        fn claims(&self) -> Value {
            part(&self.token(), 1)
        }

        /// With our own signature.
        fn signed(&self, header: &Value, claims: &Value) -> String {
            forged(header, claims, |message| self.pair.sign(message).unwrap())
        }

        #[track_caller]
        fn refuses(&self, token: &str, why: &Rejected) {
            assert_eq!(self.verifier.verify(token).as_ref(), Err(why), "{:?}", parts_of(token));
            // what it is a change of is taken: so the change is why
            self.verifier.verify(&self.token()).unwrap();
        }
    }

    fn forged(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
        forged_text(&header.to_string(), &claims.to_string(), sign)
    }

    fn forged_text(header: &str, claims: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(sign(message.as_bytes()));
        format!("{message}.{signature}")
    }

    fn part(token: &str, at: usize) -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(at).unwrap()).unwrap()).unwrap()
    }

    fn parts_of(token: &str) -> Vec<String> {
        let text =
            |part| URL_SAFE_NO_PAD.decode(part).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        token.split('.').take(3).map(|part| text(part).unwrap_or_default()).collect()
    }

    fn with(value: &Value, name: &str, to: &Value) -> Value {
        let mut value = value.clone();
        value[name] = to.clone();
        value
    }

    fn without(value: &Value, name: &str) -> Value {
        let mut value = value.clone();
        value.as_object_mut().unwrap().remove(name).unwrap();
        value
    }

    #[tokio::test]
    async fn what_is_issued_is_verified() {
        for algorithm in Algorithm::ALL {
            let mut house = House::new(algorithm);
            for key_id in [KeyId::Thumbprint, KeyId::Libtrust] {
                house.config.signing.key_id = key_id;
                let (issuer, verifier) = house.issuer_and_verifier().await;
                let access = vec![granted("app", &["pull"])];
                let (token, claims) = issuer.issue(subject("ann"), "holdfast", access, 300).unwrap();
                assert_eq!(verifier.verify(token.expose()), Ok(claims));
            }
        }
    }

    #[tokio::test]
    async fn replicas_take_each_others_tokens_even_while_the_name_of_the_key_is_changed() {
        let mut house = House::new(Algorithm::Es256);
        let (a, _) = house.issuer_and_verifier().await;
        house.config.signing.key_id = KeyId::Libtrust;
        let (b, verifier) = house.issuer_and_verifier().await;
        for issuer in [a, b] {
            let (token, _) = issuer.issue(subject("ann"), "holdfast", Vec::new(), 300).unwrap();
            verifier.verify(token.expose()).unwrap();
        }
    }

    #[tokio::test]
    async fn an_unsigned_token_is_refused() {
        let target = Target::new(Algorithm::Es256).await;
        for alg in ["none", "None", "NONE", "nOnE", ""] {
            let header = with(&target.header(), "alg", &json!(alg));
            for signature in [vec![], vec![0; 64]] {
                let token = forged(&header, &target.claims(), |_| signature.clone());
                target.refuses(&token, &Rejected::Algorithm);
            }
        }
        let token = target.token();
        let message = token.rsplit_once('.').unwrap().0;
        target.refuses(&format!("{message}."), &Rejected::Signature);
        target.refuses(message, &Rejected::Malformed);
        target.refuses(&forged(&target.header(), &target.claims(), |_| vec![0; 64]), &Rejected::Signature);
    }

    #[tokio::test]
    async fn a_public_key_is_no_shared_secret() {
        for algorithm in Algorithm::ALL {
            let target = Target::new(algorithm).await;
            let public = target.pair.public();
            let spki = public.spki();
            let lines = base64::engine::general_purpose::STANDARD.encode(spki);
            let pem = format!("-----BEGIN PUBLIC KEY-----\n{lines}\n-----END PUBLIC KEY-----\n");
            let jwk = serde_json::to_string(&public.jwk(&target.kid)).unwrap();
            let secrets = [spki, pem.as_bytes(), pem.trim().as_bytes(), jwk.as_bytes(), b""];
            for secret in secrets {
                let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
                let mac = |message: &[u8]| hmac::sign(&secret, message).as_ref().to_vec();
                for alg in ["HS256", "HS384", "HS512"] {
                    let header = with(&target.header(), "alg", &json!(alg));
                    target.refuses(&forged(&header, &target.claims(), mac), &Rejected::Algorithm);
                }
                target.refuses(&forged(&target.header(), &target.claims(), mac), &Rejected::Signature);
            }
        }
    }

    #[tokio::test]
    async fn a_foreign_key_with_our_kid_is_refused() {
        for algorithm in Algorithm::ALL {
            let target = Target::new(algorithm).await;
            let foreign = KeyPair::generate(algorithm).unwrap();
            let sign = |message: &[u8]| foreign.sign(message).unwrap();
            target.refuses(&forged(&target.header(), &target.claims(), sign), &Rejected::Signature);
            let header = with(&target.header(), "kid", &json!(foreign.public().thumbprint()));
            target.refuses(&forged(&header, &target.claims(), sign), &Rejected::UnknownKey);
        }
    }

    #[tokio::test]
    async fn a_token_brings_no_key_of_its_own() {
        // CVE-2025-24976: the `kid` in an embedded key was trusted, and the key with it
        let target = Target::new(Algorithm::Es256).await;
        let foreign = KeyPair::generate(Algorithm::Es256).unwrap();
        let chain = |pair: &KeyPair| {
            let pem = certificate_pem(pair, "holdfast").unwrap();
            json!([pem.lines().filter(|line| !line.starts_with('-')).map(str::trim).collect::<String>()])
        };
        let jwk = serde_json::to_value(foreign.public().jwk(&target.kid)).unwrap();
        let own = serde_json::to_value(target.pair.public().jwk(&target.kid)).unwrap();
        for (name, value) in [
            ("jwk", jwk),
            ("jwk", own),
            ("jwk", Value::Null),
            ("jku", json!("https://evil.example/jwks.json")),
            ("x5u", json!("https://evil.example/chain.pem")),
            ("x5t", json!("AAAA")),
            ("x5t#S256", json!("AAAA")),
            ("x5c", chain(&foreign)),
            ("x5c", chain(&target.pair)),
            ("x5c", json!([])),
            ("x5c", json!("AAAA")),
            ("crit", json!(["exp"])),
            ("crit", json!([])),
            ("b64", json!(false)),
            ("zip", json!("DEF")),
            ("enc", json!("A128GCM")),
            ("cty", json!("JWT")),
            ("KID", json!("x")),
            ("anything", json!(1)),
        ] {
            for (header, expected) in [
                (with(&target.header(), name, &value), &Rejected::Malformed),
                (
                    with(&without(&target.header(), "kid"), name, &value),
                    if name == "x5c" && value.is_array() {
                        &Rejected::UnknownKey
                    } else {
                        &Rejected::Malformed
                    },
                ),
            ] {
                let sign = |message: &[u8]| foreign.sign(message).unwrap();
                target.refuses(&forged(&header, &target.claims(), sign), expected);
                // not even with our own signature
                target.refuses(&target.signed(&header, &target.claims()), expected);
            }
        }
        target.refuses(
            &target.signed(&without(&target.header(), "kid"), &target.claims()),
            &Rejected::UnknownKey,
        );
    }

    #[tokio::test]
    async fn with_x5c_only_our_own_chain_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let pair = KeyPair::generate(Algorithm::Rs256).unwrap();
        let mut house = House::new(Algorithm::Es256);
        let signing = &mut house.config.signing;
        signing.key_id = KeyId::X5c;
        signing.key = folder.path().join("key").to_string_lossy().into_owned();
        signing.certificate = folder.path().join("certificate").to_string_lossy().into_owned();
        std::fs::write(&signing.key, pair.to_pem().unwrap().expose()).unwrap();
        std::fs::write(&signing.certificate, certificate_pem(&pair, "us").unwrap()).unwrap();
        let (issuer, verifier) = house.issuer_and_verifier().await;
        let (token, claims) = issuer.issue(subject("ann"), "holdfast", Vec::new(), 300).unwrap();
        let (header, body) = (part(token.expose(), 0), part(token.expose(), 1));
        assert_eq!(verifier.verify(token.expose()), Ok(claims));

        let foreign = KeyPair::generate(Algorithm::Rs256).unwrap();
        let pem = certificate_pem(&foreign, "us").unwrap();
        let leaf: String = pem.lines().filter(|line| !line.starts_with('-')).map(str::trim).collect();
        let (own, header_of) = (header["x5c"][0].clone(), |chain: Value| with(&header, "x5c", &chain));
        for chain in [json!([leaf]), json!([own, leaf]), json!([leaf, own]), json!([own, own]), json!([])] {
            for signer in [&foreign, &pair] {
                let token = forged(&header_of(chain.clone()), &body, |message| signer.sign(message).unwrap());
                assert_eq!(verifier.verify(&token), Err(Rejected::UnknownKey), "{chain}");
            }
        }
        let token = forged(&header, &body, |message| foreign.sign(message).unwrap());
        assert_eq!(verifier.verify(&token), Err(Rejected::Signature));
    }

    #[tokio::test]
    async fn a_token_is_taken_only_where_and_for_what_it_was_made() {
        let target = Target::new(Algorithm::Es256).await;
        for (name, value, why) in [
            ("iss", json!("evil"), Rejected::Issuer),
            ("iss", json!("holdfast "), Rejected::Issuer),
            ("iss", json!(""), Rejected::Issuer),
            ("aud", json!("other"), Rejected::Audience),
            ("aud", json!("Holdfast"), Rejected::Audience),
            ("aud", json!(["other"]), Rejected::Audience),
            ("aud", json!(["holdfast", "other"]), Rejected::Malformed),
            ("aud", json!(["holdfast", "holdfast"]), Rejected::Malformed),
            ("aud", json!([]), Rejected::Malformed),
            ("aud", json!({"a": 1}), Rejected::Malformed),
            ("use", json!("refresh"), Rejected::Usage),
            ("use", json!("Access"), Rejected::Usage),
            ("use", json!(""), Rejected::Usage),
            ("iss", json!(["holdfast"]), Rejected::Malformed),
            ("exp", json!("9999999999"), Rejected::Malformed),
            ("exp", json!(null), Rejected::Malformed),
            ("exp", json!(-1), Rejected::Malformed),
            ("exp", json!(1.9e9), Rejected::Malformed),
            ("access", json!("*"), Rejected::Malformed),
            ("hf", json!(null), Rejected::Malformed),
        ] {
            let claims = with(&target.claims(), name, &value);
            target.refuses(&target.signed(&target.header(), &claims), &why);
        }
        for name in ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "access", "use", "hf"] {
            let claims = without(&target.claims(), name);
            target.refuses(&target.signed(&target.header(), &claims), &Rejected::Malformed);
        }
        let claims = with(&target.claims(), "aud", &json!(["holdfast"]));
        assert_eq!(
            target.verifier.verify(&target.signed(&target.header(), &claims)).unwrap().aud,
            "holdfast"
        );
    }

    #[tokio::test]
    async fn a_token_for_another_service_is_not_taken_here() {
        let mut house = House::new(Algorithm::Es256);
        house.config.other_services = vec!["Docker registry".into()];
        let (issuer, verifier) = house.issuer_and_verifier().await;
        let (token, _) = issuer.issue(subject("ann"), "Docker registry", Vec::new(), 300).unwrap();
        assert_eq!(verifier.verify(token.expose()), Err(Rejected::Audience));
    }

    #[tokio::test]
    async fn the_type_must_be_jwt() {
        let target = Target::new(Algorithm::Es256).await;
        for typ in [json!("jwt"), json!("at+jwt"), json!("angos+jwt"), json!(""), json!(null), json!(["JWT"])]
        {
            let header = with(&target.header(), "typ", &typ);
            target.refuses(&target.signed(&header, &target.claims()), &Rejected::Malformed);
        }
        for name in ["typ", "alg"] {
            let header = without(&target.header(), name);
            target.refuses(&target.signed(&header, &target.claims()), &Rejected::Malformed);
        }
    }

    #[tokio::test]
    async fn a_field_that_is_there_twice_refuses_the_token() {
        let target = Target::new(Algorithm::Es256).await;
        let sign = |message: &[u8]| target.pair.sign(message).unwrap();
        let (header, claims) = (target.header().to_string(), target.claims().to_string());
        let twice = |text: &str, more: &str| text.replacen('{', &format!("{{{more},"), 1);
        target.verifier.verify(&forged_text(&header, &claims, sign)).unwrap();
        for more in [r#""alg":"ES256""#, r#""kid":"x""#, r#""\u006bid":"x""#, r#""typ":"JWT""#] {
            target.refuses(&forged_text(&twice(&header, more), &claims, sign), &Rejected::Malformed);
        }
        for more in
            [r#""sub":"admin""#, r#""exp":9999999999"#, r#""\u0073ub":"admin""#, r#""aud":"holdfast""#]
        {
            target.refuses(&forged_text(&header, &twice(&claims, more), sign), &Rejected::Malformed);
        }
    }

    #[tokio::test]
    async fn the_algorithm_is_that_of_the_key() {
        // both keys stand in one ring, as after a change of the configuration
        let mut house = House::new(Algorithm::Es256);
        house.ring().await;
        house.config.signing.algorithm = Algorithm::EdDsa;
        house.ring().await;
        house.config.signing.algorithm = Algorithm::Rs256;
        let (issuer, verifier) = house.issuer_and_verifier().await;
        let (token, _) = issuer.issue(subject("ann"), "holdfast", Vec::new(), 300).unwrap();
        let claims = part(token.expose(), 1);
        let pairs: Vec<_> =
            house.store.rows().iter().map(|row| KeyPair::from_pem(&row.pem).unwrap()).collect();
        assert_eq!(pairs.len(), 3);
        for named in &pairs {
            for algorithm in ["ES256", "ES384", "EdDSA", "RS256", "RS384", "RS512", "PS256", "HS256"] {
                for signer in &pairs {
                    let header = json!({"typ": "JWT", "alg": algorithm, "kid": named.public().thumbprint()});
                    let answer =
                        verifier.verify(&forged(&header, &claims, |message| signer.sign(message).unwrap()));
                    let own = algorithm == named.algorithm().as_str();
                    match (own, signer.algorithm() == named.algorithm()) {
                        (true, true) => assert!(answer.is_ok()),
                        (true, false) => assert_eq!(answer, Err(Rejected::Signature)),
                        (false, _) => assert_eq!(answer, Err(Rejected::Algorithm)),
                    }
                }
            }
        }
    }

    #[tokio::test]
    async fn a_token_holds_from_its_issue_to_its_end_with_a_minute_for_the_clocks() {
        let target = Target::new(Algorithm::Es256).await;
        let token = target.token();
        let at = |now: u64| {
            let clock = Arc::new(FixedClock::at(now));
            let verifier = Verifier::new(&target.house.config, target.verifier.ring().clone(), clock);
            verifier.verify(&token)
        };
        // other clocks are 45 seconds behind or ahead
        assert!(
            at(START - 45).is_ok() && at(START).is_ok() && at(START + 299).is_ok() && at(START + 345).is_ok()
        );
        assert!(at(START - 60).is_ok() && at(START + 359).is_ok());
        assert_eq!(at(START - 61), Err(Rejected::NotYet));
        assert_eq!(at(0), Err(Rejected::NotYet));
        for now in [START + 360, START + 361, u64::MAX] {
            let Err(Rejected::Expired(claims)) = at(now) else { panic!("{now}") };
            assert_eq!((claims.sub.as_str(), claims.exp), ("ann", START + 300));
        }
        let later = json!(START + 61);
        for name in ["nbf", "iat"] {
            let claims = with(&target.claims(), name, &later);
            target.refuses(&target.signed(&target.header(), &claims), &Rejected::NotYet);
            let claims = with(&target.claims(), name, &json!(u64::MAX));
            target.refuses(&target.signed(&target.header(), &claims), &Rejected::NotYet);
        }
        let claims = with(&target.claims(), "exp", &json!(u64::MAX));
        assert!(target.verifier.verify(&target.signed(&target.header(), &claims)).is_ok());
    }

    #[tokio::test]
    async fn an_expired_forgery_is_a_forgery() {
        let target = Target::new(Algorithm::Es256).await;
        let foreign = KeyPair::generate(Algorithm::Es256).unwrap();
        let claims = with(&target.claims(), "exp", &json!(START - 1000));
        let sign = |message: &[u8]| foreign.sign(message).unwrap();
        target.refuses(&forged(&target.header(), &claims, sign), &Rejected::Signature);
        let claims = with(&claims, "aud", &json!("other"));
        target.refuses(&target.signed(&target.header(), &claims), &Rejected::Audience);
    }

    #[tokio::test]
    async fn a_key_that_has_ended_verifies_nothing() {
        let target = Target::new(Algorithm::Es256).await;
        target.house.clock.advance(90 * 24 * 3600);
        target.verifier.ring().tend().await.unwrap();
        target.house.clock.advance(OVERLAP_SECS);
        // as if it had been signed now by whoever found the old key
        let claims = target.claims();
        let token = target.signed(&target.header(), &claims);
        target.verifier.verify(&token).unwrap();
        target.verifier.ring().tend().await.unwrap();
        target.refuses(&token, &Rejected::UnknownKey);
    }

    #[tokio::test]
    async fn other_secrets_are_no_tokens() {
        let target = Target::new(Algorithm::Es256).await;
        let long = "a".repeat(1 << 20);
        let deep = URL_SAFE_NO_PAD.encode("[".repeat(9000));
        for text in [
            "",
            ".",
            "..",
            "...",
            "....",
            "a.b.c",
            "hf_pat_AAAA_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBB",
            "ä.ö.ü",
            "\0.\0.\0",
            "Bearer x.y.z",
            "eyJ.eyJ.eyJ",
            &long,
            &format!("{deep}.{deep}.AAAA"),
            &format!("{long}.{long}.{long}"),
        ] {
            target.refuses(text, &Rejected::Malformed);
        }
        let token = target.token();
        for text in [
            format!("{token}."),
            format!(".{token}"),
            format!("{token}.AAAA"),
            format!(" {token}"),
            format!("{token}="),
            format!("{token}\n"),
            token.replace('.', ".."),
        ] {
            assert!(target.verifier.verify(&text).is_err(), "{text}");
        }
        // a token that would be right, but for its length
        let claims = with(&target.claims(), "jti", &json!("x".repeat(13_000)));
        target.refuses(&target.signed(&target.header(), &claims), &Rejected::Malformed);
    }

    #[test]
    fn no_prefix_and_no_flipped_bit_is_taken() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for algorithm in Algorithm::ALL {
            let target = runtime.block_on(Target::new(algorithm));
            let token = target.token();
            for end in 0..token.len() {
                assert!(target.verifier.verify(&token[..end]).is_err(), "{end}");
            }
            proptest!(ProptestConfig::with_cases(300), |(at in 0..token.len(), bit in 0..7_u8)| {
                let mut bytes = token.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let changed = String::from_utf8(bytes).unwrap();
                prop_assert!(target.verifier.verify(&changed).is_err(), "{}", changed);
            });
            proptest!(|(text in "\\PC{0,80}", (a, b, c) in ("[A-Za-z0-9_-]{0,40}", "[A-Za-z0-9_-]{0,40}", "[A-Za-z0-9_-]{0,90}"))| {
                prop_assert!(target.verifier.verify(&text).is_err());
                let three = [a, b, c].join(".");
                prop_assert!(target.verifier.verify(&three).is_err());
            });
        }
    }

    #[test]
    fn a_reason_tells_nothing_of_a_token() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let target = runtime.block_on(Target::new(Algorithm::Es256));
        target.house.clock.advance(1000);
        let claims = with(&target.claims(), "exp", &json!(START));
        let Err(rejected) = target.verifier.verify(&target.signed(&target.header(), &claims)) else {
            panic!()
        };
        assert_eq!(rejected.to_string(), "it has expired");
    }
}
