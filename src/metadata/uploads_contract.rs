//! What every backend of metadata must do for uploads, as `contract.rs` says it for images.

use crate::metadata::contract::repo;
use crate::metadata::open::Metadata;
use crate::metadata::uploads::{OWNER_BYTES_MAX, Opened, Progress, Upload};
use crate::oci::digest::Algorithm;
use crate::oci::upload::{Checkpoint, UploadId};

/// Runs `$run!(name)` for every function below; the one list of them.
macro_rules! every_rule {
    ($run:ident) => {
        $run! {
            uploads_contract;
            uploads_are_compared_and_set, uploads_are_bounded, stale_uploads_are_found,
        }
    };
}
pub(crate) use every_rule;

const ALL: usize = 1000;

/// An upload that has taken nothing yet.
pub fn upload(repository: &str, touched: u64) -> Upload {
    let (id, repository) = (UploadId::random(), repo(repository));
    let (algorithm, owner) = (Algorithm::Sha512, "user:alice".into());
    Upload { id, repository, algorithm, offset: 0, checkpoint: None, touched, owner }
}

fn to(offset: u64, touched: u64) -> Progress {
    Progress { offset, checkpoint: None, touched }
}

pub async fn uploads_are_compared_and_set(metadata: &Metadata) {
    let upload = upload("app", 10);
    assert!(!metadata.uploads.extend(&upload, to(5, 11)).await.unwrap());
    assert_eq!(metadata.uploads.open(&upload, 9).await.unwrap(), Opened::Open);
    assert_eq!(metadata.uploads.find(&upload.repository, upload.id).await.unwrap(), Some(upload.clone()));
    assert_eq!(metadata.uploads.find(&repo("other"), upload.id).await.unwrap(), None);
    assert!(metadata.uploads.extend(&upload, to(5, 11)).await.unwrap());
    assert!(!metadata.uploads.extend(&upload, to(6, 12)).await.unwrap(), "it does not stand at 0 any more");
    let behind = Upload { offset: 5, touched: 11, ..upload.clone() };
    let checkpoint = Some(Checkpoint::random());
    assert!(metadata.uploads.extend(&behind, Progress { checkpoint, ..to(5, 12) }).await.unwrap());
    assert!(!metadata.uploads.extend(&behind, to(5, 13)).await.unwrap(), "it has another checkpoint now");
    let moved = Upload { checkpoint, touched: 12, ..behind.clone() };
    assert_eq!(metadata.uploads.find(&upload.repository, upload.id).await.unwrap(), Some(moved.clone()));
    for changed in [behind.clone(), Upload { touched: 13, ..moved.clone() }] {
        assert!(!metadata.uploads.close_unchanged(&changed).await.unwrap(), "{changed:?}");
    }
    assert!(metadata.uploads.is_open(upload.id).await.unwrap());
    assert!(metadata.uploads.close_unchanged(&moved).await.unwrap());
    assert!(!metadata.uploads.close_unchanged(&moved).await.unwrap());
    assert!(!metadata.uploads.close(upload.id).await.unwrap());
    assert!(!metadata.uploads.is_open(upload.id).await.unwrap());
    assert!(!metadata.uploads.extend(&moved, to(9, 13)).await.unwrap());
    assert_eq!(metadata.uploads.find(&upload.repository, upload.id).await.unwrap(), None);
}

pub async fn uploads_are_bounded(metadata: &Metadata) {
    let (first, second) = (upload("app", 1), upload("app", 2));
    assert_eq!(metadata.uploads.open(&first, 0).await.unwrap(), Opened::TooMany);
    assert_eq!(metadata.uploads.open(&first, 1).await.unwrap(), Opened::Open);
    assert_eq!(metadata.uploads.open(&second, 1).await.unwrap(), Opened::TooMany);
    assert_eq!(metadata.uploads.find(&second.repository, second.id).await.unwrap(), None);
    for _ in 0..2 {
        metadata.uploads.close(first.id).await.unwrap();
    }
    assert_eq!(metadata.uploads.open(&second, 1).await.unwrap(), Opened::Open);
    assert_eq!(metadata.uploads.open(&first, 1).await.unwrap(), Opened::TooMany);
    let long = Upload { owner: "x".repeat(OWNER_BYTES_MAX + 1), ..upload("app", 3) };
    assert!(metadata.uploads.open(&long, 9).await.is_err());
}

pub async fn stale_uploads_are_found(metadata: &Metadata) {
    for touched in 0..600 {
        metadata.uploads.open(&upload("app", touched), 600).await.unwrap();
    }
    let stale = metadata.uploads.stale(590, ALL).await.unwrap();
    assert_eq!(stale.len(), 590);
    assert!(stale.iter().all(|upload| upload.touched < 590));
    assert_eq!(metadata.uploads.stale(590, 300).await.unwrap().len(), 300);
    assert_eq!(metadata.uploads.stale(0, ALL).await.unwrap(), vec![]);
}
