//! Two processes on one database: who stands in whose way.

use crate::metadata::completeness::REBUILD;
use crate::metadata::contract::{digest_of, manifest, repo, tag};
use crate::metadata::intents::{Begun, Intent, IntentId};
use crate::metadata::manifests::Put;
use crate::metadata::open::Metadata;
use crate::metadata::postgres::database::TERM;
use crate::metadata::postgres::scratch;
use crate::record::{Record, Shelf};
use std::time::Duration;

/// An intent in words: `"+b:x,t:1"` adds the blob x and moves the tag 1; `-` removes, `m:` is a manifest.
pub fn intent(words: &str) -> Intent {
    let (removing, names) = (words.starts_with('-'), &words[1..]);
    let mut intent =
        Intent { repository: repo("app"), blobs: vec![], manifests: vec![], tags: vec![], removing };
    for name in names.split(',') {
        match name.split_once(':').unwrap() {
            ("b", blob) => intent.blobs.push(digest_of(blob)),
            ("m", manifest) => intent.manifests.push(digest_of(manifest)),
            (_, name) => intent.tags.push(tag(name)),
        }
    }
    intent
}

#[tokio::test]
async fn intents_of_two_replicas_keep_out_of_each_other_s_way() {
    let Some(scratch) = scratch::database().await else { return };
    let (a, b) = (scratch.process(TERM).await, scratch.process(TERM).await);
    let met = [
        ("+t:1", "+t:1", Begun::InTheWay),
        ("+t:1", "+t:2", Begun::Stands),
        ("-t:1", "+t:1", Begun::InTheWay),
        ("+b:x", "+b:x", Begun::Stands),
        ("-b:x", "+b:x", Begun::InTheWay),
        ("+b:x", "-b:x", Begun::InTheWay),
        ("-b:x", "-b:x", Begun::InTheWay),
        ("-b:x", "+b:y", Begun::Stands),
        ("-b:x", "+m:x", Begun::Stands),
        ("+m:x,t:1", "+m:x,t:2", Begun::Stands),
        ("+m:x,t:1", "-m:x", Begun::InTheWay),
        ("-m:x", "+m:x,t:1", Begun::InTheWay),
        ("-m:x", "+m:y,t:1", Begun::Stands),
        ("+m:y,t:1", "-m:x", Begun::Stands),
    ];
    for (first, second, answer) in met {
        let [one, two, own, elsewhere] = [(); 4].map(|()| IntentId::random());
        assert_eq!(a.intents.begin(one, &intent(first)).await.unwrap(), Begun::Stands, "{first}");
        assert_eq!(b.intents.begin(two, &intent(second)).await.unwrap(), answer, "{first} {second}");
        assert_eq!(a.intents.begin(own, &intent(first)).await.unwrap(), Begun::Stands, "{first} again");
        let other = Intent { repository: repo("other"), ..intent(second) };
        assert_eq!(b.intents.begin(elsewhere, &other).await.unwrap(), Begun::Stands, "another repository");
        for id in [one, own] {
            b.intents.end(id).await.unwrap(); // which it has not begun
        }
        let again = b.intents.begin(IntentId::random(), &intent(second)).await.unwrap();
        assert_eq!(again, answer, "it still stands");
        scratch.run("DELETE FROM holdfast.intents").await;
    }
}

#[tokio::test]
async fn whoever_removes_a_manifest_has_its_tags_under_its_hands() {
    let Some(scratch) = scratch::database().await else { return };
    let (a, b) = (scratch.process(TERM).await, scratch.process(TERM).await);
    a.manifests.put(&repo("app"), manifest("m", &["1"]), true, None).await.unwrap();
    let id = IntentId::random();
    assert_eq!(a.intents.begin(id, &intent("-m:m")).await.unwrap(), Begun::Stands);
    assert_eq!(b.intents.begin(IntentId::random(), &intent("+m:n,t:1")).await.unwrap(), Begun::InTheWay);
    assert_eq!(b.intents.begin(IntentId::random(), &intent("+m:n,t:2")).await.unwrap(), Begun::Stands);
    a.intents.end(id).await.unwrap();
    assert_eq!(b.intents.begin(IntentId::random(), &intent("+m:n,t:1")).await.unwrap(), Begun::Stands);
    assert_eq!(a.intents.begin(id, &intent("-m:m")).await.unwrap(), Begun::InTheWay, "the other way round");
}

