//! Users: names, forms, epochs, the last administrator, lists, the first start.

use super::draw::{admin, grant, group, hash, login, new_user, personal, refresh, service, user};
use crate::acl::grant::Subject;
use crate::acl::identity::AccountKind;
use crate::auth::accounts::fakes::World;
use crate::auth::accounts::form::{NewUser, OwnProfile, UserChange};
use crate::auth::accounts::owner::Owner;
use crate::auth::accounts::{grants, groups, services, tokens, users};
use crate::auth::error::Error;
use crate::oci::page::Page;
use crate::record::Shelf;

#[tokio::test]
async fn a_user_is_found_as_made_and_after_a_restart() {
    let world = World::default();
    let directory = world.start().await;
    let form = NewUser {
        email: "a@example.com".into(),
        first_name: "Alice".into(),
        last_name: "Müller".into(),
        ..new_user("alice")
    };
    let made = users::create(&directory, form, None).await.unwrap();
    assert!(!made.has_password && !made.admin && !made.initial && made.created > 0);
    for directory in [&directory, &world.start().await] {
        assert_eq!(users::find(directory, "alice").await.unwrap().as_ref(), Some(&made));
        for absent in ["Alice", "bob", "", "../alice", &"a".repeat(1000)] {
            assert_eq!(users::find(directory, absent).await.unwrap(), None, "{absent}");
        }
    }
}

#[tokio::test]
async fn a_name_is_given_once_whatever_its_case_and_sort() {
    let world = World::default();
    let directory = world.start().await;
    user(&directory, "Élodie").await;
    user(&directory, "ci").await;
    service(&directory, "build").await;
    for directory in [&directory, &world.start().await] {
        for taken in ["Élodie", "élodie", "ÉLODIE", "CI", "Build"] {
            let made = users::create(directory, new_user(taken), None).await;
            assert!(matches!(made, Err(Error::Exists(_))), "{taken}: {made:?}");
        }
        let made = services::create(directory, super::draw::named("ci")).await;
        assert!(matches!(made, Err(Error::Exists("user"))), "{made:?}");
    }
}

#[tokio::test]
async fn of_many_who_make_one_user_one_does() {
    let world = World::default();
    let directory = world.start().await;
    let names = ["bob", "BOB", "Bob", "bob", "boB"];
    let all = names.map(|name| users::create(&directory, new_user(name), None));
    let made = futures_util::future::join_all(all).await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1, "{made:?}");
}

#[tokio::test]
async fn bad_forms_change_nothing() {
    let world = World::default();
    let directory = world.start().await;
    user(&directory, "alice").await;
    let before = world.records.all();
    let bad = NewUser { email: "no address".into(), ..new_user("bob") };
    assert!(matches!(users::create(&directory, bad, None).await, Err(Error::Invalid(_))));
    let long = UserChange { first_name: Some("x".repeat(129)), ..UserChange::default() };
    assert!(matches!(users::change(&directory, "alice", long).await, Err(Error::Invalid(_))));
    let line = OwnProfile { last_name: Some("a\r\nb".into()), ..OwnProfile::default() };
    assert!(matches!(users::change_own(&directory, "alice", line).await, Err(Error::Invalid(_))));
    let absent = users::change(&directory, "nobody", UserChange::default()).await;
    assert!(matches!(absent, Err(Error::Absent("user"))));
    assert_eq!(world.records.all(), before);
}

#[tokio::test]
async fn what_is_not_in_a_change_stays() {
    let world = World::default();
    let directory = world.start().await;
    admin(&directory, "root").await;
    user(&directory, "alice").await;
    world.clock.advance(10);
    let form = UserChange { email: Some("a@b".into()), admin: Some(true), ..UserChange::default() };
    let changed = users::change(&directory, "alice", form).await.unwrap();
    assert!(changed.admin && changed.email == "a@b" && changed.changed == changed.created + 10);
    let form = OwnProfile { first_name: Some("Al".into()), ..OwnProfile::default() };
    let changed = users::change_own(&directory, "alice", form).await.unwrap();
    assert!(changed.admin && changed.email == "a@b" && changed.first_name == "Al");
    let emptied = OwnProfile { email: Some(String::new()), ..OwnProfile::default() };
    assert_eq!(users::change_own(&directory, "alice", emptied).await.unwrap().email, "");
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let world = World::default();
    let directory = world.start().await;
    admin(&directory, "root").await;
    admin(&directory, "sleeper").await;
    user(&directory, "alice").await;
    users::set_disabled(&directory, "sleeper", true).await.unwrap();
    let demote = || UserChange { admin: Some(false), ..UserChange::default() };
    for directory in [&directory, &world.start().await] {
        let refused = [
            users::change(directory, "root", demote()).await.map(drop),
            users::set_disabled(directory, "root", true).await.map(drop),
            users::remove(directory, "root").await,
        ];
        assert!(refused.iter().all(|answer| matches!(answer, Err(Error::Refused(_)))), "{refused:?}");
    }
    assert!(users::find(&directory, "root").await.unwrap().is_some_and(|root| root.admin && !root.disabled));
    users::set_disabled(&directory, "sleeper", false).await.unwrap();
    users::remove(&directory, "root").await.unwrap();
    assert!(matches!(users::remove(&directory, "sleeper").await, Err(Error::Refused(_))));
}

