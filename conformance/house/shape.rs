//! How one file must look: its first line, its length, its functions and traits, its name, door plates
//! without code, no `super::`, and other crates only in their homes. Rooms are judged in `floors.rs`.

use crate::floors::beyond_mod_lines;
use crate::scan::{Token, closing, outside_brackets, word};
use crate::source::{House, Source};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const TRAIT_METHODS_MAX: usize = 8;
const HUBS: [&str; 7] = ["types", "util", "utils", "common", "prelude", "helpers", "misc"];
/// Where traits are contracts that several backends must meet.
const TRAIT_ROOMS: [&str; 2] = ["src/storage", "src/metadata"];

/// Crates with the only places that may name them: files, or folders with all below.
const HOMES: [(&str, &[&str]); 18] = [
    ("axum", &["src/http/", "src/app/"]),
    ("hyper", &["src/http/", "src/app/"]),
    ("hyper_util", &["src/http/", "src/app/"]),
    ("object_store", &["src/storage/"]),
    ("sled", &["src/metadata/embedded/sled.rs"]),
    ("redb", &["src/metadata/embedded/redb.rs"]),
    ("sqlx", &["src/metadata/postgres/"]),
    ("jsonwebtoken", &["src/auth/"]),
    ("clap", &["src/cli/", "src/main.rs"]),
    ("reqwest", &["src/upstream/"]),
    ("argon2", &["src/auth/passwords/"]),
    ("bcrypt", &["src/auth/passwords/"]),
    ("ldap3", &["src/auth/sources/ldap/"]),
    ("instant_acme", &["src/app/acme/"]),
    ("tokio_rustls", &["src/app/"]),
    ("rcgen", &["src/app/acme/", "src/auth/certificate.rs"]),
    ("serde_saphyr", &["src/app/import/"]),
    ("rustix", &["src/storage/", "src/metadata/", "src/app/", "src/cli/"]),
];

/// A file opens with what it is for.
pub fn opening(path: &str, text: &str) -> Option<String> {
    (!text.starts_with("//!")).then(|| {
        format!(
            "{path}:1: does not open with `//!`. Say in two to six lines what it is for and what it \
             must not know."
        )
    })
}

/// A file stays short; `lines` does not count the tests of a file in `src/`.
pub fn length(path: &str, lines: usize) -> Option<String> {
    (lines > FILE_LINES_MAX).then(|| {
        format!(
            "{path}: {lines} lines, the limit is {FILE_LINES_MAX}. Split it by object, each part \
             with its own `//!`."
        )
    })
}

/// `mod.rs` holds the room's promise and its `mod` lines, nothing else, not even inline tests.
pub fn door_plates(house: &House) -> Vec<String> {
    let plates = house.files.values().filter(|source| source.is_door_plate());
    let judge = |s: &Source| {
        beyond_mod_lines(s).map(|line| {
            format!(
                "{}:{line}: code in a door plate. A mod.rs has `//!`, attributes and `mod` lines \
                 only: move the code to a named file, and import from there instead of \
                 re-exporting.",
                s.path
            )
        })
    };
    plates.filter_map(judge).collect()
}

/// `super::` outside tests.
pub fn supers(house: &House) -> Vec<String> {
    let mut faults = Vec::new();
    for source in house.files.values() {
        for (at, token) in source.code.iter().enumerate() {
            let next = word(&source.code, at + 1);
            let imported = next == "as" && at > 0 && word(&source.code, at - 1) == "use";
            if token.text == "super" && (next == "::" || imported) {
                faults.push(format!(
                    "{}:{}: `super::` outside tests. Write the whole path from `crate::`, so that the \
                     arrow can be seen.",
                    source.path, token.line
                ));
            }
        }
    }
    faults
}

/// Functions outside tests stay on one screen, from `fn` to the closing brace.
pub fn functions(house: &House) -> Vec<String> {
    let mut faults = Vec::new();
    for source in house.files.values() {
        for (name, open) in bodies(&source.code, "fn") {
            let first = source.code[name].line;
            let lines = source.code[closing(&source.code, open)].line + 1 - first;
            if lines > FUNCTION_LINES_MAX {
                faults.push(format!(
                    "{}:{first}: fn {} has {lines} lines, the limit is {FUNCTION_LINES_MAX}. Push `if`s \
                     up and loops down into functions of their own.",
                    source.path,
                    word(&source.code, name)
                ));
            }
        }
    }
    faults
}

/// Traits of storage and metadata stay small enough to be implemented once more.
pub fn traits(house: &House) -> Vec<String> {
    let mut faults = Vec::new();
    let rooms = |s: &&Source| {
        TRAIT_ROOMS
            .iter()
            .any(|room| s.path == format!("{room}.rs") || s.path.starts_with(&format!("{room}/")))
    };
    for source in house.files.values().filter(rooms) {
        for (name, open) in bodies(&source.code, "trait") {
            let methods = methods(&source.code, open);
            if methods > TRAIT_METHODS_MAX {
                faults.push(format!(
                    "{}:{}: trait {} has {methods} methods, the limit is {TRAIT_METHODS_MAX}. Split it \
                     by object of the domain.",
                    source.path,
                    source.code[name].line,
                    word(&source.code, name)
                ));
            }
        }
    }
    faults
}

