//! Accounts drawn with few words.

use crate::acl::access::Action;
use crate::acl::ceiling::Ceiling;
use crate::acl::grant::Subject;
use crate::acl::identity::AccountKind;
use crate::auth::accounts::directory::Directory;
use crate::auth::accounts::form::{NewGrant, NewNamed, NewToken, NewUser};
use crate::auth::accounts::identity::identity;
use crate::auth::accounts::mint::{self, NewRefresh, Remembered};
use crate::auth::accounts::token::Minted;
use crate::auth::accounts::{groups, services, users};
use crate::auth::authenticator::{Login, UsedToken};
use crate::auth::error::Result;
use crate::secret::Secret;

pub fn named(name: &str) -> NewNamed {
    NewNamed { name: name.into(), description: String::new() }
}

pub fn new_user(name: &str) -> NewUser {
    NewUser { name: name.into(), ..NewUser::default() }
}

pub fn hash(text: &str) -> Secret {
    Secret::new(format!("$argon2id${text}"))
}

pub async fn user(directory: &Directory, name: &str) {
    users::create(directory, new_user(name), Some(hash(name))).await.unwrap();
}

pub async fn admin(directory: &Directory, name: &str) {
    let form = NewUser { admin: true, ..new_user(name) };
    users::create(directory, form, Some(hash(name))).await.unwrap();
}

pub async fn service(directory: &Directory, name: &str) {
    services::create(directory, named(name)).await.unwrap();
}

pub async fn group(directory: &Directory, name: &str, members: &[&str]) {
    groups::create(directory, named(name)).await.unwrap();
    for text in members {
        let member = groups::member(directory, text).unwrap();
        crate::auth::accounts::membership::add(directory, name, &member).await.unwrap();
    }
}

pub fn grant(subject: Subject, repository: &str) -> NewGrant {
    NewGrant { subject, repository: repository.into(), actions: vec![Action::Pull, Action::Push] }
}

/// As after a login with a password.
pub async fn login(directory: &Directory, name: &str) -> Login {
    let login = identity(directory, AccountKind::User, name).await.unwrap().expect("the user stands");
    Login::clone(&login)
}

/// As after a login with a token in place of the password.
pub fn with_token(login: &Login, minted: &Minted) -> Login {
    let token = &minted.token;
    let used = UsedToken { id: token.id.clone(), ceiling: token.ceiling.clone(), api: token.api };
    Login { token: Some(used), ..login.clone() }
}

/// As somebody whom another source knows.
pub fn of_ldap(login: &Login) -> Login {
    Login { source: "ldap", epoch: 7, ..login.clone() }
}

pub fn ceiling() -> Ceiling {
    Ceiling::new(&["team/**".into()], vec![Action::Pull]).unwrap()
}

pub async fn personal(directory: &Directory, login: &Login, description: &str) -> Result<Minted> {
    let form = NewToken { description: description.into(), ..NewToken::default() };
    mint::personal(directory, login, form, Remembered::default()).await
}

pub async fn refresh(directory: &Directory, login: &Login, client: &str) -> Result<Minted> {
    mint::refresh(directory, login, NewRefresh { client: client.into(), ..NewRefresh::default() }).await
}
