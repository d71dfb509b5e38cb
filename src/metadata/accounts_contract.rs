//! What every backend of metadata must do about accounts, signing keys and the audit trail, as plain functions over the
//! traits; each backend's tests run them all.
//!
//! Each function is given new, empty metadata. Knows no backend.

use crate::metadata::audit::EVENT_BYTES_MAX;
use crate::metadata::intents::Begun;
use crate::metadata::open::Metadata;
use crate::metadata::signing_keys::SigningKey;
use crate::oci::page::Page;
use crate::record::{NAME_BYTES_MAX, RECORD_BYTES_MAX, Record, Shelf};
use crate::secret::Secret;

/// Runs `$run!(name)` for every function below; the one list of them.
macro_rules! every_rule {
    ($run:ident) => {
        $run! {
            accounts_contract;
            nothing_is_known_at_first, records_are_kept_and_forgotten, an_older_record_changes_nothing,
            records_of_all_sizes_replace_each_other, a_record_is_read_whole_while_it_changes, records_are_paged,
            a_page_of_large_records_ends_early, shelves_do_not_mix, changes_begin_and_end,
            what_is_no_name_is_refused, the_last_use_is_known, signing_keys_are_kept_in_order,
            of_keys_made_at_once_one_stands, events_are_told_newest_first, a_long_event_keeps_out_no_other,
            old_events_are_dropped, numbers_of_events_go_on,
        }
    };
}
pub(crate) use every_rule;

const ALL: usize = 1000;
const USERS: Shelf = Shelf::Users;

fn record(version: u64, text: &str) -> Record {
    Record { version, json: format!("\"{text}\"").into() }
}

async fn keep(metadata: &Metadata, shelf: Shelf, name: &str, record: Record) {
    metadata.accounts.keep(shelf, name, record).await.unwrap();
}

async fn find(metadata: &Metadata, shelf: Shelf, name: &str) -> Option<Record> {
    metadata.accounts.find(shelf, name).await.unwrap()
}

/// A page: its names, and whether more follow.
async fn list(metadata: &Metadata, shelf: Shelf, page: &Page) -> (Vec<String>, bool) {
    let listed = metadata.accounts.list(shelf, page).await.unwrap();
    (listed.entries.into_iter().map(|(name, _)| name).collect(), listed.more)
}

pub async fn nothing_is_known_at_first(metadata: &Metadata) {
    for shelf in Shelf::ALL {
        assert_eq!(find(metadata, shelf, "a").await, None);
        assert_eq!(list(metadata, shelf, &Page::first(ALL)).await, (vec![], false));
        metadata.accounts.forget(shelf, "a").await.unwrap();
    }
    assert_eq!(metadata.accounts.pending(ALL).await.unwrap(), []);
    assert_eq!(metadata.accounts.last_used("t").await.unwrap(), None);
    metadata.accounts.used(&[]).await.unwrap();
    assert_eq!(metadata.signing_keys.all().await.unwrap(), []);
    metadata.signing_keys.remove("k").await.unwrap();
    assert_eq!(metadata.audit.newest(None, ALL).await.unwrap(), []);
    assert_eq!(metadata.audit.newest(Some(7), ALL).await.unwrap(), []);
    metadata.audit.append(vec![]).await.unwrap();
    assert!(!metadata.audit.trim(u64::MAX, 0).await.unwrap());
}

pub async fn records_are_kept_and_forgotten(metadata: &Metadata) {
    keep(metadata, USERS, "a", record(1, "one")).await;
    keep(metadata, USERS, "a", record(1, "one")).await;
    assert_eq!(find(metadata, USERS, "a").await, Some(record(1, "one")));
    keep(metadata, USERS, "a", record(2, "two")).await;
    assert_eq!(find(metadata, USERS, "a").await, Some(record(2, "two")));
    keep(metadata, USERS, "a", record(u64::MAX, "last")).await;
    assert_eq!(find(metadata, USERS, "a").await, Some(record(u64::MAX, "last")));
    for _ in 0..2 {
        metadata.accounts.forget(USERS, "a").await.unwrap();
        assert_eq!(find(metadata, USERS, "a").await, None);
    }
    keep(metadata, USERS, "a", record(3, "again")).await;
    assert_eq!(find(metadata, USERS, "a").await, Some(record(3, "again")));
}

