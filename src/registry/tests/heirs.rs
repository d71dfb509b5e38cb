//! Replicas that settle what others have left, and what becomes of it if they are slow themselves.

use crate::metadata::intents::{Begun, Intent, IntentId};
use crate::oci::digest::Algorithm;
use crate::oci::hasher;
use crate::registry::recover::{again, all};
use crate::registry::tests::replica::{Step, World, app, meant, push};
use crate::storage::links::Link;

#[tokio::test]
async fn an_heir_that_is_too_late_takes_nothing_away() {
    let Some(world) = World::new().await else { return };
    let (slow, held) = world.replica().await;
    let (here, _) = world.replica().await;
    let (dead, _) = world.replica().await;
    // Half of a push: the tag stands, and what it means does not.
    let tag = "1".parse().unwrap();
    let link = Link::Tag("1".parse().unwrap(), hasher::digest(Algorithm::Sha256, b"never written"));
    let intent =
        Intent { repository: app(), blobs: vec![], manifests: vec![], tags: vec![tag], removing: false };
    assert_eq!(dead.metadata.intents.begin(IntentId::random(), &intent).await.unwrap(), Begun::Stands);
    dead.storage.links.record(&app(), &[link]).await.unwrap();
    let end = "UPDATE holdfast.replicas SET lease_ends = now() - interval '1 second' \
        WHERE id = (SELECT replica FROM holdfast.intents)";
    world.scratch.run(end).await;
    held.expect(&[Step::Late]);
    let late = all(&slow);
    let meanwhile = async {
        held.reached().await;
        world.settle_the_first(&here).await;
        let told = push(&here, "y").await.unwrap();
        held.go_on();
        told
    };
    let (late, told) = tokio::join!(late, meanwhile);
    assert_eq!(late.unwrap().settled, 0);
    assert_eq!(again(&slow).await.left, 0);
    assert_eq!(meant(&here).await, [Some(told); 2]);
    assert_eq!(world.intents().await, 0);
}
