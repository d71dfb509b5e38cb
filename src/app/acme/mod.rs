//! Certificates from an ACME server (RFC 8555), such as Let's Encrypt: an account, an order, the answers to its
//! challenges, and a new order long before the certificate ends. It must not know what is served with them.

pub mod answers;
pub mod cache;
pub mod config;
pub mod http01;
pub mod keeper;
pub mod order;
pub mod selfmade;
