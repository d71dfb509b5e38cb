//! The floor plan of `src/lib.rs`, and the arrows between rooms and files that it allows.
//! Here are the rules on who may know whom; how a file looks inside is for `shape.rs`.

use std::collections::{BTreeMap, BTreeSet};

use crate::scan::{closing, word};
use crate::source::{House, Source};

/// The floor of each room, from the `pub mod x; // floor n` lines of `lib.rs`, and what is wrong there.
pub fn plan(house: &House) -> (BTreeMap<String, u32>, Vec<String>) {
    let Some(lib) = house.files.get("src/lib.rs") else {
        return (BTreeMap::new(), vec!["src/lib.rs is missing: it is the floor plan of the house".into()]);
    };
    let mut floors = BTreeMap::new();
    let mut faults: Vec<String> = beyond_mod_lines(lib)
        .map(|line| {
            format!(
                "src/lib.rs:{line}: lib.rs defines nothing: only `//!`, attributes and `pub \
                 mod` lines. Move this into a room."
            )
        })
        .into_iter()
        .collect();
    for (at, token) in lib.code.iter().enumerate().filter(|(_, t)| t.text == "mod") {
        let room = word(&lib.code, at + 1);
        if word(&lib.code, at + 2) != ";" {
            continue; // already told
        }
        let line = lib.text.lines().nth(token.line - 1).unwrap_or_default();
        match floor_comment(line) {
            Some(floor) => drop(floors.insert(room.to_owned(), floor)),
            None => faults.push(format!(
                "src/lib.rs:{}: `{room}` has no floor. Write `pub mod {room}; // floor n` on one line.",
                token.line
            )),
        }
    }
    (floors, faults)
}

/// `pub mod oci; // floor 1` -> 1
fn floor_comment(line: &str) -> Option<u32> {
    let said = line.split_once(';')?.1.trim().strip_prefix("// floor ")?;
    let digits = said.find(|c: char| !c.is_ascii_digit()).map_or(said, |end| &said[..end]);
    digits.parse().ok()
}

/// The line of the first thing in a file that is neither an attribute nor a `mod x;`.
pub fn beyond_mod_lines(source: &Source) -> Option<usize> {
    let tokens = &source.all;
    let mut at = 0;
    while at < tokens.len() {
        let start = at;
        if word(tokens, at) == "#" {
            let inner = word(tokens, at + 1) == "!";
            at = closing(tokens, at + 1 + usize::from(inner)) + 1;
            continue;
        }
        if word(tokens, at) == "pub" {
            at += 1;
            if word(tokens, at) == "(" {
                at = closing(tokens, at) + 1;
            }
        }
        if word(tokens, at) != "mod" || word(tokens, at + 2) != ";" {
            return Some(tokens[start].line);
        }
        at += 3;
    }
    None
}

/// Arrows that go up, or sideways between rooms on one floor; and paths that lead to no room.
pub fn arrows(house: &House) -> Vec<String> {
    let (floors, _) = plan(house);
    let mut faults = Vec::new();
    for source in house.files.values().filter(|s| !matches!(s.path.as_str(), "src/main.rs" | "src/lib.rs")) {
        let module = source.module();
        let Some(floor) = floors.get(&module[0]).copied() else {
            if !source.code.is_empty() {
                faults.push(format!(
                    "{}: its room `{}` is not in src/lib.rs. Give it a `pub mod` line with a floor.",
                    source.path, module[0]
                ));
            }
            continue;
        };
        for path in &source.paths {
            let Some(target) = source.within_house(path) else { continue };
            let room = target.first().map_or("", String::as_str);
            let place = format!("{}:{}: `{}`", source.path, path.line, path.segments.join("::"));
            match floors.get(room).copied() {
                _ if room == module[0] => {}
                None => faults.push(format!(
                    "{place} leads to no room of src/lib.rs. Name the room and \
                     the file that define it."
                )),
                Some(above) if above > floor => faults.push(format!(
                    "{place} goes up: {} is on floor {floor}, {room} on floor {above}. Move what both \
                     need down, or let the upper room hand it in as a value or behind a trait.",
                    module[0]
                )),
                Some(beside) if beside == floor => faults.push(format!(
                    "{place} goes sideways: {} and {room} are both on floor {floor} and never meet. Let \
                     a room above join them, or move what both need down.",
                    module[0]
                )),
                Some(_) => {}
            }
        }
    }
    faults
}

