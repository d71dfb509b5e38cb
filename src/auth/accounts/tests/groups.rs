//! Groups: who is in them, also when many change it at once, and what goes with them.

use super::draw::{grant, group, login, named, service, user};
use crate::acl::grant::Subject;
use crate::acl::identity::AccountKind;
use crate::auth::accounts::fakes::World;
use crate::auth::accounts::form::GroupChange;
use crate::auth::accounts::group::{MEMBERS_MAX, Member};
use crate::auth::accounts::{grants, groups, membership};
use crate::auth::error::Error;
use crate::oci::page::Page;
use crate::record::Shelf;

fn member(text: &str) -> Member {
    text.parse().unwrap()
}

#[tokio::test]
async fn concurrent_changes_of_members_lose_none() {
    let world = World::default();
    // Two processes on the same stores: locks of the one do not hold the other.
    let (one, other) = (world.start().await, world.start().await);
    groups::create(&one, named("devs")).await.unwrap();
    let add = async |number: u32| {
        let directory = if number.is_multiple_of(2) { &one } else { &other };
        let member = member(&format!("user:u{number}"));
        membership::add(directory, "devs", &member).await.unwrap();
        if number.is_multiple_of(3) {
            membership::remove(directory, "devs", &member).await.unwrap();
        }
    };
    futures_util::future::join_all((0..60).map(add)).await;
    let expected: Vec<String> =
        (0..60).filter(|number| number % 3 != 0).map(|number| format!("u{number}")).collect();
    let fresh = world.start().await;
    let found = groups::find(&fresh, "devs").await.unwrap().unwrap();
    assert_eq!(found.members.len(), expected.len());
    for name in expected {
        assert!(found.members.contains(&member(&format!("user:{name}"))), "{name}");
        assert_eq!(fresh.groups_of(AccountKind::User, &name), ["devs"]);
    }
}

#[tokio::test]
async fn groups_follow_their_members() {
    let world = World::default();
    let directory = world.start().await;
    user(&directory, "alice").await;
    service(&directory, "ci").await;
    group(&directory, "devs", &["alice", "ci", "user:from-ldap"]).await;
    group(&directory, "ops", &["alice", "alice"]).await;
    for directory in [&directory, &world.start().await] {
        assert_eq!(login(directory, "alice").await.identity.groups, ["devs", "ops"]);
        assert_eq!(directory.groups_of(AccountKind::ServiceAccount, "ci"), ["devs"]);
        assert_eq!(directory.groups_of(AccountKind::User, "from-ldap"), ["devs"]);
        assert!(directory.groups_of(AccountKind::User, "ci").is_empty());
        assert!(directory.groups_of(AccountKind::Anonymous, "").is_empty());
    }
    membership::remove(&directory, "devs", &member("user:alice")).await.unwrap();
    assert_eq!(login(&directory, "alice").await.identity.groups, ["ops"]);
    let again = membership::remove(&directory, "devs", &member("user:alice")).await;
    assert!(matches!(again, Err(Error::Absent("member"))));
    let absent = membership::add(&directory, "nobodies", &member("user:alice")).await;
    assert!(matches!(absent, Err(Error::Absent("group"))));
}

#[tokio::test]
async fn a_name_alone_is_of_the_service_account_that_has_it() {
    let world = World::default();
    let directory = world.start().await;
    service(&directory, "ci").await;
    let read = |text: &str| groups::member(&directory, text).map(|member| member.to_string());
    assert_eq!(read("ci").unwrap(), "service-account:ci");
    assert_eq!(read("CI").unwrap(), "user:CI");
    assert_eq!(read("user:ci").unwrap(), "user:ci");
    assert!(read("").is_err() && read("group:x").is_err());
}

#[tokio::test]
async fn a_removed_group_leaves_nothing_behind() {
    let world = World::default();
    let directory = world.start().await;
    user(&directory, "alice").await;
    group(&directory, "devs", &["alice"]).await;
    grants::add(&directory, grant(Subject::Group("devs".into()), "a"), "root").await.unwrap();
    let of_user = grant(Subject::User("devs".into()), "a");
    grants::add(&directory, of_user.clone(), "root").await.unwrap();
    groups::remove(&directory, "devs").await.unwrap();
    assert!(matches!(groups::remove(&directory, "devs").await, Err(Error::Absent("group"))));
    assert!(login(&directory, "alice").await.identity.groups.is_empty());
    groups::create(&directory, named("devs")).await.unwrap();
    for directory in [&directory, &world.start().await] {
        assert!(login(directory, "alice").await.identity.groups.is_empty());
        let left = grants::list(directory, &Page::first(9), None).entries;
        assert_eq!(left.iter().map(|grant| &grant.subject).collect::<Vec<_>>(), [&of_user.subject]);
    }
}

#[tokio::test]
async fn groups_are_changed_and_listed() {
    let world = World::default();
    let directory = world.start().await;
    group(&directory, "devs", &["user:a", "user:b"]).await;
    group(&directory, "ops", &[]).await;
    assert!(matches!(groups::create(&directory, named("DEVS")).await, Err(Error::Exists("group"))));
    let form = GroupChange { description: Some("They build".into()) };
    groups::change(&directory, "devs", form).await.unwrap();
    let listing = groups::list(&directory, &Page::first(10), None).await.unwrap();
    let seen: Vec<_> = listing.entries.iter().map(|group| (&*group.name, group.members)).collect();
    assert_eq!(seen, [("devs", 2), ("ops", 0)]);
    let filtered = groups::list(&directory, &Page::first(10), Some("BUILD")).await.unwrap();
    assert_eq!(filtered.entries.len(), 1);
    assert_eq!(groups::find(&directory, "devs").await.unwrap().unwrap().members.len(), 2);
    let long = GroupChange { description: Some("x".repeat(513)) };
    assert!(matches!(groups::change(&directory, "devs", long).await, Err(Error::Invalid(_))));
}

#[tokio::test]
async fn a_group_is_bounded() {
    let world = World::default();
    let members: Vec<String> = (0..MEMBERS_MAX).map(|number| format!("\"user:u{number}\"")).collect();
    let json = format!(r#"{{"name":"all","members":[{}]}}"#, members.join(","));
    world.records.plant(Shelf::Groups, "all", &json);
    let directory = world.unloaded();
    crate::auth::accounts::fakes::rebuild(&directory).await.unwrap();
    crate::auth::accounts::load::load(&directory).await.unwrap();
    let full = membership::add(&directory, "all", &member("user:one-more")).await;
    assert!(matches!(full, Err(Error::Refused(_))), "{full:?}");
    membership::remove(&directory, "all", &member("user:u7")).await.unwrap();
    membership::add(&directory, "all", &member("user:one-more")).await.unwrap();
    assert_eq!(directory.groups_of(AccountKind::User, "one-more"), ["all"]);
    assert!(directory.groups_of(AccountKind::User, "u7").is_empty());
}
