//! Who are they, and the tokens that say so: accounts, passwords, sources of users, signing keys, the issuer and the
//! verifier. Knows no HTTP, no repository and no rule; what an identity may do is decided by `acl`.

pub mod accounts;
pub mod algorithm;
pub mod authenticator;
pub mod certificate;
pub mod chain;
pub mod claims;
pub mod config;
pub mod error;
pub mod exchange;
pub mod gate;
pub mod here;
pub mod issuer;
pub mod key;
pub mod key_pair;
pub mod key_set;
pub mod owners;
pub mod passwords;
pub mod public_key;
pub mod ring;
pub mod scope;
pub mod session;
#[cfg(test)]
mod signing_fakes;
pub mod sources;
pub mod throttle;
pub mod verified;
pub mod verifier;