/// Circles of files that import each other. A door plate has no code, so it is no party to one.
pub fn circles(house: &House) -> Vec<String> {
    let graph: BTreeMap<&str, BTreeSet<&str>> =
        house.files.values().map(|source| (source.path.as_str(), imports(house, source))).collect();
    let mut walk = Walk { graph: &graph, done: BTreeSet::new(), trail: Vec::new(), faults: Vec::new() };
    for file in graph.keys() {
        walk.visit(file);
    }
    walk.faults
}

fn imports<'a>(house: &'a House, source: &Source) -> BTreeSet<&'a str> {
    let targets = source.paths.iter().filter_map(|path| house.file_of(&source.within_house(path)?));
    targets.filter(|t| !t.is_door_plate() && t.path != source.path).map(|t| t.path.as_str()).collect()
}

struct Walk<'a> {
    graph: &'a BTreeMap<&'a str, BTreeSet<&'a str>>,
    done: BTreeSet<&'a str>,
    trail: Vec<&'a str>,
    faults: Vec<String>,
}

impl<'a> Walk<'a> {
    fn visit(&mut self, file: &'a str) {
        if let Some(start) = self.trail.iter().position(|seen| *seen == file) {
            let circle = [&self.trail[start..], &[file]].concat().join(" -> ");
            self.faults.push(format!(
                "circle of files: {circle}. Move what they share into a file below both, or hand it in \
                 as an argument."
            ));
        } else if !self.done.contains(file) {
            self.trail.push(file);
            for next in self.graph.get(file).into_iter().flatten() {
                self.visit(next);
            }
            self.trail.pop();
            self.done.insert(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIB: &str = "//! Plan.\n#![warn(x)]\n/// Words.\npub mod a; // floor 1\npub mod b; // floor \
         1\npub mod c; // floor 2: rules\n";

    fn house(files: &[(&str, &str)]) -> House {
        House::of([("src/lib.rs", LIB)].iter().chain(files).copied())
    }

    fn one(faults: &[String], parts: &[&str]) {
        assert_eq!(faults.len(), 1, "{faults:#?}");
        assert!(parts.iter().all(|part| faults[0].contains(part)), "{}", faults[0]);
    }

    #[test]
    fn the_plan_is_read_from_lib() {
        let (floors, faults) = plan(&house(&[]));
        assert_eq!(faults, [""; 0]);
        assert_eq!(floors, BTreeMap::from([("a".into(), 1), ("b".into(), 1), ("c".into(), 2)]));
    }

    #[test]
    fn rooms_without_floor_and_code_in_lib_are_faults() {
        let faults = |lib: &str| plan(&House::of([("src/lib.rs", lib)])).1;
        one(&faults("pub mod a;"), &["src/lib.rs:1", "`a` has no floor"]);
        one(&faults("// floor 1\npub mod a;"), &["src/lib.rs:2", "`a` has no floor"]);
        one(&faults("pub mod a; // floor one"), &["`a` has no floor"]);
        one(&faults("pub mod a; // floor 1\npub use a::B;"), &["src/lib.rs:2", "defines nothing"]);
        one(&faults("pub mod a { } // floor 1\n"), &["src/lib.rs:1", "defines nothing"]);
        one(&plan(&House::of([("src/main.rs", "")])).1, &["missing"]);
        assert_eq!(faults("#[cfg(test)]\nmod fixtures;\npub mod a; // floor 1"), [""; 0]);
    }

    #[test]
    fn arrows_down_and_within_a_room_are_right() {
        let good = house(&[
            ("src/a.rs", "use crate::a::X;"),
            ("src/c/mod.rs", "//! C."),
            ("src/c/d.rs", "use crate::{a::{X, y::Z}, b, c::e::F};\nfn f() { crate::b::g::<u8>() }"),
            ("src/main.rs", "use holdfast::c::d; use holdfast::a;"),
        ]);
        assert_eq!(arrows(&good), [""; 0]);
    }

    #[test]
    fn arrows_up_are_found_wherever_they_hide() {
        for text in [
            "use crate::c::D;",
            "use crate::{a::X, c::{d::E as F}};",
            "pub(crate) use crate::c;",
            "fn f() {\n let x = crate::c::D::new(); }",
            "use super::c::D;",
            "macro_rules! m { () => { $crate::c::d!() } }",
            "#[cfg(not(test))]\nuse crate::c::D;",
            "#[cfg(test)] mod tests {}\nuse crate::c::D;",
        ] {
            one(&arrows(&house(&[("src/a.rs", text)])), &["src/a.rs:", "goes up", "floor 1", "c on floor 2"]);
        }
        let faults = arrows(&house(&[("src/a/x/y.rs", "\n\nuse crate::{\n c,\n};")]));
        one(&faults, &["src/a/x/y.rs:4: `crate::c` goes up"]);
    }

    #[test]
    fn tests_comments_and_strings_may_say_what_they_like() {
        for text in [
            "// use crate::c::D;",
            "/// [`crate::c::D`]\nfn f() {}",
            "const A: &str = \"crate::c::D\"; const B: &str = r#\"use crate::c; \"#;",
            "#[cfg(test)]\nmod tests {\n use crate::c::D;\n}",
            "#[cfg(test)]\nuse crate::c::D;",
        ] {
            assert_eq!(arrows(&house(&[("src/a.rs", text)])), [""; 0], "{text}");
        }
    }

    #[test]
    fn rooms_on_one_floor_never_meet() {
        let faults = arrows(&house(&[("src/a/x.rs", "use crate::b::Y;")]));
        one(&faults, &["src/a/x.rs:1", "goes sideways", "floor 1"]);
    }

    #[test]
    fn paths_and_files_outside_the_plan_are_faults() {
        one(&arrows(&house(&[("src/c.rs", "use crate::*;")])), &["leads to no room"]);
        one(&arrows(&house(&[("src/c.rs", "use crate::{self as all};")])), &["leads to no room"]);
        one(&arrows(&house(&[("src/c.rs", "crate::macro_at_root!();")])), &["leads to no room"]);
        one(&arrows(&house(&[("src/z/x.rs", "fn f() {}")])), &["`z` is not in src/lib.rs"]);
    }

    #[test]
    fn circles_are_found_through_any_number_of_files() {
        let two =
            house(&[("src/a/x.rs", "use crate::a::y::Y;"), ("src/a/y.rs", "fn f() { crate::a::x::g() }")]);
        one(&circles(&two), &["src/a/x.rs -> src/a/y.rs -> src/a/x.rs"]);
        let near = house(&[("src/a/x.rs", "use super::y::Y;"), ("src/a/y.rs", "use super::x::X;")]);
        one(&circles(&near), &["src/a/x.rs -> src/a/y.rs -> src/a/x.rs"]);
        let three = house(&[
            ("src/a/x.rs", "use crate::{a::{y::Y, z}};"),
            ("src/a/y.rs", "use crate::a::z::Z;"),
            ("src/a/z.rs", "use crate::a::x::X;"),
        ]);
        one(&circles(&three), &["src/a/x.rs -> src/a/y.rs -> src/a/z.rs -> src/a/x.rs"]);
        let family = house(&[("src/a.rs", "mod x;\nuse x::X;"), ("src/a/x.rs", "use crate::a::A;")]);
        one(&circles(&family), &["src/a.rs -> src/a/x.rs -> src/a.rs"]);
    }

    #[test]
    fn diamonds_plates_tests_and_own_paths_are_no_circles() {
        let good = house(&[
            ("src/a/mod.rs", "pub mod w;\npub mod x;"),
            ("src/a/w.rs", "use crate::a::{x::X, y::Y};\nuse crate::a::w::Own;"),
            ("src/a/x.rs", "use crate::a::z::Z;\nuse crate::a::Unknown;"),
            ("src/a/y.rs", "use crate::a::z::Z;"),
            ("src/a/z.rs", "// crate::a::w::W\n#[cfg(test)]\nmod tests { use crate::a::w::W; }"),
            ("src/c.rs", "mod child;"),
            ("src/c/child.rs", "use crate::c::C;"),
        ]);
        assert_eq!(circles(&good), [""; 0]);
        // code in a plate is the fault of the plate, not a circle
        let plate = house(&[("src/a/mod.rs", "mod x;\npub use x::X;"), ("src/a/x.rs", "use crate::a::Y;")]);
        assert_eq!(circles(&plate), [""; 0]);
    }
}
