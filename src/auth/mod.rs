//! Who are they, and the tokens that say so: accounts, passwords, sources of users, signing keys, the issuer and the
//! verifier. Knows no HTTP, no repository and no rule; what an identity may do is decided by `acl`.

pub mod authenticator;
pub mod chain;
pub mod claims;
pub mod error;
pub mod passwords;
pub mod sources;
pub mod throttle;