#[tokio::test]
async fn two_administrators_cannot_demote_each_other_at_once() {
    let world = World::default();
    let directory = world.start().await;
    admin(&directory, "a").await;
    admin(&directory, "b").await;
    let demote = || UserChange { admin: Some(false), ..UserChange::default() };
    let (one, other) = tokio::join!(users::change(&directory, "a", demote()), async {
        users::remove(&directory, "b").await
    },);
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    let left = users::list(&directory, &Page::first(10), None).await.unwrap().entries;
    assert_eq!(left.iter().filter(|user| user.admin && !user.disabled).count(), 1);
}

#[tokio::test]
async fn epochs_move_with_the_password_and_when_disabled_and_never_else() {
    let world = World::default();
    let directory = world.start().await;
    admin(&directory, "root").await;
    user(&directory, "alice").await;
    let epoch = async || login(&directory, "alice").await.epoch;
    let mut last = epoch().await;

    let form = UserChange { admin: Some(true), email: Some("a@b".into()), ..UserChange::default() };
    users::change(&directory, "alice", form).await.unwrap();
    users::rehash(&directory, "alice", &hash("alice"), hash("better")).await.unwrap();
    users::set_disabled(&directory, "alice", false).await.unwrap();
    assert_eq!(epoch().await, last);

    users::set_password_hash(&directory, "alice", hash("new"), false).await.unwrap();
    assert_ne!(epoch().await, std::mem::replace(&mut last, epoch().await));
    users::log_out_everywhere(&directory, "alice").await.unwrap();
    assert_ne!(epoch().await, std::mem::replace(&mut last, epoch().await));
    users::set_disabled(&directory, "alice", true).await.unwrap();
    users::set_disabled(&directory, "alice", false).await.unwrap();
    assert_ne!(epoch().await, std::mem::replace(&mut last, epoch().await));
    users::remove(&directory, "alice").await.unwrap();
    user(&directory, "alice").await;
    assert_ne!(epoch().await, last);
}

#[tokio::test]
async fn a_better_hash_never_brings_an_old_password_back() {
    let world = World::default();
    let directory = world.start().await;
    user(&directory, "alice").await;
    let kept = async || users::with_password(&directory, "alice").await.unwrap().unwrap().password.unwrap();
    users::rehash(&directory, "alice", &hash("alice"), hash("better")).await.unwrap();
    assert_eq!(kept().await, hash("better"));
    users::set_password_hash(&directory, "alice", hash("new"), false).await.unwrap();
    users::rehash(&directory, "alice", &hash("better"), hash("best")).await.unwrap();
    assert_eq!(kept().await, hash("new"));
    users::rehash(&directory, "nobody", &hash("a"), hash("b")).await.unwrap();
}

#[tokio::test]
async fn a_removed_user_leaves_nothing_behind() {
    let world = World::default();
    let directory = world.start().await;
    admin(&directory, "root").await;
    user(&directory, "alice").await;
    user(&directory, "bob").await;
    group(&directory, "devs", &["alice", "bob"]).await;
    grants::add(&directory, grant(Subject::User("alice".into()), "a/**"), "root").await.unwrap();
    let kept = grants::add(&directory, grant(Subject::User("bob".into()), "b/**"), "root").await.unwrap();
    let alice = login(&directory, "alice").await;
    let token = personal(&directory, &alice, "mine").await.unwrap();
    refresh(&directory, &alice, "docker").await.unwrap();

    users::remove(&directory, "alice").await.unwrap();
    assert!(matches!(users::remove(&directory, "alice").await, Err(Error::Absent("user"))));
    assert!(tokens::check(&directory, token.secret.expose()).await.unwrap().is_none());
    user(&directory, "alice").await;
    for directory in [&directory, &world.start().await] {
        assert!(directory.groups_of(AccountKind::User, "alice").is_empty());
        assert_eq!(directory.groups_of(AccountKind::User, "bob"), ["devs"]);
        let all = grants::list(directory, &Page::first(10), None).entries;
        assert_eq!(all, std::slice::from_ref(&kept));
        let owner = Owner::own(AccountKind::User, "alice");
        assert!(tokens::list(directory, &owner, None).await.unwrap().is_empty());
        assert!(tokens::check(directory, token.secret.expose()).await.unwrap().is_none());
        let members = groups::find(directory, "devs").await.unwrap().unwrap().members;
        assert_eq!(members.iter().map(ToString::to_string).collect::<Vec<_>>(), ["user:bob"]);
    }
    assert!(!world.records.all().keys().any(|(shelf, _)| *shelf == Shelf::Tokens));
}

