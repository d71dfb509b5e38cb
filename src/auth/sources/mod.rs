//! The sources of users, each behind `Authenticator`: our own accounts, static users of the configuration, an htpasswd
//! file, LDAP. None knows another; `chain` asks them in order.

pub mod htpasswd;
pub mod ldap;
pub mod listed;
pub mod name;
pub mod own;
pub mod static_users;
