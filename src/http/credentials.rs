//! The `Authorization` header: what a client shows. One that does not read is refused like a wrong password, never
//! taken for none.

use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;

/// What a client shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presented {
    /// Nothing.
    Nothing,
    /// A name and a password (RFC 7617). The password may hold colons.
    Basic(String, Secret),
    /// A token (RFC 6750).
    Bearer(Secret),
    /// Something that is neither.
    Unreadable,
}

/// Reads the header. More than one line of it is unreadable: a proxy and we might take different ones.
pub fn presented(headers: &HeaderMap) -> Presented {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let Some(first) = lines.next() else { return Presented::Nothing };
    if lines.next().is_some() {
        return Presented::Unreadable;
    }
    first.to_str().ok().and_then(read).unwrap_or(Presented::Unreadable)
}

/// The token of a Bearer header as clients write it, without a look at the rest. `None`: it has to be looked at closely.
pub fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let token = lines.next()?.as_bytes().strip_prefix(b"Bearer ")?;
    lines.next().is_none().then_some(token)
}

fn read(text: &str) -> Option<Presented> {
    let (scheme, rest) = text.trim().split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return (!rest.is_empty()).then(|| Presented::Bearer(Secret::new(rest)));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    let plain = |text: &str| !text.chars().any(char::is_control);
    (!name.is_empty() && plain(name)).then(|| Presented::Basic(name.to_owned(), Secret::new(password)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn of(text: &str) -> Presented {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(text).unwrap());
        presented(&headers)
    }

    fn basic(text: &str) -> Presented {
        of(&format!("Basic {}", STANDARD.encode(text)))
    }

    #[test]
    fn names_and_passwords_are_read_whole() {
        let known = |name: &str, password: &str| Presented::Basic(name.into(), Secret::new(password));
        assert_eq!(basic("alice:secret"), known("alice", "secret"));
        assert_eq!(basic("alice:a:b:c"), known("alice", "a:b:c"));
        assert_eq!(basic("alice:"), known("alice", ""));
        assert_eq!(basic("jörg:pässwörd ☃"), known("jörg", "pässwörd ☃"));
        assert_eq!(of("bEaReR  abc.def"), Presented::Bearer(Secret::new("abc.def")));
    }

    #[test]
    fn what_does_not_read_is_not_taken_for_nothing() {
        for text in ["Basic", "Basic !!!", "Bearer", "Bearer ", "Digest a=b", "garbage", "Basic YQ=="] {
            assert_eq!(of(text), Presented::Unreadable, "{text}");
        }
        assert_eq!(basic(":nameless"), Presented::Unreadable);
        assert_eq!(basic("a\r\nb:x"), Presented::Unreadable);
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer a"));
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer b"));
        assert_eq!(presented(&headers), Presented::Unreadable);
        assert_eq!(presented(&HeaderMap::new()), Presented::Nothing);
    }

    proptest! {
        #[test]
        fn never_panics(text in "[ -~]{0,80}") {
            let _ = of(&text);
        }
    }
}
