//! One pattern of a rule: a glob of Go's `path.Match`, or a regular expression between slashes. Our language is the
//! same but for `**`, which crosses `/` here and is two `*` there: those become one.

use crate::app::import::docker_auth::placeholders;
use crate::app::import::docker_auth::regexes;
use std::collections::BTreeSet;

/// A pattern that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// As it is written here.
    pub text: String,
    /// Why it never matched anything.
    pub dead: Option<String>,
    /// What is dangerous in it.
    pub traps: Vec<String>,
}

/// Reads a pattern. `labels` says whether it stands where labels are filled in.
pub fn read(pattern: &str, captures: &BTreeSet<String>, labels: bool) -> Result<Pattern, String> {
    let unfilled = placeholders::unfilled(pattern, captures, labels);
    match expression(pattern) {
        Some(inner) => read_expression(pattern, inner, unfilled),
        None => read_glob(pattern, unfilled),
    }
}

fn read_expression(pattern: &str, inner: &str, unfilled: Option<&str>) -> Result<Pattern, String> {
    if let Some(placeholder) = unfilled {
        return Err(format!(
            "{placeholder} is nothing that docker_auth fills in, so this is not the expression that it looks like"
        ));
    }
    let mut traps: Vec<String> = placeholders::bare(inner).map(forgotten).into_iter().collect();
    if !regexes::matches_all(inner) && !regexes::anchored(inner) {
        traps.push(
            "the regular expression is not bound to both ends with ^ and $ (alternatives in a group): it matches every \
             text that has such a piece anywhere in it"
                .into(),
        );
    }
    Ok(Pattern { text: pattern.to_owned(), dead: None, traps })
}

fn read_glob(pattern: &str, unfilled: Option<&str>) -> Result<Pattern, String> {
    let glob_text = glob(pattern);
    let dead = if glob_text.is_none() {
        Some("the glob is malformed, a [ or a \\ is not ended".to_owned())
    } else if let Some(placeholder) = unfilled {
        Some(format!("{placeholder} is nothing that docker_auth fills in"))
    } else {
        placeholders::bare(pattern).map(forgotten)
    };
    if dead.is_none() && placeholders::around(pattern).any(|part| glob(part).is_none()) {
        return Err("a placeholder stands in a class [..] or behind a \\, where it is no placeholder".into());
    }
    Ok(Pattern { text: glob_text.unwrap_or_else(|| pattern.to_owned()), dead, traps: Vec::new() })
}

fn forgotten(bare: &str) -> String {
    format!("trap 3: {bare} has no $ and stands for its own letters; was ${bare} meant?")
}

/// What is between the slashes, if it is a regular expression.
pub fn expression(pattern: &str) -> Option<&str> {
    pattern.strip_prefix('/')?.strip_suffix('/').filter(|inner| !inner.is_empty())
}

/// A value that may be put into a glob, with every run of stars as one star.
pub fn stars(value: &str) -> String {
    let glob = if expression(value).is_some() { None } else { glob(value) };
    glob.unwrap_or_else(|| value.to_owned())
}

/// A glob with every run of stars as one star; those in classes and behind a backslash are letters. None when Go finds
/// it malformed.
fn glob(pattern: &str) -> Option<String> {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        out.push(c);
        match c {
            '\\' => out.push(chars.next()?),
            '*' => while chars.next_if_eq(&'*').is_some() {},
            '[' => class(&mut chars, &mut out)?,
            _ => {}
        }
    }
    Some(out)
}

/// The rest of a class. In Go a `-` or a `]` among its members is escaped, and it has at least one member.
fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) -> Option<()> {
    out.extend(chars.next_if_eq(&'^'));
    let mut first = true;
    loop {
        if !first && chars.next_if_eq(&']').is_some() {
            out.push(']');
            return Some(());
        }
        member(chars, out)?;
        if let Some(dash) = chars.next_if_eq(&'-') {
            out.push(dash);
            member(chars, out)?;
        }
        first = false;
    }
}

fn member(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) -> Option<()> {
    let c = chars.next().filter(|c| !matches!(c, '-' | ']'))?;
    out.push(c);
    if c == '\\' {
        out.push(chars.next()?);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pattern: &str) -> Pattern {
        read(pattern, &BTreeSet::new(), true).unwrap()
    }

    #[test]
    fn stars_in_a_row_become_one_and_all_else_stays() {
        for (pattern, expected) in [
            ("test/**", "test/*"),
            ("***/a**b", "*/a*b"),
            ("*", "*"),
            (r"\***", r"\**"),
            (r"\\**", r"\\*"),
            ("[**]**", "[**]*"),
            (r"[^*\]*]**", r"[^*\]*]*"),
            ("[a-*]*", "[a-*]*"),
            ("${labels:group}-shared/**", "${labels:group}-shared/*"),
            ("", ""),
            ("//", "//"),
            ("${1}/**", "${1}/*"),
            ("*${account}*", "*${account}*"),
            ("${account}**", "${account}*"),
            ("/a**", "/a*"),
        ] {
            let read = of(pattern);
            assert_eq!((read.text.as_str(), &read.dead), (expected, &None), "{pattern}");
        }
    }

    #[test]
    fn regular_expressions_stay_as_they_are() {
        for pattern in ["/.+/", "/^a.*.*b$/", "/^(a|b)**$/", r"/^\w+$/"] {
            assert_eq!(of(pattern), Pattern { text: pattern.into(), dead: None, traps: vec![] });
        }
    }

    #[test]
    fn expressions_that_are_not_bound_are_told() {
        for pattern in ["/trainee|dev/", "/^a/", "/foo/", "/^a|b$/"] {
            assert!(of(pattern).traps[0].contains("not bound"), "{pattern}");
        }
    }

    #[test]
    fn what_never_matched_is_told() {
        for (pattern, why) in [
            ("${labels:project}-{labels:tier}/*", "was ${labels:tier} meant"),
            ("${foo}/*", "${foo}"),
            ("${account:1}/*", "${account:1}"),
            ("[", "malformed"),
            ("[]", "malformed"),
            ("[a-]", "malformed"),
            ("[-a]", "malformed"),
            ("[a", "malformed"),
            ("a\\", "malformed"),
        ] {
            assert!(of(pattern).dead.unwrap().contains(why), "{pattern}");
        }
        let labels = read("${labels:a}", &BTreeSet::new(), false).unwrap();
        assert!(labels.dead.is_some());
        for pattern in ["/^${foo}$/", "[${account}]", "[^a${labels:x}]*", "\\${account}"] {
            assert!(read(pattern, &BTreeSet::new(), true).is_err(), "{pattern}");
        }
        assert!(of("/^{account}$/").traps[0].contains("trap 3"));
    }

    proptest::proptest! {
        #[test]
        fn a_glob_without_two_stars_is_not_changed(pattern in "([a-z/?*]|[a-z]\\?|\\[a-z\\]){0,12}") {
            if !pattern.contains("**") && expression(&pattern).is_none() {
                proptest::prop_assert_eq!(of(&pattern).text, pattern);
            }
        }

        #[test]
        fn no_pattern_makes_it_panic(pattern in "[a*/$\\[\\]{}:\\\\^(|).-]{0,20}") {
            let _ = read(&pattern, &BTreeSet::new(), true);
        }
    }
}
