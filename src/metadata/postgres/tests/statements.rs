//! What a request costs: each method is one statement.

use crate::metadata::contract::{digest_of, manifest, repo, tag};
use crate::metadata::intents::{Begun, Intent, IntentId};
use crate::metadata::postgres::database::TERM;
use crate::metadata::postgres::scratch;
use crate::metadata::uploads::Progress;
use crate::metadata::uploads_contract::upload;
use crate::oci::page::Page;
use crate::oci::reference::Reference;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn each_method_is_one_statement() {
    let Some(scratch) = scratch::database().await else { return };
    let metadata = scratch.process(TERM).await;
    let statements = metadata.shared.clone().unwrap().statements;
    let (app, layer, id, page) = (repo("app"), digest_of("layer"), IntentId::random(), Page::first(10));
    let (by_tag, upload) = (Reference::Tag(tag("1")), upload("app", 1));
    let intent = Intent {
        repository: app.clone(),
        blobs: vec![layer],
        manifests: vec![],
        tags: vec![],
        removing: false,
    };
    let mut new = manifest("m", &["1", "2"]);
    new.blobs = vec![layer];
    macro_rules! one {
        ($asked:expr) => {{
            let before = statements.load(Ordering::Relaxed);
            let answer = $asked.await.unwrap();
            assert_eq!(statements.load(Ordering::Relaxed), before + 1, stringify!($asked));
            answer
        }};
    }
    assert_eq!(one!(metadata.intents.begin(id, &intent)), Begun::Stands);
    one!(metadata.blobs.link(&app, &layer, 1, Some(id)));
    one!(metadata.manifests.put(&app, new, true, None));
    assert!(one!(metadata.manifests.resolve(&app, &by_tag)).is_some());
    assert!(one!(metadata.manifests.body(&app, &digest_of("m"))).is_some());
    assert_eq!(one!(metadata.blobs.size(&app, &layer)), Some(1));
    let others = [digest_of("a"), layer, digest_of("b")];
    assert_eq!(one!(metadata.blobs.absent(&app, &others, &others)).len(), 3, "each once");
    assert_eq!(one!(metadata.manifests.tags(&app, &page)).unwrap().entries.len(), 2);
    one!(metadata.manifests.repositories(&page));
    one!(metadata.uploads.open(&upload, 10));
    let to = Progress { offset: 1, checkpoint: None, touched: 2 };
    assert!(one!(metadata.uploads.extend(&upload, to)));
    assert!(one!(metadata.uploads.find(&app, upload.id)).is_some());
    assert!(one!(metadata.uploads.close(upload.id)));
    assert_eq!(one!(metadata.manifests.forget(&app, &digest_of("m"), None)).unwrap().len(), 2);
}
