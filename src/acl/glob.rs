//! How globs are written: Go's `path.Match` (`*`, `?`, `[a-z]`, `[^a]`, `\x`; none of `*` and `?` crosses a `/`), and
//! `**`, which does. A malformed glob is an error when it is read, never when it is asked.

use crate::acl::tokens::{Class, Token, Tokens};
use std::fmt;
use std::iter::Peekable;
use std::str::Chars;

/// Longest glob in bytes; a name has at most 255.
pub const GLOB_BYTES_MAX: usize = 1024;

/// A glob, and its text. Two are equal when their texts are.
#[derive(Debug, Clone)]
pub struct Glob {
    text: Box<str>,
    tokens: Tokens,
}

impl Glob {
    /// Reads a glob.
    pub fn new(text: &str) -> Result<Self, String> {
        let tokens = read(&[Part::Text(text)]).map_err(|wrong| format!("the glob {text:?} {wrong}"))?;
        Ok(Self { text: text.into(), tokens })
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What it consists of.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Whether a whole text fits.
    pub fn matches(&self, text: &str) -> bool {
        self.tokens.fit(text, &[])
    }
}

impl PartialEq for Glob {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Glob {}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A part of a glob that is put together.
#[derive(Debug, Clone, Copy)]
pub enum Part<'a> {
    /// Glob syntax, complete in itself: a class does not go on in the next part, and stars of two parts make no `**`.
    Text(&'a str),
    /// A value that is meant letter by letter.
    Literal(&'a str),
    /// A value that comes with the question.
    Slot,
}

/// Reads a glob out of its parts. The error goes on after `the glob ".."`.
pub fn read(parts: &[Part<'_>]) -> Result<Tokens, &'static str> {
    let long = |part: &Part<'_>| match part {
        Part::Text(text) | Part::Literal(text) => text.len(),
        Part::Slot => 0,
    };
    if parts.iter().map(long).sum::<usize>() > GLOB_BYTES_MAX {
        return Err("is longer than 1024 bytes");
    }
    let mut tokens = Tokens::default();
    for part in parts {
        match part {
            Part::Text(text) => syntax(text, &mut tokens)?,
            Part::Literal("") => {}
            Part::Literal(text) => tokens.push(Token::Literal((*text).to_owned())),
            Part::Slot => tokens.push(Token::Slot),
        }
    }
    Ok(tokens)
}

fn syntax(text: &str, into: &mut Tokens) -> Result<(), &'static str> {
    let mut chars = text.chars().peekable();
    while let Some(one) = chars.next() {
        into.push(match one {
            '*' if chars.peek() == Some(&'*') => {
                while chars.next_if_eq(&'*').is_some() {}
                Token::Across
            }
            '*' => Token::Star,
            '?' => Token::One,
            '[' => Token::Class(class(&mut chars)?),
            '\\' => Token::Literal(chars.next().ok_or("ends in a backslash that escapes nothing")?.into()),
            plain => Token::Literal(plain.into()),
        });
    }
    Ok(())
}

fn class(chars: &mut Peekable<Chars<'_>>) -> Result<Class, &'static str> {
    let negated = chars.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    while ranges.is_empty() || chars.next_if_eq(&']').is_none() {
        let low = member(chars)?;
        let high = if chars.next_if_eq(&'-').is_some() { member(chars)? } else { low };
        ranges.push((low, high));
    }
    Ok(Class { negated, ranges })
}

/// A character of a class. As in Go `-` and `]` must be escaped.
fn member(chars: &mut Peekable<Chars<'_>>) -> Result<char, &'static str> {
    const OPEN: &str = "has a class [..] that is not closed";
    match chars.next().ok_or(OPEN)? {
        '\\' => chars.next().ok_or(OPEN),
        ']' => Err("has a class [..] in which something is missing; a `]` in it is written `\\]`"),
        '-' => Err("has a class [..] with a `-` that is not between two characters; write `\\-`"),
        plain => Ok(plain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Go's own table, src/path/match_test.go; `None` is ErrBadPattern.
    const GO: [(&str, &str, Option<bool>); 54] = [
        ("abc", "abc", Some(true)),
        ("*", "abc", Some(true)),
        ("*c", "abc", Some(true)),
        ("a*", "a", Some(true)),
        ("a*", "abc", Some(true)),
        ("a*", "ab/c", Some(false)),
        ("a*/b", "abc/b", Some(true)),
        ("a*/b", "a/c/b", Some(false)),
        ("a*b*c*d*e*/f", "axbxcxdxe/f", Some(true)),
        ("a*b*c*d*e*/f", "axbxcxdxexxx/f", Some(true)),
        ("a*b*c*d*e*/f", "axbxcxdxe/xxx/f", Some(false)),
        ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", Some(false)),
        ("a*b?c*x", "abxbbxdbxebxczzx", Some(true)),
        ("a*b?c*x", "abxbbxdbxebxczzy", Some(false)),
        ("ab[c]", "abc", Some(true)),
        ("ab[b-d]", "abc", Some(true)),
        ("ab[e-g]", "abc", Some(false)),
        ("ab[^c]", "abc", Some(false)),
        ("ab[^b-d]", "abc", Some(false)),
        ("ab[^e-g]", "abc", Some(true)),
        ("a\\*b", "a*b", Some(true)),
        ("a\\*b", "ab", Some(false)),
        ("a?b", "a☺b", Some(true)),
        ("a[^a]b", "a☺b", Some(true)),
        ("a???b", "a☺b", Some(false)),
        ("a[^a][^a][^a]b", "a☺b", Some(false)),
        ("[a-ζ]*", "α", Some(true)),
        ("*[a-ζ]", "A", Some(false)),
        ("a?b", "a/b", Some(false)),
        ("a*b", "a/b", Some(false)),
        ("[\\]a]", "]", Some(true)),
        ("[\\-]", "-", Some(true)),
        ("[x\\-]", "x", Some(true)),
        ("[x\\-]", "-", Some(true)),
        ("[x\\-]", "z", Some(false)),
        ("[\\-x]", "x", Some(true)),
        ("[\\-x]", "-", Some(true)),
        ("[\\-x]", "a", Some(false)),
        ("[]a]", "]", None),
        ("[-]", "-", None),
        ("[x-]", "x", None),
        ("[x-]", "-", None),
        ("[x-]", "z", None),
        ("[-x]", "x", None),
        ("[-x]", "-", None),
        ("[-x]", "a", None),
        ("\\", "a", None),
        ("[a-b-c]", "a", None),
        ("[", "a", None),
        ("[^", "a", None),
        ("[^bc", "a", None),
        ("a[", "ab", None),
        ("a/b[", "x", None),
        ("*x", "xxx", Some(true)),
    ];

    #[test]
    fn means_what_go_means() {
        for (glob, text, expected) in GO {
            let found = Glob::new(glob).ok().map(|glob| glob.matches(text));
            assert_eq!(found, expected, "{glob:?} on {text:?}");
        }
        // what Go does beyond its table: it never looks back, a class may be a slash, stars step over bytes
        for (glob, text, expected) in [
            ("*[^b]/*c", "x//c", false),
            ("*[^b]?/*w", "xy/z/w", false),
            ("a[^b]c", "a/c", true),
            ("*??", "☺", true),
            ("[b-a]", "a", false),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(Glob::new(glob).unwrap().matches(text), expected, "{glob:?} on {text:?}");
        }
    }

    #[test]
    fn two_stars_cross_slashes_and_one_does_not() {
        for (glob, text, expected) in [
            ("someuser/**", "someuser/a", true),
            ("someuser/**", "someuser/a/b/c", true),
            ("someuser/**", "someuser", false),
            ("someuser/**", "someuser2/a", false),
            ("someuser/**", "x/someuser/a", false),
            ("**", "", true),
            ("**", "a/b", true),
            ("***", "a/b", true),
            ("**/app", "a/b/app", true),
            ("**/app", "app", false),
            ("team/**/app", "team/x/y/app", true),
            ("team/**/app", "team/app", false),
            ("**/a*/x", "q/ab/x", true),
            ("**/a*/x", "q/ab/c/x", false),
            ("**[^b]?/*w", "xy/z/w", true),
            ("a**b?", "a/☺/b☺", true),
        ] {
            assert_eq!(Glob::new(glob).unwrap().matches(text), expected, "{glob:?} on {text:?}");
        }
        let long = "a/".repeat(5000);
        assert!(Glob::new("**a*/").unwrap().matches(&long));
        assert!(!Glob::new("**a*b").unwrap().matches(&long));
    }

    #[test]
    fn a_hostile_glob_is_answered_at_once() {
        let glob = Glob::new(&"*a".repeat(500)).unwrap();
        assert!(!glob.matches(&"a".repeat(499)));
        assert!(glob.matches(&"a".repeat(5000)));
        let glob = Glob::new(&"**a".repeat(300)).unwrap();
        assert!(!glob.matches(&"a".repeat(299)));
        assert!(glob.matches(&"a".repeat(5000)));
        assert!(Glob::new(&"a".repeat(1025)).is_err());
    }

    #[test]
    fn stars_of_two_parts_do_not_cross() {
        let glob = read(&[Part::Text("a*"), Part::Text("*b")]).unwrap();
        assert!(glob.fit("axb", &[]) && !glob.fit("a/b", &[]));
        let glob = read(&[Part::Text("a*"), Part::Slot, Part::Text("/*")]).unwrap();
        assert!(glob.fit("ax*/b", &["*"]) && !glob.fit("ax/b", &["*"]));
    }

    /// Go's algorithm, written as it is there: on text, nothing read before.
    fn go_match(mut pattern: &[u8], mut name: &[u8]) -> Result<bool, ()> {
        'pattern: while !pattern.is_empty() {
            let (star, chunk, rest) = scan_chunk(pattern);
            pattern = rest;
            if star && chunk.is_empty() {
                return Ok(!name.contains(&b'/'));
            }
            let found = match_chunk(chunk, name)?;
            if let Some(left) = found
                && (left.is_empty() || !pattern.is_empty())
            {
                name = left;
                continue;
            }
            if star {
                let mut i = 0;
                while i < name.len() && name[i] != b'/' {
                    if let Some(left) = match_chunk(chunk, &name[i + 1..])?
                        && (left.is_empty() || !pattern.is_empty())
                    {
                        name = left;
                        continue 'pattern;
                    }
                    i += 1;
                }
            }
            while !pattern.is_empty() {
                let (_, chunk, rest) = scan_chunk(pattern);
                pattern = rest;
                match_chunk(chunk, b"")?;
            }
            return Ok(false);
        }
        Ok(name.is_empty())
    }

    fn scan_chunk(mut pattern: &[u8]) -> (bool, &[u8], &[u8]) {
        let mut star = false;
        while pattern.first() == Some(&b'*') {
            pattern = &pattern[1..];
            star = true;
        }
        let (mut i, mut in_range) = (0, false);
        while i < pattern.len() {
            match pattern[i] {
                b'\\' if i + 1 < pattern.len() => i += 1,
                b'[' => in_range = true,
                b']' => in_range = false,
                b'*' if !in_range => break,
                _ => {}
            }
            i += 1;
        }
        (star, &pattern[..i], &pattern[i..])
    }

    fn rune(text: &[u8]) -> (char, usize) {
        let whole = (1..=4.min(text.len())).find_map(|long| std::str::from_utf8(&text[..long]).ok());
        whole.map_or(('\u{fffd}', 1), |text| (text.chars().next().unwrap(), text.len()))
    }

    fn escaped(chunk: &mut &[u8]) -> Result<char, ()> {
        if chunk.is_empty() || chunk[0] == b'-' || chunk[0] == b']' {
            return Err(());
        }
        if chunk[0] == b'\\' {
            *chunk = &chunk[1..];
            if chunk.is_empty() {
                return Err(());
            }
        }
        let (one, long) = rune(chunk);
        *chunk = &chunk[long..];
        if chunk.is_empty() { Err(()) } else { Ok(one) }
    }

    fn match_chunk<'a>(mut chunk: &[u8], mut text: &'a [u8]) -> Result<Option<&'a [u8]>, ()> {
        let mut failed = false;
        while !chunk.is_empty() {
            failed |= text.is_empty();
            match chunk[0] {
                b'[' => {
                    let mut one = '\0';
                    if !failed {
                        let (found, long) = rune(text);
                        (one, text) = (found, &text[long..]);
                    }
                    chunk = &chunk[1..];
                    let negated = chunk.first() == Some(&b'^');
                    chunk = &chunk[usize::from(negated)..];
                    let (mut matched, mut ranges) = (false, 0);
                    while !(chunk.first() == Some(&b']') && ranges > 0) {
                        let low = escaped(&mut chunk)?;
                        let mut high = low;
                        if chunk[0] == b'-' {
                            chunk = &chunk[1..];
                            high = escaped(&mut chunk)?;
                        }
                        matched |= low <= one && one <= high;
                        ranges += 1;
                    }
                    chunk = &chunk[1..];
                    failed |= matched == negated;
                }
                b'?' => {
                    if !failed {
                        failed = text[0] == b'/';
                        text = &text[rune(text).1..];
                    }
                    chunk = &chunk[1..];
                }
                _ => {
                    if chunk[0] == b'\\' {
                        chunk = &chunk[1..];
                        if chunk.is_empty() {
                            return Err(());
                        }
                    }
                    if !failed {
                        failed = chunk[0] != text[0];
                        text = &text[1..];
                    }
                    chunk = &chunk[1..];
                }
            }
        }
        Ok((!failed).then_some(text))
    }

    /// What the words mean, tried in every way.
    fn naive(tokens: &[Token], text: &str) -> bool {
        let Some((token, rest)) = tokens.split_first() else { return text.is_empty() };
        let mut chars = text.chars();
        match token {
            Token::Literal(literal) => {
                text.strip_prefix(literal.as_str()).is_some_and(|left| naive(rest, left))
            }
            Token::One => chars.next().is_some_and(|c| c != '/') && naive(rest, chars.as_str()),
            Token::Class(class) => chars.next().is_some_and(|c| class.has(c)) && naive(rest, chars.as_str()),
            Token::Star | Token::Across => {
                let steps = text.char_indices().map(|(at, _)| at).chain([text.len()]);
                let mut steps = steps.take_while(|at| *token == Token::Across || !text[..*at].contains('/'));
                steps.any(|at| naive(rest, &text[at..]))
            }
            Token::Slot => unreachable!(),
        }
    }

    fn glob_text() -> impl Strategy<Value = String> {
        let parts = ["a", "b", "/", "*", "?", "[^a]", "[a-b]", "[", "]", "-", "\\", "☺", "*a", "?/"];
        prop::collection::vec(prop::sample::select(parts.to_vec()), 0..9).prop_map(|parts| parts.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn agrees_with_go_s_algorithm(glob in glob_text(), text in "[ab/☺\\-\\]]{0,8}") {
            prop_assume!(!glob.contains("**"));
            let found = Glob::new(&glob).map(|glob| glob.matches(&text)).map_err(|_| ());
            prop_assert_eq!(found, go_match(glob.as_bytes(), text.as_bytes()));
        }

        #[test]
        fn two_stars_agree_with_trying_everything(
            before in glob_text(), after in glob_text(), text in "[ab/☺]{0,9}"
        ) {
            if let Ok(glob) = Glob::new(&format!("{before}**{after}")) {
                // the two stars may be members of a class
                prop_assume!(glob.tokens().parts().contains(&Token::Across));
                prop_assert_eq!(glob.matches(&text), naive(glob.tokens().parts(), &text));
            }
        }

        #[test]
        fn a_prefix_is_one(glob in glob_text(), text in "[ab/]{0,6}") {
            if let Ok(glob) = Glob::new(&glob) && glob.matches(&text) {
                prop_assert!(text.starts_with(glob.tokens().prefix()));
                prop_assert!(glob.tokens().literal().is_none_or(|only| only == text));
            }
        }

        #[test]
        fn never_panics(glob in "\\PC*", text in "\\PC*") {
            if let Ok(glob) = Glob::new(&glob) {
                glob.matches(&text);
            }
        }
    }
}
