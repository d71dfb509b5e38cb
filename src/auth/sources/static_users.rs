//! Users who stand in the configuration itself: `[[auth.users]]`.

use crate::auth::authenticator::{Authenticator, Credentials, Login, Verdict};
use crate::auth::error::{Error, Result};
use crate::auth::passwords::hash::StoredHash;
use crate::auth::passwords::verifier::Passwords;
use crate::auth::sources::listed::{Listed, User};
use crate::auth::sources::name;
use crate::secret::Secret;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What this source is called.
pub const NAME: &str = "static";

/// One of `[[auth.users]]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaticUser {
    /// The name.
    #[serde(default)]
    pub name: String,
    /// The hash of the password, bcrypt or argon2id; never the password.
    #[serde(default)]
    pub password: Secret,
    /// The groups that the user is in.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Further facts for rules that match on them.
    #[serde(default)]
    pub labels: BTreeMap<String, Vec<String>>,
    /// May do everything.
    #[serde(default)]
    pub admin: bool,
}

/// The users of the configuration.
pub struct StaticUsers {
    users: Listed,
    passwords: Arc<Passwords>,
}

impl StaticUsers {
    /// Takes them, or tells all that is wrong with them.
    pub fn new(users: &[StaticUser], passwords: Arc<Passwords>) -> Result<Self> {
        let users = read(users).map_err(|mistakes| Error::Invalid(mistakes.join("\n")))?;
        Ok(Self { users: Listed::new(NAME, users)?, passwords })
    }
}

/// Every mistake in them, each a sentence.
pub fn mistakes(users: &[StaticUser]) -> Vec<String> {
    read(users).err().unwrap_or_default()
}

fn read(users: &[StaticUser]) -> std::result::Result<HashMap<String, User>, Vec<String>> {
    let (mut read, mut mistakes) = (HashMap::new(), Vec::new());
    for (n, user) in users.iter().enumerate() {
        let place = format!("`auth.users`, entry {} ({:?})", n + 1, user.name);
        match one(user) {
            Err(mistake) => mistakes.push(format!("{place}: {mistake}")),
            Ok(listed) => {
                if read.insert(user.name.clone(), listed).is_some() {
                    mistakes.push(format!("{place}: there is an entry of this name already"));
                }
            }
        }
    }
    if mistakes.is_empty() { Ok(read) } else { Err(mistakes) }
}

fn one(user: &StaticUser) -> std::result::Result<User, String> {
    if user.name.is_empty() {
        return Err(
            "it has no name. What anybody may do without a login is not said by a user with an empty name, \
                    as in docker_auth, but by `auth.anonymous`"
                .into(),
        );
    }
    if let Some(fault) = name::fault(&user.name) {
        return Err(format!("the name {fault}"));
    }
    if user.password.is_empty() {
        return Err(
            "it has no `password`. docker_auth lets such a user in with any password; here each needs the \
                    hash of one, as `htpasswd -nB NAME` prints it"
                .into(),
        );
    }
    let hash = StoredHash::parse(user.password.expose()).map_err(|why| format!("`password`: {why}"))?;
    Ok(User { hash, groups: user.groups.clone(), labels: user.labels.clone(), admin: user.admin })
}

#[async_trait::async_trait]
impl Authenticator for StaticUsers {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn authenticate(&self, credentials: &Credentials) -> Result<Verdict> {
        self.users.authenticate(&self.passwords, credentials).await
    }

    async fn lookup(&self, name: &str) -> Result<Option<Login>> {
        Ok(self.users.lookup(name))
    }

