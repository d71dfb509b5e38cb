//! What is refused at the start, and in which words.

use crate::secret::Secret;
use crate::storage::config::{Config, Redirect, S3};
use crate::storage::object::selftest;
use crate::storage::object::tests::server::{Server, opened};
use crate::storage::object::tests::wire::{Fault, Wire};
use crate::storage::object::{bucket::Bucket, s3};
use crate::storage::open;
use std::path::Path;
use std::sync::Arc;

async fn refused(settings: &S3) -> String {
    let wire = Wire::default();
    let refused = selftest::run(&opened(settings, &wire), "the bucket images").await.unwrap_err().to_string();
    assert!(!refused.contains("a text that nobody knows") && !refused.contains("Signature="), "{refused}");
    refused
}

#[tokio::test]
async fn a_good_bucket_is_taken_and_nothing_is_left_in_it() {
    let server = Server::start().await;
    let settings = S3 { redirect: Redirect::On, ..server.settings() };
    let config = Config { s3: settings, ..Config::default() };
    let storage = open::open(&config, Path::new("/nowhere")).await.unwrap();
    assert!(storage.links.is_empty().await.unwrap());
    let left = std::fs::read_dir(server.file("holdfast/staging")).unwrap().count();
    assert_eq!(left, 0);
    let named = open::named(&config, Path::new("/nowhere"));
    assert!(named.starts_with("the bucket images below some/where/ at http://127.0.0.1:"), "{named}");
}

#[tokio::test]
async fn what_a_broken_off_trial_leaves_is_swept_by_its_age() {
    let (server, wire) = (Server::start().await, Wire::default());
    wire.fail("DELETE", Fault::Answer(403, ""));
    selftest::run(&server.bucket(&wire), "the bucket").await.unwrap_err();
    let left = || std::fs::read_dir(server.file("holdfast/staging")).unwrap().count();
    let blobs = server.storage().blobs;
    assert_eq!((blobs.staged_before(1).await.unwrap(), left()), (vec![], 1), "it may be under way");
    assert_eq!((blobs.staged_before(u64::MAX).await.unwrap(), left()), (vec![], 0));
}

#[tokio::test]
async fn a_refusal_says_what_is_wrong() {
    let server = Server::start().await;
    let good = server.settings();
    let told = refused(&S3 { bucket: "absent".into(), ..good.clone() }).await;
    assert!(told.contains("there is no such bucket"), "{told}");
    let told = refused(&S3 { secret_access_key: Secret::new("another"), ..good.clone() }).await;
    assert!(told.contains("the secret is not the one of the access key"), "{told}");
    let told = refused(&S3 { access_key_id: "stranger".into(), ..good.clone() }).await;
    assert!(told.contains("access key"), "{told}");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    let told = refused(&S3 { endpoint: format!("http://127.0.0.1:{port}"), ..good.clone() }).await;
    assert!(told.contains("error sending request") || told.contains("nothing listens"), "{told}");
}

async fn over(server: &Server, wire: &Wire) -> String {
    let refused = selftest::run(&server.bucket(wire), "the bucket images").await.unwrap_err();
    refused.to_string()
}

#[tokio::test]
async fn what_only_some_servers_do_is_tried() {
    let (server, wire) = (Server::start().await, Wire::default());
    let skewed = "<Error><Code>RequestTimeTooSkewed</Code><Message>Too far.</Message></Error>";
    wire.fail("LIST", Fault::Answer(403, skewed));
    let told = over(&server, &wire).await;
    assert!(told.contains("the clock of this machine is wrong"), "{told}");
    wire.fail("LIST", Fault::Answer(301, ""));
    let told = over(&server, &wire).await;
    assert!(told.contains("the region, or the endpoint, is wrong"), "{told}");
    let denied = "<Error><Code>AccessDenied</Code><Message>No.</Message></Error>";
    for (method, what) in [("PUT", "written"), ("GET", "read"), ("DELETE", "removed")] {
        wire.fail(method, Fault::Answer(403, denied));
        let told = over(&server, &wire).await;
        assert!(told.contains(what) && told.contains("the key needs the rights"), "{told}");
    }
    // The first PUT is the trial itself, the second one depends on what stands there.
    wire.fail("PUT", Fault::Answer(503, ""));
    selftest::run(&server.bucket(&wire), "x").await.unwrap();
}

#[tokio::test]
async fn a_server_that_ignores_conditions_is_refused() {
    let server = Server::start().await;
    let bucket = server.bucket(&Wire::default());
    // As servers were before they knew these headers.
    let blind = Bucket { objects: Arc::new(blind::Blind(Arc::clone(&bucket.objects))), ..bucket };
    let told = selftest::run(&blind, "the bucket").await.unwrap_err().to_string();
    assert!(told.contains("If-None-Match"), "{told}");
}

#[tokio::test]
async fn a_public_endpoint_that_leads_nowhere_is_refused() {
    let server = Server::start().await;
    let good = S3 { redirect: Redirect::On, ..server.settings() };
    for (public, good_one) in
        [(String::new(), true), (good.endpoint.clone(), true), ("http://127.0.0.1:1".into(), false)]
    {
        let settings = S3 { public_endpoint: public.clone(), ..good.clone() };
        let http = Arc::new(Wire::default()) as _;
        let bucket = opened(&settings, &Wire::default());
        let tried = selftest::redirects(&bucket, "the bucket", &s3::client(&settings, &http).unwrap()).await;
        match tried {
            Ok(()) => assert!(good_one, "{public}"),
            Err(error) => {
                let told = error.to_string();
                assert!(!good_one && told.contains("public_endpoint") && !told.contains("X-Amz"), "{told}");
            }
        }
    }
}

mod blind {
    use futures_util::stream::BoxStream;
    use object_store::path::Path;
    use object_store::{
        CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
        PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    };
    use std::sync::Arc;

    /// A store that writes whatever stands there.
    #[derive(Debug)]
    pub struct Blind(pub Arc<dyn ObjectStore>);

    impl std::fmt::Display for Blind {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("blind")
        }
    }

    #[async_trait::async_trait]
    impl ObjectStore for Blind {
        async fn put_opts(&self, at: &Path, bytes: PutPayload, options: PutOptions) -> Result<PutResult> {
            self.0.put_opts(at, bytes, PutOptions { mode: PutMode::Overwrite, ..options }).await
        }

        async fn put_multipart_opts(
            &self,
            at: &Path,
            options: PutMultipartOptions,
        ) -> Result<Box<dyn MultipartUpload>> {
            self.0.put_multipart_opts(at, options).await
        }

        async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
            self.0.get_opts(at, options).await
        }

        fn delete_stream(&self, all: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
            self.0.delete_stream(all)
        }

        fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
            self.0.list(prefix)
        }

        async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
            self.0.list_with_delimiter(prefix).await
        }

        async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
            self.0.copy_opts(from, to, options).await
        }
    }
}
