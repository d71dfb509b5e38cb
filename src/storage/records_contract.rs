//! What every storage of records must hold to, as plain functions over the trait. A backend's own tests call them all
//! on an empty storage of theirs, and add what only they can arrange (torn and foreign files, restarts, full disks).

use crate::record::{NAME_BYTES_MAX, RECORD_BYTES_MAX, Record, Shelf};
use crate::storage::records::{FoundRecord, Records, Written};
use bytes::Bytes;
use futures_util::future;

/// Runs `$run!(name)` for every function below; the one list of them.
macro_rules! every_rule {
    ($run:ident) => {
        $run! {
            records_come_and_go, a_stale_writer_changes_nothing, names_of_all_kinds, shelves_are_apart,
            what_is_no_name_is_refused, what_is_no_record_is_refused, the_largest_record_fits,
            versions_of_a_removed_name_go_on, of_racing_writers_one_wins, a_removal_and_a_change_race,
            readers_see_whole_records,
        }
    };
}
pub(crate) use every_rule;

/// A document.
pub fn json(text: &str) -> Bytes {
    serde_json::json!({ "text": text }).to_string().into()
}

/// Writes a record as it is expected to succeed; its version.
pub async fn put(records: &dyn Records, shelf: Shelf, name: &str, text: &str, seen: u64) -> u64 {
    match records.put(shelf, name, json(text), seen).await.unwrap() {
        Written::Done(version) => version,
        Written::Stale => panic!("{name}: {seen} is stale"),
    }
}

/// The version and the document of a name.
pub async fn got(records: &dyn Records, shelf: Shelf, name: &str) -> Option<(u64, Bytes)> {
    records.get(shelf, name).await.unwrap().map(|record| (record.version, record.json))
}

/// All that a walk meets, sorted: records, and the paths of what is odd.
pub async fn walked(records: &dyn Records, shelf: Shelf) -> (Vec<(String, Record)>, Vec<String>) {
    let (mut good, mut odd) = (Vec::new(), Vec::new());
    let mut visit = |found| match found {
        FoundRecord::Record(name, record) => good.push((name, record)),
        FoundRecord::Odd { path, why } => {
            assert!(!why.is_empty());
            odd.push(path);
        }
    };
    records.walk(shelf, &mut visit).await.unwrap();
    good.sort_by(|(one, _), (other, _)| one.cmp(other));
    odd.sort();
    (good, odd)
}

/// A record is made, changed, found and removed.
pub async fn records_come_and_go(records: &dyn Records) {
    let shelf = Shelf::Users;
    assert!(records.is_empty().await.unwrap());
    assert_eq!(got(records, shelf, "alice").await, None);
    assert_eq!(walked(records, shelf).await, (vec![], vec![]));
    let first = put(records, shelf, "alice", "one", 0).await;
    assert_eq!(first, 1);
    assert_eq!(got(records, shelf, "alice").await, Some((1, json("one"))));
    assert!(!records.is_empty().await.unwrap());
    let second = put(records, shelf, "alice", "two", first).await;
    assert_eq!(second, 2);
    assert_eq!(got(records, shelf, "alice").await, Some((2, json("two"))));
    let other = put(records, shelf, "bob", "three", 0).await;
    let all = vec![
        ("alice".into(), Record { version: second, json: json("two") }),
        ("bob".into(), Record { version: other, json: json("three") }),
    ];
    assert_eq!(walked(records, shelf).await, (all.clone(), vec![]));
    assert_eq!(records.remove(shelf, "alice", second).await.unwrap(), Written::Done(second));
    assert_eq!(got(records, shelf, "alice").await, None);
    assert_eq!(walked(records, shelf).await, (all[1..].to_vec(), vec![]));
    assert_eq!(records.remove(shelf, "bob", other).await.unwrap(), Written::Done(other));
    assert!(records.is_empty().await.unwrap());
    let mark = put(records, Shelf::Marks, "m", "x", 0).await;
    assert!(records.is_empty().await.unwrap(), "a mark is nothing that a storage holds");
    assert_eq!(records.remove(Shelf::Marks, "m", mark).await.unwrap(), Written::Done(mark));
    assert!(records.is_empty().await.unwrap());
    records.sync().await.unwrap();
}

