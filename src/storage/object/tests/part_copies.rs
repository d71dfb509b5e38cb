//! Copies of parts, asked of an S3 server that looks at signatures.

use crate::storage::config::S3;
use crate::storage::object::part_copies::Part;
use crate::storage::object::tests::server::{Server, opened};
use crate::storage::object::tests::wire::{Fault, Wire};
use crate::storage::object::uploads::multipart::refused;
use object_store::ObjectStoreExt;
use object_store::multipart::PartId;

#[tokio::test]
async fn parts_are_copied_whatever_their_names_are_spelled_with() {
    let (server, wire) = (Server::start().await, Wire::default());
    let bucket = opened(&S3 { prefix: "so me/wh+e=r\u{e9}".into(), ..server.settings() }, &wire);
    let copies = bucket.part_copies.clone().unwrap();
    let [source, target] = ["a b+c/source", "d~e/target"].map(|path| bucket.at(path).unwrap());
    let whole: bytes::Bytes = (0..11_000_000_u32).map(|at| (at % 251) as u8).collect();
    bucket.objects.put(&source, whole.clone().into()).await.unwrap();
    let id = bucket.parts.create_multipart(&target).await.unwrap();
    let mut parts = Vec::new();
    for (nth, range) in [0..5 << 20, 5 << 20..11_000_000].into_iter().enumerate() {
        let part = Part { target: &target, id: &id, nth, source: &source, range };
        parts.push(PartId { content_id: copies.copy(&part).await.unwrap() });
    }
    bucket.parts.complete_multipart(&target, &id, parts).await.unwrap();
    assert!(bucket.objects.get(&target).await.unwrap().bytes().await.unwrap() == whole);
}

#[tokio::test]
async fn what_a_copy_fails_by_is_told() {
    const TRUNCATED: &str = "<CopyPartResult><LastModified>2026-01-01T00:00:00.000Z</LastModified>";
    const FAILED: &str = " <Error><Code>InternalError</Code><Message>We know no more.</Message></Error>";
    let (server, wire) = (Server::start().await, Wire::default());
    let bucket = opened(&server.settings(), &wire);
    let copies = bucket.part_copies.clone().unwrap();
    let [source, target] = ["there", "target"].map(|path| bucket.at(path).unwrap());
    let id = bucket.parts.create_multipart(&target).await.unwrap();
    let part = Part { target: &target, id: &id, nth: 0, source: &source, range: 0..10 };
    let mut told = Vec::new();
    for fault in [
        Fault::None,
        Fault::Answer(200, FAILED),
        Fault::Answer(200, TRUNCATED),
        Fault::Answer(503, ""),
        Fault::Lost,
    ] {
        wire.fail("PUT", fault);
        told.push(refused("it", copies.copy(&part).await.unwrap_err()).to_string());
    }
    let signed = told.iter().any(|told| told.contains("X-Amz-Signature"));
    assert!(!signed, "a signed URL is a key: {told:?}");
    let expected = ["NoSuchKey", "InternalError: We know no more.", "200 OK", "503", "HTTP error"];
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.contains(expected), "{expected}: {told}");
    }
}
