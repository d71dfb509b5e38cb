//! Every request of the admin API: method, path, what it needs, what it takes and answers. Dispatch, rights and the
//! OpenAPI document are read from here, so none of them can forget one.

use crate::acl::access::Action;
use crate::http::v2::route::Unroutable;
use http::Method;
use percent_encoding::percent_decode_str;
use std::collections::HashMap;
use std::sync::LazyLock;

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: it tells no secret.
    Nothing,
    /// An account, of whatever rights; what is answered is bounded by them.
    Account,
    /// An administrator.
    Administrator,
    /// An action on the repository of the path.
    Repository(Action),
}

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the table says what each does
pub enum Operation {
    OpenApi,
    Me,
    MeChange,
    MePassword,
    MeTokens,
    MeTokenMint,
    MeTokenRevoke,
    Users,
    UserCreate,
    User,
    UserChange,
    UserRemove,
    UserPassword,
    UserTokens,
    UserTokenRevoke,
    UserLogout,
    Groups,
    GroupCreate,
    Group,
    GroupChange,
    GroupRemove,
    MemberAdd,
    MemberRemove,
    Services,
    ServiceCreate,
    Service,
    ServiceChange,
    ServiceRemove,
    Secrets,
    SecretMint,
    SecretRevoke,
    Grants,
    GrantAdd,
    GrantRemove,
    Explain,
    Lint,
    Repositories,
    Repository,
    RepositoryRemove,
    Tags,
    Tag,
    TagRemove,
    Manifest,
    ManifestRemove,
    Events,
    ReadOnly,
    ReadOnlyHold,
    ReadOnlyEnd,
}

/// One row.
#[derive(Debug)]
pub struct Row {
    /// The method.
    pub method: Method,
    /// The path below `/api/v1`; `{repository}` may hold slashes.
    pub path: &'static str,
    /// What it does.
    pub operation: Operation,
    /// What it needs.
    pub needs: Needs,
    /// What it does, in words.
    pub summary: &'static str,
    /// The schema of its body; empty for none.
    pub body: &'static str,
    /// The status of a success, and the schema of its answer (empty for none).
    pub answer: (u16, &'static str),
}

fn row(method: Method, path: &'static str, operation: Operation, needs: Needs, summary: &'static str) -> Row {
    Row { method, path, operation, needs, summary, body: "", answer: (204, "") }
}

impl Row {
    fn takes(self, body: &'static str) -> Self {
        Self { body, ..self }
    }

    /// Whether it answers a page of a list.
    pub fn is_list(&self) -> bool {
        use Operation as Op;
        matches!(
            self.operation,
            Op::Users | Op::Groups | Op::Services | Op::Grants | Op::Repositories | Op::Tags | Op::Events
        )
    }

    /// Parameters of its query beside those of a page, and what they are.
    pub fn queries(&self) -> &'static [(&'static str, &'static str)] {
        match self.operation {
            Operation::Users | Operation::Groups | Operation::Services | Operation::Repositories => {
                &[("search", "Only those that hold this text")]
            }
            Operation::UserCreate | Operation::ServiceCreate => &[(
                "take_over",
                "true: make it although another source of users knows the name, whose user is then shut out",
            )],
            Operation::Explain => &[
                ("account", "The account; empty for anonymous"),
                ("action", "pull, push or delete"),
                ("repository", "The repository"),
                ("address", "From which address they ask, for rules that name one"),
            ],
            _ => &[],
        }
    }

    fn gives(self, status: u16, answer: &'static str) -> Self {
        Self { answer: (status, answer), ..self }
    }
}

use Needs::{Account, Administrator as Admin, Nothing, Repository as On};
use Operation as Op;

