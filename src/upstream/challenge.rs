//! `WWW-Authenticate` (RFC 9110, section 11.6.1): one or several challenges in one or several lines. What does not
//! read ends the reading; what came before it counts.

/// Longest header value that is read.
const VALUE_BYTES_MAX: usize = 8 << 10;
/// Most challenges, and most parameters of one.
const PARTS_MAX: usize = 16;

/// One challenge: a scheme, in lower case, and its parameters, whose names are in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// `bearer`, `basic`, ...
    pub scheme: String,
    /// Names and values in their order.
    pub parameters: Vec<(String, String)>,
}

impl Challenge {
    /// The first parameter with this name.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Reads all header lines.
pub fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<Challenge> {
    let mut found = Vec::new();
    for line in lines {
        if line.len() <= VALUE_BYTES_MAX {
            let mut of_line = Vec::new();
            line_into(&mut Cursor(line), &mut of_line);
            found.extend(of_line);
        }
    }
    found.truncate(PARTS_MAX);
    found
}

fn line_into(rest: &mut Cursor<'_>, found: &mut Vec<Challenge>) {
    loop {
        rest.skip(|c| matches!(c, ' ' | '\t' | ','));
        let name = rest.take(is_token).to_ascii_lowercase();
        if name.is_empty() || found.len() > PARTS_MAX {
            return;
        }
        rest.skip(is_blank);
        if !rest.eat('=') {
            found.push(Challenge { scheme: name, parameters: Vec::new() });
            continue;
        }
        rest.skip(is_blank);
        let value = if rest.eat('"') { rest.quoted() } else { Some(rest.take(is_token).to_owned()) };
        let (Some(value), Some(challenge)) = (value, found.last_mut()) else { return };
        if challenge.parameters.len() < PARTS_MAX && !(value.is_empty() && rest.0.starts_with('=')) {
            challenge.parameters.push((name, value));
        }
        // The rest of a token68, whose padding looks like an equals sign, is of no use here.
        rest.skip(|c| !matches!(c, ',' | ' ' | '\t'));
    }
}

struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn take(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.0.find(|c| !wanted(c)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    fn skip(&mut self, unwanted: impl Fn(char) -> bool) {
        self.take(unwanted);
    }

    fn eat(&mut self, wanted: char) -> bool {
        self.0.strip_prefix(wanted).map(|rest| self.0 = rest).is_some()
    }

    /// The inside of a quoted string whose first quote is gone; `None` if it does not end.
    fn quoted(&mut self) -> Option<String> {
        let mut text = String::new();
        let mut chars = self.0.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.0 = self.0.get(at + 1..)?;
                    return Some(text);
                }
                '\\' => text.push(chars.next()?.1),
                other => text.push(other),
            }
        }
        None
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

/// A token's characters, and `/`, which `token68` has too.
fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~/".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn challenge(scheme: &str, parameters: &[(&str, &str)]) -> Challenge {
        let owned = |(n, v): &(&str, &str)| ((*n).to_owned(), (*v).to_owned());
        Challenge { scheme: scheme.into(), parameters: parameters.iter().map(owned).collect() }
    }

    #[test]
    fn a_registry_s_challenge_is_read() {
        let line =
            r#"Bearer realm="https://a.example.com/token",service="a, b",scope="repository:x/y:pull,push""#;
        let expected = challenge(
            "bearer",
            &[
                ("realm", "https://a.example.com/token"),
                ("service", "a, b"),
                ("scope", "repository:x/y:pull,push"),
            ],
        );
        assert_eq!(parse([line]), [expected]);
    }

    #[test]
    fn several_challenges_in_one_line_and_in_several() {
        let basic = challenge("basic", &[("realm", "x")]);
        let bearer = challenge("bearer", &[("realm", "https://t"), ("error", "invalid_token")]);
        let line = r#"Basic realm="x", BEARER Realm = "https://t" , error=invalid_token"#;
        assert_eq!(parse([line]), [basic.clone(), bearer.clone()]);
        assert_eq!(
            parse(["Basic realm=x", r#"Bearer realm="https://t",error="invalid_token""#]),
            [basic, bearer]
        );
        assert_eq!(parse(["Negotiate YWJj==, Basic realm=x"])[0].scheme, "negotiate");
        assert_eq!(parse(["Negotiate YWJj==, Basic realm=x"]).last().unwrap().parameter("realm"), Some("x"));
    }

    #[test]
    fn escapes_are_undone_and_what_does_not_end_is_left_out() {
        assert_eq!(parse([r#"Basic realm="a\"b\\c""#])[0].parameter("realm"), Some(r#"a"b\c"#));
        assert_eq!(parse([r#"Basic realm="open"#]), [challenge("basic", &[])]);
        assert_eq!(parse([r#"realm="alone""#]), []);
        assert_eq!(parse([""]), []);
        assert_eq!(parse([",,, ,"]), []);
        assert_eq!(parse([format!("Basic realm=\"{}\"", "a".repeat(VALUE_BYTES_MAX)).as_str()]), []);
    }

    #[test]
    fn more_than_anybody_needs_is_left_out() {
        let many = format!("Basic {}", (0..99).map(|n| format!("p{n}=v")).collect::<Vec<_>>().join(","));
        assert_eq!(parse([many.as_str()])[0].parameters.len(), PARTS_MAX);
        let schemes = vec!["Basic"; 99].join(", ");
        assert_eq!(parse([schemes.as_str()]).len(), PARTS_MAX);
    }

    fn text(value: &str) -> String {
        value.replace('\\', "\\\\").replace('"', "\\\"")
    }

    proptest! {
        #[test]
        fn reads_what_is_written(
            written in proptest::collection::vec(
                ("[a-z]{1,8}", proptest::collection::vec(("[a-z]{1,8}", "[ -~]{0,20}"), 0..5)), 0..5)
        ) {
            let line = written.iter().map(|(scheme, parameters)| {
                let list: Vec<String> = parameters.iter().map(|(n, v)| format!("{n}=\"{}\"", text(v))).collect();
                format!("{scheme} {}", list.join(", "))
            }).collect::<Vec<_>>().join(", ");
            let expected: Vec<Challenge> = written.into_iter()
                .map(|(scheme, parameters)| Challenge { scheme, parameters }).collect();
            prop_assert_eq!(parse([line.as_str()]), expected);
        }

        #[test]
        fn never_panics(lines in proptest::collection::vec("[ -~é\"\\\\=,]{0,60}", 0..4)) {
            let _ = parse(lines.iter().map(String::as_str));
        }
    }
}
