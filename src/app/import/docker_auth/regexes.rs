//! What can be seen of a regular expression without compiling it: whether it is bound to both ends of a text, and how
//! many groups it captures. Go has checked that it is one; it knows nothing of rules.

/// Whether an expression, without its slashes, can only match a whole text. `^a|b$` cannot: each half is bound to one
/// end alone.
pub fn anchored(expression: &str) -> bool {
    let mut rest = expression;
    // flags for all of it, such as (?i), stand before the anchor
    while let Some(flags) = rest.strip_prefix("(?")
        && let Some((inner, behind)) = flags.split_once(')')
        && inner.bytes().all(|b| matches!(b, b'i' | b's' | b'U' | b'-'))
    {
        rest = behind;
    }
    let begins = rest.starts_with('^') || rest.starts_with("\\A");
    let scan = Scan::of(rest);
    begins && scan.ends && !scan.alternatives
}

/// Whether it matches everything, or everything that is not empty, however it is bound.
pub fn matches_all(expression: &str) -> bool {
    let inner = expression.strip_prefix('^').unwrap_or(expression);
    let inner = inner.strip_suffix('$').unwrap_or(inner);
    matches!(inner, ".*" | ".+" | "." | "(.*)" | "(.+)")
}

/// How many groups it captures.
pub fn groups(expression: &str) -> usize {
    Scan::of(expression).groups
}

struct Scan {
    /// Alternatives outside of every group.
    alternatives: bool,
    /// Whether the last thing is `$` or `\z`.
    ends: bool,
    groups: usize,
}

impl Scan {
    fn of(expression: &str) -> Self {
        let mut scan = Self { alternatives: false, ends: false, groups: 0 };
        let mut depth = 0usize;
        let mut chars = expression.char_indices();
        while let Some((at, c)) = chars.next() {
            scan.ends = c == '$';
            match c {
                '\\' => scan.escape(&expression[at..], &mut chars),
                '[' => {
                    let end = class_end(&expression[at..]);
                    while chars.clone().next().is_some_and(|(next, _)| next < at + end) {
                        chars.next();
                    }
                }
                '(' => {
                    depth += 1;
                    let rest = &expression[at + 1..];
                    if !rest.starts_with('?') || rest.starts_with("?P<") || rest.starts_with("?<") {
                        scan.groups += 1;
                    }
                }
                ')' => depth = depth.saturating_sub(1),
                '|' if depth == 0 => scan.alternatives = true,
                _ => {}
            }
        }
        scan
    }

    /// Jumps over what is escaped; `\Q..\E` is one.
    fn escape(&mut self, rest: &str, chars: &mut std::str::CharIndices<'_>) {
        let escaped = chars.next().map(|(_, c)| c);
        self.ends = escaped == Some('z');
        if escaped == Some('Q') {
            let end = rest.find("\\E").map_or(rest.len(), |end| end + 2);
            let taken = chars.as_str().len().saturating_sub(rest.len() - end);
            let stop = chars.as_str().get(taken..).unwrap_or_default().len();
            while chars.as_str().len() > stop {
                chars.next();
            }
        }
    }
}

/// Where a class that opens a text ends, in bytes. One that is never closed ends with the text.
fn class_end(text: &str) -> usize {
    let mut rest = text[1..].char_indices().peekable();
    if rest.peek().is_some_and(|(_, c)| *c == '^') {
        rest.next();
    }
    let mut first = true;
    while let Some((at, c)) = rest.next() {
        match c {
            '\\' => drop(rest.next()),
            ']' if !first => return at + 2,
            '[' if text[1 + at..].starts_with("[:") => {
                if let Some(end) = text[1 + at..].find(":]") {
                    while rest.peek().is_some_and(|(next, _)| *next < at + end + 2) {
                        rest.next();
                    }
                }
            }
            _ => {}
        }
        first = false;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_both_ends_of_the_whole_count() {
        for (expression, expected) in [
            ("^(.+)@test.com$", true),
            ("^(a|b)$", true),
            ("(?i)^a$", true),
            ("\\Aa\\z", true),
            ("^[$|]$", true),
            ("^[]|]x$", true),
            ("^\\Qa|b\\E$", true),
            ("trainee|dev", false),
            ("^a|b$", false),
            ("^a", false),
            ("a$", false),
            ("^a\\$", false),
            ("^a[$]", false),
            ("(^a$)", false),
            ("^\\Qa$\\E", false),
            ("^[[:alpha:]$]", false),
            ("^ä\\Qä$", false),
        ] {
            assert_eq!(anchored(expression), expected, "{expression}");
        }
    }

    #[test]
    fn groups_are_counted() {
        for (expression, expected) in [
            ("^(.+)@test.com$", 1),
            ("(a)(?:b)(?P<n>c)(?i)(?<m>d)", 3),
            ("\\(a[(]\\Q(\\E(b)", 1),
            ("((a)b)", 2),
            ("a", 0),
        ] {
            assert_eq!(groups(expression), expected, "{expression}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[a^$|()\\\\Q\\[\\]:E?zä]{0,30}") {
            let _ = (anchored(&text), groups(&text), matches_all(&text));
        }
    }
}