/// All of them.
#[rustfmt::skip] // a table
pub static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| vec![
    row(Method::GET, "/openapi.json", Op::OpenApi, Nothing, "This document").gives(200, "Document"),
    row(Method::GET, "/me", Op::Me, Account, "One's own account").gives(200, "Me"),
    row(Method::PATCH, "/me", Op::MeChange, Account, "Change one's own profile").takes("Profile").gives(200, "Me"),
    row(Method::PUT, "/me/password", Op::MePassword, Account, "Change one's own password; all tokens end").takes("OwnPassword"),
    row(Method::GET, "/me/tokens", Op::MeTokens, Account, "One's own tokens").gives(200, "Tokens"),
    row(Method::POST, "/me/tokens", Op::MeTokenMint, Account, "Make a personal access token; it is shown once").takes("NewToken").gives(201, "MintedToken"),
    row(Method::DELETE, "/me/tokens/{id}", Op::MeTokenRevoke, Account, "Revoke one's own token"),
    row(Method::GET, "/users", Op::Users, Admin, "List users").gives(200, "Users"),
    row(Method::POST, "/users", Op::UserCreate, Admin, "Make a user").takes("NewUser").gives(201, "User"),
    row(Method::GET, "/users/{name}", Op::User, Admin, "A user").gives(200, "User"),
    row(Method::PATCH, "/users/{name}", Op::UserChange, Admin, "Change a user").takes("UserChange").gives(200, "User"),
    row(Method::DELETE, "/users/{name}", Op::UserRemove, Admin, "Remove a user with its tokens and grants"),
    row(Method::PUT, "/users/{name}/password", Op::UserPassword, Admin, "Set a user's password; all its tokens end").takes("Password"),
    row(Method::GET, "/users/{name}/tokens", Op::UserTokens, Admin, "A user's tokens").gives(200, "Tokens"),
    row(Method::DELETE, "/users/{name}/tokens/{id}", Op::UserTokenRevoke, Admin, "Revoke a user's token"),
    row(Method::DELETE, "/users/{name}/tokens", Op::UserLogout, Admin, "Revoke all of a user's tokens"),
    row(Method::GET, "/groups", Op::Groups, Admin, "List groups").gives(200, "Groups"),
    row(Method::POST, "/groups", Op::GroupCreate, Admin, "Make a group").takes("NewGroup").gives(201, "Group"),
    row(Method::GET, "/groups/{name}", Op::Group, Admin, "A group with its members").gives(200, "Group"),
    row(Method::PATCH, "/groups/{name}", Op::GroupChange, Admin, "Change a group's description").takes("GroupChange").gives(200, "Group"),
    row(Method::DELETE, "/groups/{name}", Op::GroupRemove, Admin, "Remove a group with its grants"),
    row(Method::PUT, "/groups/{name}/members/{member}", Op::MemberAdd, Admin, "Add an account to a group"),
    row(Method::DELETE, "/groups/{name}/members/{member}", Op::MemberRemove, Admin, "Take an account out of a group"),
    row(Method::GET, "/service-accounts", Op::Services, Admin, "List service accounts").gives(200, "ServiceAccounts"),
    row(Method::POST, "/service-accounts", Op::ServiceCreate, Admin, "Make a service account").takes("NewServiceAccount").gives(201, "ServiceAccount"),
    row(Method::GET, "/service-accounts/{name}", Op::Service, Admin, "A service account").gives(200, "ServiceAccount"),
    row(Method::PATCH, "/service-accounts/{name}", Op::ServiceChange, Admin, "Change a service account").takes("ServiceAccountChange").gives(200, "ServiceAccount"),
    row(Method::DELETE, "/service-accounts/{name}", Op::ServiceRemove, Admin, "Remove a service account with its secrets and grants"),
    row(Method::GET, "/service-accounts/{name}/secrets", Op::Secrets, Admin, "A service account's secrets").gives(200, "Tokens"),
    row(Method::POST, "/service-accounts/{name}/secrets", Op::SecretMint, Admin, "Make a secret, at most two at a time; it is shown once").takes("NewToken").gives(201, "MintedToken"),
    row(Method::DELETE, "/service-accounts/{name}/secrets/{id}", Op::SecretRevoke, Admin, "Revoke a secret"),
    row(Method::GET, "/grants", Op::Grants, Admin, "List grants").gives(200, "Grants"),
    row(Method::POST, "/grants", Op::GrantAdd, Admin, "Grant actions on repositories").takes("NewGrant").gives(201, "Grant"),
    row(Method::DELETE, "/grants/{id}", Op::GrantRemove, Admin, "Remove a grant"),
    row(Method::GET, "/acl/explain", Op::Explain, Admin, "Why an account may or may not do something").gives(200, "Explanation"),
    row(Method::GET, "/acl/lint", Op::Lint, Admin, "What is doubtful in the rules").gives(200, "Findings"),
    row(Method::GET, "/repositories", Op::Repositories, Account, "List the repositories that one may pull").gives(200, "Repositories"),
    row(Method::GET, "/repositories/{repository}", Op::Repository, On(Action::Pull), "A repository: tags, size").gives(200, "Repository"),
    row(Method::DELETE, "/repositories/{repository}", Op::RepositoryRemove, On(Action::Delete), "Remove all that a repository holds"),
    row(Method::GET, "/repositories/{repository}/-/tags", Op::Tags, On(Action::Pull), "Tags, with what each means").gives(200, "TagList"),
    row(Method::GET, "/repositories/{repository}/-/tags/{tag}", Op::Tag, On(Action::Pull), "A tag: manifest, platforms, layers").gives(200, "Manifest"),
    row(Method::DELETE, "/repositories/{repository}/-/tags/{tag}", Op::TagRemove, On(Action::Delete), "Remove a tag alone"),
    row(Method::GET, "/repositories/{repository}/-/manifests/{digest}", Op::Manifest, On(Action::Pull), "A manifest: platforms, layers").gives(200, "Manifest"),
    row(Method::DELETE, "/repositories/{repository}/-/manifests/{digest}", Op::ManifestRemove, On(Action::Delete), "Remove a manifest with its tags"),
    row(Method::GET, "/events", Op::Events, Admin, "The audit trail, newest first").gives(200, "Events"),
    row(Method::GET, "/read-only", Op::ReadOnly, Admin, "Whether changes are taken").gives(200, "ReadOnly"),
    row(Method::PUT, "/read-only", Op::ReadOnlyHold, Admin, "Take no changes for a while; reading goes on").takes("ReadOnlyFor").gives(200, "ReadOnly"),
    row(Method::DELETE, "/read-only", Op::ReadOnlyEnd, Admin, "Take changes again"),
]);

