//! Replicas that settle what others have left, and what becomes of it if they are slow themselves.

use crate::metadata::intents::{Begun, Intent, IntentId};
use crate::oci::digest::Algorithm;
use crate::oci::hasher;
use crate::registry::error::Error;
use crate::registry::mount;
use crate::registry::parts::Registry;
use crate::registry::recover::{Recovered, again, all, all_but};
use crate::registry::tests::replica::{Step, World, app, meant, push};
use crate::storage::links::Link;
use std::collections::BTreeSet;

fn intent(tags: &[&str]) -> Intent {
    let tags = tags.iter().map(|tag| tag.parse().unwrap()).collect();
    Intent { repository: app(), blobs: vec![], manifests: vec![], tags, removing: false }
}

/// A replica dies in the middle of a push: the tag stands, and what it means does not.
async fn leave(world: &World, dead: &Registry, tag: &str) {
    let link = Link::Tag(tag.parse().unwrap(), hasher::digest(Algorithm::Sha256, b"never written"));
    assert_eq!(
        dead.metadata.intents.begin(IntentId::random(), &intent(&[tag])).await.unwrap(),
        Begun::Stands
    );
    dead.storage.links.record(&app(), &[link]).await.unwrap();
    let end = "UPDATE holdfast.replicas SET lease_ends = now() - interval '1 second' \
        WHERE id IN (SELECT replica FROM holdfast.intents WHERE NOT adopted)";
    world.scratch.run(end).await;
}

#[tokio::test]
async fn what_cannot_be_settled_keeps_nothing_else_waiting() {
    let Some(world) = World::new().await else { return };
    let ((here, held), (dead, _)) = (world.replica().await, world.replica().await);
    let mut left = BTreeSet::new();
    leave(&world, &dead, "bad").await;
    held.expect(&[Step::Refused]);
    assert_eq!(all_but(&here, &mut left).await.unwrap(), 0);
    assert_eq!(left.len(), 1);
    leave(&world, &world.replica().await.0, "1").await;
    assert_eq!(all_but(&here, &mut left).await.unwrap(), 1);
    assert_eq!((left.len(), world.intents().await), (1, 1));
    left.clear();
    assert_eq!(all_but(&here, &mut left).await.unwrap(), 1);
    assert_eq!((left.len(), world.intents().await), (0, 0));
}

#[tokio::test]
async fn an_heir_that_is_too_late_takes_nothing_away() {
    let Some(world) = World::new().await else { return };
    let (slow, held) = world.replica().await;
    let (here, _) = world.replica().await;
    let (dead, _) = world.replica().await;
    leave(&world, &dead, "1").await;
    held.expect(&[Step::Late]);
    let late = all(&slow);
    let meanwhile = async {
        held.reached().await;
        world.settle_the_first(&here).await;
        let told = push(&here, "y").await.unwrap();
        // By now it must have noticed.
        let (next, nothing) = (IntentId::random(), intent(&[]));
        assert_eq!(slow.metadata.intents.begin(next, &nothing).await.unwrap(), Begun::Stands);
        slow.metadata.intents.end(next).await.unwrap();
        held.go_on();
        told
    };
    let (late, told) = tokio::join!(late, meanwhile);
    assert_eq!(late.unwrap().settled, 0);
    assert_eq!(again(&slow).await.left, 0);
    assert_eq!(meant(&here).await, [Some(told); 2]);
    assert_eq!(world.intents().await, 0);
}

#[tokio::test]
async fn two_whose_additions_of_a_blob_have_failed_do_not_wait_for_each_other() {
    let Some(world) = World::new().await else { return };
    let ((one, of_one), (two, of_two)) = (world.replica().await, world.replica().await);
    let (base, layer) = ("base".parse().unwrap(), hasher::digest(Algorithm::Sha256, b"layer"));
    one.metadata.blobs.link(&base, &layer, 5, None).await.unwrap();
    of_one.expect(&[Step::Lost]);
    of_two.expect(&[Step::Lost]);
    let repository = app();
    let failed = async {
        tokio::join!(
            mount::mount(&one, &repository, &layer, &base),
            mount::mount(&two, &repository, &layer, &base),
        )
    };
    let meanwhile = async {
        of_one.reached().await;
        of_two.reached().await;
        of_one.go_on();
        of_two.go_on();
    };
    let ((first, second), ()) = tokio::join!(failed, meanwhile);
    assert!(
        matches!((&first, &second), (Err(Error::Storage(_)), Err(Error::Storage(_)))),
        "{first:?} {second:?}"
    );
    assert_eq!((again(&one).await, again(&two).await), (Recovered::default(), Recovered::default()));
    assert_eq!(world.intents().await, 0);
    assert!(mount::mount(&two, &repository, &layer, &base).await.unwrap());
}
