//! Faults and crashes at every step of every change: afterwards there is the old state or the new one, and both places
//! and the memory tell the same.

use super::draw::{admin, grant, group, hash, login, named, new_user, personal, refresh, service, user};
use crate::acl::grant::Subject;
use crate::auth::accounts::directory::Directory;
use crate::auth::accounts::fakes::{Fault, World};
use crate::auth::accounts::form::{GroupChange, NewToken, ServiceChange, UserChange};
use crate::auth::accounts::owner::Owner;
use crate::auth::accounts::token::TokenKind;
use crate::auth::accounts::{commit, grants, groups, load, membership, services, sweep, tokens, users};
use crate::auth::error::{Error, Result};
use crate::oci::page::Page;
use crate::record::Shelf;
use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Debug, Clone, Copy)]
enum Change {
    CreateUser,
    EditUser,
    DisableUser,
    Password,
    RemoveUser,
    CreateGroup,
    EditGroup,
    AddMember,
    RemoveMember,
    RemoveGroup,
    CreateService,
    DisableService,
    RemoveService,
    MintPersonal,
    MintRefresh,
    Revoke,
    AddGrant,
    RemoveGrant,
}

const ALL: [Change; 18] = [
    Change::CreateUser,
    Change::EditUser,
    Change::DisableUser,
    Change::Password,
    Change::RemoveUser,
    Change::CreateGroup,
    Change::EditGroup,
    Change::AddMember,
    Change::RemoveMember,
    Change::RemoveGroup,
    Change::CreateService,
    Change::DisableService,
    Change::RemoveService,
    Change::MintPersonal,
    Change::MintRefresh,
    Change::Revoke,
    Change::AddGrant,
    Change::RemoveGrant,
];

impl Change {
    async fn run(self, directory: &Directory) -> Result<()> {
        let of_bob = "user:bob".parse().unwrap();
        match self {
            Self::CreateUser => users::create(directory, new_user("carol"), Some(hash("c"))).await.map(drop),
            Self::EditUser => {
                let form =
                    UserChange { email: Some("x@y".into()), admin: Some(true), ..UserChange::default() };
                users::change(directory, "alice", form).await.map(drop)
            }
            Self::DisableUser => users::set_disabled(directory, "alice", true).await.map(drop),
            Self::Password => users::set_password_hash(directory, "alice", hash("n"), false).await.map(drop),
            Self::RemoveUser => users::remove(directory, "alice").await,
            Self::CreateGroup => groups::create(directory, named("testers")).await.map(drop),
            Self::EditGroup => {
                let form = GroupChange { description: Some("new".into()) };
                groups::change(directory, "devs", form).await.map(drop)
            }
            Self::AddMember => membership::add(directory, "ops", &of_bob).await,
            Self::RemoveMember => membership::remove(directory, "devs", &of_bob).await,
            Self::RemoveGroup => groups::remove(directory, "devs").await,
            Self::CreateService => services::create(directory, named("cd")).await.map(drop),
            Self::DisableService => {
                let form = ServiceChange { disabled: Some(true), description: None };
                services::change(directory, "ci", form).await.map(drop)
            }
            Self::RemoveService => services::remove(directory, "ci").await,
            Self::MintPersonal => match standing(directory).await? {
                Some(bob) => personal(directory, &bob, "new").await.map(drop),
                None => Ok(()),
            },
            Self::MintRefresh => match standing(directory).await? {
                Some(bob) => refresh(directory, &bob, "docker").await.map(drop),
                None => Ok(()),
            },
            Self::Revoke => {
                let owner = Owner::own(crate::acl::identity::AccountKind::User, "alice");
                match tokens::list(directory, &owner, Some(TokenKind::Personal)).await?.first() {
                    Some(token) => tokens::revoke(directory, &owner, &token.id).await,
                    None => Ok(()),
                }
            }
            Self::AddGrant => {
                grants::add(directory, grant(Subject::Everyone, "free/*"), "root").await.map(drop)
            }
            Self::RemoveGrant => {
                let subject = Subject::User("bob".into());
                let all = grants::list(directory, &Page::first(9), Some(&subject)).entries;
                let id = all.iter().find(|grant| grant.repository == "b").unwrap().id.clone();
                grants::remove(directory, &id).await
            }
        }
    }
}

async fn standing(directory: &Directory) -> Result<Option<crate::auth::authenticator::Login>> {
    let kind = crate::acl::identity::AccountKind::User;
    let bob = crate::auth::accounts::identity::identity(directory, kind, "bob").await?;
    Ok(bob.map(|login| (*login).clone()))
}