/// What the braces of a path stand for, decoded once.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Captured(Vec<(&'static str, String)>);

impl Captured {
    /// The text that stands for a name; empty if the path has no such.
    pub fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| *key == name).map_or("", |(_, text)| text)
    }
}

/// Finds the row of a request; `path` is that below `/api/v1`.
pub fn find(method: &Method, path: &str) -> Result<(&'static Row, Captured), Unroutable> {
    let mut known = None;
    for row in &*ROWS {
        if let Some(captured) = matches(row.path, path) {
            let head = *method == Method::HEAD && row.method == Method::GET;
            if row.method == *method || head {
                return Ok((row, captured));
            }
            known = Some(row.path);
        }
    }
    Err(known.map_or(Unroutable::NotFound, |path| Unroutable::Method(allowed(path))))
}

/// The methods of a path, as the `Allow` header lists them.
fn allowed(path: &str) -> &'static str {
    ALLOWED.get(path).map_or("", String::as_str)
}

static ALLOWED: LazyLock<HashMap<&'static str, String>> = LazyLock::new(|| {
    let mut allowed: HashMap<&'static str, String> = HashMap::new();
    for row in &*ROWS {
        let methods = allowed.entry(row.path).or_default();
        if !methods.is_empty() {
            methods.push_str(", ");
        }
        methods.push_str(if row.method == Method::GET { "GET, HEAD" } else { row.method.as_str() });
    }
    allowed
});

fn matches(pattern: &'static str, path: &str) -> Option<Captured> {
    let (mut captured, mut pattern, mut path) = (Captured::default(), pattern, path);
    loop {
        match (pattern.strip_prefix('/'), path.strip_prefix('/')) {
            (None, None) => return (pattern.is_empty() && path.is_empty()).then_some(captured),
            (Some(pattern_rest), Some(path_rest)) => {
                let (segment, rest) = split(pattern_rest, pattern_rest.find('/'));
                pattern = rest;
                if segment == "{repository}" {
                    // Up to `/-/`, which no name holds, or to the end.
                    let (name, rest) = split(path_rest, path_rest.find("/-/"));
                    if name.is_empty() {
                        return None;
                    }
                    path = rest;
                    captured.0.push(("repository", name.to_owned()));
                    continue;
                }
                let (text, rest) = split(path_rest, path_rest.find('/'));
                path = rest;
                match segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                    Some(name) => captured.0.push((name, decoded(text)?)),
                    None if segment == text => {}
                    None => return None,
                }
            }
            _ => return None,
        }
    }
}

fn split(text: &str, at: Option<usize>) -> (&str, &str) {
    text.split_at(at.unwrap_or(text.len()))
}

/// One segment, decoded once. An empty one names nothing.
fn decoded(text: &str) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8().ok()?;
    (!text.is_empty()).then(|| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(method: &Method, path: &str) -> Option<(Operation, Vec<(&'static str, String)>)> {
        find(method, path).ok().map(|(row, captured)| (row.operation, captured.0))
    }

    #[test]
    fn paths_find_their_rows() {
        let of = |pairs: &[(&'static str, &str)]| pairs.iter().map(|(k, v)| (*k, (*v).to_owned())).collect();
        for (method, path, operation, captured) in [
            (Method::GET, "/me", Op::Me, of(&[])),
            (Method::DELETE, "/users/j%C3%B6rg%40x", Op::UserRemove, of(&[("name", "jörg@x")])),
            (Method::GET, "/repositories/team/app", Op::Repository, of(&[("repository", "team/app")])),
            (
                Method::DELETE,
                "/repositories/a/b/c/-/tags/1.0",
                Op::TagRemove,
                of(&[("repository", "a/b/c"), ("tag", "1.0")]),
            ),
            (Method::GET, "/repositories/tags/-/tags", Op::Tags, of(&[("repository", "tags")])),
        ] {
            assert_eq!(found(&method, path), Some((operation, captured)), "{path}");
        }
        for path in
            ["", "/", "/me/", "/users//tokens", "/nothing", "/repositories/a/-/what", "/repositories/", "me"]
        {
            assert_eq!(found(&Method::GET, path), None, "{path}");
        }
        assert_eq!(find(&Method::POST, "/me").err(), Some(Unroutable::Method("GET, HEAD, PATCH")));
    }

    #[test]
    fn no_two_rows_are_one() {
        for (nth, one) in ROWS.iter().enumerate() {
            for other in &ROWS[nth + 1..] {
                assert!((one.path, &one.method) != (other.path, &other.method), "{}", one.path);
                assert!(one.operation != other.operation, "{:?}", one.operation);
            }
        }
    }

    proptest! {
        #[test]
        fn never_panics(path in "\\PC{0,60}") {
            let _ = find(&Method::GET, &path);
        }
    }
}