    async fn burn(&self, credentials: &Credentials) -> Result<()> {
        self.users.burn(&self.passwords, credentials).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::passwords::config::Config;
    use crate::clock::FixedClock;

    /// Of "U*U".
    const HASH: &str = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

    #[derive(Deserialize)]
    struct Users {
        users: Vec<StaticUser>,
    }

    fn parse(text: &str) -> Vec<StaticUser> {
        toml::from_str::<Users>(text).unwrap().users
    }

    fn source(users: &[StaticUser]) -> StaticUsers {
        let passwords = Passwords::new(&Config::default(), Arc::new(FixedClock::at(0))).unwrap();
        StaticUsers::new(users, Arc::new(passwords)).unwrap()
    }

    fn credentials(name: &str, password: &str) -> Credentials {
        Credentials { name: name.into(), password: Secret::new(password), address: None }
    }

    #[tokio::test]
    async fn a_user_of_the_configuration_logs_in_with_all_that_it_says() {
        let users = parse(&format!(
            "[[users]]\nname = 'amy'\npassword = '{HASH}'\ngroups = ['dev']\nlabels = {{team = ['a', 'b']}}\n\
             admin = true\n[[users]]\nname = 'bob'\npassword = '{HASH}'"
        ));
        let source = source(&users);
        let Verdict::Known(amy) = source.authenticate(&credentials("amy", "U*U")).await.unwrap() else {
            panic!("not known")
        };
        assert_eq!((amy.source, amy.identity.name.as_str(), amy.identity.admin), ("static", "amy", true));
        assert_eq!(amy.identity.groups, ["dev"]);
        assert_eq!(amy.identity.labels["team"], ["a", "b"]);
        assert_eq!(source.lookup("amy").await.unwrap(), Some(amy));
        assert!(!source.lookup("bob").await.unwrap().unwrap().identity.admin);
        assert_eq!(source.lookup("cid").await.unwrap(), None);
    }

    #[tokio::test]
    async fn wrong_is_wrong_and_unknown_is_unknown() {
        let source = source(&parse(&format!("[[users]]\nname = 'amy'\npassword = '{HASH}'")));
        for (name, password, expected) in [
            ("amy", "U*V", Verdict::Wrong),
            ("amy", "", Verdict::Wrong),
            ("amy", HASH, Verdict::Wrong),
            ("Amy", "U*U", Verdict::Unknown),
            ("", "U*U", Verdict::Unknown),
        ] {
            assert_eq!(
                source.authenticate(&credentials(name, password)).await.unwrap(),
                expected,
                "{name:?}"
            );
        }
    }

    #[tokio::test]
    async fn an_unknown_name_costs_nothing_until_it_is_burnt() {
        let source = source(&parse(&format!("[[users]]\nname = 'amy'\npassword = '{HASH}'")));
        let unknown = credentials("cid", "U*U");
        source.authenticate(&unknown).await.unwrap();
        assert_eq!(source.passwords.computed(), 0);
        source.burn(&unknown).await.unwrap();
        assert_eq!(source.passwords.computed(), 1);
    }

    #[test]
    fn all_mistakes_are_told_at_once_and_no_secret() {
        let users = parse(&format!(
            "[[users]]\nname = 'amy'\npassword = 'canary'\n[[users]]\npassword = '{HASH}'\n\
             [[users]]\nname = 'bob'\n[[users]]\nname = 'a:b'\npassword = '{HASH}'\n\
             [[users]]\nname = 'cid'\npassword = '{HASH}'\n[[users]]\nname = 'cid'\npassword = '{HASH}'\n\
             [[users]]\nname = 'dan'\npassword = '{HASH}'"
        ));
        let told = mistakes(&users);
        assert_eq!(told.len(), 5, "{told:#?}");
        for (told, part) in told.iter().zip([
            "entry 1 (\"amy\"): `password`: it is neither",
            "`auth.anonymous`",
            "lets such a user in with any password",
            "holds a colon",
            "entry 6 (\"cid\"): there is an entry of this name already",
        ]) {
            assert!(told.contains(part) && !told.contains("canary") && !told.contains("CCCC"), "{told}");
        }
        assert!(!format!("{users:?}").contains("canary"));
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        assert!(toml::from_str::<Users>("[[users]]\nname = 'amy'\npasword = 'x'").is_err());
    }
}