pub async fn an_older_record_changes_nothing(metadata: &Metadata) {
    keep(metadata, USERS, "a", record(256, "new")).await;
    for version in [1, 255] {
        begin(metadata, USERS, "a").await;
        keep(metadata, USERS, "a", record(version, "old")).await;
        assert_eq!(find(metadata, USERS, "a").await, Some(record(256, "new")));
    }
}

pub async fn records_of_all_sizes_replace_each_other(metadata: &Metadata) {
    let sizes = [0, 9, 6131, 6132, 6133, 70_000, RECORD_BYTES_MAX, 12_276, 12_277, 1, RECORD_BYTES_MAX, 0];
    for (version, size) in (1..).zip(sizes) {
        let json = (0..size).map(|at| (at % 251 + size % 5) as u8).collect();
        let record = Record { version, json };
        keep(metadata, USERS, "a", record.clone()).await;
        assert!(find(metadata, USERS, "a").await == Some(record), "{size} bytes");
    }
    metadata.accounts.forget(USERS, "a").await.unwrap();
    assert_eq!(find(metadata, USERS, "a").await, None);
}

/// Records of the same size that follow each other never mix, though they are too long for one row.
pub async fn a_record_is_read_whole_while_it_changes(metadata: &Metadata) {
    const LAST: u64 = 60;
    let document = |version: u64| Record { version, json: vec![version as u8; 40_000].into() };
    keep(metadata, USERS, "a", document(1)).await;
    let writing = async {
        for version in 2..=LAST {
            keep(metadata, USERS, "a", document(version)).await;
        }
    };
    let reading = async {
        let mut last = 0;
        while last < LAST {
            let found = find(metadata, USERS, "a").await.unwrap();
            assert!(found.version >= last && found == document(found.version), "{} mixes", found.version);
            last = found.version;
            tokio::task::yield_now().await;
        }
    };
    futures_util::future::join(writing, reading).await;
}

pub async fn records_are_paged(metadata: &Metadata) {
    let sorted = ["A", "a", "a b", "a-1", "a.b", "a/b", "b", "\u{e9}", "\u{1f511}"];
    for name in ["b", "\u{1f511}", "a/b", "a-1", "\u{e9}", "a.b", "A", "a", "a b"] {
        keep(metadata, USERS, name, record(1, name)).await;
    }
    let page = |entries_max, last: &str| Page { entries_max, last: Some(last.into()) };
    let names = |from: usize, to: usize| sorted[from..to].iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(list(metadata, USERS, &Page::first(ALL)).await, (names(0, 9), false));
    assert_eq!(list(metadata, USERS, &Page::first(9)).await, (names(0, 9), false));
    assert_eq!(list(metadata, USERS, &Page::first(8)).await, (names(0, 8), true));
    assert_eq!(list(metadata, USERS, &Page::first(0)).await, (vec![], false));
    assert_eq!(list(metadata, USERS, &page(2, "a")).await, (names(2, 4), true));
    assert_eq!(list(metadata, USERS, &page(ALL, "a-0 that is none")).await, (names(3, 9), false));
    assert_eq!(list(metadata, USERS, &page(ALL, "")).await.0.len(), 9);
    assert_eq!(list(metadata, USERS, &page(ALL, "\u{10ffff}")).await, (vec![], false));
    let listed = metadata.accounts.list(USERS, &page(1, "b")).await.unwrap();
    assert_eq!(listed.entries, [("\u{e9}".into(), record(1, "\u{e9}"))]);
    // More than are read in one step.
    for number in 0..600 {
        keep(metadata, Shelf::Grants, &format!("{number:04}"), record(number + 1, "g")).await;
    }
    let (all, more) = list(metadata, Shelf::Grants, &page(599, "0000")).await;
    assert_eq!((all.len(), all.first().unwrap().as_str(), more), (599, "0001", false));
}

