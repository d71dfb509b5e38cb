//! Two processes on one database, which have not heard of each other's changes yet: what is true of several records at
//! once stays true.

use super::draw::{admin, grant, group, named, new_user, user};
use crate::acl::grant::Subject;
use crate::auth::accounts::directory::Directory;
use crate::auth::accounts::fakes::World;
use crate::auth::accounts::{grants, groups, load, membership, services, users};
use crate::auth::error::Error;
use crate::metadata::postgres::database::TERM;
use crate::metadata::postgres::scratch::{self, Scratch};
use crate::oci::page::Page;

const ROUNDS: usize = 8;

struct Shared {
    scratch: Scratch,
    world: World,
}

impl Shared {
    async fn new() -> Option<Self> {
        Some(Self { scratch: scratch::database().await?, world: World::default() })
    }

    /// A process that reads no news by itself.
    async fn process(&self) -> Directory {
        let metadata = self.scratch.process(TERM).await;
        let (records, clock) = (self.world.records.clone(), self.world.clock.clone());
        let directory = Directory::new(records, metadata.accounts, clock, Box::new(drop));
        let directory = directory.beside_others(metadata.leases, metadata.newspaper);
        load::load(&directory).await.unwrap();
        directory
    }
}

#[tokio::test]
async fn of_two_administrators_who_disable_each_other_one_stays() {
    let Some(shared) = Shared::new().await else { return };
    let (here, there) = (shared.process().await, shared.process().await);
    admin(&here, "alice").await;
    admin(&there, "bob").await;
    for round in 0..ROUNDS {
        let (alice, bob) =
            tokio::join!(users::set_disabled(&here, "alice", true), users::set_disabled(&there, "bob", true));
        let refused = [&alice, &bob].into_iter().filter(|one| matches!(one, Err(Error::Refused(_)))).count();
        assert_eq!(refused, 1, "round {round}: {alice:?} {bob:?}");
        users::set_disabled(&there, "alice", false).await.unwrap();
        users::set_disabled(&here, "bob", false).await.unwrap();
    }
}

#[tokio::test]
async fn a_name_is_given_once_whoever_gives_it_and_however_it_is_written() {
    let Some(shared) = Shared::new().await else { return };
    let (here, there) = (shared.process().await, shared.process().await);
    users::create(&here, new_user("Robot"), None).await.unwrap();
    let taken = services::create(&there, named("robot")).await;
    assert!(matches!(taken, Err(Error::Exists("user"))), "{taken:?}");
    group(&here, "Devs", &[]).await;
    let taken = groups::create(&there, named("devs")).await;
    assert!(matches!(taken, Err(Error::Exists("group"))), "{taken:?}");
    for round in 0..ROUNDS {
        let (person, robot) = tokio::join!(
            users::create(&here, new_user(&format!("CI{round}")), None),
            services::create(&there, named(&format!("ci{round}")))
        );
        let made = usize::from(person.is_ok()) + usize::from(robot.is_ok());
        assert_eq!(made, 1, "round {round}: {person:?} {robot:?}");
    }
}

#[tokio::test]
async fn what_was_given_elsewhere_a_moment_ago_goes_with_the_account() {
    let Some(shared) = Shared::new().await else { return };
    let (here, there) = (shared.process().await, shared.process().await);
    user(&here, "alice").await;
    group(&there, "devs", &[]).await;
    membership::add(&there, "devs", &"user:alice".parse().unwrap()).await.unwrap();
    grants::add(&there, grant(Subject::User("alice".into()), "a"), "root").await.unwrap();
    grants::add(&there, grant(Subject::User("bob".into()), "b"), "root").await.unwrap();
    users::remove(&here, "alice").await.unwrap();
    let later = shared.process().await;
    let left: Vec<_> =
        grants::list(&later, &Page::first(9), None).entries.into_iter().map(|grant| grant.subject).collect();
    assert_eq!(left, [Subject::User("bob".into())]);
    assert_eq!(groups::find(&later, "devs").await.unwrap().unwrap().members, []);
}

#[tokio::test]
async fn who_is_made_again_elsewhere_is_not_removed_by_a_removal_that_goes_on() {
    let Some(shared) = Shared::new().await else { return };
    let (here, there) = (shared.process().await, shared.process().await);
    for round in 0..ROUNDS {
        user(&here, "alice").await;
        let again = async {
            loop {
                match users::create(&there, new_user("alice"), None).await {
                    Err(Error::Exists(_) | Error::Stale) => {}
                    made => return made,
                }
            }
        };
        let (removed, made) = tokio::join!(users::remove(&here, "alice"), again);
        assert!(made.is_ok() && removed.is_ok(), "round {round}: {made:?} {removed:?}");
        let stands = users::find(&shared.process().await, "alice").await.unwrap();
        assert!(stands.is_some(), "round {round}");
        users::remove(&there, "alice").await.unwrap();
    }
}
