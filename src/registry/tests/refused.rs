//! A push that is refused when its names stand already.

use crate::oci::reference::Reference;
use crate::registry::error::Error;
use crate::registry::recover::{Recovered, again};
use crate::registry::tests::replica::{Step, World, app, manifest, meant, names, push_naming};
use crate::registry::{delete, manifests};

#[tokio::test]
async fn a_push_that_is_refused_is_not_done_all_the_same() {
    let Some(world) = World::new().await else { return };
    let ((here, held), (there, _)) = (world.replica().await, world.replica().await);
    let child = manifest("child", &[]);
    let digest = crate::oci::hasher::digest(crate::oci::digest::Algorithm::Sha256, &child);
    let pushed = manifests::put(&here, &app(), &Reference::Digest(digest), vec![], None, child).await;
    assert_eq!(pushed.unwrap().digest, digest);
    held.expect(&[Step::Late]);
    let named = [digest];
    let refused = push_naming(&here, "x", &named);
    let meanwhile = async {
        held.reached().await;
        delete::manifest(&there, &app(), &digest).await.unwrap();
        held.go_on();
    };
    let (refused, ()) = tokio::join!(refused, meanwhile);
    assert!(matches!(refused, Err(Error::ContentAbsent(_))), "{refused:?}");
    assert_eq!(meant(&there).await, [None; 2]);
    assert_eq!(names(&here).await, []);
    assert_eq!((again(&here).await, world.intents().await), (Recovered::default(), 0));
}
