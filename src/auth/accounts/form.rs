//! What strangers may send to change something. Each form holds what its sender may decide and nothing else: a field
//! that is not in it is refused when it is read, so what oneself may not change cannot even be said.

use crate::acl::access::Action;
use crate::acl::ceiling::Ceiling;
use crate::acl::grant::Subject;
use crate::auth::accounts::name::{self, DESCRIPTION_BYTES_MAX, PERSON_BYTES_MAX};
use crate::auth::accounts::publish::check_glob;
use crate::auth::error::{Error, Result};
use serde::Deserialize;

/// Most globs in the ceiling of a token.
pub const GLOBS_MAX: usize = 100;
/// Longest glob, in bytes.
pub const GLOB_BYTES_MAX: usize = 512;

/// A user to be made by an administrator. The password comes beside it, hashed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// The name.
    pub name: String,
    /// The e-mail address, or empty.
    #[serde(default)]
    pub email: String,
    /// The first name, or empty.
    #[serde(default)]
    pub first_name: String,
    /// The last name, or empty.
    #[serde(default)]
    pub last_name: String,
    /// May do everything.
    #[serde(default)]
    pub admin: bool,
}

impl NewUser {
    /// Whether it may be made so.
    pub fn check(&self) -> Result<()> {
        name::account(&self.name)?;
        person(Some(&self.email), Some(&self.first_name), Some(&self.last_name))
    }
}

/// What an administrator may change of a user; what is not given stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    /// The e-mail address, or empty.
    pub email: Option<String>,
    /// The first name, or empty.
    pub first_name: Option<String>,
    /// The last name, or empty.
    pub last_name: Option<String>,
    /// May do everything.
    pub admin: Option<bool>,
    /// May not log in. Ends all tokens when it becomes true.
    pub disabled: Option<bool>,
}

impl UserChange {
    /// Whether it may be changed so.
    pub fn check(&self) -> Result<()> {
        person(self.email.as_deref(), self.first_name.as_deref(), self.last_name.as_deref())
    }
}

/// What users may change of themselves; what is not given stays. No privilege is in it, and none can be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnProfile {
    /// The e-mail address, or empty.
    pub email: Option<String>,
    /// The first name, or empty.
    pub first_name: Option<String>,
    /// The last name, or empty.
    pub last_name: Option<String>,
}

impl From<OwnProfile> for UserChange {
    fn from(own: OwnProfile) -> Self {
        Self {
            email: own.email,
            first_name: own.first_name,
            last_name: own.last_name,
            admin: None,
            disabled: None,
        }
    }
}

/// A group or a service account to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewNamed {
    /// The name.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
}

/// What may be changed of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupChange {
    /// What it is for.
    pub description: Option<String>,
}

/// What may be changed of a service account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceChange {
    /// What it is for.
    pub description: Option<String>,
    /// May not log in. Ends all secrets when it becomes true.
    pub disabled: Option<bool>,
}

/// A personal access token or a secret of a service account to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// What it gives at most. Not given: all that its owner has.
    #[serde(default)]
    pub ceiling: Option<Ceiling>,
    /// Whether it may use the admin API.
    #[serde(default)]
    pub api: bool,
    /// How long it lives, in seconds.
    #[serde(default)]
    pub lifetime_secs: Option<u64>,
}

impl NewToken {
    /// Whether it may be made so.
    pub fn check(&self) -> Result<()> {
        description(Some(&self.description))?;
        let Some(ceiling) = &self.ceiling else { return Ok(()) };
        if ceiling.repositories().next().is_none() || ceiling.actions().is_empty() {
            return Err(Error::Invalid(
                "a token without a repository or an action would give nothing".into(),
            ));
        }
        if ceiling.repositories().count() > GLOBS_MAX || ceiling.actions().len() > Action::ALL.len() {
            return Err(Error::Invalid(format!(
                "a token has at most {GLOBS_MAX} repositories and 3 actions"
            )));
        }
        ceiling.repositories().try_for_each(glob)
    }
}

/// A grant to be made.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewGrant {
    /// Whom it is given to.
    pub subject: Subject,
    /// A glob of repositories: `*` stays inside one path component, `**` crosses.
    pub repository: String,
    /// What it gives.
    pub actions: Vec<Action>,
}

