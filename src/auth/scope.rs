//! The scopes that a client asks for (docker-auth-scope, "Resource Scope Grammar"): read, merged and written. Knows
//! no rule: what of them is given is decided by `acl`.
//!
//! Unknown types and actions are read, since they are only ever not given; what is against the grammar is an error.

use crate::acl::access::Access;
use crate::auth::claims::Granted;
use crate::auth::error::Error;
use std::fmt;

/// Most scopes of one request, before they are merged.
pub const SCOPES_MAX: usize = 100;
/// Most text of one request. A token for so many scopes would not fit into a header anyway.
pub const TEXT_BYTES_MAX: usize = 16 << 10;
/// Most distinct actions on one resource.
const ACTIONS_MAX: usize = 16;
/// Longest word: a type, a class or an action.
const WORD_BYTES_MAX: usize = 64;
/// A repository's name has at most 255 bytes, and a host and its port may stand before it.
const NAME_BYTES_MAX: usize = 512;

/// A resource, and what is wanted of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// `repository`, `registry`, or whatever was asked for.
    pub kind: String,
    /// The name of the resource.
    pub name: String,
    /// The actions, each once, in the order that they were named in. May be empty.
    pub actions: Vec<String>,
}

/// Why scopes do not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// One is against the grammar; its beginning, escaped.
    #[error("the scope {0} has not the form TYPE:NAME:ACTION,ACTION")]
    Malformed(String),
    /// There are too many.
    #[error("there are more than {SCOPES_MAX} scopes: ask for fewer at once")]
    TooMany,
    /// They are too long.
    #[error("the scopes are longer than {TEXT_BYTES_MAX} bytes: ask for fewer at once")]
    TooLong,
}

impl From<ScopeError> for Error {
    fn from(error: ScopeError) -> Self {
        Self::Invalid(error.to_string())
    }
}

/// Reads the `scope` parameters of a request; each may hold several scopes, separated by spaces. Scopes for one
/// resource become one, with the actions of all: none is lost. The order is that in which resources were first named.
pub fn parse_all<T: AsRef<str>>(texts: &[T]) -> Result<Vec<Scope>, ScopeError> {
    if texts.iter().map(|text| text.as_ref().len()).sum::<usize>() > TEXT_BYTES_MAX {
        return Err(ScopeError::TooLong);
    }
    let mut scopes: Vec<Scope> = Vec::new();
    let words = texts.iter().flat_map(|text| text.as_ref().split(' ')).filter(|word| !word.is_empty());
    for (count, word) in words.enumerate() {
        if count == SCOPES_MAX {
            return Err(ScopeError::TooMany);
        }
        let scope = Scope::parse(word).ok_or_else(|| malformed(word))?;
        match scopes.iter_mut().find(|known| known.kind == scope.kind && known.name == scope.name) {
            Some(known) => known.merge(scope.actions).ok_or_else(|| malformed(word))?,
            None => scopes.push(scope),
        }
    }
    Ok(scopes)
}

/// Writes scopes as one text, for the `scope` of an answer; [`parse_all`] reads it again.
pub fn print_all(scopes: &[Scope]) -> String {
    scopes.iter().map(Scope::to_string).collect::<Vec<_>>().join(" ")
}

fn malformed(word: &str) -> ScopeError {
    let beginning: String = word.chars().take(100).collect();
    ScopeError::Malformed(format!("{beginning:?}"))
}

impl Scope {
    /// Reads one scope; `None`: it is against the grammar.
    fn parse(text: &str) -> Option<Self> {
        // a name may hold a colon, before a port: the type ends at the first one, the actions begin after the last
        let (kind, rest) = text.split_once(':')?;
        let (name, actions) = rest.rsplit_once(':')?;
        let kind = match kind.split_once('(') {
            None => kind,
            Some((kind, class)) => {
                class.strip_suffix(')').filter(|class| is_type(class))?;
                kind
            }
        };
        if !is_type(kind) || !is_name(name) {
            return None;
        }
        let mut scope = Self { kind: kind.to_owned(), name: name.to_owned(), actions: Vec::new() };
        let actions = actions.split(',').map(|action| is_action(action).then(|| action.to_owned()));
        scope.merge(actions.collect::<Option<Vec<_>>>()?)?;
        Some(scope)
    }

