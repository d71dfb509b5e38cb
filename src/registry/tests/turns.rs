//! A replica that stands still: what it may still do when it goes on, and what the others were told meanwhile.

use crate::metadata::error::Error as MetadataError;
use crate::metadata::intents::{Begun, Intent, IntentId};
use crate::registry::error::Error;
use crate::registry::recover::{Recovered, again};
use crate::registry::tests::replica::{Step, World, meant, names, push};
use std::time::Duration;

#[tokio::test]
async fn who_stood_still_does_not_undo_what_others_were_told() {
    let Some(world) = World::new().await else { return };
    let (away, held) = world.replica().await;
    // It puts right what it has written: one more step of its own on names.
    held.expect(&[Step::Late, Step::Late]);
    let late = push(&away, "x");
    let meanwhile = async {
        held.reached().await;
        let (here, _) = world.replica().await;
        world.settle_the_first(&here).await;
        let told = push(&here, "y").await.unwrap();
        assert_eq!(meant(&here).await, [Some(told); 2]);
        held.go_on();
        held.reached().await;
        held.go_on();
        (here, told)
    };
    let (late, (here, told)) = tokio::join!(late, meanwhile);
    assert!(matches!(late, Err(Error::Metadata(MetadataError::Overtaken))), "{late:?}");
    assert_eq!(meant(&here).await, [Some(told); 2]);
    assert_eq!(meant(&away).await, [Some(told); 2]);
    let left = names(&here).await;
    assert_eq!(left.len(), 2, "of what came too late nothing is left: {left:?}");
    assert_eq!(again(&away).await, Recovered::default());
}

/// Waits until a replica does not believe any more that it may act.
async fn stand_still(world: &World, registry: &crate::registry::parts::Registry) {
    let probe = IntentId::random();
    let intent = Intent {
        repository: "another".parse().unwrap(),
        blobs: vec![],
        manifests: vec![],
        tags: vec![],
        removing: false,
    };
    assert_eq!(registry.metadata.intents.begin(probe, &intent).await.unwrap(), Begun::Stands);
    // Nobody can renew a lease, nor take a replica for dead.
    let slow = world.scratch.lock("SELECT FROM holdfast.replicas FOR UPDATE").await;
    let over = async {
        while registry.metadata.intents.holds(probe) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), over).await.unwrap();
    drop(slow);
    registry.metadata.intents.end(probe).await.unwrap();
}

#[tokio::test]
async fn a_pause_that_nobody_missed_leaves_no_lock() {
    let Some(world) = World::new().await else { return };
    let (away, held) = world.replica().await;
    held.expect(&[Step::Lost]);
    let cut_short = push(&away, "x");
    let meanwhile = async {
        held.reached().await;
        stand_still(&world, &away).await;
        held.go_on();
    };
    let (cut_short, ()) = tokio::join!(cut_short, meanwhile);
    assert!(matches!(cut_short, Err(Error::Storage(_))), "{cut_short:?}");
    assert_eq!(again(&away).await.left, 0);
    assert_eq!(world.intents().await, 0, "an intent that stays is a lock for all others");
    let (here, _) = world.replica().await;
    let told = push(&here, "y").await.unwrap();
    assert_eq!(meant(&here).await, [Some(told); 2]);
}
