//! The contract of uploads, on a bucket in memory and on an S3 server in this process.

use crate::storage::contract;
use crate::storage::object::bucket::Bucket;
use crate::storage::object::uploads::store::Uploads;
use crate::storage::object::uploads::tests::alone::{Alone, process, settings};
use object_store::aws::AmazonS3Builder;
use std::sync::Arc;

/// An S3 server on a folder, as long as this stands.
struct Served {
    uploads: Alone,
    _folder: tempfile::TempDir,
    _server: tokio::task::JoinSet<()>,
}

async fn served() -> Served {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("bucket")).unwrap();
    let mut builder = s3s::service::S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
    builder.set_auth(s3s::auth::SimpleAuth::from_single("key", "secret"));
    let service = builder.build();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let mut server = tokio::task::JoinSet::new();
    server.spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let service = service.clone();
            connections.spawn(async move {
                let http = hyper_util::server::conn::auto::Builder::new(hyper_util::rt::TokioExecutor::new());
                http.serve_connection(hyper_util::rt::TokioIo::new(socket), service).await.ok();
            });
        }
    });
    let s3 = AmazonS3Builder::new()
        .with_endpoint(endpoint)
        .with_allow_http(true)
        .with_region("us-east-1")
        .with_bucket_name("bucket")
        .with_access_key_id("key")
        .with_secret_access_key("secret");
    let s3 = Arc::new(s3.build().unwrap());
    let bucket = Bucket {
        objects: s3.clone(),
        pages: Some(s3.clone()),
        parts: s3,
        part_copies: None,
        signer: None,
        prefix: String::new(),
    };
    Served { uploads: Alone(Uploads::new(bucket, settings())), _folder: folder, _server: server }
}

macro_rules! contract_in_memory {
    ($($name:ident)+) => {
        mod contract_in_memory {
            $(#[tokio::test] async fn $name() {
                let fake = super::Arc::default();
                super::contract::$name(&super::process(&fake, super::settings())).await;
            })+
        }
    };
}

macro_rules! contract_s3 {
    ($($name:ident)+) => {
        mod contract_s3 {
            $(#[tokio::test(flavor = "multi_thread")] async fn $name() {
                super::contract::$name(&super::served().await.uploads).await;
            })+
        }
    };
}

contract_in_memory! {
    blobs_are_read_as_they_were_staged
    uploads_come_in_pieces
    the_offset_rules
    a_wrong_digest_is_told
    another_algorithm_seals_too
    the_empty_blob
    uploads_are_swept
}

// Not with SHA-512: this server makes file names of whole paths, and those are too long then.
contract_s3! {
    blobs_are_read_as_they_were_staged
    uploads_come_in_pieces
    the_offset_rules
    a_wrong_digest_is_told
    the_empty_blob
    uploads_are_swept
}
