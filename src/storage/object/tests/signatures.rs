//! Which bodies are signed where a bucket has no TLS.

use crate::oci::upload::UploadId;
use crate::storage::blobs::{Sealed, Staging};
use crate::storage::config::S3;
use crate::storage::contract::{body, bytes, sha256};
use crate::storage::object::tests::server::{Server, opened};
use crate::storage::object::tests::wire::Wire;
use crate::storage::open;

/// Two parts and a bit, then a small blob: the kinds of requests whose bodies were not signed.
async fn unsigned(sign_parts: bool) -> Vec<String> {
    let (server, wire) = (Server::start().await, Wire::default());
    let settings = S3 { sign_parts, ..server.settings() };
    let storage = open::storage(opened(&settings, &wire), open::settings(5 << 20, 32 << 20));
    let whole = bytes(7, (10 << 20) + 3);
    let (digest, length) = (sha256(&whole), whole.len() as u64);
    let algorithm = digest.algorithm();
    let upload = UploadId::random();
    let staging =
        Staging { upload, offset: 0, algorithm, checkpoint: None, known: Some(digest), shown_each: None };
    let staged = storage.blobs.stage(staging, body(&whole, 1 << 20, false)).await.unwrap();
    let staging = Staging { offset: length, checkpoint: staged.checkpoint, ..staging };
    assert_eq!(storage.blobs.seal(staging, &digest).await.unwrap(), Sealed::Stored { size: length });
    let small = bytes(8, 100);
    storage.blobs.put(&sha256(&small), small).await.unwrap();
    wire.unsigned()
}

#[tokio::test]
async fn all_bodies_are_signed_unless_parts_need_not_be() {
    assert_eq!(unsigned(true).await, [""; 0]);
    // Begun, three parts, completed; nothing else.
    assert_eq!(unsigned(false).await, ["POST", "PUT", "PUT", "PUT", "POST"]);
}