pub async fn a_page_of_large_records_ends_early(metadata: &Metadata) {
    for number in 0..9 {
        let json = vec![b'x'; RECORD_BYTES_MAX].into();
        keep(metadata, Shelf::Groups, &number.to_string(), Record { version: 1, json }).await;
    }
    let (mut all, mut page, mut pages) = (Vec::new(), Page::first(ALL), 0);
    loop {
        let (names, more) = list(metadata, Shelf::Groups, &page).await;
        assert!((1..=4).contains(&names.len()), "{names:?}");
        all.extend(names);
        pages += 1;
        if !more {
            break;
        }
        page.last = all.last().cloned();
    }
    assert_eq!((all.concat().as_str(), pages), ("012345678", 3));
}

pub async fn shelves_do_not_mix(metadata: &Metadata) {
    for shelf in Shelf::ALL {
        begin(metadata, shelf, "b").await;
        keep(metadata, shelf, "a", record(1, shelf.as_str())).await;
    }
    for shelf in Shelf::ALL {
        assert_eq!(list(metadata, shelf, &Page::first(ALL)).await, (vec!["a".into()], false));
        assert_eq!(find(metadata, shelf, "a").await, Some(record(1, shelf.as_str())));
    }
    metadata.accounts.forget(Shelf::Groups, "a").await.unwrap();
    metadata.accounts.forget(Shelf::Groups, "b").await.unwrap();
    assert!(find(metadata, USERS, "a").await.is_some());
}

/// Begins a change; nobody is in its way.
pub async fn begin(metadata: &Metadata, shelf: Shelf, name: &str) {
    assert_eq!(metadata.accounts.begin(shelf, name).await.unwrap(), Begun::Stands);
}

pub async fn changes_begin_and_end(metadata: &Metadata) {
    let accounts = &metadata.accounts;
    keep(metadata, USERS, "kept", record(1, "old")).await;
    for name in ["kept", "kept", "gone", "open", "\u{1f511}"] {
        begin(metadata, USERS, name).await;
    }
    begin(metadata, Shelf::Tokens, "kept").await;
    assert_eq!(accounts.pending(ALL).await.unwrap(), [], "whoever has begun them is still here");
    assert_eq!(find(metadata, USERS, "kept").await, Some(record(1, "old")), "it stands while it changes");
    keep(metadata, USERS, "kept", record(2, "new")).await;
    accounts.forget(USERS, "gone").await.unwrap();
    assert_eq!(find(metadata, USERS, "kept").await, Some(record(2, "new")));
    begin(metadata, USERS, "kept").await;
}

pub async fn what_is_no_name_is_refused(metadata: &Metadata) {
    let longest = "x".repeat(NAME_BYTES_MAX);
    keep(metadata, USERS, &longest, record(1, "kept")).await;
    keep(metadata, Shelf::Tokens, &longest, record(1, "kept")).await;
    metadata.accounts.used(&[(longest.clone(), 7)]).await.unwrap();
    for name in ["", &format!("{longest}y"), &"x".repeat(100_000)] {
        assert_eq!(find(metadata, USERS, name).await, None);
        assert!(metadata.accounts.begin(USERS, name).await.is_err());
        assert!(metadata.accounts.keep(USERS, name, record(1, "x")).await.is_err());
        assert!(metadata.accounts.forget(USERS, name).await.is_err());
        metadata.accounts.used(&[(name.to_owned(), 9)]).await.unwrap();
        assert_eq!(metadata.accounts.last_used(name).await.unwrap(), None);
    }
    assert_eq!(list(metadata, USERS, &Page::first(ALL)).await, (vec![longest.clone()], false));
    assert_eq!(metadata.accounts.last_used(&longest).await.unwrap(), Some(7));
}

