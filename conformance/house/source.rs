//! A source file as the rules see it, with its tests cut away, and the house: all of them by path.
//! It knows how modules map to files; it judges nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::paths::{Path, paths};
use crate::scan::{Token, closing, outside_brackets, tokens, word};

/// One file of `src/`.
pub struct Source {
    /// From the package's root, with `/`: `src/oci/digest.rs`.
    pub path: String,
    /// The whole text.
    pub text: String,
    /// All tokens, tests too.
    pub all: Vec<Token>,
    /// The tokens outside `#[cfg(test)]` items; empty for a file that is only there for tests.
    pub code: Vec<Token>,
    /// The paths that `code` names.
    pub paths: Vec<Path>,
    /// Lines outside `#[cfg(test)]` items.
    pub lines: usize,
    /// `mod x;` in the code: files below this one.
    children: BTreeSet<String>,
    /// `#[cfg(test)] mod x;`: files that are tests from end to end.
    test_children: BTreeSet<String>,
}

impl Source {
    fn read(path: &str, text: &str) -> Self {
        let all = tokens(text);
        let tests = test_items(&all);
        let inside = |at: usize| tests.iter().any(|(start, end)| (*start..=*end).contains(&at));
        let split = |want: bool| -> Vec<Token> {
            all.iter().enumerate().filter(|(at, _)| inside(*at) == want).map(|(_, t)| t.clone()).collect()
        };
        let code = split(false);
        let test_lines: BTreeSet<usize> =
            tests.iter().flat_map(|(start, end)| all[*start].line..=all[*end].line).collect();
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            paths: paths(&code),
            lines: text.lines().count() - test_lines.len(),
            children: declared(&code),
            test_children: declared(&split(true)),
            all,
            code,
        }
    }

    /// A `mod.rs`: the room's promise and its `mod` lines. `lib.rs` has its own rule.
    pub fn is_door_plate(&self) -> bool {
        self.path.ends_with("/mod.rs")
    }

    /// The words of its module path; none for `lib.rs` and `main.rs`.
    pub fn module(&self) -> Vec<String> {
        let inner = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        let inner = inner.strip_suffix("/mod").unwrap_or(inner);
        if matches!(inner, "lib" | "main") {
            Vec::new()
        } else {
            inner.split('/').map(str::to_owned).collect()
        }
    }

    /// The path from the crate's root, if it leads into this house. `holdfast` is how `main.rs` calls it.
    pub fn within_house(&self, path: &Path) -> Option<Vec<String>> {
        let child = !path.absolute && self.children.contains(path.root());
        match path.root() {
            "crate" | "holdfast" => Some(path.segments[1..].to_vec()),
            "self" => Some([&self.module(), &path.segments[1..]].concat()),
            "super" => {
                let up = path.segments.iter().take_while(|s| *s == "super").count();
                let module = self.module();
                Some([&module[..module.len().saturating_sub(up)], &path.segments[up..]].concat())
            }
            _ if child => Some([&self.module(), &path.segments[..]].concat()),
            _ => None,
        }
    }

    /// The name means something of this house here, not the crate of the same name.
    pub fn shadows(&self, name: &str) -> bool {
        let bound = |p: &Path| p.binds.as_deref() == Some(name) && self.within_house(p).is_some();
        self.children.contains(name) || self.paths.iter().any(bound)
    }
}

/// The files of `src/` by path.
pub struct House {
    /// In the order of their paths, `src/...`.
    pub files: BTreeMap<String, Source>,
}

impl House {
    /// From pairs of path and text.
    pub fn of<P: AsRef<str>, T: AsRef<str>>(sources: impl IntoIterator<Item = (P, T)>) -> Self {
        let read =
            |(path, text): (P, T)| (path.as_ref().to_owned(), Source::read(path.as_ref(), text.as_ref()));
        let mut house = Self { files: sources.into_iter().map(read).collect() };
        house.empty_test_files();
        house
    }

    /// The file that defines what stands at this module path: the longest part of it that is a file.
    pub fn file_of(&self, module: &[String]) -> Option<&Source> {
        (1..=module.len()).rev().find_map(|count| {
            let inner = module[..count].join("/");
            self.files
                .get(&format!("src/{inner}.rs"))
                .or_else(|| self.files.get(&format!("src/{inner}/mod.rs")))
        })
    }

    /// A file declared by `#[cfg(test)] mod x;`, and those below it, hold no code for the floors to judge.
    fn empty_test_files(&mut self) {
        let mut stems = Vec::new();
        for source in self.files.values() {
            let folder = ["src"].into_iter().map(str::to_owned).chain(source.module()).collect::<Vec<_>>();
            stems.extend(source.test_children.iter().map(|name| format!("{}/{name}", folder.join("/"))));
        }
        for source in self.files.values_mut() {
            let below = |stem: &String| {
                source.path == format!("{stem}.rs") || source.path.starts_with(&format!("{stem}/"))
            };
            if stems.iter().any(below) {
                source.code.clear();
                source.paths.clear();
            }
        }
    }
}

/// The names of `mod x;`.
fn declared(tokens: &[Token]) -> BTreeSet<String> {
    let is_file = |at: &usize| word(tokens, *at) == "mod" && word(tokens, at + 2) == ";";
    (0..tokens.len()).filter(is_file).map(|at| word(tokens, at + 1).to_owned()).collect()
}