#[tokio::test]
async fn users_are_listed_in_pages_and_filtered() {
    let world = World::default();
    let directory = world.start().await;
    for name in ["anna", "bert", "carl", "dora", "emil"] {
        let form = NewUser { email: format!("{name}@Example.com"), ..new_user(name) };
        users::create(&directory, form, None).await.unwrap();
    }
    let pages = async |filter: Option<&str>, entries_max: usize| {
        let (mut names, mut last) = (Vec::new(), None);
        loop {
            let listing = users::list(&directory, &Page { entries_max, last }, filter).await.unwrap();
            assert!(listing.entries.len() <= entries_max);
            names.extend(listing.entries.into_iter().map(|user| user.name));
            last = listing.next;
            if last.is_none() {
                return names.join(" ");
            }
        }
    };
    for entries_max in [1, 2, 4, 5, 6, 100_000] {
        assert_eq!(pages(None, entries_max).await, "anna bert carl dora emil");
        assert_eq!(pages(Some("eXAMPLE"), entries_max).await, "anna bert carl dora emil");
        assert_eq!(pages(Some("R"), entries_max).await, "bert carl dora");
        assert_eq!(pages(Some("nobody"), entries_max).await, "");
    }
    let none = users::list(&directory, &Page::first(0), None).await.unwrap();
    assert!(none.entries.is_empty() && none.next.is_none());
    assert!(users::list(&directory, &Page::first(1), Some(&"x".repeat(300))).await.is_err());
}

#[tokio::test]
async fn a_filter_that_matches_nothing_looks_at_a_bounded_number() {
    let world = World::default();
    for number in 0..6000 {
        let name = format!("u{number:05}");
        world.records.plant(Shelf::Users, &name, &format!(r#"{{"name":"{name}","epoch":1}}"#));
    }
    let directory = world.unloaded();
    crate::auth::accounts::fakes::rebuild(&directory).await.unwrap();
    let listing = users::list(&directory, &Page::first(10), Some("zzz")).await.unwrap();
    assert!(listing.entries.is_empty());
    assert_eq!(listing.next.as_deref(), Some("u04999"));
    let page = Page { entries_max: 10, last: listing.next };
    assert_eq!(users::list(&directory, &page, Some("zzz")).await.unwrap().next, None);
}

#[tokio::test]
async fn the_first_administrator_is_made_but_once() {
    let world = World::default();
    let directory = world.start().await;
    assert!(users::is_first_start(&directory).await.unwrap());
    let made =
        users::create_initial_admin(&directory, users::INITIAL_ADMIN, hash("made"), true).await.unwrap();
    assert!(made.admin && made.initial && made.has_password && made.name == users::INITIAL_ADMIN);
    assert!(!users::is_first_start(&directory).await.unwrap());
    let again = users::create_initial_admin(&directory, users::INITIAL_ADMIN, hash("again"), true).await;
    assert!(matches!(again, Err(Error::Refused(_))), "{again:?}");
    assert!(users::set_password_hash(&directory, "admin", hash("own"), false).await.unwrap());
    assert!(!users::set_password_hash(&directory, "admin", hash("next"), false).await.unwrap());
    assert!(!users::find(&directory, "admin").await.unwrap().unwrap().initial);
}

#[tokio::test]
async fn metadata_that_is_lost_makes_no_first_start() {
    let world = World::default();
    let directory = world.start().await;
    admin(&directory, "root").await;
    world.accounts.clear();
    let directory = world.start().await;
    assert!(!users::is_first_start(&directory).await.unwrap());
    assert!(users::create_initial_admin(&directory, users::INITIAL_ADMIN, hash("x"), true).await.is_err());
    assert!(crate::auth::accounts::fakes::rebuild(&directory).await.unwrap().is_empty());
    let directory = world.start().await;
    let root = users::with_password(&directory, "root").await.unwrap().unwrap();
    assert_eq!(root.password, Some(hash("root")));
}

#[tokio::test]
async fn a_service_account_alone_is_no_first_user() {
    let world = World::default();
    let directory = world.start().await;
    service(&directory, "ci").await;
    assert!(users::is_first_start(&directory).await.unwrap());
}