pub async fn the_last_use_is_known(metadata: &Metadata) {
    let accounts = &metadata.accounts;
    for token in ["a", "b", "c"] {
        keep(metadata, Shelf::Tokens, token, record(1, token)).await;
    }
    keep(metadata, USERS, "user", record(1, "x")).await;
    let uses = [("a", 10), ("b", 11), ("a", 12), ("gone", 13), ("user", 14)];
    accounts.used(&uses.map(|(token, at)| (token.to_owned(), at))).await.unwrap();
    accounts.used(&[("b".into(), 5)]).await.unwrap();
    for (token, at) in
        [("a", Some(12)), ("b", Some(11)), ("c", None), ("gone", None), ("user", None), ("aa", None)]
    {
        assert_eq!(accounts.last_used(token).await.unwrap(), at, "{token}");
    }
    keep(metadata, Shelf::Tokens, "a", record(2, "changed")).await;
    assert_eq!(accounts.last_used("a").await.unwrap(), Some(12));
    accounts.forget(Shelf::Tokens, "a").await.unwrap();
    assert_eq!(accounts.last_used("a").await.unwrap(), None);
    accounts.forget(USERS, "b").await.unwrap();
    assert_eq!(accounts.last_used("b").await.unwrap(), Some(11), "that was another b");
}

fn key(id: &str, algorithm: &str, created: u64) -> SigningKey {
    let pem = Secret::new(format!("-----BEGIN PRIVATE KEY-----\n{}\n", id.repeat(2000)));
    SigningKey { id: id.into(), algorithm: algorithm.into(), pem, created }
}

pub async fn signing_keys_are_kept_in_order(metadata: &Metadata) {
    let keys = &metadata.signing_keys;
    for (id, algorithm, created) in
        [("z", "ES256", 10), ("b", "RS256", 30), ("a", "RS256", 20), ("long", "ES256", 20)]
    {
        assert!(keys.add(&key(id, algorithm, created), 30).await.unwrap(), "{id}");
    }
    let sorted =
        [key("z", "ES256", 10), key("a", "RS256", 20), key("long", "ES256", 20), key("b", "RS256", 30)];
    assert_eq!(keys.all().await.unwrap(), sorted);
    for _ in 0..2 {
        keys.remove("long").await.unwrap();
        assert_eq!(keys.all().await.unwrap().len(), 3);
    }
    assert!(!keys.add(&key("z", "EdDSA", 99), 0).await.unwrap(), "an id names one key");
    assert_eq!(keys.all().await.unwrap()[0], sorted[0]);
    for id in ["", &"x".repeat(5000)] {
        assert!(keys.add(&key(id, "ES256", 1), u64::MAX).await.is_err());
    }
}

pub async fn of_keys_made_at_once_one_stands(metadata: &Metadata) {
    let keys = &metadata.signing_keys;
    let made: Vec<SigningKey> = (0..8).map(|number| key(&format!("es{number}"), "ES256", 100)).collect();
    let added = futures_util::future::join_all(made.iter().map(|key| keys.add(key, 99))).await;
    assert_eq!(added.into_iter().filter(|added| *added.as_ref().unwrap()).count(), 1);
    assert!(keys.add(&key("rsa", "RS256", 100), 99).await.unwrap(), "another algorithm is another matter");
    assert!(keys.add(&key("next", "ES256", 200), 100).await.unwrap(), "the one there is not young enough");
    assert!(!keys.add(&key("late", "ES256", 300), 199).await.unwrap());
    assert_eq!(keys.all().await.unwrap().len(), 3);
}

async fn append(metadata: &Metadata, events: impl IntoIterator<Item = u64>) {
    let events = events.into_iter().map(|at| (at, format!("{{\"at\":{at}}}"))).collect();
    metadata.audit.append(events).await.unwrap();
}