/// Whoever has seen another version than stands there is told so, whatever they want.
pub async fn a_stale_writer_changes_nothing(records: &dyn Records) {
    let shelf = Shelf::Groups;
    assert_eq!(records.put(shelf, "a", json("x"), 1).await.unwrap(), Written::Stale);
    assert_eq!(records.remove(shelf, "a", 0).await.unwrap(), Written::Stale);
    assert_eq!(records.remove(shelf, "a", 1).await.unwrap(), Written::Stale);
    assert_eq!(got(records, shelf, "a").await, None);
    let first = put(records, shelf, "a", "one", 0).await;
    let second = put(records, shelf, "a", "two", first).await;
    for seen in [0, first, second + 1, u64::MAX] {
        assert_eq!(records.put(shelf, "a", json("x"), seen).await.unwrap(), Written::Stale, "{seen}");
        assert_eq!(records.remove(shelf, "a", seen).await.unwrap(), Written::Stale, "{seen}");
    }
    assert_eq!(got(records, shelf, "a").await, Some((second, json("two"))));
}

/// Names mean what they say, byte by byte, however a disk or a bucket would read them.
pub async fn names_of_all_kinds(records: &dyn Records) {
    let shelf = Shelf::ServiceAccounts;
    let long = ["x".repeat(NAME_BYTES_MAX), "\u{1f511}".repeat(NAME_BYTES_MAX / 4), "/".repeat(64)];
    let mut names: Vec<&str> = vec![
        "m\u{fc}ller",
        "mu\u{308}ller",
        "a@b.example",
        "a b",
        " a",
        "a ",
        ".",
        "..",
        "...",
        "../x",
        "a/b",
        "/",
        "\\",
        "CON",
        "con",
        "nul.txt",
        "%",
        "%2e",
        "%2E%2E",
        "a.json",
        ".json",
        "a.removed",
        "a~",
        "-rf",
        "*",
        "a:b",
        "\u{0}",
        "a\u{0}",
        "\n",
        "\u{7f}",
        "\u{202e}",
        "\u{10ffff}",
        "\"",
        "'",
        "$HOME",
    ];
    names.extend(long.iter().map(String::as_str));
    for (number, name) in names.iter().enumerate() {
        put(records, shelf, name, &number.to_string(), 0).await;
    }
    for (number, name) in names.iter().enumerate() {
        assert_eq!(got(records, shelf, name).await, Some((1, json(&number.to_string()))), "{name:?}");
    }
    let (found, odd) = walked(records, shelf).await;
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(found.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), sorted);
    assert_eq!(odd, Vec::<String>::new());
    for name in &names {
        assert_eq!(records.remove(shelf, name, 1).await.unwrap(), Written::Done(1), "{name:?}");
        assert_eq!(got(records, shelf, name).await, None);
    }
    assert!(records.is_empty().await.unwrap());
}

/// The same name on two shelves is two records.
pub async fn shelves_are_apart(records: &dyn Records) {
    for shelf in Shelf::ALL {
        assert_eq!(got(records, shelf, "a").await, None);
        put(records, shelf, "a", shelf.as_str(), 0).await;
    }
    for shelf in Shelf::ALL {
        let record = Record { version: 1, json: json(shelf.as_str()) };
        assert_eq!(walked(records, shelf).await, (vec![("a".into(), record)], vec![]));
    }
    records.remove(Shelf::Users, "a", 1).await.unwrap();
    assert!(got(records, Shelf::Groups, "a").await.is_some());
}

/// A name that cannot be is refused, not cut: the record that a cut would mean is left alone.
pub async fn what_is_no_name_is_refused(records: &dyn Records) {
    let longest = "x".repeat(NAME_BYTES_MAX);
    let long = format!("{longest}y");
    let wide = "\u{e9}".repeat(NAME_BYTES_MAX / 2) + "z";
    put(records, Shelf::Users, &longest, "kept", 0).await;
    for name in ["", &long, &wide, &"x".repeat(100_000)] {
        assert!(records.get(Shelf::Users, name).await.is_err());
        assert!(records.put(Shelf::Users, name, json("x"), 0).await.is_err());
        assert!(records.put(Shelf::Users, name, json("x"), 1).await.is_err());
        assert!(records.remove(Shelf::Users, name, 1).await.is_err());
    }
    assert_eq!(walked(records, Shelf::Users).await.0.len(), 1);
    assert_eq!(got(records, Shelf::Users, &longest).await, Some((1, json("kept"))));
}

/// What would not read again is not written.
pub async fn what_is_no_record_is_refused(records: &dyn Records) {
    put(records, Shelf::Users, "a", "kept", 0).await;
    let large = format!("\"{}\"", "x".repeat(RECORD_BYTES_MAX - 1));
    for bad in ["", "{", "{}{}", "}, {", large.as_str()] {
        for (name, seen) in [("a", 1), ("b", 0)] {
            assert!(records.put(Shelf::Users, name, Bytes::from(bad.to_owned()), seen).await.is_err());
        }
    }
    assert!(records.put(Shelf::Users, "a", Bytes::from_static(b"\"\xff\""), 1).await.is_err());
    assert_eq!(walked(records, Shelf::Users).await.0.len(), 1);
    assert_eq!(put(records, Shelf::Users, "a", "changed", 1).await, 2);
}