/// The indexes of the name and the opening brace of every `fn` or `trait` that has a body.
fn bodies(tokens: &[Token], keyword: &str) -> Vec<(usize, usize)> {
    let named = |at: &usize| tokens[at - 1].text == keyword && tokens[*at].is_word();
    let with_body = |at: usize| {
        let open = outside_brackets(tokens, at, &["{", ";"])?;
        (word(tokens, open) == "{").then_some((at, open))
    };
    (1..tokens.len()).filter(named).filter_map(with_body).collect()
}

/// `fn`s directly inside the braces at `open`.
fn methods(tokens: &[Token], open: usize) -> usize {
    let end = closing(tokens, open);
    let (mut at, mut count) = (open + 1, 0);
    while let Some(found) = outside_brackets(&tokens[..end], at, &["fn"]) {
        count += usize::from(tokens[found + 1].is_word());
        at = found + 1;
    }
    count
}

/// Names that say nothing draw everything to them.
pub fn hub_names(house: &House) -> Vec<String> {
    let is_hub = |path: &str| path.trim_end_matches(".rs").split('/').any(|part| HUBS.contains(&part));
    let hubs = house.files.keys().filter(|path| is_hub(path));
    hubs.map(|path| {
        format!("{path}: a hub by name. Put each part into the file of the object that it is about.")
    })
    .collect()
}