impl NewGrant {
    /// Whether it may be made so. Users and groups need not be ours: other sources have some too.
    pub fn check(&self) -> Result<()> {
        match &self.subject {
            Subject::User(name) | Subject::Group(name) => name::other(name)?,
            Subject::ServiceAccount(name) => name::service(name)?,
            Subject::Everyone | Subject::Anonymous => {}
        }
        if self.actions.is_empty() || self.actions.len() > Action::ALL.len() {
            return Err(Error::Invalid("a grant gives one to three of pull, push and delete".into()));
        }
        glob(&self.repository)
    }
}

/// Whether a text may be a description.
pub fn description(text: Option<&str>) -> Result<()> {
    name::line("a description", text.unwrap_or_default(), DESCRIPTION_BYTES_MAX)
}

fn person(email: Option<&str>, first_name: Option<&str>, last_name: Option<&str>) -> Result<()> {
    name::email(email.unwrap_or_default())?;
    name::line("a first name", first_name.unwrap_or_default(), PERSON_BYTES_MAX)?;
    name::line("a last name", last_name.unwrap_or_default(), PERSON_BYTES_MAX)
}

fn glob(text: &str) -> Result<()> {
    name::line("a glob of repositories", text, GLOB_BYTES_MAX)?;
    if text.is_empty() {
        return Err(Error::Invalid("an empty glob fits no repository".into()));
    }
    check_glob(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn privileges_cannot_be_said_in_the_form_for_oneself() {
        for field in ["admin", "disabled", "password", "name", "epoch", "initial", "removing", "groups"] {
            let json = format!("{{\"email\":\"a@b\",{field:?}:true}}");
            assert!(serde_json::from_str::<OwnProfile>(&json).is_err(), "{field}");
        }
        let form: OwnProfile = serde_json::from_str(r#"{"email":"a@b","last_name":""}"#).unwrap();
        let change = UserChange::from(form);
        assert_eq!((change.admin, change.disabled, change.first_name), (None, None, None));
        assert_eq!((change.email.as_deref(), change.last_name.as_deref()), (Some("a@b"), Some("")));
    }

    #[test]
    fn unknown_fields_are_refused_in_every_form() {
        let no = |refused: bool, form: &str| assert!(refused, "{form} takes anything");
        let named = r#"{"name":"a","admni":true}"#;
        no(serde_json::from_str::<NewUser>(named).is_err(), "NewUser");
        no(serde_json::from_str::<NewNamed>(named).is_err(), "NewNamed");
        no(serde_json::from_str::<NewUser>(r#"{"name":"a","password":"x"}"#).is_err(), "NewUser password");
        no(serde_json::from_str::<UserChange>(r#"{"epoch":1}"#).is_err(), "UserChange");
        no(serde_json::from_str::<GroupChange>(r#"{"name":"b"}"#).is_err(), "GroupChange");
        no(serde_json::from_str::<ServiceChange>(r#"{"epoch":1}"#).is_err(), "ServiceChange");
        no(serde_json::from_str::<NewToken>(r#"{"owner":"root"}"#).is_err(), "NewToken");
        let grant = r#"{"subject":{"kind":"everyone"},"repository":"a","actions":["pull"],"by":"me"}"#;
        no(serde_json::from_str::<NewGrant>(grant).is_err(), "NewGrant");
        assert!(serde_json::from_str::<NewGrant>(&grant.replace(r#","by":"me""#, "")).is_ok());
    }

    #[test]
    fn ceilings_are_bounded_and_give_something() {
        let form = |repositories: &[&str], actions: &[Action]| {
            let repositories = repositories.iter().map(|&glob| glob.to_owned()).collect::<Vec<_>>();
            let ceiling = Ceiling::new(&repositories, actions.to_vec()).map_err(Error::Invalid)?;
            NewToken { ceiling: Some(ceiling), ..NewToken::default() }.check()
        };
        assert!(form(&["a/**", "b"], &Action::ALL).is_ok());
        assert!(form(&[], &Action::ALL).is_err() && form(&["a"], &[]).is_err());
        assert!(form(&["a"; GLOBS_MAX + 1], &Action::ALL).is_err());
        assert!(form(&["a"], &[Action::Pull; 4]).is_err());
        assert!(form(&[&"a".repeat(GLOB_BYTES_MAX + 1)], &Action::ALL).is_err());
        assert!(form(&["a\nb"], &Action::ALL).is_err());
    }
}