/// A record of the greatest size comes back as it was, byte for byte.
pub async fn the_largest_record_fits(records: &dyn Records) {
    let large = Bytes::from(format!("{{\"z\":1e400,\"a\":\"{}\"}}", "x".repeat(RECORD_BYTES_MAX - 18)));
    assert_eq!(large.len(), RECORD_BYTES_MAX);
    assert_eq!(records.put(Shelf::Grants, "g", large.clone(), 0).await.unwrap(), Written::Done(1));
    assert!(got(records, Shelf::Grants, "g").await == Some((1, large)));
}

/// Whoever has seen a name before it was removed cannot write to what bears it later.
pub async fn versions_of_a_removed_name_go_on(records: &dyn Records) {
    let (shelf, mut highest) = (Shelf::Tokens, 0);
    let other = put(records, shelf, "other", "stays", 0).await;
    for round in 0..4 {
        let mut version = put(records, shelf, "t", "new", 0).await;
        assert!(version > highest, "{version} was given before");
        for _ in 0..round {
            version = put(records, shelf, "t", "changed", version).await;
        }
        highest = version;
        // It is not only the last to be removed that counts.
        let low = put(records, shelf, "low", "new", 0).await;
        assert_eq!(records.remove(shelf, "t", version).await.unwrap(), Written::Done(version));
        assert_eq!(records.remove(shelf, "low", low).await.unwrap(), Written::Done(low));
        assert_eq!(records.put(shelf, "t", json("late"), version).await.unwrap(), Written::Stale);
    }
    assert_eq!(put(records, shelf, "other", "changed", other).await, other + 1, "others count by themselves");
}

/// Of many who have seen the same, one writes.
pub async fn of_racing_writers_one_wins(records: &dyn Records) {
    let mut seen = 0;
    for round in 0..6 {
        let texts: Vec<String> = (0..16).map(|writer| format!("{round} by {writer}")).collect();
        let writers = texts.iter().map(|text| records.put(Shelf::Users, "a", json(text), seen));
        let answers = future::join_all(writers).await;
        let won: Vec<(usize, u64)> = answers
            .iter()
            .enumerate()
            .filter_map(|(writer, answer)| match answer.as_ref().unwrap() {
                Written::Done(version) => Some((writer, *version)),
                Written::Stale => None,
            })
            .collect();
        assert_eq!(won.len(), 1, "{answers:?}");
        let (winner, version) = won[0];
        assert!(version > seen);
        assert_eq!(got(records, Shelf::Users, "a").await, Some((version, json(&texts[winner]))));
        seen = version;
    }
}

/// Of removals and changes that have seen the same, one is done.
pub async fn a_removal_and_a_change_race(records: &dyn Records) {
    let mut highest = 0;
    for round in 0..6 {
        let seen = put(records, Shelf::Users, "a", "new", 0).await;
        assert!(seen > highest);
        let (first, second, third) = future::join3(
            records.put(Shelf::Users, "a", json("changed"), seen),
            records.remove(Shelf::Users, "a", seen),
            records.remove(Shelf::Users, "a", seen),
        )
        .await;
        let answers = [first.unwrap(), second.unwrap(), third.unwrap()];
        assert_eq!(answers.iter().filter(|answer| **answer != Written::Stale).count(), 1, "{answers:?}");
        let left = got(records, Shelf::Users, "a").await;
        assert_eq!(left.is_some(), answers[0] != Written::Stale, "round {round}: {left:?}");
        highest = seen;
        if let Some((version, _)) = left {
            assert_eq!(version, seen + 1);
            records.remove(Shelf::Users, "a", version).await.unwrap();
            highest = version;
        }
    }
}

/// A record that is changed again and again always reads as something that it was set to.
pub async fn readers_see_whole_records(records: &dyn Records) {
    const LAST: usize = 20;
    let document = |number: usize| json(&number.to_string().repeat(20_000));
    records.put(Shelf::Groups, "g", document(1), 0).await.unwrap();
    let writing = async {
        for number in 2..=LAST {
            let written = records.put(Shelf::Groups, "g", document(number), number as u64 - 1).await;
            assert_eq!(written.unwrap(), Written::Done(number as u64));
        }
    };
    let reading = async {
        let mut last = 0;
        while last < LAST {
            let (version, json) = got(records, Shelf::Groups, "g").await.unwrap();
            let version = usize::try_from(version).unwrap();
            assert!(version >= last && json == document(version), "{version} after {last}");
            last = version;
        }
    };
    future::join(writing, reading).await;
}