/// When the newest events were, the newest first.
async fn newest(metadata: &Metadata, before: Option<u64>, count: usize) -> Vec<u64> {
    let entries = metadata.audit.newest(before, count).await.unwrap();
    assert!(entries.is_sorted_by(|one, next| one.id > next.id));
    for entry in &entries {
        assert_eq!(entry.json, format!("{{\"at\":{}}}", entry.unix_millis));
    }
    entries.iter().map(|entry| entry.unix_millis).collect()
}

pub async fn events_are_told_newest_first(metadata: &Metadata) {
    append(metadata, [10, 11]).await;
    append(metadata, [12]).await;
    append(metadata, [5, 13]).await; // a clock that was set back
    assert_eq!(newest(metadata, None, ALL).await, [13, 5, 12, 11, 10]);
    assert_eq!(newest(metadata, None, 2).await, [13, 5]);
    assert!(newest(metadata, None, 0).await.is_empty());
    let last = metadata.audit.newest(None, 2).await.unwrap().pop().unwrap().id;
    assert_eq!(newest(metadata, Some(last), 2).await, [12, 11]);
    assert_eq!(newest(metadata, Some(last - 2), ALL).await, [10]);
    assert!(newest(metadata, Some(last - 3), ALL).await.is_empty());
    assert!(newest(metadata, Some(0), ALL).await.is_empty());
    assert_eq!(newest(metadata, Some(u64::MAX), 1).await, [13]);
    // More than are written or read in one step.
    append(metadata, 100..2600).await;
    assert_eq!(newest(metadata, None, 700).await, (1900..2600).rev().collect::<Vec<_>>());
    assert_eq!(newest(metadata, None, usize::MAX).await.len(), 2505);
}

pub async fn a_long_event_keeps_out_no_other(metadata: &Metadata) {
    let fits = format!("\"{}\"", "x".repeat(EVENT_BYTES_MAX - 2));
    let long = format!("{fits} ");
    let events = vec![(1, "1".into()), (2, fits.clone()), (3, long), (4, "4".into())];
    metadata.audit.append(events).await.unwrap();
    let told: Vec<String> =
        metadata.audit.newest(None, ALL).await.unwrap().into_iter().map(|entry| entry.json).collect();
    assert_eq!(told, ["4".into(), "{\"omitted_bytes\":4097}".into(), fits, "1".to_string()]);
}

pub async fn old_events_are_dropped(metadata: &Metadata) {
    let audit = &metadata.audit;
    append(metadata, [10, 11, 50, 12, 60, 61]).await;
    assert!(!audit.trim(10, 6).await.unwrap());
    assert_eq!(newest(metadata, None, ALL).await.len(), 6);
    assert!(!audit.trim(20, ALL as u64).await.unwrap());
    assert_eq!(newest(metadata, None, ALL).await, [61, 60, 12, 50], "an old one behind a young one waits");
    assert!(!audit.trim(0, 3).await.unwrap());
    assert_eq!(newest(metadata, None, ALL).await, [61, 60, 12]);
    assert!(!audit.trim(20, 3).await.unwrap());
    assert_eq!(newest(metadata, None, ALL).await, [61, 60]);
    append(metadata, 100..5100).await;
    let mut calls = 1;
    while audit.trim(0, 700).await.unwrap() {
        calls += 1;
        assert!(calls < 50);
    }
    assert!(calls > 1, "a call holds up nobody for long");
    assert_eq!(newest(metadata, None, usize::MAX).await, (4400..5100).rev().collect::<Vec<_>>());
    while audit.trim(u64::MAX, 700).await.unwrap() {}
    assert!(newest(metadata, None, ALL).await.is_empty());
}

pub async fn numbers_of_events_go_on(metadata: &Metadata) {
    let mut last = 0;
    for round in 1..5 {
        append(metadata, [round]).await;
        let id = metadata.audit.newest(None, 1).await.unwrap()[0].id;
        assert!(id > last, "{id} after {last}");
        last = id;
        assert!(!metadata.audit.trim(u64::MAX, 0).await.unwrap());
    }
}
