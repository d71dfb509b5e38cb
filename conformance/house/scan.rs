//! Rust text to tokens: enough of the language to tell code from comments, strings and characters.
//! It knows nothing of floors or files, and it never fails: unfinished text simply ends.

/// A word, `::`, or one sign of the code. A string or character literal is the single sign `"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// As it stands in the text; a raw word `r#type` is `type`.
    pub text: String,
    /// Counted from 1.
    pub line: usize,
}

impl Token {
    /// A name or a keyword, not a number and not a sign.
    pub fn is_word(&self) -> bool {
        self.text.starts_with(|c: char| c.is_alphabetic() || c == '_')
    }
}

/// The text of token `at`, or nothing beyond either end.
pub fn word(tokens: &[Token], at: usize) -> &str {
    tokens.get(at).map_or("", |token| token.text.as_str())
}

/// The index of the bracket that closes the one at `open`; the last token if none does.
pub fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len().saturating_sub(1)
}

/// The index of the first of `signs` from `start` on that stands outside all brackets.
pub fn outside_brackets(tokens: &[Token], start: usize, signs: &[&str]) -> Option<usize> {
    let mut at = start;
    while at < tokens.len() {
        let text = word(tokens, at);
        if signs.contains(&text) {
            return Some(at);
        }
        if matches!(text, "(" | "[" | "{") {
            at = closing(tokens, at);
        }
        at += 1;
    }
    None
}

/// All tokens of a file.
pub fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = mask(text).chars().collect();
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < chars.len() {
        let start = at;
        at += 1;
        if chars[start] == '\n' {
            line += 1;
        } else if is_word_char(chars[start]) {
            let raw = chars[start] == 'r'
                && chars.get(at) == Some(&'#')
                && chars.get(at + 1).is_some_and(|c| is_word_char(*c));
            let from = if raw { at + 1 } else { start };
            at = from;
            while at < chars.len() && is_word_char(chars[at]) {
                at += 1;
            }
            found.push(Token { text: chars[from..at].iter().collect(), line });
        } else if !chars[start].is_whitespace() {
            if chars[start] == ':' && chars.get(at) == Some(&':') {
                at += 1;
            }
            found.push(Token { text: chars[start..at].iter().collect(), line });
        }
    }
    found
}

/// The text with comments blanked and every literal made one `"`; lines stay where they are.
fn mask(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let (end, sign) = match (comment_end(&chars, at), literal_end(&chars, at)) {
            (Some(end), _) => (end, ' '),
            (None, Some(end)) => (end, '"'),
            (None, None) => {
                out.push(chars[at]);
                at += 1;
                continue;
            }
        };
        out.push(sign);
        out.extend(chars[at + 1..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
        at = end;
    }
    out
}

fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where the comment that starts at `at` ends. Block comments nest.
fn comment_end(chars: &[char], at: usize) -> Option<usize> {
    let pair = |i: usize| (chars.get(i).copied(), chars.get(i + 1).copied());
    match pair(at) {
        (Some('/'), Some('/')) => {
            Some(chars[at..].iter().position(|c| *c == '\n').map_or(chars.len(), |n| at + n))
        }
        (Some('/'), Some('*')) => {
            let (mut depth, mut i) = (1_usize, at + 2);
            while depth > 0 && i < chars.len() {
                match pair(i) {
                    (Some('/'), Some('*')) => (depth, i) = (depth + 1, i + 2),
                    (Some('*'), Some('/')) => (depth, i) = (depth - 1, i + 2),
                    _ => i += 1,
                }
            }
            Some(i.min(chars.len()))
        }
        _ => None,
    }
}

/// Where the string or character literal that starts at `at` ends; a lifetime is none.
fn literal_end(chars: &[char], at: usize) -> Option<usize> {
    match chars[at] {
        '"' => return Some(string_end(chars, at)),
        '\'' => return char_end(chars, at),
        'r' | 'b' | 'c' => {} // even inside a word: Rust keeps `word"` for prefixes of its own
        _ => return None,
    }
    let raw_at = if chars[at] == 'r' { at } else { at + 1 };
    if chars.get(raw_at) == Some(&'r') {
        let hashes = chars[raw_at + 1..].iter().take_while(|c| **c == '#').count();
        let quote = raw_at + 1 + hashes;
        return (chars.get(quote) == Some(&'"')).then(|| raw_string_end(chars, quote, hashes));
    }
    match (chars[at], chars.get(at + 1)) {
        ('b' | 'c', Some('"')) => Some(string_end(chars, at + 1)),
        ('b', Some('\'')) => char_end(chars, at + 1),
        _ => None,
    }
}

fn string_end(chars: &[char], quote: usize) -> usize {
    let mut i = quote + 1;
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(chars.len())
}

fn raw_string_end(chars: &[char], quote: usize, hashes: usize) -> usize {
    let mut i = quote + 1;
    while i < chars.len() {
        let closed = chars[i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
        if chars[i] == '"' && closed {
            return i + 1 + hashes;
        }
        i += 1;
    }
    chars.len()
}

fn char_end(chars: &[char], quote: usize) -> Option<usize> {
    if chars.get(quote + 1) == Some(&'\\') {
        let rest = chars.get(quote + 3..)?;
        return rest.iter().position(|c| *c == '\'').map(|n| quote + 3 + n + 1);
    }
    (chars.get(quote + 2) == Some(&'\'')).then_some(quote + 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        tokens(text).into_iter().map(|t| t.text).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_are_no_code() {
        assert_eq!(words("a // b\nc /* d /* e */ f */ g //! h"), "a c g");
        assert_eq!(words("a / b"), "a / b");
    }

    #[test]
    fn literals_are_one_sign() {
        assert_eq!(words(r#"a("crate::x \" // no", b"y{", c"z")"#), r#"a ( " , " , " )"#);
        assert_eq!(words(r###"a(r"\", br#"{"}"#, r##""# {"##) b"###), r#"a ( " , " , " ) b"#);
        assert_eq!(
            words(r"['{', '\'', '\\', b'}', '\u{7d}', '—', '/'] x"),
            r#"[ " , " , " , " , " , " , " ] x"#
        );
    }

    #[test]
    fn lifetimes_raw_words_and_word_ends_are_no_literals() {
        assert_eq!(words("&'a str, 'b: loop {}"), "& ' a str , ' b : loop { }");
        assert_eq!(words("r#type::bar"), "type :: bar");
        assert_eq!(words("for x in r { b; c }"), "for x in r { b ; c }");
    }

    #[test]
    fn lines_are_kept_and_no_text_is_too_short() {
        let text = "a\n/* x\n y */ \"s\n\\\" t\" r#\"q\n\"# b'\\n' 'c'\nend";
        assert_eq!(tokens(text).last().map(|t| (t.text.as_str(), t.line)), Some(("end", 6)));
        for (cut, _) in text.char_indices() {
            let part = &text[..cut];
            assert_eq!(mask(part).matches('\n').count(), part.matches('\n').count(), "{part:?}");
        }
    }

    #[test]
    fn brackets_are_matched() {
        let t = tokens("f([;], {;}) ; g { h ( i ) } j");
        assert_eq!(outside_brackets(&t, 0, &[";", "{"]).map(|at| word(&t, at + 1)), Some("g"));
        let open = t.iter().rposition(|t| t.text == "{").unwrap();
        assert_eq!(word(&t, closing(&t, open) + 1), "j");
    }
}