/// Other crates stay in their homes, so that each can be replaced in one place.
pub fn foreign_crates(house: &House) -> Vec<String> {
    let mut faults = Vec::new();
    for source in house.files.values() {
        for path in &source.paths {
            let Some((name, homes)) = HOMES.iter().find(|(name, _)| *name == path.root()) else { continue };
            let own = !path.absolute && source.shadows(name);
            let at_home = homes
                .iter()
                .any(|home| source.path == *home || (home.ends_with('/') && source.path.starts_with(home)));
            if !own && !at_home {
                faults.push(format!(
                    "{}:{}: the crate `{name}` lives only in {}. Give that place a function or a trait \
                     in our own words and call it.",
                    source.path,
                    path.line,
                    homes.join(", ")
                ));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::House;

    fn fires(check: fn(&House) -> Vec<String>, path: &str, text: &str, parts: &[&str]) {
        let faults = check(&House::of([(path, text)]));
        assert_eq!(faults.len(), 1, "{path} {text:?}: {faults:#?}");
        assert!(parts.iter().all(|part| faults[0].contains(part)), "{}", faults[0]);
    }

    fn passes(check: fn(&House) -> Vec<String>, path: &str, text: &str) {
        assert_eq!(check(&House::of([(path, text)])), [""; 0], "{path} {text:?}");
    }

    #[test]
    fn files_open_with_their_purpose() {
        assert_eq!(opening("x.rs", "//! Purpose.\n"), None);
        for text in ["", "// note", "\n//! late", "use a;\n//! late", "/// of an item"] {
            assert!(opening("x.rs", text).is_some_and(|fault| fault.contains("x.rs:1")), "{text:?}");
        }
    }

    #[test]
    fn files_stay_short_without_their_tests() {
        let lines = |text: String| House::of([("src/a.rs", text)]).files["src/a.rs"].lines;
        assert_eq!(length("x.rs", lines("a\n".repeat(500))), None);
        assert!(length("x.rs", lines("a\n".repeat(501))).is_some_and(|fault| fault.contains("501 lines")));
        let tested = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", "a\n".repeat(500), "b\n".repeat(50));
        assert_eq!(length("x.rs", lines(tested)), None);
    }

    #[test]
    fn door_plates_hold_mod_lines_only() {
        let plate = "//! Promise.\n#![allow(x)]\n\npub mod a; // why\nmod b;\npub(crate) mod \
             c;\n#[cfg(test)]\nmod contract;\n";
        passes(door_plates, "src/a/mod.rs", plate);
        passes(door_plates, "src/a/b.rs", "pub use c::D;");
        for line in [
            "pub use a::A;",
            "use a::A;",
            "fn f() {}",
            "mod d {\nmod e;\n}",
            "#[cfg(test)] mod tests { fn t() {} }",
            "const X: u8 = 1;",
        ] {
            fires(door_plates, "src/a/mod.rs", &format!("{plate}{line}"), &["src/a/mod.rs:9", "door plate"]);
        }
    }

    #[test]
    fn super_is_for_tests() {
        fires(supers, "src/a.rs", "\nuse super::b;", &["src/a.rs:2"]);
        fires(supers, "src/a.rs", "fn f() { super::g() }", &["src/a.rs:1"]);
        fires(supers, "src/a.rs", "use super::{b, c};", &["`super::`"]);
        fires(supers, "src/a.rs", "use super as up;", &["`super::`"]);
        passes(supers, "src/a.rs", "pub(super) fn f() {} // super::g\nconst A: &str = \"super::x\";");
        passes(supers, "src/a.rs", "#[cfg(test)]\nmod tests { use super::*; }");
    }

    #[test]
    fn functions_stay_on_one_screen() {
        let function = |inner: usize| {
            format!("fn a() -> [u8; 2] {{\n{}}}\nfn b() {{}}\n", "x('{', \"}}}\"); // }\n".repeat(inner))
        };
        passes(functions, "src/a.rs", &function(68));
        fires(functions, "src/a.rs", &function(69), &["src/a.rs:1", "fn a has 71 lines"]);
        passes(functions, "src/a.rs", &format!("#[cfg(test)] mod tests {{ {} }}", function(100)));
        passes(functions, "src/a.rs", &format!("trait T {{ fn a();\n{} }}", "type X: fn(u8);\n".repeat(100)));
        fires(functions, "src/a.rs", &format!("impl A {{ {} }}", function(80)), &["fn a has 82 lines"]);
    }

    #[test]
    fn traits_of_backends_stay_small() {
        let text = |count: usize| {
            format!(
                "#[async_trait]\npub trait T: Send {{ {} }}",
                "async fn a(&self, f: fn(u8)) -> B { fn c() {} }\n".repeat(count)
            )
        };
        for room in ["src/storage/x.rs", "src/metadata/embedded/y.rs", "src/storage.rs"] {
            passes(traits, room, &text(8));
            fires(traits, room, &text(9), &["src/", ":2: trait T has 9 methods"]);
        }
        passes(traits, "src/http/x.rs", &text(9));
        passes(traits, "src/storage/x.rs", &format!("#[cfg(test)] mod tests {{ {} }}", text(9)));
        passes(traits, "src/storage/x.rs", &text(9).replace("pub trait T: Send", "impl T"));
    }

    #[test]
    fn hubs_are_known_by_name() {
        for path in
            ["src/util.rs", "src/a/types.rs", "src/a/common/mod.rs", "src/a/helpers.rs", "src/misc/b.rs"]
        {
            fires(hub_names, path, "", &[path]);
        }
        passes(hub_names, "src/a/media_types.rs", "");
    }

    #[test]
    fn crates_stay_in_their_homes() {
        for (path, text) in [
            ("src/oci/a.rs", "use axum::Router;"),
            ("src/oci/a.rs", "use {std::fs, axum};"),
            ("src/oci/a.rs", "fn f() -> ::axum::B { }"),
            ("src/registry/a.rs", "fn f(r: hyper::Request<B>) {}"),
            ("src/registry/a.rs", "use hyper_util::rt;"),
            ("src/metadata/a.rs", "use object_store as o;"),
            ("src/metadata/embedded/engine.rs", "struct E(sled::Db);"),
            ("src/metadata/embedded/sled.rs", "use redb::Database;"),
            ("src/metadata/embedded/redb.rs", "extern crate sled;"),
            ("src/metadata/embedded/a.rs", "#[derive(sqlx::FromRow)] struct A;"),
            ("src/http/token.rs", "use jsonwebtoken::encode;"),
            ("src/app/config.rs", "use clap::Parser;"),
            ("src/cli/ls.rs", "use reqwest::Url;"),
            ("src/registry/a.rs", "use rustix::fs;"),
            ("src/app/build.rs", "use crate::metadata::embedded::sled; fn f() { ::sled::open() }"),
        ] {
            fires(foreign_crates, path, text, &[path, "lives only in"]);
        }
    }

    #[test]
    fn crates_at_home_and_files_of_the_same_name_are_right() {
        for (path, text) in [
            ("src/http/v2/a.rs", "use axum::Router; use hyper::Request;"),
            ("src/app/server.rs", "use {axum::serve, hyper_util::rt, rustix::fs};"),
            ("src/metadata/embedded/sled.rs", "use sled::Db;"),
            ("src/metadata/postgres/a.rs", "use sqlx::query;"),
            ("src/main.rs", "use clap::Parser;"),
            ("src/upstream/wire.rs", "use reqwest::Client;"),
            (
                "src/app/build.rs",
                "use crate::metadata::embedded::{redb, sled}; fn f() { sled::open(redb::open()) }",
            ),
            ("src/app/build.rs", "use crate::metadata::embedded::{redb::Redb, sled::Sled};"),
            ("src/oci/a.rs", "// axum::Router\nconst A: &str = \"axum::B\"; fn axum() {}"),
            ("src/oci/a.rs", "#[cfg(test)]\nmod tests { use axum::Router; }"),
        ] {
            passes(foreign_crates, path, text);
        }
    }
}