/// First and last token of each item under `#[cfg(test)]`; all of a file under `#![cfg(test)]`.
fn test_items(tokens: &[Token]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if word(tokens, at) != "#" {
            at += 1;
            continue;
        }
        let inner = word(tokens, at + 1) == "!";
        let open = at + 1 + usize::from(inner);
        let end = closing(tokens, open);
        if !is_cfg_test(tokens, open) {
            at = end + 1;
        } else if inner {
            return vec![(0, tokens.len() - 1)];
        } else if let Some(last) = item_end(tokens, end + 1) {
            found.push((at, last));
            at = last + 1;
        } else {
            at = end + 1;
        }
    }
    found
}

/// `[cfg(test)]` or `[cfg(all(test, ..))]`.
fn is_cfg_test(tokens: &[Token], open: usize) -> bool {
    let says =
        |from: usize, words: &[&str]| words.iter().enumerate().all(|(n, w)| word(tokens, from + n) == *w);
    says(open, &["[", "cfg", "(", "test", ")"]) || says(open, &["[", "cfg", "(", "all", "(", "test", ","])
}

/// The last token of the item at `at`, its other attributes first; nothing for a field or an arm.
fn item_end(tokens: &[Token], mut at: usize) -> Option<usize> {
    while word(tokens, at) == "#" {
        at = closing(tokens, at + 1) + 1;
    }
    if word(tokens, at) == "pub" {
        at += 1;
        if word(tokens, at) == "(" {
            at = closing(tokens, at) + 1;
        }
    }
    match word(tokens, at) {
        "use" | "type" | "static" => outside_brackets(tokens, at, &[";"]),
        "const" if word(tokens, at + 1) != "fn" => outside_brackets(tokens, at, &[";"]),
        "mod" | "fn" | "async" | "unsafe" | "const" | "extern" | "impl" | "trait" | "struct" | "enum"
        | "macro_rules" => {
            let end = outside_brackets(tokens, at, &[";", "{"])?;
            Some(if word(tokens, end) == "{" { closing(tokens, end) } else { end })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        Source::read("src/a.rs", text).code.iter().map(|t| t.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn test_items_are_cut_and_code_around_them_stays() {
        let text = "fn a() {}\n#[cfg(test)]\n#[allow(x)]\nmod tests {\n fn b() { '}'; }\n}\nfn c() {}\n";
        assert_eq!(code(text), "fn a ( ) { } fn c ( ) { }");
        assert_eq!(Source::read("src/a.rs", text).lines, 2);
        assert_eq!(code("#[cfg(test)] pub(crate) use a::{b, c}; x"), "x");
        assert_eq!(code("#[cfg(all(test, unix))] const A: B = B { c: [0; 2] }; x"), "x");
        assert_eq!(code("#[cfg(test)] pub const fn f(a: [u8; 2]) -> B { a } x"), "x");
        assert_eq!(code("#![cfg(test)]\nfn a() {}\nfn b() {}"), "");
    }

    #[test]
    fn other_configurations_fields_and_mentions_are_not_cut() {
        for text in ["#[cfg(not(test))] fn a() {}", "#[cfg(any(test, unix))] fn a() {}"] {
            assert!(code(text).ends_with("fn a ( ) { }"), "{text}");
        }
        assert!(code("struct S { #[cfg(test)] a: u8, b: u8 }").contains("a : u8"));
        assert_eq!(code("// #[cfg(test)] mod tests {\nfn a() {}"), "fn a ( ) { }");
    }

    #[test]
    fn files_that_tests_declare_hold_no_code() {
        let house = House::of([
            ("src/a/mod.rs", "//! A.\n#[cfg(test)]\nmod contract;\nmod b;"),
            ("src/a/contract.rs", "use crate::z::Z;"),
            ("src/a/contract/more.rs", "use crate::z::Z;"),
            ("src/a/b.rs", "use crate::z::Z;\n#[cfg(test)]\nmod tests;"),
            ("src/a/b/tests.rs", "use crate::z::Z;"),
        ]);
        let with_code: Vec<_> =
            house.files.values().filter(|s| !s.paths.is_empty()).map(|s| &s.path).collect();
        assert_eq!(with_code, ["src/a/b.rs"]);
    }

    #[test]
    fn a_path_leads_to_the_longest_part_that_is_a_file() {
        let house =
            House::of([("src/a/mod.rs", ""), ("src/a/b.rs", ""), ("src/a/b/c.rs", ""), ("src/d.rs", "")]);
        let file = |path: &str| {
            let module: Vec<_> = path.split("::").map(str::to_owned).collect();
            house.file_of(&module).map_or("none", |s| s.path.as_str())
        };
        assert_eq!(file("a::b::c::D::e"), "src/a/b/c.rs");
        assert_eq!(file("a::b::F"), "src/a/b.rs");
        assert_eq!(file("a::G"), "src/a/mod.rs");
        assert_eq!(file("d"), "src/d.rs");
        assert_eq!(file("h::i"), "none");
    }

    #[test]
    fn own_paths_are_told_from_those_of_other_crates() {
        let source = Source::read("src/a/b.rs", "mod c;\nuse crate::x::sled;\nuse y::redb;");
        let at = |text: &str| source.within_house(&paths(&tokens(text))[0]).map(|p| p.join("::"));
        assert_eq!(at("crate::x::Y;").as_deref(), Some("x::Y"));
        assert_eq!(at("self::d::E;").as_deref(), Some("a::b::d::E"));
        assert_eq!(at("super::g::H;").as_deref(), Some("a::g::H"));
        assert_eq!(at("super::super::i::J;").as_deref(), Some("i::J"));
        assert_eq!(at("c::F;").as_deref(), Some("a::b::c::F"));
        assert_eq!(at("::c::F;"), None);
        assert_eq!(at("std::fs::read;"), None);
        assert_eq!(["c", "sled", "redb"].map(|name| source.shadows(name)), [true, true, false]);
    }
}
