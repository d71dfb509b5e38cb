//! The inner loops, through the real parts in this process: what a URL means, a digest, and a pull and a push
//! through the router on a temporary folder. No sockets; `benches/peers` has those.

#![allow(clippy::expect_used, clippy::duration_suboptimal_units)] // a bench that cannot begin has nothing to say

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use holdfast::app::build::build;
use holdfast::app::config::settings::Settings;
use holdfast::http::body::{Outgoing, incoming};
use holdfast::http::peer::Peer;
use holdfast::http::router::answer;
use holdfast::http::state::Door;
use holdfast::http::v2::route::Route;
use holdfast::oci::digest::{Algorithm, Digest};
use holdfast::oci::hasher::digest;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use std::hint::black_box;
use std::time::Duration;
use tokio::runtime::Runtime;

/// A door on an empty registry, and the folder that goes away with it.
struct Stage {
    runtime: Runtime,
    door: Door,
    _folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let settings = Settings { data: folder.path().display().to_string(), ..Settings::default() };
        let built = build(&settings, None).expect("a registry");
        built.registry.readiness.set_ready();
        std::mem::forget(built.lock);
        let door = Door::new(built.registry, Duration::from_secs(60));
        Self { runtime: Runtime::new().expect("threads"), door, _folder: folder }
    }

    async fn ask(&self, method: Method, uri: &str, body: Bytes) -> Response<Outgoing> {
        let request = Request::builder().method(method).uri(uri).body(incoming(Full::new(body)));
        answer(&self.door, request.expect("a request"), Peer::Local).await
    }

    /// Pushes a blob in one request.
    async fn push_blob(&self, bytes: Bytes) -> Digest {
        let digest = digest(Algorithm::Sha256, &bytes);
        let uri = format!("/v2/bench/blobs/uploads/?digest={digest}");
        let response = self.ask(Method::POST, &uri, bytes).await;
        assert_eq!(response.status(), StatusCode::CREATED);
        digest
    }

    async fn push_image(&self, tag: &str) {
        let config = self.push_blob(Bytes::from_static(b"{}")).await;
        let layer = self.push_blob(Bytes::from_static(b"layer")).await;
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{config}","size":2}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{layer}","size":5}}]}}"#
        );
        let response = self.ask(Method::PUT, &format!("/v2/bench/manifests/{tag}"), manifest.into()).await;
        assert_eq!(response.status(), StatusCode::CREATED);
    }
}

fn route(criterion: &mut Criterion) {
    let path = format!("/v2/team/app/blobs/sha256:{}", "ab".repeat(32));
    criterion.bench_function("route/blob", |bencher| {
        bencher.iter(|| Route::parse(&Method::GET, black_box(&path), None, 1000));
    });
    criterion.bench_function("route/tags", |bencher| {
        let query = Some("n=100&last=v1.2");
        bencher.iter(|| Route::parse(&Method::GET, black_box("/v2/team/app/tags/list"), query, 1000));
    });
}

fn digests(criterion: &mut Criterion) {
    let bytes = vec![7; 1 << 20];
    let mut group = criterion.benchmark_group("digest");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    for algorithm in Algorithm::ALL {
        group.bench_function(algorithm.as_str(), |bencher| {
            bencher.iter(|| digest(algorithm, black_box(&bytes)));
        });
    }
    group.finish();
}

fn pull(criterion: &mut Criterion) {
    let stage = Stage::new();
    stage.runtime.block_on(stage.push_image("1"));
    for method in [Method::HEAD, Method::GET] {
        criterion.bench_function(&format!("router/{method} manifest by tag"), |bencher| {
            bencher
                .to_async(&stage.runtime)
                .iter(|| stage.ask(method.clone(), "/v2/bench/manifests/1", Bytes::new()));
        });
    }
}

fn push(criterion: &mut Criterion) {
    let stage = Stage::new();
    let mut count = 0_u64;
    criterion.bench_function("router/POST blob of 64 KiB, durable", |bencher| {
        let fresh = || {
            count += 1;
            let mut bytes = vec![7; 64 << 10];
            bytes[..8].copy_from_slice(&count.to_le_bytes());
            Bytes::from(bytes)
        };
        bencher.to_async(&stage.runtime).iter_batched(
            fresh,
            |bytes| stage.push_blob(bytes),
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, route, digests, pull, push);
criterion_main!(benches);
