//! The paths that code names, `use` trees spread out: `use a::{b, c::D as E};` names `a::b` and `a::c::D`.
//! It does not know which of them are rooms, files, items or other crates.

use crate::scan::{Token, word};

/// One path as the code names it, from its first word on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// `crate`, `oci`, `Digest`; a glob ends in `*`. Never empty.
    pub segments: Vec<String>,
    /// The name that a `use` binds; nothing for a path inside code.
    pub binds: Option<String>,
    /// Written with `::` in front: surely another crate.
    pub absolute: bool,
    /// Counted from 1.
    pub line: usize,
}

impl Path {
    /// The first word, which tells where the path starts.
    pub fn root(&self) -> &str {
        self.segments.first().map_or("", String::as_str)
    }
}

/// Words after which `::` starts a path rather than continues one.
const BEFORE_PATHS: [&str; 13] =
    ["as", "dyn", "else", "for", "if", "impl", "in", "match", "mut", "ref", "return", "unsafe", "where"];

/// Every path of two words or more, and everything that is imported.
pub fn paths(tokens: &[Token]) -> Vec<Path> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let previous = if at == 0 { "" } else { word(tokens, at - 1) };
        if word(tokens, at) == "use" {
            at = use_tree(tokens, at + 1, &[], false, &mut found);
        } else if word(tokens, at) == "extern" && word(tokens, at + 1) == "crate" {
            at = use_tree(tokens, at + 2, &[], true, &mut found);
        } else if starts_path(tokens, at, previous) {
            let absolute = word(tokens, at) == "::";
            let first = at + usize::from(absolute);
            let mut segments = vec![word(tokens, first).to_owned()];
            at = first + 1;
            while word(tokens, at) == "::" && tokens.get(at + 1).is_some_and(Token::is_word) {
                segments.push(word(tokens, at + 1).to_owned());
                at += 2;
            }
            // `pub(in crate::x)` gives a right and takes nothing
            let visibility = previous == "in" && first >= 2 && word(tokens, first - 2) == "(";
            if !visibility {
                found.push(Path { segments, binds: None, absolute, line: tokens[first].line });
            }
        } else {
            at += 1;
        }
    }
    found
}

fn starts_path(tokens: &[Token], at: usize, previous: &str) -> bool {
    let is_word = |i: usize| tokens.get(i).is_some_and(Token::is_word);
    if word(tokens, at) == "::" {
        // `Vec<T>::new` goes on, `-> ::axum::Router` and `=> ::axum::serve` start
        let arrow = previous == ">" && at >= 2 && matches!(word(tokens, at - 2), "-" | "=");
        let after_word = at > 0 && is_word(at - 1) && !BEFORE_PATHS.contains(&previous);
        let continues = after_word || (previous == ">" && !arrow);
        return !continues && is_word(at + 1);
    }
    let named = is_word(at) && !BEFORE_PATHS.contains(&word(tokens, at));
    named && word(tokens, at + 1) == "::" && previous != "::"
}

/// Reads the tree at `at`, whose words follow `prefix`; answers where the next token stands.
fn use_tree(tokens: &[Token], at: usize, prefix: &[String], absolute: bool, found: &mut Vec<Path>) -> usize {
    let Some(token) = tokens.get(at) else { return at };
    let mut segments = prefix.to_vec();
    match token.text.as_str() {
        "$" => return use_tree(tokens, at + 1, prefix, absolute, found),
        "::" => return use_tree(tokens, at + 1, prefix, true, found),
        "{" => {
            let mut next = at + 1;
            while !matches!(word(tokens, next), "}" | ";" | "") {
                next = if word(tokens, next) == "," {
                    next + 1
                } else {
                    use_tree(tokens, next, prefix, absolute, found)
                };
            }
            return next + 1;
        }
        "self" if !prefix.is_empty() => {}
        "*" => segments.push("*".to_owned()),
        _ if token.is_word() => segments.push(token.text.clone()),
        _ => return at + 1,
    }
    if word(tokens, at + 1) == "::" {
        return use_tree(tokens, at + 2, &segments, absolute, found);
    }
    let renamed = word(tokens, at + 1) == "as";
    let binds = if renamed { Some(word(tokens, at + 2).to_owned()) } else { segments.last().cloned() };
    found.push(Path { segments, binds, absolute, line: token.line });
    if renamed { at + 3 } else { at + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::tokens;

    fn named(text: &str) -> Vec<String> {
        let print = |p: &Path| format!("{}{}", if p.absolute { "::" } else { "" }, p.segments.join("::"));
        paths(&tokens(text)).iter().map(print).collect()
    }

    #[test]
    fn grouped_imports_are_spread_out() {
        let text = "use crate::{oci::{Digest, name::Repository as R}, storage, clock::*, auth::{self}};";
        let all = ["oci::Digest", "oci::name::Repository", "storage", "clock::*", "auth"];
        assert_eq!(named(text), all.map(|p| format!("crate::{p}")));
        assert_eq!(named("use {a::b, c};\npub(crate) use ::d;"), ["a::b", "c", "::d"]);
        assert_eq!(named("macro_rules! m { () => { use $crate::{a::B, c}; } }"), ["crate::a::B", "crate::c"]);
        assert_eq!(named("extern crate axum;"), ["::axum"]);
    }

    #[test]
    fn a_use_binds_its_last_word_or_its_other_name() {
        let found = paths(&tokens("use a::{b as c, d, e::{self}};\nfn f() { g::h() }"));
        let binds: Vec<_> = found.iter().map(|p| (p.binds.as_deref(), p.line)).collect();
        assert_eq!(binds, [(Some("c"), 1), (Some("d"), 1), (Some("e"), 1), (None, 2)]);
    }

    #[test]
    fn paths_inside_code_are_found_whole() {
        let text =
            "fn f(x: &dyn ::a::B) -> impl Fn() + use<'_> { crate::oci::Digest::parse::<T>::ok(C::D { e }) }";
        assert_eq!(named(text), ["::a::B", "crate::oci::Digest::parse", "C::D"]);
        assert_eq!(named("<T as crate::a::B>::c::d()"), ["crate::a::B"]);
        assert_eq!(named("fn f() -> ::a::B { match c { d => ::e::f() } }"), ["::a::B", "::e::f"]);
        assert_eq!(
            named("#[derive(clap::Parser)] struct S<F: $crate::x::Y>;"),
            ["clap::Parser", "crate::x::Y"]
        );
    }

    #[test]
    fn visibility_takes_nothing_but_a_loop_does() {
        assert_eq!(named("pub(in crate::a) fn f() { pub(crate) }"), Vec::<String>::new());
        assert_eq!(named("for x in crate::a::all() {}"), ["crate::a::all"]);
    }

    #[test]
    fn comments_and_strings_name_nothing() {
        assert_eq!(
            named("// use crate::a;\n/* crate::b::c */ f(\"crate::d::e\", r#\"use crate::f;\"#)"),
            [""; 0]
        );
    }
}