    /// Adds actions; `None`: they are too many.
    fn merge(&mut self, actions: Vec<String>) -> Option<()> {
        for action in actions {
            // the grammar allows an empty action; it means nothing
            if !action.is_empty() && !self.actions.contains(&action) {
                self.actions.push(action);
            }
            if self.actions.len() > ACTIONS_MAX {
                return None;
            }
        }
        Some(())
    }

    /// What it asks for, one action at a time.
    pub fn accesses(&self) -> impl Iterator<Item = Access<'_>> {
        self.actions.iter().map(|action| Access { kind: &self.kind, name: &self.name, action })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.kind, self.name, self.actions.join(","))
    }
}

impl From<Scope> for Granted {
    fn from(Scope { kind, name, actions }: Scope) -> Self {
        Self { kind, name, actions }
    }
}

impl From<Granted> for Scope {
    fn from(Granted { kind, name, actions }: Granted) -> Self {
        Self { kind, name, actions }
    }
}

fn is_type(text: &str) -> bool {
    (1..=WORD_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

fn is_action(text: &str) -> bool {
    text == "*" || text.len() <= WORD_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// Wider than the grammar, since other types have other names; but nothing that could end a header, a line of the
/// log or a quoted string.
fn is_name(text: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
        && text.bytes().filter(|byte| *byte == b':').count() <= 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scope(kind: &str, name: &str, actions: &[&str]) -> Scope {
        let actions = actions.iter().map(ToString::to_string).collect();
        Scope { kind: kind.into(), name: name.into(), actions }
    }

    fn parse(text: &str) -> Result<Vec<Scope>, ScopeError> {
        parse_all(&[text])
    }

    #[test]
    fn what_clients_ask_for_is_read() {
        for (text, expected) in [
            ("repository:app:pull", scope("repository", "app", &["pull"])),
            ("repository:team/app:pull,push", scope("repository", "team/app", &["pull", "push"])),
            ("repository:app:push,pull,push", scope("repository", "app", &["push", "pull"])),
            ("repository(plugin):app:pull", scope("repository", "app", &["pull"])),
            (
                "repository:host.example:5000/app:pull",
                scope("repository", "host.example:5000/app", &["pull"]),
            ),
            ("registry:catalog:*", scope("registry", "catalog", &["*"])),
            ("repository:app:", scope("repository", "app", &[])),
            ("repository:app:pull,,push,", scope("repository", "app", &["pull", "push"])),
            ("other:A_b__c-d.e+f@g:frobnicate", scope("other", "A_b__c-d.e+f@g", &["frobnicate"])),
            ("  repository:app:pull ", scope("repository", "app", &["pull"])),
        ] {
            assert_eq!(parse(text).unwrap(), [expected], "{text}");
        }
        assert_eq!(parse_all::<&str>(&[]).unwrap(), []);
        assert_eq!(parse_all(&["", " ", ""]).unwrap(), []);
    }

    #[test]
    fn several_scopes_are_merged_by_resource_and_none_is_lost() {
        let texts = ["repository:b:pull repository:a:pull", "repository:b:push,pull", "registry:b:pull"];
        assert_eq!(
            parse_all(&texts).unwrap(),
            [
                scope("repository", "b", &["pull", "push"]),
                scope("repository", "a", &["pull"]),
                scope("registry", "b", &["pull"]),
            ]
        );
        // a class makes no other resource
        assert_eq!(parse("repository:a:pull repository(image):a:push").unwrap().len(), 1);
    }

    #[test]
    fn what_is_against_the_grammar_is_refused() {
        for bad in [
            "repository",
            "repository:app",
            ":app:pull",
            "repository::pull",
            "Repository:app:pull",
            "repository:app:Pull",
            "repository:app:pull push",
            "repository:app:pull;push",
            "repository:app:**",
            "repository():app:pull",
            "repository(image:app:pull",
            "repository(image)x:app:pull",
            "repository(a)(b):app:pull",
            "repository:a:b:c:pull",
            "repository:app:pull\r\n",
            "repository:a\r\nSet-Cookie: x:pull",
            "repository:a\tb:pull",
            "repository:a\0b:pull",
            "repository:a\"b:pull",
            "repository:a\\b:pull",
            "repository:ä:pull",
            "repository:a\u{2028}b:pull",
            "\u{a0}repository:app:pull",
            "repository:app:pull\n",
        ] {
            assert!(matches!(parse(bad), Err(ScopeError::Malformed(_))), "{bad:?}: {:?}", parse(bad));
        }
    }

    #[test]
    fn an_error_shows_the_scope_escaped_and_cut() {
        let error = parse(&format!("a\r\nb{}", "x".repeat(5000))).unwrap_err().to_string();
        assert!(error.contains(r"a\r\nbxxx") && error.len() < 200, "{error}");
        assert!(
            matches!(Error::from(ScopeError::TooMany), Error::Invalid(text) if text.contains("100 scopes"))
        );
    }

    #[test]
    fn everything_is_bounded() {
        let many = |count: usize| (0..count).map(|n| format!("repository:a{n}:pull")).collect::<Vec<_>>();
        assert_eq!(parse_all(&many(100)).unwrap().len(), 100);
        assert_eq!(parse_all(&many(101)), Err(ScopeError::TooMany));
        assert_eq!(parse(&many(101).join(" ")), Err(ScopeError::TooMany));
        assert_eq!(parse_all(&many(10_000)), Err(ScopeError::TooLong));
        assert_eq!(parse_all(&["repository:a:pull"; 101]), Err(ScopeError::TooMany));
        assert_eq!(parse(&" ".repeat(TEXT_BYTES_MAX + 1)), Err(ScopeError::TooLong));

        let name = |length: usize| format!("repository:{}:pull", "a".repeat(length));
        assert!(parse(&name(512)).is_ok() && parse(&name(513)).is_err());
        let kind = |length: usize| format!("{}:a:pull", "a".repeat(length));
        assert!(parse(&kind(64)).is_ok() && parse(&kind(65)).is_err());
        let action = |length: usize| format!("repository:a:{}", "a".repeat(length));
        assert!(parse(&action(64)).is_ok() && parse(&action(65)).is_err());
        let letters: Vec<_> = ('a'..='q').map(String::from).collect();
        assert!(parse(&format!("repository:a:{}", letters[..16].join(","))).is_ok());
        assert!(parse(&format!("repository:a:{}", letters.join(","))).is_err());
        assert!(parse(&format!("repository:a:q repository:a:{}", letters[..16].join(","))).is_err());
    }

    #[test]
    fn a_scope_is_asked_one_action_at_a_time() {
        let scope = scope("repository", "a/b", &["pull", "push"]);
        let accesses: Vec<_> = scope.accesses().collect();
        let access = |action| Access { kind: "repository", name: "a/b", action };
        assert_eq!(accesses, [access("pull"), access("push")]);
    }

    prop_compose! {
        fn any_scope()(
            kind in "[a-z0-9]{1,10}",
            name in "[!#-9;-\\[\\]-~]{1,20}(:[!#-9;-\\[\\]-~]{1,10})?",
            actions in proptest::collection::hash_set("[a-z]{1,6}|\\*", 0..=16),
        ) -> Scope {
            Scope { kind, name, actions: actions.into_iter().collect() }
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_again(scopes in proptest::collection::vec(any_scope(), 0..20)) {
            let merged = parse(&print_all(&scopes));
            // two random scopes of one resource may have too many actions together
            prop_assume!(merged.is_ok());
            let merged = merged.unwrap();
            prop_assert_eq!(&parse(&print_all(&merged)).unwrap(), &merged);
            for scope in scopes {
                prop_assert_eq!(parse(&scope.to_string()).unwrap(), [scope]);
            }
        }

        #[test]
        fn reading_never_panics(texts in proptest::collection::vec("\\PC{0,40}|[a-z:,()* /]{0,40}", 0..10)) {
            if let Ok(scopes) = parse_all(&texts) {
                prop_assert!(print_all(&scopes).bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
            }
        }
    }
}
