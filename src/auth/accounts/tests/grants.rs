//! Grants: made, listed, removed, and handed to the rules each time.

use super::draw::grant;
use crate::acl::access::Action;
use crate::acl::grant::Subject;
use crate::auth::accounts::fakes::World;
use crate::auth::accounts::form::NewGrant;
use crate::auth::accounts::grants;
use crate::auth::error::Error;
use crate::oci::page::Page;
use crate::record::Shelf;

fn published(world: &World) -> Vec<String> {
    let mut globs: Vec<String> =
        world.published.lock().unwrap().all().iter().map(|grant| grant.repository.clone()).collect();
    globs.sort();
    globs
}

#[tokio::test]
async fn the_rules_always_have_the_newest_grants() {
    let world = World::default();
    let directory = world.start().await;
    let alice = Subject::User("alice".into());
    let one = grants::add(&directory, grant(alice.clone(), "a"), "root").await.unwrap();
    assert_eq!(published(&world), ["a"]);
    let all = ["b", "c", "d"].map(|glob| grants::add(&directory, grant(Subject::Everyone, glob), "root"));
    assert!(futures_util::future::join_all(all).await.iter().all(Result::is_ok));
    assert_eq!(published(&world), ["a", "b", "c", "d"]);
    grants::remove(&directory, &one.id).await.unwrap();
    assert_eq!(published(&world), ["b", "c", "d"]);
    *world.published.lock().unwrap() = crate::acl::grant::Grants::default();
    let _restarted = world.start().await;
    assert_eq!(published(&world), ["b", "c", "d"]);
}

#[tokio::test]
async fn a_grant_is_found_listed_and_removed_once() {
    let world = World::default();
    let directory = world.start().await;
    let subject = Subject::Group("devs".into());
    let form =
        NewGrant { actions: vec![Action::Push, Action::Pull, Action::Push], ..grant(subject.clone(), "a") };
    let made = grants::add(&directory, form, "root").await.unwrap();
    assert_eq!(made.actions, [Action::Pull, Action::Push]);
    assert!(made.by == "root" && made.created > 0);
    assert_eq!(grants::find(&directory, &made.id), Some(made.clone()));
    assert!(matches!(
        grants::add(&directory, grant(subject.clone(), "a"), "x").await,
        Err(Error::Exists("grant"))
    ));
    for number in 0..5 {
        grants::add(&directory, grant(Subject::Anonymous, &format!("x{number}")), "root").await.unwrap();
    }
    let of_devs = grants::list(&directory, &Page::first(9), Some(&subject));
    assert_eq!((of_devs.entries, of_devs.next), (vec![made.clone()], None));
    let (mut last, mut seen) = (None, Vec::new());
    loop {
        let listing = grants::list(&directory, &Page { entries_max: 2, last }, None);
        seen.extend(listing.entries.into_iter().map(|grant| grant.id));
        last = listing.next;
        if last.is_none() {
            break;
        }
    }
    assert!(seen.len() == 6 && seen.is_sorted());
    grants::remove(&directory, &made.id).await.unwrap();
    for absent in [&*made.id, "", "../users/root", "abcdefghijklmnop"] {
        assert!(matches!(grants::remove(&directory, absent).await, Err(Error::Absent("grant"))), "{absent}");
    }
}

#[tokio::test]
async fn bad_grants_are_refused() {
    let world = World::default();
    let directory = world.start().await;
    let user = |name: &str| grant(Subject::User(name.into()), "a");
    let bad = [
        user(""),
        user("a\nb"),
        grant(Subject::ServiceAccount("No".into()), "a"),
        grant(Subject::Everyone, ""),
        grant(Subject::Everyone, "[a"),
        grant(Subject::Everyone, &"a".repeat(513)),
        NewGrant { actions: vec![], ..user("alice") },
        NewGrant { actions: vec![Action::Pull; 4], ..user("alice") },
    ];
    for form in bad {
        let answer = grants::add(&directory, form.clone(), "root").await;
        assert!(matches!(answer, Err(Error::Invalid(_))), "{form:?}: {answer:?}");
    }
    assert!(world.records.all().is_empty() && published(&world).is_empty());
}

#[tokio::test]
async fn a_grant_that_does_not_read_takes_nothing_from_the_others() {
    let world = World::default();
    let json = |id: &str, glob: &str, action: &str| {
        format!(
            r#"{{"id":"{id}","subject":{{"kind":"everyone"}},"repository":"{glob}","actions":["{action}"],"by":"r"}}"#
        )
    };
    let id = |letter: &str| letter.repeat(16);
    world.records.plant(Shelf::Grants, &id("a"), &json(&id("a"), "good", "pull"));
    world.records.plant(Shelf::Grants, &id("b"), &json(&id("b"), "[a", "pull"));
    world.records.plant(Shelf::Grants, &id("c"), &json(&id("c"), "newer", "sign"));
    world.records.plant(Shelf::Grants, &id("d"), "not json");
    world.records.plant(Shelf::Grants, &id("e"), &json(&id("a"), "of-another-name", "pull"));
    let directory = world.unloaded();
    crate::auth::accounts::fakes::rebuild(&directory).await.unwrap();
    crate::auth::accounts::load::load(&directory).await.unwrap();
    assert_eq!(published(&world), ["good"]);
    grants::remove(&directory, &id("d")).await.unwrap();
}
