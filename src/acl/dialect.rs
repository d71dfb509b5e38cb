//! Regular expressions as docker_auth's rules have them, which is Go's dialect, written anew in that of the `regex`
//! crate, so that they mean the same: where both accept a text and read it differently (`\d`, `\w`, `\b`, `\<`, `[[`,
//! `&&`, a lone `{`), Go's reading counts. Judges nothing else; what is malformed stays malformed.

use std::iter::Peekable;
use std::str::CharIndices;

/// The same expression for the `regex` crate.
pub fn from_go(pattern: &str) -> Result<String, String> {
    let chars = pattern.char_indices().peekable();
    let mut reader = Reader { pattern, chars, out: String::new(), wrong: None };
    let mut repeated = false;
    while let Some((at, one)) = reader.chars.next() {
        let repeat = match one {
            '*' | '+' | '?' => Some(1),
            '{' => repeat(&pattern[at..]),
            _ => None,
        };
        if let Some(long) = repeat {
            if repeated {
                return Err("a repetition of a repetition; put the inner one into (?:..)".into());
            }
            reader.copy(at, long);
            if let Some((_, lazy)) = reader.chars.next_if(|(_, next)| *next == '?') {
                reader.out.push(lazy);
            }
        } else {
            match one {
                '\\' => reader.escape(),
                '[' => reader.class(),
                '{' => reader.out.push_str("\\{"),
                '(' => reader.group(),
                other => reader.out.push(other),
            }
        }
        repeated = repeat.is_some();
    }
    reader.wrong.map_or(Ok(reader.out), Err)
}

/// The length of `{n}`, `{n,}` or `{n,m}` at the beginning of a text; in Go any other brace is a literal.
fn repeat(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('{')?.split_once('}')?.0;
    let number = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|c| c.is_ascii_digit())
            && (text == "0" || !text.starts_with('0'))
    };
    let good = match inner.split_once(',') {
        None => number(inner),
        Some((least, most)) => number(least) && (most.is_empty() || number(most)),
    };
    good.then_some(inner.len() + 2)
}

/// Classes that have a name.
const NAMED: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "word", "xdigit",
];

/// The name in a `[:name:]` at the beginning of a text.
fn named(text: &str) -> Option<&str> {
    Some(text.strip_prefix("[:")?.split_once(":]")?.0)
}

struct Reader<'a> {
    pattern: &'a str,
    chars: Peekable<CharIndices<'a>>,
    out: String,
    wrong: Option<String>,
}

