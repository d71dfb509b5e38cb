//! The inner loops, through the real parts in this process: what a URL means, a digest, and a pull and a push
//! through the router on a temporary folder; and a decision about who may. No sockets; `benches/peers` has those.

#![allow(clippy::expect_used, clippy::duration_suboptimal_units)] // a bench that cannot begin has nothing to say

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use holdfast::acl::access::{Access, Action};
use holdfast::acl::authority::Authority;
use holdfast::acl::config::{Match, Rule};
use holdfast::acl::grant::{Grant, Grants, Subject};
use holdfast::acl::identity::{AccountKind, Caller, Identity};
use holdfast::acl::rules::Rules;
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
        let runtime = Runtime::new().expect("threads");
        let built = runtime.block_on(build(&settings, None)).expect("a registry");
        built.registry.readiness.set_ready();
        std::mem::forget(built.lock);
        let door = Door::new(built.registry, Duration::from_secs(60));
        Self { runtime, door, _folder: folder }
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

/// A thousand rules of all sorts, of which none but the last fits joe.
fn rules() -> Vec<Rule> {
    let text = |text: String| Some(text);
    let when = |n: usize| match n % 5 {
        0 => Match { account: text(format!("user{n}")), ..Match::default() },
        1 => Match { group: text(format!("group{n}")), name: text("shared/**".into()), ..Match::default() },
        2 => Match { name: text(format!("team{n}/**")), ..Match::default() },
        3 => Match {
            account: text("/.+/".into()),
            name: text(format!("own{n}/${{account}}/*")),
            ..Match::default()
        },
        _ => Match {
            name: text(format!("x{n}-${{labels:project}}/*")),
            ip: vec!["10.0.0.0/8".into()],
            ..Match::default()
        },
    };
    let rule = |when| Rule { when, actions: vec!["pull".into()], comment: String::new() };
    let fifty_slow = (0..50).map(|n| Match { name: text(format!("/^.+-{n}$/")), ..Match::default() });
    (0..950).map(when).chain(fifty_slow).map(rule).collect()
}

/// Ten thousand grants, none of which is joe's for what he asks but the last.
fn grants(subject: impl Fn(usize) -> Subject) -> Grants {
    let grant = |n: usize| Grant {
        id: n.to_string(),
        subject: subject(n),
        repository: if n == 9999 { "team/app/**".into() } else { format!("team/app{n}/**") },
        actions: vec![Action::Pull],
    };
    Grants::compile((0..10_000).map(grant).collect()).expect("grants")
}

fn decide(criterion: &mut Criterion) {
    let joe = Identity {
        kind: AccountKind::User,
        name: "joe".into(),
        groups: vec!["dev".into(), "everyone".into(), "ops".into()],
        labels: [("project".to_owned(), vec!["api".to_owned(), "web".to_owned()])].into(),
        ..Identity::anonymous()
    };
    let address = "10.1.2.3".parse().ok();
    let caller = Caller { identity: &joe, address, service: "registry" };
    let access = Access::repository("team/app/web", Action::Pull);
    let spread = |n| Subject::User(if n == 9999 { "joe".into() } else { format!("user{n}") });
    for (name, grants) in [
        ("spread", grants(spread)),
        ("all to one", grants(|_| Subject::User("joe".into()))),
        ("all to a group of everyone", grants(|_| Subject::Group("everyone".into()))),
    ] {
        let authority = Authority::new(Rules::compile(&rules()).expect("rules"), grants);
        assert!(authority.decide(&caller, &access).allowed);
        criterion.bench_function(&format!("decide/1,000 rules, 10,000 grants, {name}"), |bencher| {
            bencher.iter(|| authority.decide(black_box(&caller), black_box(&access)));
        });
    }
}

criterion_group!(benches, route, digests, decide, pull, push);
criterion_main!(benches);