#[tokio::test]
async fn of_all_who_begin_at_once_one_stands() {
    let Some(scratch) = scratch::database().await else { return };
    let replicas = [scratch.process(TERM).await, scratch.process(TERM).await, scratch.process(TERM).await];
    for round in 0..20 {
        let moved = intent(&format!("+t:{round}"));
        let begun = replicas.iter().map(|replica| replica.intents.begin(IntentId::random(), &moved));
        let begun = futures_util::future::join_all(begun).await;
        let stand = begun.into_iter().filter(|begun| *begun.as_ref().unwrap() == Begun::Stands).count();
        assert_eq!(stand, 1, "round {round}");
    }
}

#[tokio::test]
async fn what_a_manifest_names_is_not_removed_under_its_hands() {
    let Some(scratch) = scratch::database().await else { return };
    let (a, b) = (scratch.process(TERM).await, scratch.process(TERM).await);
    for round in 0..30 {
        let layer = digest_of(&format!("layer {round}"));
        a.blobs.link(&repo("app"), &layer, 1, None).await.unwrap();
        let mut new = manifest(&format!("m{round}"), &[]);
        new.blobs = vec![layer];
        let app = repo("app");
        let (put, unlinked) =
            tokio::join!(a.manifests.put(&app, new, true, None), b.blobs.unlink(&app, &layer, None));
        assert!(unlinked.unwrap());
        let put = put.unwrap();
        assert!(put == Put::Recorded || put == Put::Absent(vec![layer]), "{put:?}");
    }
}

#[tokio::test]
async fn one_replica_at_a_time_changes_a_record() {
    let Some(scratch) = scratch::database().await else { return };
    let (a, b) = (scratch.process(TERM).await, scratch.process(TERM).await);
    let begin = async |process: &Metadata, name| process.accounts.begin(Shelf::Users, name).await.unwrap();
    assert_eq!(begin(&a, "alice").await, Begun::Stands);
    assert_eq!(begin(&a, "alice").await, Begun::Stands, "again");
    assert_eq!(begin(&b, "alice").await, Begun::InTheWay);
    assert_eq!(begin(&b, "bob").await, Begun::Stands, "another name is another matter");
    let record = Record { version: 1, json: "{}".into() };
    a.accounts.keep(Shelf::Users, "alice", record).await.unwrap();
    assert_eq!(begin(&b, "alice").await, Begun::Stands);
    assert_eq!(b.accounts.find(Shelf::Users, "alice").await.unwrap().unwrap().version, 1);
    assert_eq!(begin(&a, "alice").await, Begun::InTheWay);
}

#[tokio::test]
async fn a_lease_has_one_holder() {
    let Some(scratch) = scratch::database().await else { return };
    let (a, b) = (scratch.process(TERM).await, scratch.process(TERM).await);
    assert!(a.leases.take("purge", TERM).await.unwrap());
    assert!(a.leases.take("purge", TERM).await.unwrap(), "it is renewed");
    assert!(!b.leases.take("purge", TERM).await.unwrap());
    b.leases.give_back("purge").await.unwrap();
    assert!(!b.leases.take("purge", TERM).await.unwrap(), "it was not b's to give");
    assert!(b.leases.take("keys", TERM).await.unwrap());
    a.leases.give_back("purge").await.unwrap();
    assert!(b.leases.take("purge", Duration::from_millis(1)).await.unwrap());
    // Its holder does not come back.
    let taken = async {
        while !a.leases.take("purge", TERM).await.unwrap() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), taken).await.unwrap();
}

#[tokio::test]
async fn nobody_calls_it_whole_while_another_one_makes_it_again() {
    let Some(scratch) = scratch::database().await else { return };
    let (a, b) = (scratch.process(TERM).await, scratch.process(TERM).await);
    assert!(b.leases.take(REBUILD, TERM).await.unwrap());
    a.completeness.set_complete().await.unwrap();
    assert!(!b.completeness.is_complete().await.unwrap(), "a had the lease before, and comes too late");
    b.completeness.set_complete().await.unwrap();
    assert!(a.completeness.is_complete().await.unwrap());
}
