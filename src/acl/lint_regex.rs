//! What can be told of a regular expression by looking at it: whether it says where it begins and ends, and whether it
//! is an expression at all. Reads Go's dialect as text; knows nothing of rules.

/// Whether it has nothing that means more than itself: somebody put a name between slashes.
pub fn is_name(expression: &str) -> bool {
    !expression.contains(['\\', '.', '+', '*', '?', '(', ')', '|', '[', ']', '{', '}', '^', '$'])
}

/// Whether every alternative says where the text begins and where it ends, be it by `.*`.
pub fn is_anchored(expression: &str) -> bool {
    let expression = without_flags(expression);
    alternatives(expression).into_iter().all(|one| match group(one) {
        Some(inner) => is_anchored(inner),
        None => begins(one) && ends(one),
    })
}

/// What is in the group, if a text is one group.
fn group(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('(').filter(|_| closes_at_the_end(text))?.strip_suffix(')')?;
    match inner.strip_prefix('?') {
        None => Some(inner),
        Some(kind) if kind.starts_with(':') => kind.get(1..),
        Some(kind) => kind.split_once('>').map(|(_, named)| named),
    }
}

fn begins(one: &str) -> bool {
    ["^", "\\A", ".*", ".+"].iter().any(|anchor| one.starts_with(anchor))
}

fn ends(one: &str) -> bool {
    ["$", "\\z", ".*", ".+"].iter().any(|anchor| {
        one.strip_suffix(anchor).is_some_and(|before| {
            let escapes = before.bytes().rev().take_while(|byte| *byte == b'\\').count();
            escapes % 2 == 0
        })
    })
}

/// Without a leading `(?i)`.
fn without_flags(expression: &str) -> &str {
    let flags = expression.strip_prefix("(?").and_then(|rest| rest.split_once(')'));
    match flags {
        Some((flags, rest)) if flags.bytes().all(|flag| flag.is_ascii_alphabetic() || flag == b'-') => rest,
        _ => expression,
    }
}

/// What stands between the `|` that are in no group and no class.
fn alternatives(expression: &str) -> Vec<&str> {
    let (mut found, mut from) = (Vec::new(), 0);
    for (at, one, depth) in syntax(expression) {
        if one == '|' && depth == 0 {
            found.push(&expression[from..at]);
            from = at + 1;
        }
    }
    found.push(&expression[from..]);
    found
}

/// Whether the group that opens at the beginning closes at the end.
fn closes_at_the_end(expression: &str) -> bool {
    let closed =
        syntax(expression).into_iter().find(|(at, one, depth)| *at > 0 && *one == ')' && *depth == 0);
    closed.is_some_and(|(at, ..)| at + 1 == expression.len())
}

/// Every character that is neither escaped nor in a class, where it stands, and how many groups are open behind it.
fn syntax(expression: &str) -> Vec<(usize, char, usize)> {
    let mut found = Vec::new();
    let (mut depth, mut class) = (0_usize, None);
    let mut chars = expression.char_indices();
    while let Some((at, one)) = chars.next() {
        match (one, class) {
            ('\\', _) => {
                chars.next();
                continue;
            }
            // a bracket that comes first in a class is a member of it
            (']', Some(open)) if !matches!(&expression[open + 1..at], "" | "^") => class = None,
            (_, Some(_)) => continue,
            ('[', None) => class = Some(at),
            ('(', None) => depth += 1,
            (')', None) => depth = depth.saturating_sub(1),
            _ => {}
        }
        found.push((at, one, depth));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn anchors_are_seen() {
        for anchored in [
            "^a$",
            "^(a|b)$",
            "^a$|^b$",
            "(^a$|^b$)",
            "(?P<n>^a$)",
            "(^a\\)$)",
            "(?:^a$|.*b$)",
            "(?i)^a$",
            "^a.*",
            ".*a$",
            "\\Aa\\z",
            "^[|]$",
            "^a\\\\$",
            "^[]|]$",
        ] {
            assert!(is_anchored(anchored), "{anchored}");
        }
        for open in
            ["a", "^a", "a$", "^a|b$", "trainee|dev", "^(a|b)", "(a|b)$", "(^a$)|b", "^a\\$", "(^a)(b$)", ""]
        {
            assert!(!is_anchored(open), "{open}");
        }
    }

    #[test]
    fn a_name_between_slashes_is_seen() {
        assert!(is_name("hello-world") && is_name("team/app"));
        assert!(!is_name("a.b") && !is_name("^a") && !is_name("a|b"));
    }

    proptest! {
        #[test]
        fn never_panics(expression in "\\PC*", syntax in "[\\[\\]\\\\(){}?*.^$|:aié]{0,12}") {
            is_anchored(&expression);
            is_anchored(&syntax);
        }
    }
}
