//! What could not be settled at once is settled later.

use crate::metadata;
use crate::metadata::intents::Intent;
use crate::registry::recover::{Recovered, again, all};
use crate::registry::tests::replica::{World, app, meant, push, registry, stored};
use crate::registry::turns;
use crate::registry::unsettled::{Left, Unsettled};
use crate::registry::{delete, error::Error};

#[tokio::test]
async fn what_could_not_be_settled_is_settled_later() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("metadata");
    let opened = metadata::open::open(&metadata::config::Config::default(), &at, 0).await.unwrap();
    let registry = registry(stored(folder.path()).await, opened.metadata);
    let told = push(&registry, "x").await.unwrap();
    let tag = "1".parse().unwrap();
    let intent =
        Intent { repository: app(), blobs: vec![], manifests: vec![], tags: vec![tag], removing: true };
    let id = turns::begin(&registry, &intent).await.unwrap();
    // The fact is gone, the name is not, and then something failed.
    let untagged = registry.metadata.manifests.untag(&intent.repository, &intent.tags[0], Some(id)).await;
    assert!(untagged.unwrap());
    assert!(registry.unsettled.add(Unsettled { id, left: Left::Agree(intent) }));
    assert_eq!(all(&registry).await.unwrap(), Recovered::default(), "it is not for others to settle");
    assert_eq!(again(&registry).await, Recovered { settled: 1, left: 0 });
    assert_eq!(meant(&registry).await, [Some(told); 2]);
    assert!(!registry.metadata.intents.holds(id));
}

#[tokio::test]
async fn an_intent_whose_end_failed_is_ended_later() {
    let Some(world) = World::new().await else { return };
    let ((here, _), (there, _)) = (world.replica().await, world.replica().await);
    push(&here, "x").await.unwrap();
    let refuse = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
        $$ BEGIN RAISE 'made up' USING ERRCODE = '57P03'; END $$; \
        CREATE TRIGGER refuse BEFORE DELETE ON holdfast.intents FOR EACH ROW EXECUTE FUNCTION refuse()";
    world.scratch.run(refuse).await;
    let tag = "1".parse().unwrap();
    let removed = delete::tag(&here, &app(), &tag).await;
    assert!(matches!(removed, Err(Error::Metadata(_))), "{removed:?}");
    assert!(again(&here).await.left > 0, "its end is refused still");
    world.scratch.run("DROP TRIGGER refuse ON holdfast.intents").await;
    assert_eq!(again(&here).await.left, 0);
    assert_eq!(world.intents().await, 0, "an intent that stays is a lock for all others");
    let told = push(&there, "y").await.unwrap();
    assert_eq!(meant(&there).await, [Some(told); 2]);
}

#[tokio::test]
async fn an_intent_that_nobody_holds_is_found() {
    let Some(world) = World::new().await else { return };
    let ((here, _), (there, _)) = (world.replica().await, world.replica().await);
    let told = push(&here, "x").await.unwrap();
    // Its beginning was committed after the connection had broken.
    let stray = "INSERT INTO holdfast.intents (id, repository_id, replica, removing, blobs, manifests, tags) \
        SELECT gen_random_uuid(), repositories.id, replicas.id, false, '{}', '{}', '{1}' \
        FROM holdfast.repositories, holdfast.replicas WHERE repositories.name = 'app' \
        AND started = (SELECT min(started) FROM holdfast.replicas)";
    world.scratch.run(stray).await;
    assert_eq!(all(&here).await.unwrap(), Recovered::default(), "the answer may be on its way");
    world.scratch.run("UPDATE holdfast.intents SET begun = now() - interval '2 minutes'").await;
    assert_eq!(all(&there).await.unwrap(), Recovered::default(), "it is not another one's");
    assert_eq!(all(&here).await.unwrap(), Recovered { settled: 1, left: 0 });
    assert_eq!(meant(&there).await, [Some(told); 2]);
    push(&there, "y").await.unwrap();
}