async fn drawn() -> (World, Directory) {
    let world = World::default();
    let directory = world.start().await;
    admin(&directory, "root").await;
    for name in ["alice", "bob"] {
        user(&directory, name).await;
        let login = login(&directory, name).await;
        personal(&directory, &login, "one").await.unwrap();
        refresh(&directory, &login, "docker").await.unwrap();
    }
    service(&directory, "ci").await;
    for _ in 0..2 {
        services::add_secret(&directory, "ci", NewToken::default(), None).await.unwrap();
    }
    group(&directory, "devs", &["alice", "bob", "ci"]).await;
    group(&directory, "ops", &["alice", "ci"]).await;
    let of = |name: &str| name.to_owned();
    let subjects = [
        Subject::User(of("alice")),
        Subject::User(of("bob")),
        Subject::Group(of("devs")),
        Subject::ServiceAccount(of("ci")),
    ];
    for subject in subjects {
        for glob in ["a/**", "b"] {
            grants::add(&directory, grant(subject.clone(), glob), "root").await.unwrap();
        }
    }
    (world, directory)
}

/// All that can be seen, without what differs from one world to the next by chance.
async fn seen(directory: &Directory) -> String {
    let page = Page::first(100);
    let mut lines = Vec::new();
    for user in users::list(directory, &page, None).await.unwrap().entries {
        let user = users::with_password(directory, &user.name).await.unwrap().unwrap();
        let password = user.password.as_ref().map(|hash| hash.expose().to_owned());
        lines.push(format!("{user:?} {password:?}").replace(&user.epoch.to_string(), "EPOCH"));
    }
    for group in groups::list(directory, &page, None).await.unwrap().entries {
        let mut group = groups::find(directory, &group.name).await.unwrap().unwrap();
        group.members.sort();
        lines.push(format!("{group:?}"));
    }
    for account in services::list(directory, &page, None).await.unwrap().entries {
        lines.push(format!("{account:?}"));
    }
    let held = directory.memory().tokens().after(None, 1000);
    for (id, _) in held {
        let view = tokens::find(directory, &id).await.unwrap().unwrap();
        let good =
            tokens::list(directory, &view.owner, None).await.unwrap().iter().any(|token| token.id == view.id);
        lines.push(format!("{:?} {:?} {:?} good: {good}", view.owner, view.kind, view.description));
    }
    for grant in grants::list(directory, &page, None).entries {
        lines.push(format!("{:?} {} {:?}", grant.subject, grant.repository, grant.actions));
    }
    lines.sort();
    lines.join("\n")
}

/// Both places and the memory agree, and nothing is pending.
async fn agree(world: &World, directory: &Directory, what: &str) {
    assert_eq!(world.accounts.all(), world.records.all(), "{what}");
    assert_eq!(world.accounts.all_pending(), [].into(), "{what}");
    let published = world.published.lock().unwrap().clone();
    let fresh = world.start().await;
    assert_eq!(*directory.memory(), *fresh.memory(), "{what}");
    assert_eq!(published.all(), world.published.lock().unwrap().all(), "{what}");
}

async fn at_every_step(change: Change, calls: usize, done: bool) {
    let (_, before) = drawn().await;
    let old = seen(&before).await;
    change.run(&before).await.unwrap();
    let new = seen(&before).await;
    assert_ne!(old, new, "{change:?} changes nothing");
    let is_crash = calls == usize::MAX;
    for after in 0.. {
        let what = format!("{change:?}, fault at call {after} of {calls}, done: {done}");
        let (world, mut directory) = drawn().await;
        world.faults.arm(Fault { after, calls, done });
        let answer = change.run(&directory).await;
        if !world.faults.disarm() {
            assert!(answer.is_ok() && after > 2, "{what}");
            return;
        }
        if is_crash {
            directory = world.start().await;
        } else {
            load::mend(&directory).await.unwrap();
        }
        agree(&world, &directory, &what).await;
        let now = seen(&directory).await;
        assert!(
            now == new || (answer.is_err() && now == old),
            "{what}: {answer:?}\nold:\n{old}\nnow:\n{now}"
        );
    }
}

#[tokio::test]
async fn a_name_that_could_not_be_settled_is_remembered() {
    let world = World::default();
    let directory = world.start().await;
    user(&directory, "alice").await;
    for after in 0..3 {
        world.faults.arm(Fault { after, calls: usize::MAX, done: false });
        commit::settle(&directory, Shelf::Users, "alice").await.unwrap_err();
        assert!(world.faults.disarm());
        assert_eq!(directory.unsettled(), [(Shelf::Users, "alice".to_owned())], "fault at call {after}");
        assert_eq!(load::settle(&directory).await.unwrap(), 1);
        assert_eq!(directory.unsettled(), []);
    }
}