impl Reader<'_> {
    fn at(&mut self) -> usize {
        self.chars.peek().map_or(self.pattern.len(), |(at, _)| *at)
    }

    /// Copies what begins at `at`, of which one character was taken, and is `long` bytes.
    fn copy(&mut self, at: usize, long: usize) {
        self.out.push_str(&self.pattern[at..at + long]);
        while self.chars.next_if(|(next, _)| *next < at + long).is_some() {}
    }

    /// `(?:`, `(?P<name>`, `(?i)`: the `?` repeats nothing.
    fn group(&mut self) {
        self.out.push('(');
        if self.chars.next_if(|(_, next)| *next == '?').is_some() {
            self.out.push('?');
        }
    }

    /// After a backslash outside of a class.
    fn escape(&mut self) {
        let Some((_, one)) = self.chars.next() else { return self.out.push('\\') };
        match one {
            'Q' => {
                let rest = &self.pattern[self.at()..];
                let (quoted, long) =
                    rest.find("\\E").map_or((rest, rest.len()), |end| (&rest[..end], end + 2));
                let end = self.at() + long;
                while self.chars.next_if(|(next, _)| *next < end).is_some() {}
                self.out.push_str(&regex::escape(quoted));
            }
            'b' => self.out.push_str("(?-u:\\b)"),
            'B' => self.out.push_str("(?-u:\\B)"),
            other => self.escaped(other),
        }
    }

    /// What an escape means in a class and outside.
    fn escaped(&mut self, one: char) {
        match one {
            'd' => self.out.push_str("[0-9]"),
            'D' => self.out.push_str("[^0-9]"),
            's' => self.out.push_str("[\\t\\n\\x0C\\r ]"),
            'S' => self.out.push_str("[^\\t\\n\\x0C\\r ]"),
            'w' => self.out.push_str("[0-9A-Za-z_]"),
            'W' => self.out.push_str("[^0-9A-Za-z_]"),
            '<' | '>' => self.out.push(one),
            'p' | 'P' | 'x' => {
                self.out.extend(['\\', one]);
                if self.chars.peek().is_some_and(|(_, next)| *next == '{') {
                    let at = self.at();
                    let long = self.pattern[at..].find('}').map_or(self.pattern.len() - at, |end| end + 1);
                    self.copy(at, long);
                }
            }
            other => self.out.extend(['\\', other]),
        }
    }

    /// After the bracket that opens a class.
    fn class(&mut self) {
        self.out.push('[');
        if self.chars.next_if(|(_, next)| *next == '^').is_some() {
            self.out.push('^');
        }
        let mut first = true;
        while let Some((at, one)) = self.chars.next() {
            match one {
                ']' if !first => return self.out.push(']'),
                '[' if named(&self.pattern[at..]).is_some() => {
                    let name = named(&self.pattern[at..]).unwrap_or_default();
                    if !NAMED.contains(&name.trim_start_matches('^')) {
                        self.wrong = Some(format!("there is no class [:{name}:]"));
                    }
                    self.copy(at, name.len() + 4);
                }
                _ => self.member(one),
            }
            first = false;
        }
    }

    /// One character of a class, or a range. Each is escaped, as the `regex` crate gives meaning to `[`, `&&`, `--` and `~~`.
    fn member(&mut self, one: char) {
        self.end_of_range(one);
        let at = self.at();
        let mut next = self.pattern[at..].chars();
        if next.next() == Some('-') && next.next().is_some_and(|high| high != ']') {
            self.chars.next();
            self.out.push('-');
            if let Some((_, high)) = self.chars.next() {
                self.end_of_range(high);
            }
        }
    }

    fn end_of_range(&mut self, one: char) {
        match one {
            '\\' => match self.chars.next() {
                Some((_, escaped)) => self.escaped(escaped),
                None => self.out.push('\\'),
            },
            punctuation if punctuation.is_ascii_punctuation() && !matches!(punctuation, '<' | '>') => {
                self.out.extend(['\\', punctuation]);
            }
            plain => self.out.push(plain),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(go: &str, text: &str) -> Result<bool, String> {
        let rust = from_go(go)?;
        let regex = regex::Regex::new(&rust).map_err(|error| error.to_string())?;
        Ok(regex.is_match(text))
    }

    /// What Go 1.26 answers where the `regex` crate, left to itself, would answer otherwise.
    #[test]
    fn what_both_read_differently_is_read_as_go_reads_it() {
        for (expression, text, expected) in [
            ("^\\d$", "١", false),
            ("^\\w$", "é", false),
            ("^\\W$", "é", true),
            ("^[\\W]$", "é", true),
            ("^\\s$", "\u{a0}", false),
            ("^[^\\s]$", "\u{a0}", true),
            ("a\\b", "aé", true),
            ("a\\B", "aé", false),
            ("\\<a\\>", "<a>", true),
            ("\\<a\\>", "a", false),
            ("^[[a]]$", "[]", true),
            ("^[[a]]$", "a", false),
            ("^[a&&b]$", "&", true),
            ("^[a&&b]$", "a", true),
            ("^[+--]$", ",", true),
            ("^[a~~]$", "~", true),
            ("^[]a]$", "]", true),
            ("^[^]a]$", "]", false),
            ("^[a\\]]$", "]", true),
            ("^[-a]$", "-", true),
            ("^[\\d-]$", "-", true),
            ("^a{,2}$", "a{,2}", true),
            ("^a{,2}$", "aa", false),
            ("^a{01}$", "a{01}", true),
            ("^{}$", "{}", true),
            ("^a{2}$", "aa", true),
            ("^a{1,}?$", "aaa", true),
            ("^\\Qa.b\\E.$", "a.bx", true),
            ("^\\Qa.b\\E.$", "axbx", false),
            ("^\\Qa.", "a.", true),
            ("^(?P<n>a)(?i:B)$", "ab", true),
            ("^[[:alpha:]-]+$", "a-b", true),
            ("^\\p{Greek}\\pL\\x{62}\\x62$", "αbbb", true),
        ] {
            assert_eq!(found(expression, text), Ok(expected), "{expression:?} on {text:?}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for bad in
            ["foo?*", "a**", "a{2}{3}", "a+?+", "*", "(", "[", "[a", "[[:digits:]]", "\\", "a\\Z", "[b-a]"]
        {
            assert!(found(bad, "").is_err(), "{bad:?} was accepted");
        }
    }

    proptest! {
        #[test]
        fn never_panics(expression in "\\PC*", syntax in "[\\[\\]\\\\(){}?*+^$|&~:a1QEdwbp,-]{0,12}") {
            let _ = (from_go(&expression), from_go(&syntax));
        }
    }
}
