//! Holds the floors of the house: reads every file of `src/` as text and fails on what the plan forbids.
//! Each test below is one rule; its message says where and what to do. It imports nothing of the program
//! and no other crate, so it also speaks when the program does not build.

#[path = "house/floors.rs"]
mod floors;
#[path = "house/paths.rs"]
mod paths;
#[path = "house/scan.rs"]
mod scan;
#[path = "house/shape.rs"]
mod shape;
#[path = "house/source.rs"]
mod source;

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use source::House;

/// Path from the package's root, and text, of every `.rs` file below a folder; none without that folder.
fn texts(folder: &str) -> io::Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(&folder)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{folder}/{name}");
            // a hidden folder is the workshop of a test run, not part of the project
            let hidden = name.starts_with('.');
            if !hidden && entry.file_type()?.is_dir() {
                folders.push(path);
            } else if !hidden && Path::new(&name).extension().is_some_and(|e| e == "rs") {
                found.insert(path, fs::read_to_string(entry.path())?);
            }
        }
    }
    Ok(found)
}

fn house() -> House {
    House::of(texts("src").unwrap_or_default())
}

#[track_caller]
fn nothing_wrong(faults: &[String]) {
    assert!(
        faults.is_empty(),
        "{} against the plan of the house:\n  {}\n",
        faults.len(),
        faults.join("\n  ")
    );
}

#[test]
fn lib_is_the_floor_plan() {
    nothing_wrong(&floors::plan(&house()).1);
}

#[test]
fn arrows_go_down() {
    nothing_wrong(&floors::arrows(&house()));
}

#[test]
fn no_circles_of_files() {
    nothing_wrong(&floors::circles(&house()));
}

#[test]
fn door_plates_have_no_code() {
    nothing_wrong(&shape::door_plates(&house()));
}

#[test]
fn no_super_outside_tests() {
    nothing_wrong(&shape::supers(&house()));
}

#[test]
fn functions_are_short() {
    nothing_wrong(&shape::functions(&house()));
}

#[test]
fn traits_are_small() {
    nothing_wrong(&shape::traits(&house()));
}

#[test]
fn no_hubs() {
    nothing_wrong(&shape::hub_names(&house()));
}

#[test]
fn crates_have_homes() {
    nothing_wrong(&shape::foreign_crates(&house()));
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    let mut faults = Vec::new();
    for source in house().files.values() {
        // a file that is only there for tests is held as a whole, like those of conformance/
        let lines = if source.code.is_empty() { source.text.lines().count() } else { source.lines };
        faults.extend(shape::opening(&source.path, &source.text));
        faults.extend(shape::length(&source.path, lines));
    }
    for (path, text) in texts("conformance").unwrap().into_iter().chain(texts("benches").unwrap()) {
        faults.extend(shape::opening(&path, &text));
        faults.extend(shape::length(&path, text.lines().count()));
    }
    nothing_wrong(&faults);
}

/// The rules above pass on an empty house too: so this one must not be, and a wrong line in it is found.
#[test]
fn the_house_is_really_read() {
    let mut files = texts("src").unwrap();
    let (rooms, _) = floors::plan(&house());
    assert!(!files.is_empty() && !rooms.is_empty(), "{} files, {} rooms", files.len(), rooms.len());
    for room in rooms.keys() {
        let file =
            |path: &String| *path == format!("src/{room}.rs") || path.starts_with(&format!("src/{room}/"));
        assert!(files.keys().any(file), "room {room} of src/lib.rs has no file");
    }
    assert!(texts("conformance").unwrap().contains_key("conformance/house.rs"));

    let before = floors::arrows(&house()).len();
    let highest = rooms.iter().max_by_key(|(_, floor)| **floor).unwrap().0;
    let lowest = rooms.iter().min_by_key(|(_, floor)| **floor).unwrap().0;
    assert!(rooms[highest] > rooms[lowest], "all rooms are on one floor");
    let path = format!("src/{lowest}/made_up.rs");
    files.insert(path.clone(), format!("//! Made up.\nuse crate::{{{lowest}::X, {highest}::Y}};\n"));
    let after = floors::arrows(&House::of(&files));
    assert_eq!(after.len(), before + 1);
    assert!(after.iter().any(|fault| fault.contains(&path) && fault.contains("goes up")), "{after:#?}");
}
