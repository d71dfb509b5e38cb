//! What every backend of metadata must do about its completeness, as `contract.rs` says it for images.

use crate::metadata::contract::{
    an_empty_one_knows_nothing, digest_of, manifest, meant, put, referring, repo,
};
use crate::metadata::intents::Begun;
use crate::metadata::manifests::NewManifest;
use crate::metadata::open::Metadata;
use crate::metadata::signing_keys::SigningKey;
use crate::record::{Record, Shelf};
use crate::secret::Secret;
use bytes::Bytes;

/// Runs `$run!(name)` for every function below; the one list of them.
macro_rules! every_rule {
    ($run:ident) => {
        $run! {
            completeness_contract;
            the_mark_stands, what_storage_tells_is_cleared_and_nothing_else,
        }
    };
}
pub(crate) use every_rule;

const ALL: usize = 1000;

pub async fn the_mark_stands(metadata: &Metadata) {
    metadata.completeness.set_complete().await.unwrap();
    metadata.completeness.set_complete().await.unwrap();
    assert!(metadata.completeness.is_complete().await.unwrap());
}

pub async fn what_storage_tells_is_cleared_and_nothing_else(metadata: &Metadata) {
    let large = Bytes::from("x".repeat(20_000));
    let key =
        SigningKey { id: "k".into(), algorithm: "EdDSA".into(), pem: Secret::new("PRIVATE"), created: 1 };
    metadata.signing_keys.add(&key, 0).await.unwrap();
    metadata.audit.append(vec![(1, format!("\"{}\"", "e".repeat(8000)))]).await.unwrap();
    for _ in 0..2 {
        put(metadata, "app", [NewManifest { body: Some(large.clone()), ..manifest("m", &["1"]) }]).await;
        put(metadata, "app", [referring("r", "m", None, &format!("\"{}\"", "d".repeat(8000)))]).await;
        for number in 0..1100 {
            metadata.blobs.link(&repo("app"), &digest_of(&number.to_string()), 1, None).await.unwrap();
        }
        let record = Record { version: 1, json: large.clone() };
        metadata.accounts.keep(Shelf::Tokens, "t", record).await.unwrap();
        metadata.accounts.used(&[("t".into(), 7)]).await.unwrap();
        assert_eq!(metadata.accounts.begin(Shelf::Users, "a").await.unwrap(), Begun::Stands);
        metadata.completeness.set_complete().await.unwrap();
        metadata.completeness.doubt().await.unwrap();
        assert!(!metadata.completeness.is_complete().await.unwrap());
        assert_eq!(meant(metadata, "app", "1").await, Some(digest_of("m")), "it is in doubt, and there");
        metadata.completeness.set_complete().await.unwrap();
        metadata.completeness.clear().await.unwrap();
        an_empty_one_knows_nothing(metadata).await;
        assert_eq!(metadata.blobs.size(&repo("app"), &digest_of("7")).await.unwrap(), None);
        assert_eq!(metadata.accounts.find(Shelf::Tokens, "t").await.unwrap(), None);
        assert_eq!(metadata.accounts.last_used("t").await.unwrap(), None);
        assert_eq!(metadata.accounts.pending(ALL).await.unwrap(), []);
        assert_eq!(metadata.signing_keys.all().await.unwrap().len(), 1);
        assert_eq!(metadata.audit.newest(None, ALL).await.unwrap().len(), 1);
    }
}