#[tokio::test]
async fn whoever_may_have_lost_the_storage_tells_nobody_that_a_change_counts() {
    // Lost before it begins, before storage is touched, and after.
    for asked_max in 0..3 {
        let world = World::default();
        let asked = AtomicUsize::new(0);
        let is_ours = move || asked.fetch_add(1, Ordering::Relaxed) < asked_max;
        let directory = world.unloaded().while_it_is_ours(is_ours);
        load::load(&directory).await.unwrap();
        let made = users::create(&directory, new_user("alice"), None).await;
        assert!(matches!(made, Err(Error::Unclaimed)), "{asked_max}: {made:?}");
        assert_eq!(world.records.all().len(), usize::from(asked_max == 2));
        assert_eq!(world.accounts.all(), world.records.all());
        assert_eq!(world.accounts.all_pending(), [].into());
    }
}

#[tokio::test]
async fn a_crash_leaves_the_old_or_the_new() {
    for change in ALL {
        Box::pin(at_every_step(change, usize::MAX, false)).await;
        Box::pin(at_every_step(change, usize::MAX, true)).await;
    }
}

#[tokio::test]
async fn a_fault_leaves_the_old_or_the_new() {
    for change in ALL {
        for calls in [1, 2, 4] {
            Box::pin(at_every_step(change, calls, false)).await;
            Box::pin(at_every_step(change, calls, true)).await;
        }
    }
}

#[tokio::test]
async fn a_change_that_nobody_waits_for_any_more_leaves_the_old_or_the_new() {
    for change in ALL {
        let (_, before) = drawn().await;
        let old = seen(&before).await;
        change.run(&before).await.unwrap();
        let new = seen(&before).await;
        for polls in 1.. {
            let (world, directory) = drawn().await;
            let mut running = Box::pin(change.run(&directory));
            let ended = (0..polls).any(|_| futures_util::FutureExt::now_or_never(&mut running).is_some());
            drop(running);
            load::mend(&directory).await.unwrap();
            let what = format!("{change:?}, dropped after {polls} polls");
            agree(&world, &directory, &what).await;
            // What is a removal of several things may have come to any of them; it is ended later.
            let now = seen(&directory).await;
            assert!(now == new || (!ended && now == old), "{what}:\nold:\n{old}\nnow:\n{now}");
            if ended {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_removal_that_was_cut_short_gives_its_name_to_nobody() {
    let (world, directory) = drawn().await;
    // The mark is written, then nothing more.
    for after in 4..12 {
        world.faults.arm(Fault { after, calls: usize::MAX, done: false });
        assert!(users::remove(&directory, "alice").await.is_err());
        world.faults.disarm();
        if users::find(&directory, "alice").await.unwrap().is_none() {
            break;
        }
    }
    assert!(users::find(&directory, "alice").await.unwrap().is_none());
    let old = grants::list(&directory, &Page::first(9), Some(&Subject::User("alice".into()))).entries;
    assert_eq!(old.len(), 2, "the removal was not cut short");
    user(&directory, "Alice").await;
    user(&directory, "alex").await;
    let left = grants::list(&directory, &Page::first(9), Some(&Subject::User("alice".into()))).entries;
    assert!(left.is_empty() && groups::find(&directory, "ops").await.unwrap().unwrap().members.len() == 1);
    agree(&world, &directory, "a name given again").await;
}

#[tokio::test]
async fn a_stale_writer_is_told_and_then_sees() {
    let (world, one) = drawn().await;
    let other = world.start().await;
    users::set_password_hash(&one, "alice", hash("one"), false).await.unwrap();
    // Storage is asked before each change, so the other one does not write over what it has not seen.
    let form = UserChange { email: Some("a@b".into()), ..UserChange::default() };
    users::change(&other, "alice", form).await.unwrap();
    let stored = users::with_password(&other, "alice").await.unwrap().unwrap();
    assert!(stored.password == Some(hash("one")) && stored.email == "a@b");
    let twice = users::create(&one, new_user("zoe"), None).await.is_ok();
    let made = users::create(&other, new_user("zoe"), None).await;
    assert!(twice && matches!(made, Err(crate::auth::error::Error::Exists("user"))), "{made:?}");
    assert!(users::find(&other, "zoe").await.unwrap().is_some());
    sweep::sweep(&one, 100).await.unwrap();
}

#[tokio::test]
async fn changes_may_run_as_tasks_of_their_own() {
    fn sendable<T: Send>(future: T) -> T {
        future
    }
    let (_, directory) = drawn().await;
    for change in ALL {
        sendable(change.run(&directory)).await.ok();
    }
    sendable(load::mend(&directory)).await.unwrap();
    sendable(sweep::sweep(&directory, 10)).await.unwrap();
    sendable(sweep::flush_uses(&directory)).await.unwrap();
    sendable(crate::auth::accounts::fakes::rebuild(&directory)).await.unwrap();
    sendable(load::load(&directory)).await.unwrap();
}
